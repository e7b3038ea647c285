# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for firmware settings: exact commands, refusals, and that each plan leads to what is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._firmware.functions import Function
from ansible_collections.railhead.cluster.plugins.module_utils._firmware.observe import Card, Firmware, State
from ansible_collections.railhead.cluster.plugins.module_utils._firmware.plan import (
    FirmwarePlan,
    Want,
    plan_firmware,
    shown_devices,
    want_from,
)
from ansible_collections.railhead.cluster.plugins.module_utils._firmware.settings import Reading, parse_value

from .model import applied, value

A0, A1, B0 = "0000:08:00.0", "0000:08:00.1", "0000:83:00.0"
CONSENT = {"reset": True, "allow_reset": True}


def reading(current: str | None, next_boot: str, **more: Any) -> Reading:
    return Reading(parse_value(next_boot), parse_value(current) if current else None, **more)


def state(address: str, device: str = "", **readings: Reading) -> State:
    return State(Function(device or address, address, (f"ens{address[5:7]}f{address[-1]}",)), readings)


def firmware(*states: State, vfs: int = 0, carries: tuple[str, ...] = (), installed: bool = True) -> Firmware:
    cards = {one.function.card: Card(one.function.netdevs, vfs, carries) for one in states}
    return Firmware(states, cards, installed)


def want(devices: Mapping[str, Mapping[str, Any]], **options: bool) -> Want:
    entries = [{"device": device, "settings": wanted} for device, wanted in devices.items()]
    return want_from({"devices": entries, "reset": False, "allow_reset": False, "allow_management": False, **options})


def shown(plan: FirmwarePlan) -> list[str]:
    return [" ".join(step.shown) for step in plan.steps]


OFF = state(A0, SRIOV_EN=reading("False(0)", "False(0)"), NUM_OF_VFS=reading("0", "0"))
EIGHT = state(A0, SRIOV_EN=reading("True(1)", "True(1)"), NUM_OF_VFS=reading("8", "8"))
PENDING = state(A0, SRIOV_EN=reading("False(0)", "True(1)"), NUM_OF_VFS=reading("0", "8"))
WANTED = {"SRIOV_EN": True, "NUM_OF_VFS": 8}
SET, RESET = f"mstconfig -d {A0} -y set ", f"mstfwreset --device {A0} --level 3 --yes reset"


@pytest.mark.parametrize(
    ("have", "settings", "options", "steps", "waiting"),
    [
        (OFF, WANTED, {}, [SET + "SRIOV_EN=1 NUM_OF_VFS=8"], (A0,)),
        (OFF, WANTED, CONSENT, [SET + "SRIOV_EN=1 NUM_OF_VFS=8", RESET], ()),
        (PENDING, WANTED, {}, [], (A0,)),
        (PENDING, WANTED, CONSENT, [RESET], ()),
        (EIGHT, WANTED, CONSENT, [], ()),
        (EIGHT, {"NUM_OF_VFS": 18}, {}, [SET + "NUM_OF_VFS=18"], (A0,)),
        (EIGHT, {"NUM_OF_VFS": 80}, {}, [SET + "NUM_OF_VFS=80"], (A0,)),
        # What is in force is set back: nothing waits for a reset then.
        (PENDING, {"NUM_OF_VFS": 0}, {}, [SET + "NUM_OF_VFS=0"], ()),
        (PENDING, {"NUM_OF_VFS": 0}, CONSENT, [SET + "NUM_OF_VFS=0"], ()),
        # Firmware that does not tell what is in force.
        (state(A0, NUM_OF_VFS=reading(None, "8")), {"NUM_OF_VFS": 8}, CONSENT, [], ()),
        (state(A0, NUM_OF_VFS=reading(None, "4")), {"NUM_OF_VFS": 8}, {}, [SET + "NUM_OF_VFS=8"], (A0,)),
        (state(A0, NUM_OF_VFS=reading(None, "4")), {"NUM_OF_VFS": 8}, CONSENT, [SET + "NUM_OF_VFS=8", RESET], ()),
        (state(A0, SPLIT_M0=reading("0x8(8)", "0x8(8)")), {"SPLIT_M0": 16}, {}, [SET + "SPLIT_M0=0x10"], (A0,)),
    ],
)  # fmt: skip
def test_plans(
    have: State, settings: dict[str, Any], options: dict[str, bool], steps: list[str], waiting: tuple[str, ...]
) -> None:
    plan = plan_firmware(firmware(have), want({A0: settings}, **options))
    assert shown(plan) == steps
    assert plan.waiting == waiting


def test_all_cards_are_set_before_one_is_reset_and_each_once() -> None:
    off = [state(address, NUM_OF_VFS=reading("0", "0"), PF_TOTAL_SF=reading("0", "0")) for address in (A0, A1, B0)]
    wanted = {A0: {"NUM_OF_VFS": 8}, A1: {"PF_TOTAL_SF": 2}, B0: {"NUM_OF_VFS": 4}}
    plan = plan_firmware(firmware(*off), want(wanted, **CONSENT))
    assert shown(plan) == [
        f"mstconfig -d {A0} -y set NUM_OF_VFS=8",
        f"mstconfig -d {A1} -y set PF_TOTAL_SF=2",
        f"mstconfig -d {B0} -y set NUM_OF_VFS=4",
        RESET,
        f"mstfwreset --device {B0} --level 3 --yes reset",
    ]
    assert [getattr(step, "lane", "") for step in plan.steps] == [A0[:-2], A0[:-2], B0[:-2], A0[:-2], B0[:-2]]


def test_the_diff_and_what_a_task_gets_to_see() -> None:
    wanted = want({A0: WANTED}, **CONSENT)
    plan = plan_firmware(firmware(PENDING), want({A0: {**WANTED, "NUM_OF_VFS": 16}}, **CONSENT))
    assert plan.before == {
        A0: {
            "SRIOV_EN": {"current": "False(0)", "next_boot": "True(1)"},
            "NUM_OF_VFS": {"current": "0", "next_boot": "8"},
        }
    }
    assert plan.after == {
        A0: {
            "SRIOV_EN": {"current": "True(1)", "next_boot": "True(1)"},
            "NUM_OF_VFS": {"current": "16", "next_boot": "16"},
        }
    }
    assert shown_devices(firmware(EIGHT), wanted, (A0,)) == [
        {
            "device": A0,
            "address": A0,
            "settings": {
                "SRIOV_EN": {"default": None, "current": "True(1)", "next_boot": "True(1)", "read_only": False},
                "NUM_OF_VFS": {"default": None, "current": "8", "next_boot": "8", "read_only": False},
            },
            "reset_required": True,
        }
    ]


def test_without_mstconfig_everything_counts_as_a_change() -> None:
    nothing = firmware(state(A0), installed=False)
    plan = plan_firmware(nothing, want({A0: WANTED}, **CONSENT))
    assert shown(plan) == [SET + "SRIOV_EN=1 NUM_OF_VFS=8", RESET]
    assert plan.before[A0]["NUM_OF_VFS"] == {"current": None, "next_boot": None}
    assert plan_firmware(nothing, want({A0: WANTED})).waiting == (A0,)


LINKS = state(A0, LINK_TYPE_P1=reading("ETH(2)", "ETH(2)"))


@pytest.mark.parametrize(
    ("have", "devices", "options", "words"),
    [
        (firmware(OFF), {A0: {"NUM_OF_VF": 8}}, {}, f"Cannot set NUM_OF_VF of {A0}: .* near it are: NUM_OF_VFS"),
        (firmware(OFF), {A0: {"sriov_en": True}}, {}, "near it are: SRIOV_EN"),
        (firmware(OFF), {A0: {"QQQ": 8}}, {}, "see 'mstconfig -d DEVICE query'"),
        (firmware(OFF), {A0: {"NUM_OF_VFS": True}}, {}, "it is 0 now and not true or false; give a number"),
        (
            firmware(state(A0, NUM_OF_PF=reading("2", "2", read_only=True))),
            {A0: {"NUM_OF_PF": 1}},
            {},
            "it is 2 and can only be read",
        ),
        (
            firmware(state(A0, DESCRIPTORS=reading("Array[0..7]", "Array[0..7]"))),
            {A0: {"DESCRIPTORS": 128}},
            {},
            r"it is an array, Array\[0..7\]; give its elements one by one, such as DESCRIPTORS\[0\]",
        ),
        (
            firmware(OFF, state(A1, NUM_OF_VFS=reading("0", "0"))),
            {A0: {"NUM_OF_VFS": 8}, A1: {"NUM_OF_VFS": 4}},
            {},
            f"Cannot set NUM_OF_VFS of {A1} to 4 and of {A0} to 8: both are functions of the card 0000:08:00",
        ),
        (
            firmware(OFF, state(A0, "ens08f0", NUM_OF_VFS=reading("0", "0"))),
            {A0: {"NUM_OF_VFS": 8}, "ens08f0": {"NUM_OF_VFS": 8}},
            {},
            f"both are {A0}; say all of it in one entry",
        ),
        (
            firmware(OFF, vfs=4),
            {A0: WANTED},
            {"reset": True},
            "Cannot reset the firmware of the card 0000:08:00: the network devices ens08f0 .* and its 4 VFs go away; "
            "set allow_reset=true",
        ),
        (
            firmware(OFF, carries=("bond0", "ens08f0")),
            {A0: WANTED},
            CONSENT,
            "comes in over bond0, ens08f0, which could end; .* set allow_management=true",
        ),
        (
            firmware(LINKS, carries=("ens08f0",)),
            {A0: {"LINK_TYPE_P1": "IB"}},
            {},
            "could be out of reach after its next boot; .* allow_management=true",
        ),
        (
            firmware(state(A0, "ens08f0", LINK_TYPE_P1=reading("ETH(2)", "ETH(2)"))),
            {"ens08f0": {"LINK_TYPE_P1": "IB"}},
            {},
            f"goes away with the link type of its port.*give the PCI address {A0}",
        ),
    ],
)
def test_refusals(have: Firmware, devices: dict[str, Any], options: dict[str, bool], words: str) -> None:
    with pytest.raises(RailheadError, match=words):
        plan_firmware(have, want(devices, **options))


def test_the_management_card_with_consent_and_without_a_change() -> None:
    allowed = want({A0: WANTED}, **CONSENT, allow_management=True)
    assert shown(plan_firmware(firmware(OFF, carries=("ens08f0",)), allowed))[-1] == RESET
    unchanged = firmware(LINKS, carries=("ens08f0",))
    assert not plan_firmware(unchanged, want({A0: {"LINK_TYPE_P1": "ETH"}}, **CONSENT)).steps


def test_a_device_that_is_listed_twice() -> None:
    entry = {"device": A0, "settings": WANTED}
    params = {"devices": [entry, entry], "reset": False, "allow_reset": False, "allow_management": False}
    with pytest.raises(RailheadError, match="it is listed twice"):
        want_from(params)


# Any settings on any cards

NUMBERS = {
    "SRIOV_EN": st.integers(0, 1),
    "NUM_OF_VFS": st.sampled_from([0, 1, 8, 10, 18, 80]),
    "LINK_TYPE_P1": st.integers(1, 2),
    "CQE_COMPRESSION": st.integers(0, 1),
    "PF_TOTAL_SF": st.integers(0, 3),
}
many = settings(max_examples=200, derandomize=True, deadline=None)


@st.composite
def firmwares(draw: st.DrawFn) -> Firmware:
    states = []
    silent = draw(st.booleans())
    for card in ("0000:08:00", "0000:83:00"):
        shared = {key: (draw(numbers), draw(numbers)) for key, numbers in NUMBERS.items()}
        for function in draw(st.sampled_from([(), (0,), (0, 1)])):
            own = {**shared, "PF_TOTAL_SF": (draw(NUMBERS["PF_TOTAL_SF"]), draw(NUMBERS["PF_TOTAL_SF"]))}
            readings = {
                key: Reading(value(key, later), None if silent else value(key, now))
                for key, (now, later) in own.items()
            }
            states.append(State(Function(f"{card}.{function}", f"{card}.{function}"), readings))
    return firmware(*states)


def as_asked(draw: st.DrawFn, key: str, number: int) -> object:
    shown = value(key, number)
    words: Sequence[object] = [number, str(number), shown.text, shown.word, shown.word.lower()]
    return draw(st.sampled_from([*words, bool(number)] if key == "SRIOV_EN" else words))


@st.composite
def wants(draw: st.DrawFn, have: Firmware) -> Want:
    devices: dict[str, dict[str, object]] = {}
    chosen: dict[tuple[str, str], int] = {}
    for one in have.states:
        for key in draw(st.lists(st.sampled_from(sorted(NUMBERS)), unique=True, min_size=1)):
            place = one.function.address if key == "PF_TOTAL_SF" else one.function.card
            number = chosen.setdefault((place, key), draw(NUMBERS[key]))
            devices.setdefault(one.function.device, {})[key] = as_asked(draw, key, number)
    return want(devices, reset=draw(st.booleans()), allow_reset=True)


@many
@given(st.data())
def test_a_plan_leads_to_what_is_wanted_and_then_nothing_is_left(data: st.DataObject) -> None:
    have = data.draw(firmwares())
    wanted = data.draw(wants(have))
    plan = plan_firmware(have, wanted)
    after = applied(have, plan.steps)
    for one in after.states:
        for key, asked in wanted.settings[one.function.device].items():
            assert asked.equals(one.readings[key].next_boot)
            current = one.readings[key].current
            if wanted.reset and current is not None:
                assert asked.equals(current)
    again = plan_firmware(after, wanted)
    assert not again.steps
    assert again.before == again.after
    if wanted.reset:
        assert not plan.waiting


@many
@given(st.data())
def test_what_was_begun_is_completed_by_the_next_run(data: st.DataObject) -> None:
    have = data.draw(firmwares())
    wanted = data.draw(wants(have))
    steps = plan_firmware(have, wanted).steps
    cut = applied(have, steps[: data.draw(st.integers(0, len(steps)))])
    after = applied(cut, plan_firmware(cut, wanted).steps)
    assert not plan_firmware(after, wanted).steps
    for one in after.states:
        assert all(
            asked.equals(one.readings[key].next_boot) for key, asked in wanted.settings[one.function.device].items()
        )


@many
@given(st.data())
def test_the_diff_foretells_what_is_read_afterwards(data: st.DataObject) -> None:
    have = data.draw(firmwares())
    wanted = data.draw(wants(have))
    plan = plan_firmware(have, wanted)
    after = applied(have, plan.steps)
    for one in after.states:
        for key in wanted.settings[one.function.device]:
            read = one.readings[key]
            assert read.next_boot is not None
            told = plan.after[one.function.address][key]
            # A word can be foretold as it was given, without its number.
            assert told["next_boot"].partition("(")[0].casefold() in (
                read.next_boot.word.casefold(),
                str(read.next_boot.number),
            )
