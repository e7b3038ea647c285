# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fabric of a host as one document: reading and checking it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._devlink.eswitch import SWITCHDEV, Settings
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.document_addresses import (
    Address,
    load_addresses,
    load_routes,
)
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.document_bonds import BOND_FIELDS, load_bond
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.expand import expand_representors, expand_vfs
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.fields import (
    Entry,
    Field,
    at,
    optional_mtu,
    read_entries,
    read_entry,
    read_texts,
    wrong,
)
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.names import (
    BOND,
    BRIDGE,
    OTHER,
    PORT,
    Names,
    Owner,
    valid_port,
)
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import (
    AddressesWant,
    BridgeWant,
    FabricWant,
    PortWant,
    RepresentorWant,
)
from ansible_collections.railhead.cluster.plugins.module_utils._link.request import (
    valid_altnames,
    valid_netdev_name,
)
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.request import MOST_VFS

_TEXT, _NUMBER, _SWITCH = Field(), Field((int,)), Field((bool,))
_NUMBERS, _LIST = Field((int, str)), Field((list,))
_NAME = Field(required=True)
_STATE = Field(choices=("present", "absent"))
_DOCUMENT = {"ports": _LIST, "bonds": _LIST, "open_vswitch": Field((dict,)), "bridges": _LIST, "addresses": _LIST}
_PORT = {
    "port": _NAME,
    "name": _TEXT,
    "altnames": _LIST,
    "admin_state": Field(choices=("up", "down")),
    "mtu": _NUMBER,
    "count": _NUMBER,
    "vfs": _LIST,
    "eswitch_mode": Field(choices=("legacy", SWITCHDEV)),
    "inline_mode": Field(choices=("none", "link", "network", "transport")),
    "encap_mode": Field(choices=("none", "basic")),
    "steering_mode": Field(choices=("dmfs", "smfs", "hmfs")),
    "hw_tc_offload": _SWITCH,
}
_VF = {
    "vf": Field((int, str), required=True),
    "mac": _TEXT,
    "vlan": _NUMBERS,
    "qos": _NUMBER,
    "vlan_proto": Field(choices=("802.1Q", "802.1ad")),
    "spoofchk": _SWITCH,
    "trust": _SWITCH,
    "link_state": Field(choices=("auto", "enable", "disable")),
    "min_tx_rate": _NUMBER,
    "max_tx_rate": _NUMBER,
    "node_guid": _TEXT,
    "port_guid": _TEXT,
    "driver": _TEXT,
    "netns": _TEXT,
}
_OPEN_VSWITCH = {"hw_offload": _SWITCH, "tc_policy": Field(choices=("none", "skip_sw", "skip_hw"))}
_BRIDGE = {"name": _NAME, "state": _STATE, "uplinks": _LIST, "representors": _LIST}
_REPRESENTOR = {"port": _NAME, "vf": Field((int, str), required=True), "tag": _NUMBERS}
_ADDRESSES = {"device": _NAME, "addresses": _LIST, "routes": _LIST}
_ROUTE = {"to": _NAME, "via": _TEXT, "metric": _NUMBER}


def load_document(data: object) -> FabricWant:
    """The document from parsed JSON or YAML, or from module parameters; null is the same as a key that is not there.

    Everything that is wrong in itself is refused here, what does not fit the host by the planner. Wherever an entry of
    C(ports) is meant, the want has its C(name), or its C(port) when it has none.
    """
    document = read_entry("", data, _DOCUMENT)
    bonds = read_entries("bonds", document.get("bonds"), BOND_FIELDS)
    bridges = read_entries("bridges", document.get("bridges"), _BRIDGE)
    names, taken = Names(), dict[tuple[str, str], str]()
    ports = []
    for where, entry in read_entries("ports", document.get("ports"), _PORT):
        ports.append(_port(where, entry, taken))
        _add_port(where, ports[-1], names)
    for kind, entries in ((BOND, bonds), (BRIDGE, bridges)):
        for where, entry in entries:
            name = valid_netdev_name(f"{where}.name", entry["name"])
            names.add(f"{where}.name", name, Owner(kind, name, where, entry.get("state") != "absent"))
    return FabricWant(
        tuple(ports),
        tuple(load_bond(where, entry, names) for where, entry in bonds),
        _ovs_config(document),
        _bridges(bridges, names),
        _addresses(read_entries("addresses", document.get("addresses"), _ADDRESSES), names),
    )


def _port(where: str, entry: Mapping[str, Any], taken: dict[tuple[str, str], str]) -> PortWant:
    port, count = valid_port(f"{where}.port", entry["port"]), entry.get("count")
    name = valid_netdev_name(f"{where}.name", entry["name"]) if "name" in entry else None
    if count is not None and not 0 <= count <= MOST_VFS:
        raise wrong(f"{where}.count", f"there cannot be {count} VFs; give a number from 0 to {MOST_VFS}")
    texts = [text for _place, text in read_texts(f"{where}.altnames", entry.get("altnames"))]
    with at(where):
        altnames = valid_altnames(name or port, texts)
    return PortWant(
        port=port,
        name=name,
        altnames=altnames,
        up=entry.get("admin_state") != "down",
        mtu=optional_mtu(where, entry),
        count=count,
        vfs=expand_vfs(read_entries(f"{where}.vfs", entry.get("vfs"), _VF), count, taken),
        eswitch=Settings(entry.get("eswitch_mode"), entry.get("inline_mode"), entry.get("encap_mode")),
        steering_mode=entry.get("steering_mode"),
        hw_tc_offload=entry.get("hw_tc_offload"),
    )


def _add_port(where: str, port: PortWant, names: Names) -> None:
    names.add_port(where, port)
    if port.eswitch.mode == SWITCHDEV:
        for vf in reversed(range(port.count or 0)):
            names.add_representor(f"{where}.name", port, vf)


def _ovs_config(document: Mapping[str, Any]) -> dict[str, str]:
    given = read_entry("open_vswitch", document.get("open_vswitch", {}), _OPEN_VSWITCH)
    words = {True: "true", False: "false"}
    return {key.replace("_", "-"): words.get(value, value) for key, value in given.items()}


def _bridges(entries: Sequence[Entry], names: Names) -> tuple[BridgeWant, ...]:
    found = []
    for where, entry in entries:
        if entry.get("state") == "absent":
            found.append(BridgeWant(entry["name"], present=False))
            continue
        bridge = Owner(BRIDGE, entry["name"], where)
        uplinks = []
        for place, text in read_texts(f"{where}.uplinks", entry.get("uplinks")):
            owner = names.find(place, text)
            if owner.kind not in (PORT, BOND, OTHER):
                raise wrong(
                    place, f"{text} is a {owner.kind}; give bonds and ports here, and list representors in representors"
                )
            names.put_into(place, owner, bridge)
            uplinks.append(owner.name)
        representors = read_entries(f"{where}.representors", entry.get("representors"), _REPRESENTOR)
        found.append(BridgeWant(bridge.name, True, tuple(uplinks), _representors(representors, bridge, names)))
    return tuple(found)


def _representors(entries: Sequence[Entry], bridge: Owner, names: Names) -> tuple[RepresentorWant, ...]:
    found = []
    for where, text, vf, tag in expand_representors(entries):
        owner = names.find(f"{where}.port", text)
        port = owner.port
        if port is None:
            raise wrong(f"{where}.port", f"{text} is not in ports; add an entry for it, or give one that is")
        if port.eswitch.mode != SWITCHDEV:
            raise wrong(f"{where}.port", f"{text} has representors in {SWITCHDEV} mode only; give it that eswitch_mode")
        if port.count is not None and vf >= port.count:
            raise wrong(
                f"{where}.vf", f"there is no VF {vf}, {text} has count: {port.count}; raise that, or lower this"
            )
        names.put_into(where, names.add_representor(f"{owner.where}.name", port, vf), bridge)
        found.append(RepresentorWant(owner.name, vf, tag))
    return tuple(found)


def _addresses(entries: Sequence[Entry], names: Names) -> tuple[AddressesWant, ...]:
    found: dict[str, AddressesWant] = {}
    addresses: dict[Address, str] = {}
    destinations: dict[tuple[str, int | None], str] = {}
    for where, entry in entries:
        place = f"{where}.device"
        device = names.find(place, entry["device"])
        _check_device(place, device, names)
        if device.name in found:
            raise wrong(place, f"{device.name} has an entry already; give all of its addresses in one")
        interfaces = load_addresses(read_texts(f"{where}.addresses", entry.get("addresses")), addresses)
        routes = read_entries(f"{where}.routes", entry.get("routes"), _ROUTE)
        if routes and device.port and not device.port.up:
            raise wrong(f"{where}.routes", f"{device.name} has admin_state: down, and takes no routes; leave them out")
        found[device.name] = AddressesWant(
            device.name,
            tuple(each.with_prefixlen for each in interfaces),
            tuple(load_routes(routes, interfaces, destinations)),
        )
    return tuple(found.values())


def _check_device(where: str, device: Owner, names: Names) -> None:
    top = names.top(device)
    if not device.present:
        raise wrong(where, f"{device.name} is to be absent ({device.where}); leave one of the two out")
    if top != device:
        raise wrong(
            where,
            f"{device.name} is in {names.uppers[device.name].name}, and has no addresses of its own; give them to"
            f" {top.name}",
        )
    if ":" in device.name:
        raise wrong(where, f"the name of the network device of {device.name} is not known; give {device.where} a name")
    if device.name == "lo":
        raise wrong(where, "all other addresses would be taken away, and those of lo are the host's own; leave it out")
