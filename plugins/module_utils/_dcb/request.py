# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted of the DCB of a port, checked as far as that is possible without looking at the host. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError

#: Priorities, traffic classes and buffers are all counted from 0 to 7 (IEEE 802.1Q, linux/dcbnl.h).
COUNT = 8
HIGHEST_DSCP = 63
DSCP, PCP = "dscp", "pcp"
ETS, STRICT = "ets", "strict"
#: The keys of a request.
KEYS = ("trust", "dscp_prio", "pfc", "ets", "buffers")
#: How modules take lists of numbers, a traffic class, and the buffers.
NUMBERS = {"type": "list", "elements": "int"}
CLASS_OPTIONS = {
    "tc": {"type": "int", "required": True},
    "tsa": {"type": "str", "choices": [ETS, STRICT], "required": True},
    "priorities": {**NUMBERS, "required": True},
    "bandwidth": {"type": "int"},
}
BUFFER_OPTIONS = {"prio_buffer": {**NUMBERS, "required": True}, "buffer_size": {**NUMBERS, "required": True}}


@dataclass(frozen=True)
class TrafficClass:
    """C(bandwidth) is in percent of what the strict classes leave, and 0 for these."""

    tc: int
    tsa: str
    priorities: tuple[int, ...]
    bandwidth: int = 0


@dataclass(frozen=True)
class Buffers:
    """Eight each: the buffer of a priority, and the size of a buffer in bytes."""

    prio_buffer: tuple[int, ...]
    buffer_size: tuple[int, ...]


@dataclass(frozen=True)
class Settings:
    """None, and what is empty, is 'leave as it is'; but an empty C(pfc) is PFC on no priority."""

    trust: str | None = None
    dscp_prio: Mapping[int, int] = field(default_factory=dict)
    pfc: frozenset[int] | None = None
    ets: tuple[TrafficClass, ...] = ()
    buffers: Buffers | None = None
    host_dcbx: bool = False
    global_pause: bool | None = None

    def priority_of(self, dscp: int) -> int:
        """The priority of packets: cards map what nobody has mapped by the upper three bits."""
        return self.dscp_prio.get(dscp, dscp >> 3)


def settings_from(given: Mapping[str, Any]) -> Settings:
    """The values of KEYS, and C(host_dcbx) and C(global_pause); the first mistake in them is an error."""
    trust = given.get("trust")
    if trust not in (None, DSCP, PCP):
        raise wrong("trust", trust, f"{DSCP} or {PCP}")
    pfc = given.get("pfc")
    pause = given.get("global_pause")
    settings = Settings(
        trust,
        _dscp_prio(given.get("dscp_prio")),
        None if pfc is None else frozenset(_numbers("pfc", pfc, COUNT - 1)),
        _ets(given.get("ets")),
        _buffers(given.get("buffers")),
        bool(given.get("host_dcbx")),
        pause,
    )
    if trust != DSCP and settings.dscp_prio:
        raise RailheadError(
            f"Cannot use dscp_prio with trust={trust or 'as it is'}: DSCPs count only with trust=dscp; set that, or"
            " leave dscp_prio out."
        )
    if pause and pfc:
        raise RailheadError(
            f"Cannot use global_pause=true with PFC on priority {', '.join(map(str, sorted(settings.pfc or ())))}: a"
            " port pauses either the whole link or single priorities; set global_pause=false."
        )
    return settings


def wrong(key: str, value: object, expected: str) -> RailheadError:
    return RailheadError(f"Cannot use {value!r} for {key}: give {expected}.")


def number(key: str, value: object, most: int) -> int:
    """A number from 0 to C(most), also as a text: keys of JSON are texts."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise wrong(key, value, f"a number from 0 to {most}")
    return value


def _numbers(key: str, found: object, most: int) -> list[int]:
    if not isinstance(found, (list, tuple)):
        raise wrong(key, found, f"a list of numbers from 0 to {most}")
    return [number(key, value, most) for value in found]


def _dscp_prio(found: object) -> dict[int, int]:
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise wrong("dscp_prio", found, "a mapping of DSCPs to priorities, such as {26: 3}")
    return {
        number("a DSCP in dscp_prio", dscp, HIGHEST_DSCP): number(f"dscp_prio[{dscp}]", priority, COUNT - 1)
        for dscp, priority in found.items()
    }


def _ets(found: Any) -> tuple[TrafficClass, ...]:
    if not found:
        return ()
    if not isinstance(found, (list, tuple)):
        raise wrong("ets", found, "a list of traffic classes")
    classes = tuple(_traffic_class(f"ets[{position}]", entry) for position, entry in enumerate(found))
    _refuse_twice("traffic class", (entry.tc for entry in classes))
    _refuse_twice("priority", (priority for entry in classes for priority in entry.priorities))
    left = sorted(set(range(COUNT)) - {priority for entry in classes for priority in entry.priorities})
    if left:
        raise RailheadError(
            f"Cannot use ets: no traffic class has priority {', '.join(map(str, left))}; each of 0 to 7 is in one."
        )
    shares = [entry.bandwidth for entry in classes if entry.tsa == ETS]
    if shares and sum(shares) != 100:
        raise RailheadError(
            f"Cannot use ets: the bandwidths of the classes with tsa=ets are {' + '.join(map(str, shares))} ="
            f" {sum(shares)}; they share what the strict classes leave, so make them 100."
        )
    return classes


def _traffic_class(where: str, entry: object) -> TrafficClass:
    keys = ("tc", "tsa", "priorities", "bandwidth")
    if not isinstance(entry, Mapping) or not set(entry) <= set(keys):
        raise wrong(where, entry, f"a mapping with {', '.join(keys)}")
    tsa, bandwidth = entry.get("tsa"), entry.get("bandwidth")
    if tsa not in (ETS, STRICT):
        raise wrong(f"{where}.tsa", tsa, f"{ETS} or {STRICT}")
    if tsa == STRICT and bandwidth is not None:
        raise RailheadError(
            f"Cannot use {where}.bandwidth with tsa=strict: a strict class takes what it needs; leave it out."
        )
    if tsa == ETS and not number(f"{where}.bandwidth", bandwidth, 100):
        raise wrong(f"{where}.bandwidth", bandwidth, "a percentage from 1 to 100")
    priorities = _numbers(f"{where}.priorities", entry.get("priorities"), COUNT - 1)
    tc = number(f"{where}.tc", entry.get("tc"), COUNT - 1)
    return TrafficClass(tc, tsa, tuple(sorted(priorities)), int(bandwidth or 0))


def _buffers(found: object) -> Buffers | None:
    if not found:
        return None
    keys = ("prio_buffer", "buffer_size")
    if not isinstance(found, Mapping) or set(found) != set(keys):
        raise wrong("buffers", found, f"a mapping with {' and '.join(keys)}")
    of_priority = _numbers("buffers.prio_buffer", found["prio_buffer"], COUNT - 1)
    sizes = _numbers("buffers.buffer_size", found["buffer_size"], 2**32 - 1)
    for key, values in zip(keys, (of_priority, sizes)):
        if len(values) != COUNT:
            raise wrong(f"buffers.{key}", values, f"{COUNT} numbers")
    for priority, buffer in enumerate(of_priority):
        if not sizes[buffer]:
            raise RailheadError(
                f"Cannot use buffers: priority {priority} is in buffer {buffer}, which has no size; give it one."
            )
    return Buffers(tuple(of_priority), tuple(sizes))


def _refuse_twice(what: str, values: Iterable[int]) -> None:
    seen: set[int] = set()
    for value in values:
        if value in seen:
            raise RailheadError(f"Cannot use ets: {what} {value} is listed twice.")
        seen.add(value)
