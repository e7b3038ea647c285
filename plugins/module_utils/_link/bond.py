# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bond lets be changed, and when: checks and changes for the suboptions of a bond. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import (
    BOND,
    BOND_DOWN,
    DEFAULT_BOND_MODE,
    DELAYS,
    DOWN_AND_EMPTY,
    NO_MEMBERS,
    WITH_ARP,
    Value,
)

#: What the kernel sets miimon to when a mode that cannot use ARP monitoring is entered without it.
_DEFAULT_MIIMON = 100


def bond_changes(
    name: str, have: Mapping[str, Value], want: Mapping[str, Value], members: tuple[str, ...]
) -> dict[str, Value]:
    """The values to set; C(have) is empty for a bond that is to be created. Refused is what the kernel would refuse."""
    mode = str(want.get("mode", have.get("mode", DEFAULT_BOND_MODE)))
    enters_mode = mode != have.get("mode", DEFAULT_BOND_MODE)
    miimon = _miimon(have, want, mode if enters_mode else None)
    _check_modes(name, want, mode)
    _check_delays(name, want, miimon)
    _check_named_members(name, want, members)
    ticks_change = miimon != have.get("miimon", 0)
    changes = {
        option: value
        for option, value in want.items()
        if have.get(option) != value or enters_mode or (ticks_change and option in DELAYS)
    }
    if not miimon:
        # Without miimon the delays are 0, and the kernel refuses to set even that.
        changes = {option: value for option, value in changes.items() if option not in DELAYS}
    _check_members(name, changes, have, members)
    return changes


def needs_down(changes: Mapping[str, Value]) -> tuple[str, ...]:
    """Those of the changes that the kernel refuses while the bond is up."""
    return tuple(each.name for each in BOND if each.name in changes and each.when in (BOND_DOWN, DOWN_AND_EMPTY))


def _miimon(have: Mapping[str, Value], want: Mapping[str, Value], entered: str | None) -> int:
    """The miimon that the bond will have: setting arp_interval or entering a mode changes it too."""
    if "miimon" in want:
        return int(str(want["miimon"]))
    if want.get("arp_interval"):
        return 0
    found = int(str(have.get("miimon", 0)))
    return found or (_DEFAULT_MIIMON if entered and entered not in WITH_ARP else 0)


def _check_modes(name: str, want: Mapping[str, Value], mode: str) -> None:
    for each in BOND:
        if each.name in want and each.modes is not None and mode not in each.modes:
            valid = [other for other in BOND[0].spec["choices"] if other in each.modes]
            raise RailheadError(
                f"Cannot set bond.{each.name} of {name}: its mode is {mode}, and the option is only in "
                f"{', '.join(valid)}; leave bond.{each.name} out or choose another bond.mode."
            )


def _check_delays(name: str, want: Mapping[str, Value], miimon: int) -> None:
    for option in DELAYS:
        delay = int(str(want.get(option, 0)))
        if delay and (not miimon or delay % miimon):
            raise RailheadError(
                f"Cannot set bond.{option}={delay} of {name}: the kernel counts it in steps of bond.miimon, which is "
                f"{miimon}; "
                + (f"give a multiple of {miimon}." if miimon else "give a bond.miimon greater than 0 too.")
            )


def _check_named_members(name: str, want: Mapping[str, Value], members: tuple[str, ...]) -> None:
    for option in ("primary", "active_slave"):
        if option in want and want[option] not in members:
            raise RailheadError(
                f"Cannot set bond.{option} of {name} to {want[option]}: it is not a member "
                f"({_listed(members)}); enslave it first (name: {want[option]}, master: {name}), then set this."
            )


def _check_members(
    name: str, changes: Mapping[str, Value], have: Mapping[str, Value], members: tuple[str, ...]
) -> None:
    for each in BOND:
        if members and each.name in changes and each.when in (NO_MEMBERS, DOWN_AND_EMPTY):
            raise RailheadError(
                f"Cannot change bond.{each.name} of {name} from {have.get(each.name)} to {changes[each.name]}: the "
                f"kernel allows it only {each.when}, and it has {_listed(members)}; release them first "
                "(master: '' for each of them), change it, and enslave them again."
            )


def _listed(members: tuple[str, ...]) -> str:
    return f"the members {', '.join(members)}" if members else "no members"
