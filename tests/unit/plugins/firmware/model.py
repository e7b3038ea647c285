# SPDX-License-Identifier: GPL-3.0-or-later
"""Cards that keep settings: C(set) changes what the next boot brings, a reset puts it into force for all of a card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Step
from ansible_collections.railhead.cluster.plugins.module_utils._firmware.observe import Firmware, State
from ansible_collections.railhead.cluster.plugins.module_utils._firmware.settings import Reading, Value

#: Words that mstconfig has for numbers, by setting.
WORDS: Mapping[str, tuple[str, ...]] = {
    "SRIOV_EN": ("False", "True"),
    "LINK_TYPE_P1": ("", "IB", "ETH"),
    "CQE_COMPRESSION": ("BALANCED", "AGGRESSIVE"),
}
#: Settings that each function has for itself.
OF_FUNCTION = ("PF_TOTAL_SF",)


def value(key: str, number: int) -> Value:
    words = WORDS.get(key)
    return Value(f"{words[number]}({number})" if words else str(number), number)


def applied(have: Firmware, steps: Iterable[Step]) -> Firmware:
    """What the cards are after the steps."""
    for step in steps:
        words = step.shown
        if words[0] == "mstconfig":
            assert words[1] == "-d" and words[3:5] == ["-y", "set"]
            for pair in words[5:]:
                have = _set(have, words[2], *pair.split("="))
        else:
            assert (words[:2], words[3:]) == (["mstfwreset", "--device"], ["--level", "3", "--yes", "reset"])
            have = _reset(have, words[2].rpartition(".")[0])
    return have


def _set(have: Firmware, address: str, key: str, text: str) -> Firmware:
    words = [word.casefold() for word in WORDS.get(key, ())]
    number = int(text) if text.isdecimal() else words.index(text.casefold())
    card = address.rpartition(".")[0]

    def changed(state: State) -> State:
        mine = state.function.address == address if key in OF_FUNCTION else state.function.card == card
        if not mine or key not in state.readings:
            return state
        reading = replace(state.readings[key], next_boot=value(key, number))
        return replace(state, readings={**state.readings, key: reading})

    return replace(have, states=tuple(changed(state) for state in have.states))


def _reset(have: Firmware, card: str) -> Firmware:
    def changed(state: State) -> State:
        if state.function.card != card:
            return state
        return replace(state, readings={key: _in_force(reading) for key, reading in state.readings.items()})

    return replace(have, states=tuple(changed(state) for state in have.states))


def _in_force(reading: Reading) -> Reading:
    return reading if reading.current is None else replace(reading, current=reading.next_boot)
