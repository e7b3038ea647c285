# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Software RDMA devices (rxe, siw) on network devices."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Plan, Step
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import HOST_NAMESPACE
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.state import (
    LINK_MODULES,
    Device,
    Rdma,
    inside,
    place,
    valid_device_name,
)


@dataclass(frozen=True)
class Link:
    """A software device as wanted."""

    name: str
    kind: str
    netdev: str

    def __post_init__(self) -> None:
        valid_device_name(self.name)
        if self.kind not in LINK_MODULES:
            raise RailheadError(
                f"Cannot use {self.kind!r} as the type of {self.name}: give one of {', '.join(LINK_MODULES)}."
            )
        if not self.netdev:
            raise RailheadError(
                f"Cannot create {self.name}: netdev is empty; name the network device that it is to run on."
            )


def plan_link(have: Rdma, want: Link) -> Plan:
    steps, after = with_link(have, want)
    return Plan(steps, shown_link(have, want.name), shown_link(after, want.name))


def plan_no_link(have: Rdma, name: str) -> Plan:
    """Deletes a software device. Neither driver can take a device from its users, so the kernel would wait for them."""
    found = have.device(name)
    if found is None:
        return Plan((), shown_link(have, name), shown_link(have, name))
    attempt = f"Cannot delete the RDMA device {name}: "
    if not found.kind:
        raise RailheadError(f"{attempt}it is hardware, not a link of type {' or '.join(LINK_MODULES)}.")
    if found.users:
        raise RailheadError(
            f"{attempt}it is in use by {', '.join(found.users)}, and the kernel would wait for them; stop them first."
        )
    step = Command((*inside(found.netns), "rdma", "link", "delete", name), f"delete the RDMA device {name}")
    after = replace(have, devices=tuple(device for device in have.devices if device != found))
    return Plan((step,), shown_link(have, name), shown_link(after, name))


def with_link(have: Rdma, want: Link) -> tuple[tuple[Step, ...], Rdma]:
    """Steps to a link, and the state after them."""
    found = have.device(want.name)
    if found is not None:
        _refuse_another(found, want)
        return (), have
    _refuse_netdev(have, want)
    step = Command(
        ("rdma", "link", "add", want.name, "type", want.kind, "netdev", want.netdev),
        f"create the {want.kind} device {want.name} on {want.netdev}",
    )
    made = Device(want.name, HOST_NAMESPACE, want.kind, want.netdev, adaptive_moderation=False)
    return (step,), replace(have, devices=(*have.devices, made))


def _refuse_another(found: Device, want: Link) -> None:
    """A device of that name is the wanted one, unless its kind differs, or its netdev where that can be told.

    A device that was moved to another namespace shows no netdev, or one that was moved and renamed with it.
    """
    attempt = f"Cannot create the {want.kind} device {want.name} on {want.netdev}: "
    if not found.kind:
        raise RailheadError(f"{attempt}a hardware device has that name; choose another one.")
    other_netdev = found.netns == HOST_NAMESPACE and found.netdev != want.netdev
    if found.kind != want.kind or other_netdev:
        raise RailheadError(
            f"{attempt}there is one of type {found.kind} on {found.netdev or 'a network device elsewhere'}"
            f" ({place(found.netns)}) already; delete it first (railhead.cluster.rdma_link state=absent), or choose"
            " another name."
        )


def _refuse_netdev(have: Rdma, want: Link) -> None:
    attempt = f"Cannot create the {want.kind} device {want.name} on {want.netdev}: "
    if want.kind in have.missing_kinds:
        raise RailheadError(
            f"{attempt}the running kernel has no module '{LINK_MODULES[want.kind]}'; install one that has it."
        )
    if want.netdev not in have.netdevs:
        raise RailheadError(
            f"{attempt}there is no such network device; found: {', '.join(have.netdevs) or 'none'}. Create it first."
        )
    holder = next(
        (device for device in have.devices if device.kind == want.kind and device.netdev == want.netdev), None
    )
    if holder is not None and holder.netns == HOST_NAMESPACE:
        raise RailheadError(
            f"{attempt}{holder.name} is there already, and a network device takes one of each type; use that one, or"
            " delete it first."
        )
    if want.kind == "rxe" and have.netdevs[want.netdev] == "vlan":
        raise RailheadError(
            f"{attempt}rxe does not run on a VLAN device; use the device below it, the VLAN's GIDs appear there."
        )


def shown_link(state: Rdma, name: str) -> dict[str, object]:
    found = state.device(name)
    if found is None:
        return {"name": name, "state": "absent"}
    return {"name": name, "state": "present", "type": found.kind, "netdev": found.netdev}
