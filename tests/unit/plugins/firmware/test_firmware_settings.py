# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of mstconfig by version, and when a wanted value is the shown one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import CommandError, RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._firmware.settings import (
    Reading,
    Value,
    parse_query,
    parse_value,
    wanted_settings,
)

FIXTURES = Path(__file__).parents[1] / "fixtures" / "mstflint"
ATOMIC = Value("PCI_ATOMIC_DISABLED_EXT_ATOMIC_ENABLED(0)", 0)
ARRAY = Value("Array[0..7]")
TRUE, FALSE = Value("True(1)", 1), Value("False(0)", 0)


def query(name: str) -> dict[str, Reading]:
    return parse_query((FIXTURES / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("version", ["4.21.0", "4.31.0", "next"])
def test_all_settings(version: str) -> None:
    marked = version != "4.21.0"  # older ones do not mark what can only be read
    enabled = Value("ROCE_ENABLE(2)", 2)
    assert query(f"{version}/query-all.txt") == {
        "HOST_CHAINING_DESCRIPTORS": Reading(ARRAY, ARRAY, ARRAY),
        "HOST_CHAINING_CACHE_DISABLE": Reading(FALSE, FALSE, FALSE),
        "MEMIC_SIZE_LIMIT": Reading(Value("DISABLED(0)", 0), Value("_256KB(1)", 1), Value("_256KB(1)", 1)),
        "PCI_ATOMIC_MODE": Reading(ATOMIC, ATOMIC, ATOMIC),
        "SRIOV_EN": Reading(TRUE, TRUE, FALSE),
        "NUM_OF_VFS": Reading(Value("18", 18), Value("8", 8), Value("0", 0)),
        "NUM_OF_PF": Reading(Value("2", 2), Value("2", 2), Value("2", 2), read_only=marked),
        "MODULE_SPLIT_M0": Reading(*[Value("0x10(16)", 16)] * 3),
        "EXP_ROM_UEFI_x86_ENABLE": Reading(TRUE, TRUE, TRUE),
        "ROCE_CONTROL": Reading(enabled, enabled, Value("DEVICE_DEFAULT(0)", 0), read_only=marked),
        "LINK_TYPE_P1": Reading(Value("IB(1)", 1), Value("ETH(2)", 2), Value("ETH(2)", 2)),
        "LINK_TYPE_P2": Reading(Value("ETH(2)", 2), None, Value("ETH(2)", 2)),
    }


def test_firmware_that_tells_the_next_boot_only() -> None:
    found = query("4.21.0/query-next-only.txt")
    assert found["NUM_OF_VFS"] == Reading(Value("18", 18))
    assert len(found) == 12


def test_elements_of_an_array() -> None:
    assert list(query("4.21.0/query-element.txt")) == ["HOST_CHAINING_DESCRIPTORS[0]", "HOST_CHAINING_DESCRIPTORS[1]"]


def test_what_could_not_be_read_is_no_setting() -> None:
    assert list(query("errors/some-tlvs-failed.txt")) == ["SRIOV_EN", "NUM_OF_VFS"]


@pytest.mark.parametrize("text", ["", "-E- Failed to open the device\n", "Configurations:      Default\n"])
def test_what_is_no_table(text: str) -> None:
    with pytest.raises(CommandError, match="expected a table of configurations"):
        parse_query(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("8", 8),
        ("True(1)", 1),
        ("_8_TCs(0)", 0),
        ("0x10(16)", 16),
        ("0xff", 255),
        ("Array[0..7]", None),
        ("Array[1..64]", None),
    ],
)
def test_the_number_of_a_value(text: str, number: int | None) -> None:
    assert parse_value(text) == Value(text, number)


@pytest.mark.parametrize("text", ["N/A", "-"])
def test_no_value(text: str) -> None:
    assert parse_value(text) is None


@pytest.mark.parametrize(
    ("value", "shown", "equal", "argument"),
    [
        (8, "8", True, "8"),
        ("8", "8", True, "8"),
        ("0x8", "8", True, "8"),
        (8, "18", False, "8"),
        (8, "80", False, "8"),
        (18, "8", False, "18"),
        (True, "True(1)", True, "1"),
        (1, "True(1)", True, "1"),
        ("1", "True(1)", True, "1"),
        ("true", "True(1)", True, "1"),
        ("True(1)", "True(1)", True, "1"),
        (False, "True(1)", False, "0"),
        (0, "DEVICE_DEFAULT(0)", True, "0"),
        ("DEVICE_DEFAULT", "DEVICE_DEFAULT(0)", True, "DEVICE_DEFAULT"),
        ("device_default", "DEVICE_DEFAULT(0)", True, "device_default"),
        ("DEVICE", "DEVICE_DEFAULT(0)", False, "DEVICE"),
        ("_256KB", "_256KB(1)", True, "_256KB"),
        ("_256KB(1)", "_256KB(1)", True, "1"),
        (16, "0x10(16)", True, "0x10"),
        (10, "0x10(16)", False, "0xa"),
        (0, "N/A", False, "0"),
    ],
)
def test_values_are_compared_exactly(value: object, shown: str, equal: bool, argument: str) -> None:
    wanted = wanted_settings("", {"KEY": value})["KEY"]
    assert wanted.equals(parse_value(shown)) is equal
    assert wanted.argument(parse_value(shown)) == argument


@pytest.mark.parametrize("value", ["ETH", "eth", 2, "2", "ETH(2)"])
def test_link_types(value: object) -> None:
    wanted = wanted_settings("", {"LINK_TYPE_P2": value})["LINK_TYPE_P2"]
    assert wanted.equals(Value("ETH(2)", 2))
    assert not wanted.equals(Value("IB(1)", 1))
    assert wanted.argument(None) == "2"
    assert wanted.shown(None) == "ETH(2)"


@pytest.mark.parametrize(
    ("value", "now", "shown"),
    [
        (True, "False(0)", "True(1)"),
        (0, "True(1)", "False(0)"),
        (8, "4", "8"),
        (8, None, "8"),
        (True, None, "True(1)"),
        (16, "0x8(8)", "0x10"),
        ("BALANCED", "AGGRESSIVE(1)", "BALANCED"),
    ],
)
def test_values_are_shown_as_mstconfig_will(value: object, now: str | None, shown: str) -> None:
    assert wanted_settings("", {"KEY": value})["KEY"].shown(parse_value(now) if now else None) == shown


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "give at least one"),
        ({"NUM OF VFS": 8}, "cannot be the name of one"),
        ({"": 8}, "cannot be the name of one"),
        ({"-y": 8}, "cannot be the name of one"),
        ({"A[0..7]": 8}, r"NAME\[0\]"),
        ({"NUM_OF_VFS": -1}, "a number that is not negative"),
        ({"NUM_OF_VFS": 1.5}, "-?1.5 cannot be a value of NUM_OF_VFS"),
        ({"NUM_OF_VFS": ""}, "'' cannot be a value"),
        ({"NUM_OF_VFS": None}, "None cannot be a value"),
        ({"NUM_OF_VFS": [8]}, r"\[8\] cannot be a value"),
        ({"NUM_OF_VFS": "8 9"}, "'8 9' cannot be a value"),
        ({"NUM_OF_VFS": "8=9"}, "'8=9' cannot be a value"),
        ({"LINK_TYPE_P1": "RoCE"}, "no link type 'RoCE'; give LINK_TYPE_P1 as ETH, IB"),
        ({"LINK_TYPE_P1": 4}, "no link type 4"),
        ({"LINK_TYPE_P1": True}, "no link type True"),
    ],
)
def test_what_cannot_be_asked(settings: dict[str, object], words: str) -> None:
    with pytest.raises(RailheadError, match=f"Cannot set x: .*{words}"):
        wanted_settings("Cannot set x: ", settings)
