# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switches of the RDMA subsystem: namespace mode, privileged Q_Key."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Plan, Step
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import Namespaces, observe_all
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.state import System, observe_system

#: Seconds that the kernel gets to destroy namespaces whose last user is gone; it does so asynchronously.
CLEANUP_SECONDS = 15.0


@dataclass(frozen=True)
class Subsystem:
    """C(tool) and C(kernel) are versions, for messages; C(tool) is read only where something is not reported."""

    system: System
    spaces: Namespaces = field(default_factory=Namespaces)
    tool: str = ""
    kernel: str = ""


def observe_subsystem(host: Host) -> Subsystem:
    """One process; one more when the tool or the kernel is old."""
    system = observe_system(host)
    return Subsystem(
        system=system,
        spaces=observe_all(host),
        tool=host.tool_version("rdma") if system.privileged_qkey is None else "",
        kernel=host.read("/proc/sys/kernel/osrelease") or "unknown",
    )


def plan_system(have: Subsystem, netns: str | None = None, privileged_qkey: bool | None = None) -> Plan:
    """Steps to the wanted switches; None leaves one as it is.

    The kernel (C(rdma_compatdev_set)) takes a new mode only while no namespace but the first exists, whether or not
    that one has anything to do with RDMA. The current mode it always takes.
    """
    now = want = have.system
    steps: list[Step] = []
    if privileged_qkey is not None:
        if now.privileged_qkey is None:
            raise RailheadError(
                f"Cannot set privileged_qkey: 'rdma system show' of iproute2 {have.tool} on Linux {have.kernel} does"
                " not report it; it needs iproute2 6.7 and Linux 6.7, or newer."
            )
        want = replace(want, privileged_qkey=privileged_qkey)
    if netns is not None:
        want = replace(want, netns=netns)
    if want.netns != now.netns:
        _refuse_while_blocked(have.spaces, now.netns, want.netns)
        steps.append(
            Command(
                ("rdma", "system", "set", "netns", want.netns),
                f"switch the RDMA subsystem from {now.netns} to {want.netns} mode",
                patience=CLEANUP_SECONDS,
                advice=(
                    "A network namespace that no process and no name in /run/netns shows may still be held by a mount "
                    "or an open file; find it with 'grep nsfs /proc/*/mountinfo', or reboot with the persisted setting."
                ),
            )
        )
    if want.privileged_qkey != now.privileged_qkey:
        switch = "on" if want.privileged_qkey else "off"
        words = ("rdma", "system", "set", "privileged-qkey", switch)
        steps.append(Command(words, f"switch privileged Q_Keys {switch}"))
    return Plan(tuple(steps), asdict(now), asdict(want))


def shown_system(have: Subsystem) -> dict[str, Any]:
    return {"system": asdict(have.system)}


def _refuse_while_blocked(spaces: Namespaces, now: str, want: str) -> None:
    if spaces.live:
        raise RailheadError(
            f"Cannot switch the RDMA subsystem from {now} to {want} mode: the kernel refuses it while any other network"
            f" namespace exists, and there are: {', '.join(space.shown for space in spaces.live)}. Delete the named"
            " ones (railhead.cluster.ip_netns state=absent) and stop what holds the others (containers, units with"
            f" PrivateNetwork=yes), or persist the mode ('options ib_core netns_mode={int(want == 'shared')}' in"
            " /etc/modprobe.d, and in the initramfs) and reboot."
        )
