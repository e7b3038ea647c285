# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from what a port has of DCB to what is wanted of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Plan, Step
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.request import (
    COUNT,
    DSCP,
    ETS,
    PCP,
    STRICT,
    Settings,
    TrafficClass,
)
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.state import (
    HOST_DCBX,
    Ets,
    PortState,
    shown_port,
    with_host_dcbx,
)
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.tools import LINK_GOES_DOWN, Dcb, Tool


@dataclass(frozen=True)
class Consents:
    """To steps that disrupt: of a port with a link, and of one that the SSH connection of the run comes in over."""

    port_traffic: bool = False
    management: bool = False


def plan_dcb(have: PortState, want: Settings, consents: Consents) -> Plan:
    """One port, with dcb."""
    steps, after = with_settings(have, want, Dcb(), consents)
    return Plan(steps, shown_port(have), shown_port(after))


def with_settings(
    have: PortState, want: Settings, tool: Tool, consents: Consents
) -> tuple[tuple[Step, ...], PortState]:
    """Steps to what is wanted, and the state after them.

    Buffers come before PFC, so that a lossless one is large enough, and PFC last: it is what takes the link down.
    """
    _refuse_unable(have, want)
    steps: list[Step] = []
    now = have
    if want.host_dcbx and now.dcbx is not None and HOST_DCBX not in now.dcbx:
        steps.append(tool.use_host_dcbx(now))
        now = replace(now, dcbx=with_host_dcbx(now))
    if want.ets and now.ets is not None and not _has_classes(now.ets, want.ets):
        steps.append(tool.set_ets(now.netdev, want.ets))
        now = replace(now, ets=_with_classes(now.ets, want.ets))
    more, now = _with_trust(now, want, tool)
    steps += more
    if want.global_pause is False:
        more, now = _with_pause(now, False)
        steps += more
    if want.buffers is not None and now.buffers != want.buffers:
        steps.append(tool.set_buffers(now.netdev, want.buffers))
        now = replace(now, buffers=want.buffers)
    if want.pfc is not None and now.pfc != want.pfc:
        steps.append(tool.set_pfc(now.netdev, want.pfc))
        now = replace(now, pfc=want.pfc)
    if want.global_pause:
        more, now = _with_pause(now, True)
        steps += more
    if want.pfc or want.global_pause:
        _refuse_both_pauses(now)
    _refuse_disruption(have, steps, consents)
    return tuple(steps), now


def _refuse_unable(have: PortState, want: Settings) -> None:
    attempt = f"Cannot set the QoS of {have.netdev}: "
    if have.overwritten:
        raise RailheadError(
            f"{attempt}lldpad is running, which writes PFC, ETS and priorities by itself (DCBX); stop it with"
            " 'systemctl disable --now lldpad.socket lldpad.service'."
        )
    if have.pfc is None:
        raise RailheadError(
            f"{attempt}it has no DCB ('{have.complaint}'). Its driver does not implement it, or the kernel was built"
            " without CONFIG_DCB; leave the port out."
        )
    missing = {
        "ETS": want.ets and have.ets is None,
        "receive buffers": want.buffers is not None and have.buffers is None,
        "DCBX": want.host_dcbx and have.dcbx is None,
        "global pause": want.global_pause and have.pause is None,
    }
    for what, lacks in missing.items():
        if lacks:
            raise RailheadError(f"{attempt}its driver does not implement {what}; leave it out.")
    if want.pfc is not None and len(want.pfc) > have.pfc_most:
        raise RailheadError(
            f"{attempt}it can have PFC on {have.pfc_most} priorities at a time, and {len(want.pfc)} are wanted."
        )
    for entry in want.ets:
        if have.ets is not None and entry.tc >= have.ets.classes:
            raise RailheadError(
                f"{attempt}it has the traffic classes 0 to {have.ets.classes - 1}; {entry.tc} is wanted."
            )
    total = sum(want.buffers.buffer_size) if want.buffers else 0
    if have.total_buffer is not None and total > have.total_buffer:
        raise RailheadError(
            f"{attempt}its buffers can have {have.total_buffer} bytes together, and {total} are wanted."
        )


def _has_classes(have: Ets, classes: tuple[TrafficClass, ...]) -> bool:
    """Classes without a priority may have any algorithm but ETS, which would take a share."""
    wanted = {entry.tc: entry for entry in classes}
    return all(
        have.tsa.get(entry.tc) == entry.tsa
        and (entry.tsa != ETS or have.bandwidth.get(entry.tc) == entry.bandwidth)
        and all(have.prio_tc[priority] == entry.tc for priority in entry.priorities)
        for entry in classes
    ) and not any(tsa == ETS for tc, tsa in have.tsa.items() if tc not in wanted)


def _with_classes(have: Ets, classes: tuple[TrafficClass, ...]) -> Ets:
    prio_tc = {priority: entry.tc for entry in classes for priority in entry.priorities}
    return Ets(
        tuple(prio_tc[priority] for priority in range(COUNT)),
        {**dict.fromkeys(have.tsa, STRICT), **{entry.tc: entry.tsa for entry in classes}},
        {**dict.fromkeys(have.bandwidth, 0), **{entry.tc: entry.bandwidth for entry in classes}},
        have.classes,
    )


def _with_trust(have: PortState, want: Settings, tool: Tool) -> tuple[list[Step], PortState]:
    now = have
    steps: list[Step] = []
    step = tool.set_trust(now, want.trust) if want.trust not in (None, now.trust) else None
    if step is not None:
        steps.append(step)
        now = _trusting(now, str(want.trust))
    missing = {dscp: priority for dscp, priority in want.dscp_prio.items() if now.dscp_prio.get(dscp) != (priority,)}
    if missing:
        steps += tool.map_dscps(now.netdev, missing)
        mapped = {dscp: (priority,) for dscp, priority in missing.items()}
        now = replace(now, dscp_prio={**now.dscp_prio, **mapped})
    if want.trust not in (None, now.trust):
        raise RailheadError(
            f"Cannot make {now.netdev} trust {want.trust}: its driver does so as soon as a DSCP is mapped, and none is;"
            " give at least one in dscp_prio, such as {26: 3}."
        )
    return steps, now


def _trusting(have: PortState, trust: str) -> PortState:
    if have.order is not None:
        return replace(have, order=(DSCP, PCP) if trust == DSCP else (PCP,))
    if have.told_trust is not None:
        # What the card maps is told only once it trusts DSCPs.
        return replace(have, told_trust=trust, dscp_prio={})
    return replace(have, dscp_prio={})


def _with_pause(have: PortState, on: bool) -> tuple[list[Step], PortState]:
    if have.pause is None or have.pause == (on, on):
        return [], have
    word = "on" if on else "off"
    step = Command(
        ("ethtool", "-A", have.netdev, "rx", word, "tx", word),
        f"switch the global pause of {have.netdev} {word}",
        disrupts=LINK_GOES_DOWN,
    )
    return [step], replace(have, pause=(on, on))


def _refuse_both_pauses(state: PortState) -> None:
    if state.pfc and state.pause and any(state.pause):
        raise RailheadError(
            f"Cannot have PFC on priority {', '.join(map(str, sorted(state.pfc)))} of {state.netdev}: its global pause"
            " is on, and a port pauses either the whole link or single priorities; set global_pause=false."
        )


def _refuse_disruption(have: PortState, steps: list[Step], consents: Consents) -> None:
    disruptive = [step for step in steps if step.disrupts]
    if not disruptive:
        return
    attempt = f"Cannot {disruptive[0].does}: this can take its link down and up again"
    if have.carries_management and not consents.management:
        raise RailheadError(
            f"{attempt}, and the SSH connection of this run comes in over it; come in by another way, or set"
            " allow_management=true (roce_qos_allow_management)."
        )
    if have.carrier and not consents.port_traffic:
        raise RailheadError(
            f"{attempt}, and it is in use; do it when nobody needs that, with allow_port_traffic=true"
            " (roce_qos_allow_port_traffic)."
        )
