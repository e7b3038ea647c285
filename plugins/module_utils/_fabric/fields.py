# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of the fabric document: their keys and types, and the words for what is wrong with them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._link.request import valid_mtu

_KINDS = {str: "text", int: "a number", bool: "true or false", list: "a list", dict: "a mapping"}


@dataclass(frozen=True)
class Field:
    """A key of an entry: the types of its value, the words that it may be (empty: any), whether it has to be there."""

    kinds: tuple[type, ...] = (str,)
    choices: tuple[str, ...] = ()
    required: bool = False


#: An entry with where it is in the document, such as "ports[0].vfs[1]".
Entry = tuple[str, Mapping[str, Any]]


def attempt(where: str) -> str:
    """How a message begins."""
    return f"Cannot use the fabric document: {where}: " if where else "Cannot use the fabric document: "


def wrong(where: str, text: str) -> RailheadError:
    return RailheadError(f"{attempt(where)}{text}.")


@contextmanager
def at(where: str) -> Iterator[None]:
    """Adds the place to an error of a check that does not know it."""
    try:
        yield
    except RailheadError as error:
        raise RailheadError(f"{attempt(where)}{error}") from error


def read_entry(where: str, found: object, fields: Mapping[str, Field]) -> dict[str, Any]:
    """What is given of the fields; null is the same as a key that is not there."""
    required = [key for key, field in fields.items() if field.required]
    if not isinstance(found, Mapping):
        raise wrong(where, f"expected a mapping with {', '.join(required or fields)}, found {_shown(found)}")
    for key in found:
        if key not in fields:
            raise wrong(where, f"unknown key {key!r}; known are: {', '.join(fields)}")
    given = {key: value for key, value in found.items() if value is not None}
    for key in required:
        if key not in given:
            raise wrong(where, f"'{key}' is missing")
    for key, value in given.items():
        _check(f"{where}.{key}" if where else key, value, fields[key])
    return given


def read_entries(where: str, found: Any, fields: Mapping[str, Field]) -> list[Entry]:
    """A list of entries, or None, each with its place."""
    places = ((f"{where}[{number}]", entry) for number, entry in enumerate(found or ()))
    return [(place, read_entry(place, entry, fields)) for place, entry in places]


def read_texts(where: str, found: Any) -> list[tuple[str, str]]:
    """A list of words, or None, each with its place."""
    places = [(f"{where}[{number}]", text) for number, text in enumerate(found or ())]
    for place, text in places:
        _check(place, text, Field())
    return places


def optional_mtu(where: str, entry: Mapping[str, Any]) -> int | None:
    return valid_mtu(f"{where}.mtu", entry["mtu"]) if "mtu" in entry else None


def _check(where: str, value: object, field: Field) -> None:
    if any(_is(value, kind) for kind in field.kinds) and (not field.choices or value in field.choices):
        return
    expected = " or ".join(field.choices or (_KINDS[kind] for kind in field.kinds))
    # YAML reads some words as something else: on is true, 0000:08:00.0 and 20:10:20:30:40:50 are numbers.
    quotes = field.kinds == (str,) and (
        isinstance(value, bool) or not (field.choices or isinstance(value, (str, list)))
    )
    raise wrong(where, f"expected {expected}, found {_shown(value)}{'; put it in quotes' if quotes else ''}")


def _is(value: object, kind: type) -> bool:
    if kind is list:
        return isinstance(value, (list, tuple))
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _shown(value: object) -> str:
    return "nothing" if value is None else f"{value!r} ({type(value).__name__})"
