# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network devices as C(ip -j -d link show) describes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import Value, read


@dataclass(frozen=True)
class Membership:
    """What a bond knows of its member. C(perm_address) is the MAC that the member had before it was enslaved."""

    state: str = ""
    mii_status: str = ""
    perm_address: str = ""
    link_failures: int = 0
    aggregator: int | None = None
    actor_state: tuple[str, ...] = ()
    partner_state: tuple[str, ...] = ()


@dataclass(frozen=True)
class Device:
    """One network device. C(kind) is None for one that a driver made (a port, a VF, lo).

    C(parent) is the device below it by name, when it is in the same namespace; C(parent_index) its index, also when
    it is elsewhere (C(parent_elsewhere)). The peer of a veth is its parent here, as the kernel shows it.
    C(mtu) is 0 and C(address) is empty when nobody can know them before the kernel has acted.
    C(max_mtu) is 0 when there is no limit.
    """

    name: str
    index: int = 0
    kind: str | None = None
    link_type: str = "ether"
    up: bool = False
    operstate: str = "DOWN"
    mtu: int = 0
    max_mtu: int = 0
    address: str = ""
    perm_address: str = ""
    altnames: tuple[str, ...] = ()
    master: str | None = None
    parent: str | None = None
    parent_index: int | None = None
    parent_elsewhere: bool = False
    data: Mapping[str, Value] = field(default_factory=dict)
    lacp: Mapping[str, Any] = field(default_factory=dict)
    membership: Membership | None = None

    @property
    def removable(self) -> bool:
        """Made by C(ip link add); the IPoIB device of a port itself is of kind ipoib and has no parent."""
        of_a_port = self.kind == "ipoib" and self.parent is None and not self.parent_elsewhere
        return self.kind is not None and not of_a_port


Devices = tuple[Device, ...]


def parse_links(shown: Iterable[Mapping[str, Any]]) -> Devices:
    """All devices of one namespace."""
    links = [link for link in shown if link.get("ifname")]
    index = {link["ifname"]: link.get("ifindex", 0) for link in links}
    return tuple(_parse(link, index) for link in links)


def _parse(link: Mapping[str, Any], index: Mapping[str, int]) -> Device:
    info = link.get("linkinfo", {})
    kind, data = info.get("info_kind"), info.get("info_data", {})
    member = info.get("info_slave_data", {}) if info.get("info_slave_kind") == "bond" else None
    membership = _membership(member) if member is not None else None
    address = link.get("address", "")
    parent = link.get("link")
    return Device(
        name=link["ifname"],
        index=link.get("ifindex", 0),
        kind=kind,
        link_type=link.get("link_type", ""),
        up="UP" in link.get("flags", ()),
        operstate=link.get("operstate", "UNKNOWN"),
        mtu=link.get("mtu", 0),
        max_mtu=link.get("max_mtu", 0),
        address=address,
        perm_address=link.get("permaddr") or (membership.perm_address if membership else "") or address,
        altnames=tuple(link.get("altnames", ())),
        master=link.get("master"),
        parent=parent,
        parent_index=index.get(parent) if parent else link.get("link_index"),
        parent_elsewhere="link_netnsid" in link,
        data=read(kind, data),
        lacp={ours: data["ad_info"][key] for ours, key in _LACP if key in data.get("ad_info", {})} if data else {},
        membership=membership,
    )


_LACP = (
    ("aggregator", "aggregator"),
    ("ports", "num_ports"),
    ("actor_key", "actor_key"),
    ("partner_key", "partner_key"),
    ("partner_address", "partner_mac"),
)


def _membership(shown: Mapping[str, Any]) -> Membership:
    return Membership(
        state=shown.get("state", ""),
        mii_status=shown.get("mii_status", ""),
        perm_address=shown.get("perm_hwaddr", ""),
        link_failures=shown.get("link_failure_count", 0),
        aggregator=shown.get("ad_aggregator_id"),
        actor_state=_flags(shown, "ad_actor_oper_port_state"),
        partner_state=_flags(shown, "ad_partner_oper_port_state"),
    )


def _flags(shown: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(str(flag) for flag in shown.get(f"{key}_str", ()))


def find(devices: Devices, name: str) -> Device | None:
    """The device of that name, or that has it as an alternative name; the kernel looks names up in this way too."""
    by_name = next((device for device in devices if device.name == name), None)
    return by_name or next((device for device in devices if name in device.altnames), None)


def members(devices: Devices, master: str) -> Devices:
    return tuple(device for device in devices if device.master == master)


def stacked(devices: Devices, parent: str) -> tuple[str, ...]:
    """Names of the devices on top of one, which go when it goes (the peer of a veth is among them)."""
    return tuple(device.name for device in devices if device.parent == parent and device.name != parent)


def without(devices: Devices, name: str) -> Devices:
    """What is left when one device is deleted, and with it what is on top of it."""
    gone = {name}
    for _level in devices:
        gone |= {device.name for device in devices if device.parent in gone}
    return tuple(device for device in devices if device.name not in gone)


def carriers(devices: Devices, start: Sequence[str]) -> frozenset[str]:
    """The devices of C(start) and all that carry them: those they are on top of, members of bonds and bridges."""
    found: set[str] = set()
    ahead = list(start)
    while ahead:
        name = ahead.pop()
        device = find(devices, name)
        if device is None or device.name in found:
            continue
        found.add(device.name)
        ahead += [member.name for member in members(devices, device.name)]
        ahead += [device.parent] if device.parent else []
    return frozenset(found)


def describe(device: Device, devices: Devices, space: str) -> dict[str, Any]:
    """What a module returns of one device: the values under the names of the options."""
    described: dict[str, Any] = {
        "name": device.name,
        "index": device.index,
        "kind": device.kind,
        "admin_state": "up" if device.up else "down",
        "operstate": device.operstate.lower(),
        "mtu": device.mtu,
        "address": device.address,
        "perm_address": device.perm_address,
        "altnames": list(device.altnames),
        "master": device.master or "",
        "netns": space,
        "parent": device.parent,
    }
    if device.kind is not None and device.data:
        described[device.kind] = {name: list(v) if isinstance(v, tuple) else v for name, v in device.data.items()}
    if device.kind == "veth":
        described["veth"] = {"peer": device.parent}
    if device.kind == "bond":
        described["lacp"] = dict(device.lacp)
        described["members"] = [_describe_member(member) for member in members(devices, device.name)]
    return described


def _describe_member(device: Device) -> dict[str, Any]:
    state = device.membership or Membership()
    return {
        "name": device.name,
        "state": state.state.lower(),
        "mii_status": state.mii_status.lower(),
        "perm_address": state.perm_address,
        "link_failures": state.link_failures,
        "aggregator": state.aggregator,
        "actor_state": list(state.actor_state),
        "partner_state": list(state.partner_state),
    }
