# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel to apply plans to, as far as C(ip link) of this collection uses it, with the rules of Linux 6.12.

They are written down here once more, and not taken from the planner's table, so that one checks the other: the option
flags of drivers/net/bonding/bond_options.c, and what a lab node answered.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command
from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import KINDS
from ansible_collections.railhead.cluster.plugins.module_utils._link.device import Device, Membership
from ansible_collections.railhead.cluster.plugins.module_utils._link.observe import Links
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import Namespace, Namespaces

IF_DOWN = {"mode", "lacp_rate", "lacp_active", "coupled_control", "ad_select", "ad_user_port_key", "tlb_dynamic_lb"}
NO_MEMBERS = {"mode", "fail_over_mac"}
AD, AB, TLB, ALB = "802.3ad", "active-backup", "balance-tlb", "balance-alb"
ONLY_IN: dict[str, set[str]] = {
    **{name: {AD} for name in ("lacp_rate", "lacp_active", "coupled_control")},
    **{name: {AD} for name in ("ad_actor_sys_prio", "ad_actor_system", "ad_user_port_key")},
    **{name: {AB, TLB, ALB} for name in ("primary", "active_slave")},
    "packets_per_slave": {"balance-rr"},
    "tlb_dynamic_lb": {TLB, ALB},
}
NOT_IN: dict[str, set[str]] = {name: {AD, TLB, ALB} for name in ("arp_interval", "arp_validate", "arp_missed_max")}
DELAYS = ("updelay", "downdelay", "peer_notify_delay")
NEW_BOND: dict[str, Any] = {
    "mode": "balance-rr",
    "xmit_hash_policy": "layer2",
    **dict.fromkeys(("miimon", "updelay", "downdelay", "peer_notify_delay", "min_links", "arp_interval"), 0),
    "lacp_rate": "slow",
    "lacp_active": True,
    "ad_select": "stable",
    "fail_over_mac": "none",
    "arp_validate": "none",
    "arp_ip_target": (),
    "packets_per_slave": 1,
    "tlb_dynamic_lb": True,
}
NEW = {"vlan": {"protocol": "802.1Q"}, "macvlan": {"mode": "vepa"}, "bond": NEW_BOND}
HOST_FILE = "/proc/1/ns/net"


class RefusedError(Exception):
    """The kernel answers with an error."""


class Kernel:
    def __init__(self, names: tuple[str, ...], ports: tuple[str, ...]) -> None:
        self.number = count(1)
        self.spaces: dict[str, dict[str, Device]] = {"": {}, **{name: {} for name in names}}
        for port in ports:
            self._put("", Device(port, next(self.number), mtu=1500, max_mtu=9216, address=self._mac()))
        self.mtu_before: dict[str, int] = {}

    def links(self) -> Links:
        live = tuple(Namespace(f"/run/netns/{name}", name) for name in self.spaces if name)
        return Links({name: tuple(found.values()) for name, found in self.spaces.items()}, Namespaces(live))

    def apply(self, command: Command) -> None:
        words = list(command.argv[1:])
        space = words.pop(1) if words[0] == "-n" else ""
        words = words[1:] if words[0] == "-n" else words
        verb = words[1]
        if verb == "add":
            self._add(space, words[2:])
        elif verb == "del":
            self._delete(space, self._get(space, words[3]))
        elif verb == "property":
            device = self._get(space, words[4])
            self._put(space, replace(device, altnames=device.altnames + tuple(words[6::2])))
        else:
            self._set(space, self._get(space, words[3]), words[4], words[5:])

    def _mac(self) -> str:
        return f"auto-{next(self.number)}"

    def _get(self, space: str, name: str) -> Device:
        if name not in self.spaces[space]:
            raise RefusedError(f"no device {name} in {space!r}")
        return self.spaces[space][name]

    def _put(self, space: str, device: Device) -> Device:
        self.spaces[space][device.name] = device
        return device

    def _space(self, word: str) -> str:
        return "" if word == HOST_FILE else word

    def _members(self, space: str, name: str) -> list[Device]:
        return [device for device in self.spaces[space].values() if device.master == name]

    # ip link add

    def _add(self, space: str, words: list[str]) -> None:
        general, special = words[: words.index("type")], words[words.index("type") + 1 :]
        options = dict(zip(general[::2], general[1::2], strict=True))
        target, kind, name = self._space(options.get("netns", space)), special[0], options["name"]
        self._free(target, name)
        if kind == "veth":
            peer = dict(zip(special[2::2], special[3::2], strict=True))
            self._pair(target, name, self._space(peer.get("netns", space)), peer["name"])
            return
        device = Device(name, next(self.number), kind, mtu=1500, address=options.get("address", self._mac()))
        if "link" in options:
            parent = self._get(space, options["link"])
            same = space == target
            device = replace(
                device,
                mtu=parent.mtu,
                parent=parent.name if same else None,
                parent_index=parent.index,
                parent_elsewhere=not same,
            )
        device = self._put(target, replace(device, data=dict(NEW.get(kind, {}))))
        if "mtu" in options:
            self._set(target, device, "mtu", [options["mtu"]])
        self._set(target, self._get(target, name), "type", special)

    def _free(self, space: str, name: str) -> None:
        if any(name in (device.name, *device.altnames) for device in self.spaces[space].values()):
            raise RefusedError(f"EEXIST {name}")

    def _pair(self, space: str, name: str, peer_space: str, peer: str) -> None:
        self._free(peer_space, peer)
        ends = [Device(each, next(self.number), "veth", mtu=1500, address=self._mac()) for each in (name, peer)]
        for (where, end), other in zip(((space, ends[0]), (peer_space, ends[1])), reversed(ends), strict=True):
            same = space == peer_space
            self._put(
                where,
                replace(
                    end,
                    parent=other.name if same else None,
                    parent_index=other.index,
                    parent_elsewhere=not same,
                ),
            )

    # ip link del, and what goes with a device

    def _delete(self, space: str, device: Device) -> None:
        if device.kind is None:
            raise RefusedError("EOPNOTSUPP a port")
        for member in self._members(space, device.name):
            self._release(space, member)
        del self.spaces[space][device.name]
        self._delete_stacked(device)

    def _delete_stacked(self, device: Device) -> None:
        for space, found in self.spaces.items():
            for other in list(found.values()):
                if other.parent_index == device.index:
                    self._delete(space, other)

    def _release(self, space: str, device: Device) -> None:
        if device.membership is None:
            self._put(space, replace(device, master=None))
            return
        mtu = self.mtu_before.pop(device.name)
        address = device.membership.perm_address
        self._put(space, replace(device, master=None, membership=None, up=False, mtu=mtu, address=address))
        self._close_stacked(device)

    def _close_stacked(self, device: Device) -> None:
        for where, found in self.spaces.items():
            for other in list(found.values()):
                if other.kind == "vlan" and other.parent_index == device.index:
                    self._put(where, replace(other, up=False))

    # ip link set

    def _set(self, space: str, device: Device, word: str, values: list[str]) -> None:
        if word == "up":
            parent = next((p for s in self.spaces.values() for p in s.values() if p.index == device.parent_index), None)
            if device.kind == "vlan" and parent is not None and not parent.up:
                raise RefusedError("ENETDOWN")
            self._put(space, replace(device, up=True))
        elif word == "down":
            self._put(space, replace(device, up=False))
            self._close_stacked(device)
        elif word == "nomaster":
            self._release(space, device)
        elif word == "address":
            self._put(space, replace(device, address=values[0]))
        elif word == "mtu":
            self._set_mtu(space, device, int(values[0]))
        elif word == "netns":
            self._move(space, device, self._space(values[0]))
        elif word == "master":
            self._enslave(space, device, self._get(space, values[0]))
        elif word == "type":
            self._set_data(space, device, values)
        else:
            raise RefusedError(f"unknown word {word}")

    def _set_mtu(self, space: str, device: Device, mtu: int) -> None:
        parent = next((p for s in self.spaces.values() for p in s.values() if p.index == device.parent_index), None)
        if device.kind in ("vlan", "macvlan") and parent is not None and mtu > parent.mtu:
            raise RefusedError("ERANGE above the parent")
        if device.max_mtu and mtu > device.max_mtu:
            raise RefusedError("EINVAL above the maximum")
        self._put(space, replace(device, mtu=mtu))
        for member in self._members(space, device.name):
            if member.membership is not None:
                self._set_mtu(space, member, mtu)
        for where, found in self.spaces.items():
            for other in list(found.values()):
                if other.parent_index == device.index and other.kind in ("vlan", "macvlan") and other.mtu > mtu:
                    self._put(where, replace(other, mtu=mtu))

    def _move(self, space: str, device: Device, target: str) -> None:
        if device.kind == "bond":
            raise RefusedError("EINVAL the interface netns is immutable")
        self._free(target, device.name)
        for altname in device.altnames:
            self._free(target, altname)
        if device.master:
            self._release(space, device)
            device = self._get(space, device.name)
        del self.spaces[space][device.name]
        if device.kind != "veth":
            self._delete_stacked(device)
        self._put(target, replace(device, up=False, master=None))
        for where, found in self.spaces.items():
            for each in list(found.values()):
                other = next((o for o in found.values() if o.index == each.parent_index), None)
                if each.parent_index is not None:
                    self._put(
                        where, replace(each, parent=other.name if other else None, parent_elsewhere=other is None)
                    )

    def _enslave(self, space: str, device: Device, master: Device) -> None:
        if device.master:
            self._release(space, device)
            device = self._get(space, device.name)
        if master.kind != "bond":
            self._put(space, replace(device, master=master.name))
            return
        if device.up:
            raise RefusedError("EBUSY device can not be enslaved while up")
        if device.max_mtu and device.max_mtu < master.mtu:
            raise RefusedError("EINVAL MTU")
        if not self._members(space, master.name) and master.address.startswith("auto"):
            master = self._put(space, replace(master, address=device.address))
        self.mtu_before[device.name] = device.mtu
        self._set_mtu(space, device, master.mtu)
        membership = Membership(perm_address=device.address)
        device = replace(self._get(space, device.name), address=master.address, up=True)
        self._put(space, replace(device, master=master.name, membership=membership, perm_address=device.perm_address))

    def _set_data(self, space: str, device: Device, words: list[str]) -> None:
        kind, pairs = words[0], dict(zip(words[1::2], words[2::2], strict=True))
        if kind != device.kind:
            raise RefusedError("EOPNOTSUPP another kind")
        new = {each.name: _parsed(pairs[each.keyword]) for each in KINDS[kind].attributes if each.keyword in pairs}
        data = dict(device.data)
        if kind == "bond":
            for name, value in new.items():
                self._set_bond_option(space, device, data, name, value)
        elif kind == "macvlan" and "passthru" in (data.get("mode"), new.get("mode")) and data["mode"] != "vepa":
            raise RefusedError("EINVAL passthru")
        else:
            data.update(new)
        self._put(space, replace(self._get(space, device.name), data=data))

    def _set_bond_option(self, space: str, device: Device, data: dict[str, Any], name: str, value: Any) -> None:
        mode = data["mode"]
        if name in NO_MEMBERS and self._members(space, device.name):
            raise RefusedError(f"ENOTEMPTY {name}")
        if name in IF_DOWN and device.up:
            raise RefusedError(f"EBUSY {name}")
        if mode not in ONLY_IN.get(name, {mode}) or mode in NOT_IN.get(name, ()):
            raise RefusedError(f"EACCES {name} in {mode}")
        if name in DELAYS:
            if not data["miimon"]:
                raise RefusedError(f"EPERM {name}")
            value -= value % data["miimon"]
        if name == "miimon":
            for delay in DELAYS:
                data[delay] = data[delay] // data["miimon"] * value if data["miimon"] else 0
            data["arp_interval"] = 0 if value else data["arp_interval"]
        if name == "arp_interval" and value:
            data.update(miimon=0, **dict.fromkeys(DELAYS, 0))
        if name == "mode":
            data["arp_validate"] = "none"
            if value in (AD, TLB, ALB):
                data.update(arp_interval=0, miimon=data["miimon"] or 100)
            data["tlb_dynamic_lb"] = data["tlb_dynamic_lb"] or value == ALB
        data[name] = value


def _parsed(word: str) -> Any:
    if word in ("on", "off"):
        return word == "on"
    if "." in word and word[0].isdigit() and word[-1].isdigit():
        return tuple(word.split(","))
    return int(word) if word.isdigit() else word
