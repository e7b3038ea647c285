# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RDMA devices: name, network namespace, adaptive moderation."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Plan, Step
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import HOST_NAMESPACE, valid_name
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.state import (
    EXCLUSIVE,
    Device,
    Rdma,
    inside,
    place,
    valid_device_name,
)

#: The host's own namespace as C(rdma) opens it. Up to 7.1 it takes names only and opens /run/netns/NAME, later versions
#: open a path as it is. With / as the working directory this one is right for both.
_HOST_PATH = "../../proc/1/ns/net"
#: Drivers with disassociate_ucontext in Linux 6.12 to 7.2.
_ABLE = "the drivers mlx5, mlx4, irdma, bnxt_re, mana, hns and erdma"


@dataclass(frozen=True)
class Placement:
    """A device as wanted; None leaves a property as it is. C(netns) is "" for the host's own namespace."""

    device: str
    name: str | None = None
    netns: str | None = None
    adaptive_moderation: bool | None = None

    def __post_init__(self) -> None:
        valid_device_name(self.device)
        if self.name is not None:
            valid_device_name(self.name)
        if self.netns:
            valid_name(self.netns)

    @property
    def final_name(self) -> str:
        return self.device if self.name is None else self.name


def plan_device(have: Rdma, want: Placement, allow_disruption: bool = False) -> Plan:
    steps, after = with_placement(have, want, allow_disruption)
    return Plan(steps, shown_device(find(have, want)), shown_device(after.device(want.final_name)))


def find(have: Rdma, want: Placement) -> Device | None:
    """The device under its old name or, once it is renamed, under its new one."""
    return have.device(want.device) or have.device(want.name)


def with_placement(have: Rdma, want: Placement, allow_disruption: bool = False) -> tuple[tuple[Step, ...], Rdma]:
    """Steps to a placement, and the state after them. The move comes last: until then nobody is disturbed."""
    found = find(have, want)
    if found is None:
        names = " or ".join(dict.fromkeys((want.device, want.final_name)))
        raise RailheadError(f"Cannot configure the RDMA device {names}: no namespace has it; found: {have.listed}.")
    now = found
    steps: list[Step] = []
    if now.name != want.final_name:
        other = have.device(want.final_name)
        if other is not None:
            raise RailheadError(
                f"Cannot rename the RDMA device {now.name} to {want.final_name}: another one has that name, in"
                f" {place(other.netns)}; rename that one first, or choose another name."
            )
        steps.append(_set(now, "name", want.final_name, does=f"rename the RDMA device {now.name} to {want.final_name}"))
        now = replace(now, name=want.final_name)
    if want.adaptive_moderation not in (None, now.adaptive_moderation):
        switch = "on" if want.adaptive_moderation else "off"
        steps.append(
            _set(now, "adaptive-moderation", switch, does=f"switch adaptive moderation of {now.name} {switch}")
        )
        now = replace(now, adaptive_moderation=want.adaptive_moderation)
    if want.netns is not None and want.netns != now.netns:
        _refuse_move(have, found, want.netns, allow_disruption)
        steps.append(_move(now, want.netns))
        now = replace(now, netns=want.netns, netdev=None, users=())
    after = tuple(now if device == found else device for device in have.devices)
    return tuple(steps), replace(have, devices=after)


def shown_device(device: Device | None) -> dict[str, object]:
    """What a person gets to see of a device, in diffs and return values."""
    if device is None:
        return {}
    return {"name": device.name, "netns": device.netns, "adaptive_moderation": device.adaptive_moderation}


def _refuse_move(have: Rdma, device: Device, netns: str, allow_disruption: bool) -> None:
    attempt = f"Cannot move {device.name} to {place(netns)}: "
    if have.mode != EXCLUSIVE:
        raise RailheadError(
            f"{attempt}the RDMA subsystem is in {have.mode} mode; set railhead.cluster.rdma_system netns=exclusive"
            " first."
        )
    if netns not in (HOST_NAMESPACE, *have.spaces.names):
        raise RailheadError(
            f"{attempt}there is no namespace of that name; create it first (railhead.cluster.ip_netns), or list it"
            " under 'namespaces' of railhead.cluster.rdma_host."
        )
    if device.kind == "rxe":
        raise RailheadError(
            f"{attempt}the driver rxe cannot take a device from its users (disassociate_ucontext), which the kernel"
            f" requires; {_ABLE} can. In exclusive mode rxe devices stay with the host."
        )
    if device.users and not allow_disruption:
        raise RailheadError(
            f"{attempt}it is in use by {', '.join(device.users)}. The move ends the RDMA connections of these processes"
            " without a warning and destroys IPoIB devices; stop them first, or set allow_disruption=true."
        )


def _move(device: Device, netns: str) -> Command:
    """The kernel looks the device up in the caller's namespace, so the command runs where the device is."""
    prefix = inside(device.netns)
    if not netns:
        prefix = (*prefix[:-1], "--wd=/", prefix[-1])
    return Command(
        (*prefix, "rdma", "dev", "set", device.name, "netns", netns or _HOST_PATH),
        f"move {device.name} to {place(netns)}",
        advice=f"'Operation not supported' means that its driver cannot take a device from its users; {_ABLE} can.",
    )


def _set(device: Device, key: str, value: str, does: str) -> Command:
    return Command((*inside(device.netns), "rdma", "dev", "set", device.name, key, value), does)
