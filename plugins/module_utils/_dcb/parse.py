# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What C(dcb -j) of iproute2 and mlnx_qos of the vendor's driver packages print. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import CommandError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Result
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.request import COUNT, PCP, Buffers
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.state import HOST_DCBX, Ets, PortState

#: What is asked of each port, in this order. Buffers came with 5.11, apptrust with 6.2.
OBJECTS = ("pfc", "ets", "app", "buffer", "dcbx", "apptrust")
#: Complaints that mean that there is no such thing: for a driver, for the tool, for the host.
_ABSENT = ("Attribute not found", "Operation not supported", "is unknown", "No such device")


def requests_for(netdevs: Sequence[str]) -> str:
    """What C(dcb -batch) reads."""
    return "".join(f"{what} show dev {netdev}\n" for netdev in netdevs for what in OBJECTS)


def parse_batch(result: Result, netdevs: Sequence[str]) -> dict[str, PortState]:
    """The answer to requests_for(). Objects come one after another, with a comma between two of them.

    With C(-force), a request that failed leaves no object and says so on stderr, after its complaint.
    """
    complaints = _complaints(result.stderr)
    asked = [(netdev, what) for netdev in netdevs for what in OBJECTS]
    for line, text in complaints.items():
        if not any(absent in text for absent in _ABSENT):
            netdev, what = asked[line - 1]
            raise CommandError(f"Cannot read DCB: 'dcb {what} show dev {netdev}' failed: {text}.")
    try:
        objects = json.loads(f"[{result.stdout}]")
    except ValueError as error:
        raise CommandError(f"Cannot understand 'dcb -j': expected JSON, found {result.stdout[:80]!r}.") from error
    if len(objects) != len(asked) - len(complaints):
        raise CommandError(
            f"Cannot understand 'dcb -j': {len(asked)} requests, {len(objects)} answers and {len(complaints)} errors:"
            f" {result.stderr.strip()}"
        )
    answers = iter(objects)
    found: dict[str, dict[str, Any]] = {netdev: {} for netdev in netdevs}
    for line, (netdev, what) in enumerate(asked, 1):
        found[netdev][what] = complaints[line] if line in complaints else next(answers)
    return {netdev: _port(netdev, shown) for netdev, shown in found.items()}


def is_stale(result: Result) -> bool:
    """Whether a batch has to be asked again, each request by itself.

    With iproute2 6.1, every second request reads the kernel's acknowledgement of the one before it, and finds nothing.
    So one of the two that every port with DCB answers is among them. Requests are numbered by the second they are made
    in: an acknowledgement of the second before is a protocol error instead.
    """
    return any(
        "Protocol error" in text
        or ("Attribute not found" in text and OBJECTS[(line - 1) % len(OBJECTS)] in ("pfc", "ets"))
        for line, text in _complaints(result.stderr).items()
    )


def _complaints(stderr: str) -> dict[int, str]:
    """Complaints by the number of the request."""
    found: dict[int, str] = {}
    lines: list[str] = []
    for line in stderr.splitlines():
        failed = re.fullmatch(r"Command failed .*:(\d+)", line)
        if failed:
            found[int(failed.group(1))] = "; ".join(lines) or "no reason"
            lines = []
        elif line.strip():
            lines.append(line.strip())
    return found


def _port(netdev: str, shown: Mapping[str, Any]) -> PortState:
    """A complaint (text) stands for what there is not."""
    pfc, ets, app, buffer, dcbx, trust = (shown[what] for what in OBJECTS)
    has = {what: not isinstance(shown[what], str) for what in OBJECTS}
    dscp_prio: dict[int, tuple[int, ...]] = {}
    # From 6.2 on, a third thing stands in each pair: a space, which was meant for people.
    for dscp, priority, *_space in app.get("dscp_prio", ()) if has["app"] else ():
        dscp_prio[dscp] = (*dscp_prio.get(dscp, ()), priority)
    return PortState(
        netdev,
        pfc=frozenset(priority for priority, on in enumerate(pfc["prio_pfc"]) if on) if has["pfc"] else None,
        pfc_most=pfc["pfc_cap"] if has["pfc"] else 0,
        ets=_ets(ets) if has["ets"] else None,
        dscp_prio=dscp_prio,
        order=tuple(trust["order"]) if has["apptrust"] else None,
        buffers=Buffers(tuple(buffer["prio_buffer"]), tuple(buffer["buffer_size"])) if has["buffer"] else None,
        total_buffer=buffer["total_size"] if has["buffer"] else None,
        dcbx=tuple(dcbx) if has["dcbx"] else None,
        requests=tuple(pfc.get("requests", ())) if has["pfc"] else (),
        indications=tuple(pfc.get("indications", ())) if has["pfc"] else (),
        complaint="" if has["pfc"] else pfc,
    )


def _ets(shown: Mapping[str, Any]) -> Ets:
    return Ets(
        tuple(shown["prio_tc"]), dict(enumerate(shown["tc_tsa"])), dict(enumerate(shown["tc_bw"])), shown["ets_cap"]
    )


def parse_mlnx_qos(netdev: str, text: str) -> PortState:
    """C(mlnx_qos -i NETDEV). Traffic classes without a priority are not in it, DSCPs only when the port trusts them."""
    enabled = _row(text, "enabled")
    if len(enabled) != COUNT:
        raise CommandError(
            f"Cannot understand 'mlnx_qos -i {netdev}': it shows no PFC configuration: {text.strip()[:300]!r}."
        )
    trust = re.search(r"^Priority trust state: (\w+)", text, re.MULTILINE)
    mode = re.search(r"^DCBX mode: (\w+)", text, re.MULTILINE)
    return PortState(
        netdev,
        pfc=frozenset(priority for priority, on in enumerate(enabled) if on),
        ets=_mlnx_ets(text),
        dscp_prio={
            int(dscp): (int(priority),)
            for priority, dscps in re.findall(r"^\s*prio:(\d) dscp:([\d,]*)", text, re.MULTILINE)
            for dscp in dscps.split(",")
            if dscp
        },
        told_trust=trust.group(1) if trust else PCP,
        buffers=_mlnx_buffers(text),
        # Nothing tells the versions; it is IEEE that the tool speaks, and the drivers do both.
        dcbx=None if mode is None else (HOST_DCBX, "ieee") if mode.group(1) == "OS" else ("ieee",),
    )


def _row(text: str, title: str) -> list[int]:
    """A row of the table below C(PFC configuration:)."""
    row = re.search(rf"^\s+{title}((?:\s+\d)+)\s*$", text, re.MULTILINE)
    return [int(word) for word in row.group(1).split()] if row else []


def _mlnx_ets(text: str) -> Ets | None:
    tsa: dict[int, str] = {}
    bandwidth: dict[int, int] = {}
    prio_tc: dict[int, int] = {}
    tc = None
    for line in text.splitlines():
        title = re.match(r"tc: (\d) ratelimit: .*, tsa: (\w+)(?:, bw: (\d+)%)?", line)
        if title:
            tc = int(title.group(1))
            tsa[tc], bandwidth[tc] = title.group(2), int(title.group(3) or 0)
            continue
        priority = re.fullmatch(r"\s+priority:\s+(\d)\s*", line)
        if priority and tc is not None:
            prio_tc[int(priority.group(1))] = tc
    if len(prio_tc) != COUNT:
        return None
    return Ets(tuple(prio_tc[priority] for priority in range(COUNT)), tsa, bandwidth)


def _mlnx_buffers(text: str) -> Buffers | None:
    sizes = re.search(r"^Receive buffer size \(bytes\): ((?:\d+,){8})", text, re.MULTILINE)
    of_priority = _row(text, "buffer")
    if sizes is None or len(of_priority) != COUNT:
        return None
    return Buffers(tuple(of_priority), tuple(int(size) for size in sizes.group(1).rstrip(",").split(",")))
