# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the devices that are there to the one that is wanted: the C(ip) commands, or why they are refused. Pure.

The planner follows the device through its own steps (a move takes it down, a bond takes its member up), so that all of
them are in one plan and every refusal comes before the first change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NoReturn

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Plan
from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import (
    AT_CREATION,
    KINDS,
    Value,
    since,
    words,
)
from ansible_collections.railhead.cluster.plugins.module_utils._link.bond import bond_changes, needs_down
from ansible_collections.railhead.cluster.plugins.module_utils._link.device import (
    Device,
    find,
    members,
    stacked,
    without,
)
from ansible_collections.railhead.cluster.plugins.module_utils._link.diff import after, before
from ansible_collections.railhead.cluster.plugins.module_utils._link.observe import Links, ip
from ansible_collections.railhead.cluster.plugins.module_utils._link.request import Want
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import HOST_NAMESPACE

#: How C(ip link set ... netns) names the host's own namespace, also from inside another one.
_HOST_NAMESPACE_FILE = "/proc/1/ns/net"
#: iproute2 that knows C(ip link property).
_ALTNAMES_SINCE = "5.5"
_PASSTHRU = "passthru"
#: Kinds whose MTU and MAC address cannot go into the command that creates them, or would be lost there.
_SET_AFTERWARDS = ("ipoib", "veth")
#: An InfiniBand packet of 4096 bytes less the header of IPoIB; in connected mode IPoIB parts packets itself (ipoib.h:
#: IPOIB_UD_MTU, IPOIB_CM_MTU). A partition can have an MTU of 2048, and then the kernel stays at 2044.
_IPOIB_MTU = {"datagram": 4092, "connected": 65520}
#: What a parent must be, as C(ip -j link) calls its type.
_PARENT_TYPE = {"macvlan": "ether", "vlan": "ether", "ipoib": "infiniband"}


def plan_link(have: Links, want: Want) -> Plan:
    """Steps that make, change, move or delete one device."""
    planner = _Planner(have, want)
    if want.present:
        planner.present()
    else:
        planner.absent()
    steps = tuple(planner.steps)
    shown = before(have, want)
    return Plan(steps, shown, after(want, shown) if steps else shown)


class _Planner:
    def __init__(self, have: Links, want: Want) -> None:
        self.have = have
        self.want = want
        self.devices = have.of(want.space)
        self.steps: list[Command] = []
        #: The namespace in which what is known of the device was read, before a move.
        self.read_in = want.space
        self.title = _title(want.name, want.space)

    # What a task asks

    def absent(self) -> None:
        want = self.want
        device = self.have.named(want.space, want.name)
        if device is None:
            return
        if device.kind != want.kind or not device.removable:
            _refuse(
                f"delete the {want.kind} {self.title}",
                f"the device of that name is {_kind(device)}",
                "give the name and kind of the one that you mean",
            )
        self._guard(want.space, device, "delete")
        self._step(f"delete the {want.kind} {self.title}", "link", "del", "dev", want.name)

    def present(self) -> None:
        self._check_namespaces()
        parents = self._parents()
        device = self._placed(parents)
        parent = self._parent_of(device, parents)
        master = self._master()
        was_up = device.up
        device = self._leave(device, master)
        changes = self._changes(device)
        self._check_mtu(device, parent, master)
        device = self._go_down(device, master, changes)
        self._set_address(device)
        self._set_data(device, changes)
        self._set_mtu(device, master)
        self._add_altnames(device)
        device = self._enslave(device, master)
        self._go_up_or_down(device, parent, was_up)

    # The device itself: found, created, created anew or moved

    def _placed(self, parents: tuple[tuple[str, Device], ...]) -> Device:
        want, places = self.want, self.have.locate(self.want)
        if len(places) > 1:
            _refuse(
                f"move {want.name} to {_space(want.space)}",
                "there is one in each of " + ", ".join(_space(space) for space, _device in places),
                "move the one that you mean with 'ip link set'",
            )
        if not places:
            return self._create(parents)
        space, device = places[0]
        reason = self._only_by_creation(space, device, parents)
        if reason:
            return self._create_anew(space, device, reason)
        return device if space == want.space else self._move(space, device)

    def _create(self, parents: tuple[tuple[str, Device], ...]) -> Device:
        want, what = self.want, f"create the {self.want.kind} {self.title}"
        if want.kind is None:
            there = ", ".join(device.name for device in self.devices) or "none"
            _refuse(
                f"manage {self.title}",
                f"there is no such device (there are: {there})",
                "give the name of one of them, or give kind to have it created",
            )
        kind = KINDS[want.kind]
        missing = [each for each in kind.required if each not in want.data and not (each == "peer" and want.peer)]
        if missing or (kind.has_parent and not parents):
            options = ["parent"] if kind.has_parent and not parents else []
            options += [f"{want.kind}.{each}" for each in missing]
            _refuse(what, f"{' and '.join(options)} is not given", "give it")
        taken = find(self.devices, want.name)
        if taken is not None:
            _refuse(what, f"this is an alternative name of {taken.name}", "use another name, or remove it there")
        data = want.data
        if want.kind == "bond":
            data = bond_changes(want.name, {}, want.data, ())
        if want.kind == "veth":
            self._create_veth(what)
            return Device(want.name, kind="veth", max_mtu=65535)
        space, base = parents[0] if kind.has_parent else (want.space, None)
        self._check_parent(what, base)
        early: list[str] = []
        if want.kind not in _SET_AFTERWARDS:
            early += ["mtu", str(want.mtu)] if want.mtu is not None else []
            early += ["address", want.address] if want.address is not None else []
        self._step(
            what,
            *("link", "add", *(("link", base.name) if base else ()), "name", want.name, *early),
            *(("netns", want.space) if space != want.space else ()),
            *("type", want.kind, *words(want.kind, data)),
            space=space,
            since=since(want.kind, data),
        )
        return Device(
            want.name,
            kind=want.kind,
            link_type=base.link_type if base else "ether",
            mtu=(want.mtu or 0) if early else 0,
            address=(want.address or "") if early else "",
            parent=base.name if base and space == want.space else None,
            parent_index=base.index if base else None,
            parent_elsewhere=space != want.space,
            data=want.data,
        )

    def _create_veth(self, what: str) -> None:
        want = self.want
        peer = str(want.peer)
        if find(self.have.of(want.peer_space), peer) is not None:
            _refuse(
                what,
                f"its other end {_title(peer, want.peer_space)} has the name of a device that is there",
                "give another veth.peer, or delete that device",
            )
        ends = [(want.space, want.name), (want.peer_space, peer)]
        if HOST_NAMESPACE == want.peer_space != want.space:
            # Only from inside the host's own namespace both ends can be named: it has no name itself.
            ends.reverse()
        (space, first), (other_space, second) = ends
        self._step(
            what,
            *("link", "add", "name", first, "type", "veth", "peer", "name", second),
            *(("netns", other_space) if other_space != space else ()),
            space=space,
        )

    def _check_parent(self, what: str, base: Device | None) -> None:
        needed = _PARENT_TYPE.get(str(self.want.kind))
        if base is None or needed is None:
            return
        if base.link_type != needed:
            _refuse(
                what,
                f"its parent {base.name} is of type {base.link_type}, and it needs one of type {needed}",
                "give another parent" if needed == "infiniband" else "give another parent, or use kind=ipoib on it",
            )
        if needed == "infiniband" and base.parent is not None:
            _refuse(what, f"its parent {base.name} is itself a child of {base.parent}", f"use parent={base.parent}")

    def _only_by_creation(self, space: str, device: Device, parents: tuple[tuple[str, Device], ...]) -> str | None:
        """Why the wanted state cannot be reached by changing the device; None when it can."""
        want = self.want
        if want.kind is None:
            return None
        if device.kind != want.kind:
            return f"it is {_kind(device)}, not a {want.kind}"
        if space != want.space and want.kind == "bond":
            return f"it is in {_space(space)}, and the kernel does not move bonds"
        if parents and not any(_is_on(device, space, place, parent) for place, parent in parents):
            return f"it is on {device.parent or 'a device of another namespace'}, not on {want.parent}"
        if want.peer is not None and not self._has_peer(device, space):
            found = device.parent or "in another namespace"
            return f"its other end is {found}, not {_title(want.peer, want.peer_space)}"
        return _fixed_attribute(want, device)

    def _has_peer(self, device: Device, space: str) -> bool:
        """Whether the other end is where it is wanted; it stays there when this end is moved."""
        peer_space = self.want.peer_space
        peer = self.have.named(peer_space, str(self.want.peer))
        if peer is None:
            return False
        if peer_space == space:
            return device.parent == peer.name
        return device.parent_elsewhere and (device.parent_index, device.index) == (peer.index, peer.parent_index)

    def _create_anew(self, space: str, device: Device, reason: str) -> Device:
        want, what = self.want, f"change {_title(device.name, space)}"
        if device.kind not in KINDS or not device.removable:
            _refuse(what, reason, "use another name, or have what made that device delete it")
        devices = self.have.of(space)
        users = [*stacked(devices, device.name), *(member.name for member in members(devices, device.name))]
        if not want.allow_recreate:
            _refuse(
                what,
                f"{reason}. It would have to be deleted and created: its addresses and routes go"
                + (f", and {', '.join(users)} with it or out of it" if users else ""),
                "allow that with allow_recreate=true, or use another name",
            )
        self._guard(space, device, "delete")
        # Of what was not asked for, these stay as they were; the rest is as the kernel makes it.
        self.want = replace(
            want,
            up=device.up if want.up is None else want.up,
            master=device.master if want.master is None and space == want.space else want.master,
            altnames=tuple(dict.fromkeys((*device.altnames, *want.altnames))),
        )
        delete = f"delete the {device.kind} {_title(device.name, space)}"
        self._step(delete, "link", "del", "dev", device.name, space=space)
        left = without(devices, device.name)
        self.have = replace(self.have, spaces={**self.have.spaces, space: left})
        self.devices = self.have.of(want.space)
        return self._create(self._parents())

    def _move(self, space: str, device: Device) -> Device:
        want = self.want
        what = f"move {_title(device.name, space)} to {_space(want.space)}"
        for name in (device.name, *device.altnames):
            taken = find(self.devices, name)
            if taken is not None:
                _refuse(what, f"{name} is a name of {taken.name} there", "rename one of them")
        on_top = stacked(self.have.of(space), device.name) if device.kind != "veth" else ()
        if (device.up or on_top) and not want.allow_disruption:
            _refuse(
                what,
                "it is up, and a move takes it down and takes its addresses"
                if device.up
                else f"a move deletes what is on top of it: {', '.join(on_top)}",
                "allow that with allow_disruption=true",
            )
        self._guard(space, device, "move")
        target = want.space or _HOST_NAMESPACE_FILE
        self._step(what, "link", "set", "dev", device.name, "netns", target, space=space)
        self.want = replace(want, up=device.up if want.up is None else want.up)
        self.read_in = space
        return replace(device, up=False, master=None, membership=None)

    # Its attributes, in the order in which the kernel takes them

    def _leave(self, device: Device, master: Device | None) -> Device:
        if self.want.master is None or device.master in (None, master.name if master else None):
            return device
        self._guard(self.want.space, device, "release")
        self._step(f"release {self.title} from {device.master}", "link", "set", "dev", device.name, "nomaster")
        if device.membership is None:
            return replace(device, master=None)
        # A bond takes its former member down and gives it back the MAC address and the MTU that it had.
        address = device.membership.perm_address
        return replace(device, master=None, membership=None, up=False, address=address, mtu=0)

    def _changes(self, device: Device) -> dict[str, Value]:
        if self.want.kind is None:
            return {}
        if self.want.kind == "bond":
            names = tuple(member.name for member in members(self.devices, device.name))
            return bond_changes(device.name, device.data, self.want.data, names)
        return {name: value for name, value in self.want.data.items() if device.data.get(name) != value}

    def _go_down(self, device: Device, master: Device | None, changes: Mapping[str, Value]) -> Device:
        if not device.up:
            return device
        only_down = needs_down(changes) if self.want.kind == "bond" else ()
        enters = self._enters_bond(device, master)
        if not enters and not only_down and self.want.up is not False:
            return device
        if self.want.up is not False and not self.want.allow_disruption:
            what, why = f"change {', '.join(f'bond.{name}' for name in only_down)} of {self.title}", "change it"
            if enters and master:
                what, why = f"enslave {self.title} to {master.name}", "enslave it"
            _refuse(
                what,
                f"it is up, the kernel can {why} only while it is down, and its traffic stops for that time",
                "allow that with allow_disruption=true, or take it down first (admin_state: down)",
            )
        self._guard(self.want.space, device, "take down")
        self._step(f"take {self.title} down", "link", "set", "dev", device.name, "down")
        return replace(device, up=False)

    def _set_address(self, device: Device) -> None:
        address = self.want.address
        if address is None or address == device.address:
            return
        what = f"set the address of {self.title} to {address}"
        if device.membership is not None and device.master:
            if address != device.membership.perm_address:
                _refuse(
                    what,
                    f"it is a member of the bond {device.master}, which gives its own address to its members",
                    f"set the address of {device.master}, or leave it out",
                )
            return
        if device.link_type == "infiniband":
            _refuse(what, "the address of an IPoIB device is made of the GID of its port", "leave it out")
        self._guard(self.want.space, device, "change the address of")
        self._step(what, "link", "set", "dev", device.name, "address", address)

    def _set_data(self, device: Device, changes: Mapping[str, Value]) -> None:
        kind = self.want.kind
        if kind is None or not changes or changes == device.data:
            return
        self._step(
            f"set {', '.join(f'{kind}.{name}' for name in changes)} of {self.title}",
            *("link", "set", "dev", device.name, "type", kind, *words(kind, changes)),
            since=since(kind, changes),
        )

    def _check_mtu(self, device: Device, parent: Device | None, master: Device | None) -> None:
        mtu, bond = self.want.mtu, self._bond_of(device, master)
        if mtu is None:
            return
        what = f"set the MTU of {self.title} to {mtu}"
        if device.max_mtu and mtu > device.max_mtu:
            _refuse(what, f"it takes at most {device.max_mtu}", "give a smaller one")
        mode = str(self.want.data.get("mode") or device.data.get("mode") or "datagram")
        if device.kind == "ipoib" and mtu > _IPOIB_MTU[mode]:
            _refuse(
                what,
                f"in {mode} mode it takes at most {_IPOIB_MTU[mode]}",
                "give a smaller one, or the mode connected" if mode == "datagram" else "give a smaller one",
            )
        if parent and device.kind in ("vlan", "macvlan") and mtu > parent.mtu:
            _refuse(
                what,
                f"its parent {parent.name} has {parent.mtu}, and it cannot have more",
                f"set the mtu of {parent.name} first",
            )
        if bond and mtu != bond.mtu:
            _refuse(
                what,
                f"it follows its bond {bond.name}, which has {bond.mtu}",
                f"set the mtu of {bond.name}, or leave it out",
            )

    def _set_mtu(self, device: Device, master: Device | None) -> None:
        if self.want.mtu in (None, device.mtu) or self._enters_bond(device, master):
            return
        mtu = str(self.want.mtu)
        self._step(f"set the MTU of {self.title} to {mtu}", "link", "set", "dev", device.name, "mtu", mtu)

    def _add_altnames(self, device: Device) -> None:
        missing = [altname for altname in self.want.altnames if altname not in device.altnames]
        for altname in missing:
            taken = find(self.devices, altname)
            if taken is not None:
                _refuse(
                    f"give {self.title} the alternative name {altname}",
                    f"it is a name of {taken.name}",
                    "choose another one, or remove it there",
                )
        if missing:
            self._step(
                f"give {self.title} the alternative name {', '.join(missing)}",
                *("link", "property", "add", "dev", device.name),
                *(word for altname in missing for word in ("altname", altname)),
                since=_ALTNAMES_SINCE,
            )

    def _enslave(self, device: Device, master: Device | None) -> Device:
        if master is None or device.master == master.name:
            return device
        self._guard(self.want.space, device, "enslave")
        what = f"enslave {self.title} to {master.name}"
        self._step(what, "link", "set", "dev", device.name, "master", master.name)
        return replace(device, master=master.name, up=device.up or master.kind == "bond")

    def _go_up_or_down(self, device: Device, parent: Device | None, was_up: bool) -> None:
        up = (was_up or device.up) if self.want.up is None else self.want.up
        if up == device.up:
            return
        if not up:
            self._guard(self.want.space, device, "take down")
            self._step(f"take {self.title} down", "link", "set", "dev", device.name, "down")
            return
        if parent and device.kind == "vlan" and not parent.up:
            _refuse(
                f"take {self.title} up",
                f"its parent {parent.name} is down, and a vlan cannot be up without it",
                f"take {parent.name} up first (admin_state: up)",
            )
        self._step(f"take {self.title} up", "link", "set", "dev", device.name, "up")

    # Other devices and namespaces that are named

    def _check_namespaces(self) -> None:
        for space in {self.want.space: "netns", self.want.peer_space: "veth.peer_netns"}:
            if space != HOST_NAMESPACE and space not in self.have.namespaces.names:
                _refuse(
                    f"have {self.want.name} in {_space(space)}",
                    "there is no such namespace",
                    "create it first with railhead.cluster.ip_netns",
                )

    def _parents(self) -> tuple[tuple[str, Device], ...]:
        """What the name of the parent can mean: in the namespace of the device first, then in the host's own."""
        want = self.want
        if want.parent is None:
            return ()
        spaces = dict.fromkeys((want.space, HOST_NAMESPACE))
        looked = ((space, find(self.have.of(space), want.parent)) for space in spaces)
        found = tuple((space, device) for space, device in looked if device is not None)
        if not found:
            _refuse(
                f"have the {want.kind} {self.title}",
                f"its parent {want.parent} is not in {' or '.join(_space(space) for space in spaces)}",
                "give a device that is there, or create it first",
            )
        return found

    def _parent_of(self, device: Device, parents: tuple[tuple[str, Device], ...]) -> Device | None:
        """The device below, when it is known: an unnamed one in a namespace that was not read is not."""
        if device.kind == "veth":
            return None
        for space, parent in parents:
            if _is_on(device, self.read_in, space, parent):
                return parent
        return find(self.have.of(self.read_in), device.parent) if device.parent else None

    def _master(self) -> Device | None:
        want = self.want
        if not want.master:
            return None
        master = find(self.devices, want.master)
        if master is None or master.name == want.name:
            _refuse(
                f"enslave {self.title} to {want.master}",
                f"there is no such device in {_space(want.space)}" if master is None else "this is the device itself",
                "create it first, or give another master",
            )
        return master

    def _bond_of(self, device: Device, master: Device | None) -> Device | None:
        """The bond that the device is in, or enters."""
        if self._enters_bond(device, master):
            return master
        return find(self.devices, device.master) if device.membership is not None and device.master else None

    def _enters_bond(self, device: Device, master: Device | None) -> bool:
        return master is not None and master.kind == "bond" and device.master != master.name

    # Writing it down

    def _step(self, does: str, *argv: str, space: str | None = None, since: str = "") -> None:
        self.steps.append(Command(ip(self.want.space if space is None else space, *argv), does, since))

    def _guard(self, space: str, device: Device, doing: str) -> None:
        if space == HOST_NAMESPACE and device.name in self.have.management and not self.want.allow_management:
            _refuse(
                f"{doing} {device.name}",
                "the SSH connection of this run comes in by it or by what is on top of it, and would end",
                "come in by another way, or allow that with allow_management=true",
            )


def _refuse(what: str, found: str, advice: str) -> NoReturn:
    raise RailheadError(f"Cannot {what}: {found}; {advice}.")


def _is_on(device: Device, space: str, parent_space: str, parent: Device) -> bool:
    if parent_space == space:
        return device.parent == parent.name
    return device.parent is None and device.parent_elsewhere and device.parent_index == parent.index


def _fixed_attribute(want: Want, device: Device) -> str | None:
    for each in KINDS[str(want.kind)].attributes:
        wanted, found = want.data.get(each.name), device.data.get(each.name)
        fixed = each.when == AT_CREATION or (want.kind == "macvlan" and _PASSTHRU in (wanted, found))
        if fixed and wanted not in (None, found):
            return f"its {want.kind}.{each.name} is {found}, not {wanted}, which the kernel sets only {AT_CREATION}"
    return None


def _kind(device: Device) -> str:
    if device.kind is None:
        return "a port of the hardware or a device of the kernel's own"
    return f"a {device.kind}" if device.removable else f"the {device.kind} device of a port itself"


def _space(space: str) -> str:
    return f"the network namespace '{space}'" if space else "the host's own network namespace"


def _title(name: str, space: str) -> str:
    return f"{name} (netns {space})" if space else name
