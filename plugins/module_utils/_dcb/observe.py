# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the DCB of ports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host, Result
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.parse import (
    is_stale,
    parse_batch,
    parse_mlnx_qos,
    requests_for,
)
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.ports import find_netdev
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.state import PortState
from ansible_collections.railhead.cluster.plugins.module_utils._node.management import observe_management

DCB, MLNX_QOS = "dcb", "mlnx_qos"
_SHOW = ("dcb", "-j", "-s")


def observe_ports(host: Host, ports: Sequence[str], tool: str = DCB) -> dict[str, PortState]:
    """States by what a port was called. One process with dcb, one a port with mlnx_qos, and one more by SSH."""
    netdevs = {port: find_netdev(host, port) for port in ports}
    for port, netdev in netdevs.items():
        other = next(name for name, found in netdevs.items() if found == netdev)
        if other != port:
            raise RailheadError(
                f"Cannot set the QoS of {port}: it is {netdev}, as {other} is; leave one of the two out."
            )
    states = read_netdevs(host, list(netdevs.values()), tool)
    management = observe_management(host).netdevs if states else ()
    overwritten = _is_overwritten(host)
    return {
        port: replace(
            states[netdev],
            pause=host.read_pause(netdev),
            carrier=host.read(f"/sys/class/net/{netdev}/carrier") == "1",
            carries_management=netdev in management,
            overwritten=overwritten,
        )
        for port, netdev in netdevs.items()
    }


def read_netdevs(host: Host, netdevs: Sequence[str], tool: str = DCB) -> dict[str, PortState]:
    if not netdevs:
        return {}
    if tool == MLNX_QOS:
        return {netdev: parse_mlnx_qos(netdev, host.read_output(["mlnx_qos", "-i", netdev])) for netdev in netdevs}
    answer = host.run([*_SHOW, "-f", "-b", "-"], stdin=requests_for(netdevs))
    if is_stale(answer):
        answer = _one_by_one(host, netdevs)
    return parse_batch(answer, netdevs)


def _one_by_one(host: Host, netdevs: Sequence[str]) -> Result:
    """The answer that a batch would give, by a process for each request."""
    answers = [host.run([*_SHOW, *line.split()]) for line in requests_for(netdevs).splitlines()]
    failed = [f"{answer.stderr}\nCommand failed -:{line}\n" for line, answer in enumerate(answers, 1) if answer.rc]
    return Result(int(bool(failed)), ",".join(answer.stdout for answer in answers if not answer.rc), "".join(failed))


def _is_overwritten(host: Host) -> bool:
    """Whether lldpad runs, which writes the DCB of ports by itself: it listens on this socket (lldpad(8))."""
    return "@/com/intel/lldpad" in (host.read("/proc/net/unix") or "").split()
