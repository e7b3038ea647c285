# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a port has of DCB, whichever tool told it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._dcb.request import COUNT, DSCP, ETS, PCP, Buffers

HOST_DCBX = "host"


@dataclass(frozen=True)
class Ets:
    """C(tsa) and C(bandwidth) are by traffic class, C(prio_tc) has the class of each of the eight priorities.

    C(classes) is how many the port has.
    """

    prio_tc: tuple[int, ...]
    tsa: Mapping[int, str]
    bandwidth: Mapping[int, int]
    classes: int = COUNT


@dataclass(frozen=True)
class PortState:
    """What is None the driver does not implement. C(dscp_prio) has the priorities of a DSCP, mostly one.

    C(order) is what C(dcb apptrust) says; without it, C(told_trust) is what mlnx_qos says; without that too, a port
    trusts DSCPs when any is mapped (mlx5e_dcbnl_ieee_setapp() of the kernel). C(pfc_most) is how many priorities can
    have PFC. C(pause) is (received, sent). C(complaint) is why there is no DCB.
    C(overwritten): lldpad runs, which writes all this by itself.
    """

    netdev: str
    pfc: frozenset[int] | None = None
    pfc_most: int = COUNT
    ets: Ets | None = None
    dscp_prio: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    order: tuple[str, ...] | None = None
    told_trust: str | None = None
    buffers: Buffers | None = None
    total_buffer: int | None = None
    dcbx: tuple[str, ...] | None = None
    pause: tuple[bool, bool] | None = None
    carrier: bool = False
    carries_management: bool = False
    overwritten: bool = False
    requests: tuple[int, ...] = ()
    indications: tuple[int, ...] = ()
    complaint: str = ""

    @property
    def trust(self) -> str | None:
        if self.pfc is None:
            return None
        if self.order is not None:
            return self.order[0] if self.order else None
        if self.told_trust is not None:
            return self.told_trust
        return DSCP if self.dscp_prio else PCP


def with_host_dcbx(have: PortState) -> tuple[str, ...]:
    """The words of DCBX that leave it to the host, in the versions of the protocol that the port has now."""
    return (HOST_DCBX, *([word for word in have.dcbx or () if word in ("cee", "ieee")] or ["ieee"]))


def shown_port(state: PortState) -> dict[str, Any]:
    """The settings of a port, as they are returned and as a request has them."""
    return {
        "netdev": state.netdev,
        "trust": state.trust,
        "dscp_prio": {dscp: list(priorities)[-1] for dscp, priorities in sorted(state.dscp_prio.items())},
        "pfc": None if state.pfc is None else sorted(state.pfc),
        "ets": None if state.ets is None else _shown_ets(state.ets),
        "buffers": _shown_buffers(state.buffers),
        "dcbx": None if state.dcbx is None else list(state.dcbx),
        "global_pause": None if state.pause is None else any(state.pause),
    }


def _shown_ets(ets: Ets) -> list[dict[str, Any]]:
    """The classes that have a priority."""
    found = []
    for tc in sorted(set(ets.prio_tc)):
        entry: dict[str, Any] = {"tc": tc, "tsa": ets.tsa.get(tc, "")}
        if entry["tsa"] == ETS:
            entry["bandwidth"] = ets.bandwidth.get(tc, 0)
        entry["priorities"] = [priority for priority, its_tc in enumerate(ets.prio_tc) if its_tc == tc]
        found.append(entry)
    return found


def _shown_buffers(buffers: Buffers | None) -> dict[str, list[int]] | None:
    if buffers is None:
        return None
    return {"prio_buffer": list(buffers.prio_buffer), "buffer_size": list(buffers.buffer_size)}
