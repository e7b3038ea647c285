# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How dcb of iproute2 (dcb(8)) and mlnx_qos of the vendor's driver packages are told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.request import (
    COUNT,
    DSCP,
    PCP,
    STRICT,
    Buffers,
    TrafficClass,
)
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.state import PortState, with_host_dcbx

#: mlx5 takes the link down and up again when PFC changes (mlx5e_dcbnl_ieee_setpfc() of the kernel).
LINK_GOES_DOWN = "the link of the port, which goes down and comes up again"


class Tool(Protocol):
    """Commands that bring one thing of a port to what is wanted. Whether that is needed is the planner's to know."""

    def use_host_dcbx(self, have: PortState) -> Command: ...

    def set_ets(self, netdev: str, classes: Iterable[TrafficClass]) -> Command: ...

    def set_trust(self, have: PortState, trust: str) -> Command | None:
        """None when the port comes to it by its mapping."""

    def map_dscps(self, netdev: str, mapping: Mapping[int, int]) -> list[Command]: ...

    def set_pfc(self, netdev: str, priorities: Iterable[int]) -> Command: ...

    def set_buffers(self, netdev: str, buffers: Buffers) -> Command: ...


class Dcb:
    """iproute2. What is not in a mapping stays, so everything is named."""

    def use_host_dcbx(self, have: PortState) -> Command:
        return self._command("dcbx set", have.netdev, with_host_dcbx(have), f"leave DCBX of {have.netdev} to the host")

    def set_ets(self, netdev: str, classes: Iterable[TrafficClass]) -> Command:
        """Bandwidths of all classes are checked to be 100 together, so those that are not wanted are emptied too."""
        classes = tuple(classes)
        words = (
            "prio-tc",
            *(f"{priority}:{entry.tc}" for entry in classes for priority in entry.priorities),
            "tc-tsa",
            f"all:{STRICT}",
            *(f"{entry.tc}:{entry.tsa}" for entry in classes),
            "tc-bw",
            "all:0",
            *(f"{entry.tc}:{entry.bandwidth}" for entry in classes if entry.bandwidth),
        )
        return self._command("ets set", netdev, words, f"set the traffic classes of {netdev}")

    def set_trust(self, have: PortState, trust: str) -> Command | None:
        if have.order is not None:
            words = ("order", DSCP, PCP) if trust == DSCP else ("order", PCP)
            return self._command("apptrust set", have.netdev, words, f"make {have.netdev} trust {trust}")
        if trust == PCP:
            return self._command("app flush", have.netdev, ("dscp-prio",), f"make {have.netdev} trust pcp")
        return None

    def map_dscps(self, netdev: str, mapping: Mapping[int, int]) -> list[Command]:
        words = ("dscp-prio", *(f"{dscp}:{priority}" for dscp, priority in sorted(mapping.items())))
        return [self._command("app replace", netdev, words, f"map DSCPs of {netdev} to priorities")]

    def set_pfc(self, netdev: str, priorities: Iterable[int]) -> Command:
        words = ("prio-pfc", "all:off", *(f"{priority}:on" for priority in sorted(priorities)))
        return self._command("pfc set", netdev, words, f"set PFC of {netdev}", LINK_GOES_DOWN)

    def set_buffers(self, netdev: str, buffers: Buffers) -> Command:
        words = (
            "prio-buffer",
            *(f"{priority}:{buffer}" for priority, buffer in enumerate(buffers.prio_buffer)),
            "buffer-size",
            *(f"{buffer}:{size}" for buffer, size in enumerate(buffers.buffer_size)),
        )
        return self._command("buffer set", netdev, words, f"set the receive buffers of {netdev}")

    @staticmethod
    def _command(verb: str, netdev: str, words: Iterable[str], does: str, disrupts: str = "") -> Command:
        advice = "The kernel log (dmesg) can have the driver's reason."
        return Command(("dcb", *verb.split(), "dev", netdev, *words), does, advice=advice, disrupts=disrupts)


class MlnxQos:
    """mlnx_qos. Its lists have a word for each of the eight. It refuses trust and mapping in one call."""

    def use_host_dcbx(self, have: PortState) -> Command:
        return self._command(have.netdev, ("--dcbx", "os"), f"leave DCBX of {have.netdev} to the host")

    def set_ets(self, netdev: str, classes: Iterable[TrafficClass]) -> Command:
        prio_tc, tsa, bandwidth = ["0"] * COUNT, [STRICT] * COUNT, ["0"] * COUNT
        for entry in classes:
            tsa[entry.tc], bandwidth[entry.tc] = entry.tsa, str(entry.bandwidth)
            for priority in entry.priorities:
                prio_tc[priority] = str(entry.tc)
        words = ("--prio_tc", ",".join(prio_tc), "--tsa", ",".join(tsa), "--tcbw", ",".join(bandwidth))
        return self._command(netdev, words, f"set the traffic classes of {netdev}")

    def set_trust(self, have: PortState, trust: str) -> Command | None:
        return self._command(have.netdev, ("--trust", trust), f"make {have.netdev} trust {trust}")

    def map_dscps(self, netdev: str, mapping: Mapping[int, int]) -> list[Command]:
        return [
            self._command(netdev, ("--dscp2prio", f"set,{dscp},{priority}"), f"map DSCP {dscp} of {netdev}")
            for dscp, priority in sorted(mapping.items())
        ]

    def set_pfc(self, netdev: str, priorities: Iterable[int]) -> Command:
        wanted = set(priorities)
        words = ("--pfc", ",".join("1" if priority in wanted else "0" for priority in range(COUNT)))
        return self._command(netdev, words, f"set PFC of {netdev}", LINK_GOES_DOWN)

    def set_buffers(self, netdev: str, buffers: Buffers) -> Command:
        of_priority, sizes = (",".join(map(str, values)) for values in (buffers.prio_buffer, buffers.buffer_size))
        words = ("--prio2buffer", of_priority, "--buffer_size", sizes)
        return self._command(netdev, words, f"set the receive buffers of {netdev}")

    @staticmethod
    def _command(netdev: str, words: Iterable[str], does: str, disrupts: str = "") -> Command:
        return Command(("mlnx_qos", "-i", netdev, *words), does, disrupts=disrupts)
