# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the firmware settings that cards have to the wanted ones, and into force by a reset. Pure.

A setting is there when the card will have it at its next boot. What is in force now only counts for a reset.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Plan
from ansible_collections.railhead.cluster.plugins.module_utils._firmware.observe import (
    TOOL,
    Card,
    Firmware,
    State,
    shown_settings,
    shown_value,
)
from ansible_collections.railhead.cluster.plugins.module_utils._firmware.settings import (
    LINK_TYPE,
    Reading,
    Wanted,
    wanted_settings,
)

#: Settings of the card and not of one of its functions, whichever function is asked.
_OF_CARD = ("SRIOV_EN", "NUM_OF_VFS", LINK_TYPE)
#: Seconds. A card takes one or two for a setting; a BlueField takes minutes for a reset.
_SET_DEADLINE, _RESET_DEADLINE = 300.0, 900.0


@dataclass(frozen=True)
class Want:
    """C(settings) by device as the task names it."""

    settings: Mapping[str, Mapping[str, Wanted]]
    reset: bool = False
    allow_reset: bool = False
    allow_management: bool = False


@dataclass(frozen=True)
class FirmwarePlan(Plan):
    """C(waiting) are the addresses of functions that have wanted settings which wait for a reset after all steps."""

    waiting: tuple[str, ...] = ()


def want_from(params: Mapping[str, Any]) -> Want:
    settings: dict[str, dict[str, Wanted]] = {}
    for entry in params["devices"]:
        device = entry["device"]
        attempt = f"Cannot set firmware settings of {device}: "
        if device in settings:
            raise RailheadError(f"{attempt}it is listed twice; say all of it in one entry.")
        settings[device] = wanted_settings(attempt, entry["settings"])
    return Want(settings, params["reset"], params["allow_reset"], params["allow_management"])


def plan_firmware(have: Firmware, want: Want) -> FirmwarePlan:
    _refuse_contradictions(have.states, want)
    sets: list[Command] = []
    waiting: list[State] = []
    for state in have.states:
        wanted = want.settings[state.function.device]
        changes = _changes(state, wanted, have.installed)
        _refuse_lost_device(state, changes, have.cards[state.function.card], want)
        sets += [_set(state, changes)] if changes else []
        waiting += [state] if _waits(state, wanted, changes) else []
    resets = _resets(have, waiting, want) if want.reset else []
    before = _shown(have, want, after=False)
    after = _shown(have, want, after=True, reset={step.lane for step in resets})
    left = () if want.reset else tuple(state.function.address for state in waiting)
    return FirmwarePlan((*sets, *resets), before, after, left)


def shown_devices(have: Firmware, want: Want, waiting: Sequence[str]) -> list[dict[str, Any]]:
    """What a task gets to see of each device, in the order of its list."""
    return [
        {
            "device": state.function.device,
            "address": state.function.address,
            "settings": shown_settings(
                {key: state.readings[key] for key in want.settings[state.function.device] if key in state.readings}
            ),
            "reset_required": state.function.address in waiting,
        }
        for state in have.states
    ]


def _changes(state: State, wanted: Mapping[str, Wanted], installed: bool) -> dict[str, Wanted]:
    """Settings that the card will not have at its next boot. Without mstconfig nothing is known, so all of them."""
    if not installed:
        return dict(wanted)
    for key, value in wanted.items():
        _refuse(state, key, value)
    return {key: value for key, value in wanted.items() if not value.equals(state.readings[key].next_boot)}


def _waits(state: State, wanted: Mapping[str, Wanted], changes: Mapping[str, Wanted]) -> bool:
    """Whether a setting will not be in force. Firmware that does not tell waits for what this run changes."""
    for key, value in wanted.items():
        current = _reading(state, key).current
        if key in changes if current is None else not value.equals(current):
            return True
    return False


def _resets(have: Firmware, waiting: Iterable[State], want: Want) -> list[Command]:
    """One for each card, by the first of its functions."""
    first: dict[str, str] = {}
    for state in waiting:
        first.setdefault(state.function.card, state.function.address)
    return [_reset(have.cards[card], card, address, want) for card, address in first.items()]


# Refusals


def _refuse(state: State, key: str, value: Wanted) -> None:
    attempt = f"Cannot set {key} of {state.function.address}: "
    reading = state.readings.get(key)
    if reading is None:
        near = difflib.get_close_matches(key.upper(), state.readings, n=3)
        raise RailheadError(
            f"{attempt}its firmware has no setting of that name; "
            + (f"near it are: {', '.join(near)}." if near else "see 'mstconfig -d DEVICE query' for those that it has.")
        )
    now = reading.next_boot
    if reading.read_only and not value.equals(now):
        raise RailheadError(f"{attempt}it is {now.text if now else 'unknown'} and can only be read; leave it out.")
    if now and now.text.startswith("Array["):
        raise RailheadError(f"{attempt}it is an array, {now.text}; give its elements one by one, such as {key}[0].")
    if now and value.boolean and now.word.casefold() not in ("true", "false"):
        raise RailheadError(f"{attempt}it is {now.text} now and not true or false; give a number or a word.")


def _refuse_contradictions(states: Iterable[State], want: Want) -> None:
    said: dict[tuple[str, str], tuple[str, Wanted]] = {}
    named: dict[str, str] = {}
    for state in states:
        other = named.setdefault(state.function.address, state.function.device)
        if other != state.function.device:
            raise RailheadError(
                f"Cannot set firmware settings of {other} and {state.function.device}: both are"
                f" {state.function.address}; say all of it in one entry."
            )
        for key, value in want.settings[state.function.device].items():
            device, first = said.setdefault((state.function.card, key), (state.function.device, value))
            if key.startswith(_OF_CARD) and first.number != value.number:
                raise RailheadError(
                    f"Cannot set {key} of {state.function.device} to {value.word} and of {device} to {first.word}: both"
                    f" are functions of the card {state.function.card}, which has one for all; give it once."
                )


def _refuse_lost_device(state: State, changes: Mapping[str, Wanted], card: Card, want: Want) -> None:
    """Another link type replaces the network devices of a port."""
    types = [key for key in changes if key.startswith(LINK_TYPE)]
    if not types:
        return
    attempt = f"Cannot set {', '.join(types)} of {state.function.device}: "
    if state.function.device in state.function.netdevs:
        raise RailheadError(
            f"{attempt}a network device goes away with the link type of its port, so that a second run would not find"
            f" it; give the PCI address {state.function.address}."
        )
    if card.carries and not want.allow_management:
        raise RailheadError(
            f"{attempt}the SSH connection of this run comes in over {', '.join(card.carries)} of the same card, and the"
            " host could be out of reach after its next boot; come in by another way, or set allow_management=true."
        )


# Steps


def _set(state: State, changes: Mapping[str, Wanted]) -> Command:
    words = [f"{key}={value.argument(_reading(state, key).next_boot)}" for key, value in changes.items()]
    return Command(
        (TOOL, "-d", state.function.address, "-y", "set", *words),
        f"set {', '.join(words)} in the firmware of {state.function.address}",
        advice="Nothing of this card was changed when a value is out of range or unknown to it.",
        deadline=_SET_DEADLINE,
        lane=state.function.card,
        undo=_undo(state, changes),
    )


def _undo(state: State, changes: Mapping[str, Wanted]) -> str:
    old = {key: _reading(state, key).next_boot for key in changes}
    return "set it back to " + ", ".join(f"{key}={value.text}" for key, value in old.items() if value)


def _reset(card: Card, slot: str, address: str, want: Want) -> Command:
    effects = f"the network devices {', '.join(card.netdevs) or '(none)'} and their RDMA devices go away and come back"
    if card.vfs:
        effects += f", and its {card.vfs} VFs go away"
    attempt = f"Cannot reset the firmware of the card {slot}: "
    if not want.allow_reset:
        raise RailheadError(
            f"{attempt}{effects}; set allow_reset=true to go on, or leave reset out and boot the host at a better time."
        )
    if card.carries and not want.allow_management:
        raise RailheadError(
            f"{attempt}the SSH connection of this run comes in over {', '.join(card.carries)}, which could end; come in"
            " by another way, set allow_management=true, or leave reset out and boot the host."
        )
    return Command(
        # Level 3 restarts the driver and resets the PCI link. Without it, mstfwreset may choose to boot the host.
        ("mstfwreset", "--device", address, "--level", "3", "--yes", "reset"),
        f"reset the firmware of the card {slot}",
        advice="A boot of the host puts the settings into force too, on some machines only one from power off.",
        deadline=_RESET_DEADLINE,
        lane=slot,
        disrupts=effects,
    )


def _reading(state: State, key: str) -> Reading:
    return state.readings.get(key, Reading(None))


def _shown(have: Firmware, want: Want, *, after: bool, reset: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """Wanted settings by function: as they are, or as they will be when the cards C(reset) were reset."""
    return {
        state.function.address: {
            key: _row(_reading(state, key), value, after=after, reset=state.function.card in reset)
            for key, value in want.settings[state.function.device].items()
        }
        for state in have.states
    }


def _row(reading: Reading, value: Wanted, *, after: bool, reset: bool) -> dict[str, str | None]:
    now = reading.next_boot
    next_boot = value.shown(now) if after and not value.equals(now) else shown_value(now)
    return {"current": next_boot if reset else shown_value(reading.current), "next_boot": next_boot}
