# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firmware settings of a card: what mstconfig shows of them, and how that compares with what is wanted.

The table is read as text: mstflint 4.21 has no JSON, and that of 4.31 is written to a file only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import CommandError, RailheadError

LINK_TYPE = "LINK_TYPE_P"
#: VPI is known to ConnectX-3 only.
_LINK_TYPES = {"IB": 1, "ETH": 2, "VPI": 3}
_COLUMNS = {"Default": "default", "Current": "current", "Next Boot": "next_boot"}
_BOOLEANS = ("true", "false")


@dataclass(frozen=True)
class Value:
    """A value in the words of mstconfig: C(True(1)), C(ETH(2)), C(8), C(0x10(16)).

    C(number) is None for what has none (C(Array[0..7])). It is what decides: 8 is 8, and neither 18 nor 80.
    """

    text: str
    number: int | None = None

    @property
    def word(self) -> str:
        """Without the number behind it."""
        return self.text.partition("(")[0]


@dataclass(frozen=True)
class Reading:
    """One setting. None is a value that the firmware does not tell; old firmware tells that of the next boot only."""

    next_boot: Value | None
    current: Value | None = None
    default: Value | None = None
    read_only: bool = False


@dataclass(frozen=True)
class Wanted:
    """A value as asked for. C(number) is None for a word whose number only the card knows."""

    word: str
    number: int | None = None
    boolean: bool = False

    def equals(self, value: Value | None) -> bool:
        if value is None:
            return False
        if self.number is not None and value.number is not None:
            return self.number == value.number
        return self.word.casefold() == value.word.casefold()

    def argument(self, value: Value | None) -> str:
        """As mstconfig takes it for a setting that shows as C(value): it reads all digits of a binary one as hex."""
        if self.number is None:
            return self.word
        return hex(self.number) if value and value.text.startswith("0x") else str(self.number)

    def shown(self, value: Value | None) -> str:
        """As mstconfig will show it, as far as that can be known."""
        if value and value.word.casefold() in _BOOLEANS and self.number in (0, 1):
            return f"{bool(self.number)}({self.number})"
        return self.argument(value) if self.number is None or self.word.isdecimal() else f"{self.word}({self.number})"


def parse_query(text: str) -> dict[str, Reading]:
    """The table of C(mstconfig -e query), by the name of the setting.

    A row is C([*][RO] NAME DEFAULT CURRENT NEXT); the widths differ between versions, and a value that is too long for
    its column moves the others (printConfHeader and printSingleParam in mlxconfig/mlxcfg_ui.cpp of mstflint).
    """
    header = re.search(r"^Configurations:(.*)$", text, re.MULTILINE)
    columns = [_COLUMNS[label] for label in re.findall("|".join(_COLUMNS), header.group(1))] if header else []
    if header is None or "next_boot" not in columns:
        raise CommandError(
            f"Cannot understand the answer of mstconfig: expected a table of configurations, found {text[:80]!r}."
        )
    found = {}
    for line in text[header.end() :].partition("\n-E-")[0].splitlines():
        row = re.fullmatch(r"\*?(?P<ro>RO| +RO)? +(?P<name>[A-Za-z0-9_\[\].]+) +(?P<values>\S.*?) *", line)
        values = row["values"].split() if row else []
        if row and len(values) == len(columns):
            shown = {column: parse_value(value) for column, value in zip(columns, values)}
            found[row["name"]] = Reading(
                shown["next_boot"], shown.get("current"), shown.get("default"), read_only=bool(row["ro"])
            )
    return found


def parse_value(text: str) -> Value | None:
    """One cell of the table; None for C(N/A) and C(-)."""
    if text in ("N/A", "-"):
        return None
    number = re.fullmatch(r"(?:.*\()?(\d+)\)?", text)
    if number:
        return Value(text, int(number.group(1)))
    return Value(text, int(text, 16) if re.fullmatch(r"0x[0-9a-fA-F]+", text) else None)


def wanted_settings(attempt: str, settings: Mapping[str, Any]) -> dict[str, Wanted]:
    """Settings of a task, checked as far as that is possible without the card. C(attempt) begins the message."""
    if not settings:
        raise RailheadError(f"{attempt}there are none; give at least one, such as NUM_OF_VFS=8.")
    found = {}
    for key, value in settings.items():
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*(\[\d+\])?", str(key)):
            raise RailheadError(
                f"{attempt}{key!r} cannot be the name of one; give a name as 'mstconfig -d DEVICE query' lists it, and"
                " an element of an array as NAME[0]."
            )
        found[str(key)] = _wanted(attempt, str(key), value)
    return found


def _wanted(attempt: str, key: str, value: object) -> Wanted:
    if key.startswith(LINK_TYPE):
        return _link_type(attempt, key, value)
    if isinstance(value, bool):
        return Wanted(str(value), int(value), boolean=True)
    text = str(value).strip() if isinstance(value, (int, str)) else ""
    if re.fullmatch(r"\d+|0x[0-9a-fA-F]+", text):
        number = int(text, 16 if text.startswith("0x") else 10)
        return Wanted(str(number), number)
    if text.casefold() in _BOOLEANS:
        return Wanted(text.capitalize(), int(text.casefold() == "true"), boolean=True)
    named = re.fullmatch(r"([A-Za-z_][^\s()=]*)(?:\((\d+)\))?", text)
    if named is None:
        raise RailheadError(
            f"{attempt}{value!r} cannot be a value of {key}; give a number that is not negative, true or false, or a"
            " word as mstconfig shows it."
        )
    return Wanted(named.group(1), int(named.group(2)) if named.group(2) else None)


def _link_type(attempt: str, key: str, value: object) -> Wanted:
    for word, number in _LINK_TYPES.items():
        if str(value).upper() in (word, str(number), f"{word}({number})"):
            return Wanted(word, number)
    raise RailheadError(f"{attempt}there is no link type {value!r}; give {key} as ETH, IB, or VPI for ConnectX-3.")
