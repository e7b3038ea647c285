# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document that describes what a host has: shown before and after a change, and the way back from one. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._fabric.addressing import Addressing
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.observe import LAG_ACTIVE, Fabric, PortState
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import (
    NO_DRIVER,
    BondWant,
    BridgeWant,
    FabricWant,
    PortWant,
)
from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import BOND
from ansible_collections.railhead.cluster.plugins.module_utils._link.device import members

_LAST_VLAN = 4094
#: How the document calls keys of other_config, and what a key means that is not there (ovs-vswitchd.conf.db(5)).
_OVS_KEYS = {"hw-offload": ("hw_offload", "false"), "tc-policy": ("tc_policy", "none")}


def document_of(have: Fabric, want: FabricWant) -> dict[str, Any]:
    """Of the things that C(want) names, what C(have) has, as a document of the same form (see load_document).

    A bond or bridge that is not there is one with state absent, so that applying the document brings back this state.
    """
    document = {
        "ports": [
            _port(have, port, have.ports[port.port], bool(want.bridges))
            for port in want.ports
            if port.port in have.ports
        ],
        "bonds": [_bond(have, want, bond) for bond in want.bonds],
        "open_vswitch": _open_vswitch(have, want),
        "bridges": [_bridge(have, want, bridge) for bridge in want.bridges],
        "addresses": [_addresses(have, name) for name in _addressed(have, want)],
    }
    return {section: value for section, value in document.items() if value}


def _addressed(have: Fabric, want: FabricWant) -> Iterator[str]:
    """What is to have addresses, and what loses its own because it becomes a part of a bond or a bridge."""
    asked = [_netdev(have, want, each.device) for each in want.addresses]
    parts = [name for bond in want.bonds for name in bond.members]
    parts += [name for bridge in want.bridges for name in bridge.uplinks]
    for name in dict.fromkeys([*asked, *(_netdev(have, want, part) for part in parts)]):
        link = have.link(name)
        found = have.addressing.get(name, Addressing())
        if link is not None and not link.master and (name in asked or found.addresses or found.routes):
            yield name


def _netdev(have: Fabric, want: FabricWant, name: str) -> str:
    for port in want.ports:
        if name in (port.port, port.name) and port.port in have.ports:
            return have.ports[port.port].port.netdev
    return name


def _port(have: Fabric, want: PortWant, state: PortState, has_bridges: bool) -> dict[str, Any]:
    """By its address on the bus, which no step changes. Only a port with a mode can have representors in bridges."""
    link = have.link(state.port.netdev)
    bonded = link is not None and link.membership is not None
    shown: dict[str, Any] = {
        "port": state.function,
        "name": state.port.netdev if want.name else None,
        "altnames": sorted(link.altnames) if link and want.altnames else None,
        "admin_state": "up" if link is None or link.up else "down",
        "mtu": link.mtu if link and want.mtu is not None and not bonded else None,
        "count": state.port.count if want.count is not None else None,
        "vfs": _vfs(want, state) if want.count is not None or want.vfs else None,
        "eswitch_mode": state.eswitch.mode if want.eswitch.mode or (has_bridges and state.representors) else None,
        "inline_mode": state.eswitch.inline_mode if want.eswitch.inline_mode else None,
        "encap_mode": state.eswitch.encap_mode if want.eswitch.encap_mode else None,
        "steering_mode": state.steering_mode if want.steering_mode else None,
        "hw_tc_offload": state.hw_tc_offload if want.hw_tc_offload is not None else None,
    }
    return {key: value for key, value in shown.items() if value not in (None, [])}


def _vfs(want: PortWant, state: PortState) -> list[dict[str, Any]]:
    """Without those of which nothing is known but that they are there."""
    return [shown for shown in (_vf(want, state, vf.index) for vf in state.port.vfs) if len(shown) > 1]


def _vf(want: PortWant, state: PortState, index: int) -> dict[str, Any]:
    vf = next(vf for vf in state.port.vfs if vf.index == index)
    wanted = want.vfs.get(index)
    attributes = dict(vf.attributes.given)
    if state.port.link_type != "ether" or int(attributes.get("vlan") or 0) > _LAST_VLAN:
        attributes.pop("vlan", None)
    if not attributes.get("vlan"):
        attributes = {key: value for key, value in attributes.items() if key not in ("qos", "vlan_proto")}
    shown = {"vf": index, **attributes}
    if state.port.is_pci and want.count is not None:
        # Where the document names a driver, the way back has to name the one that there was.
        named = vf.driver if wanted is not None and wanted.driver else None
        shown["driver"] = state.overrides.get(index) or named or (None if vf.driver else NO_DRIVER)
    if wanted is not None and wanted.netns is not None:
        shown["netns"] = state.places.get(index, ("", ""))[0]
    return {key: value for key, value in shown.items() if value is not None}


def _bond(have: Fabric, want: FabricWant, bond: BondWant) -> dict[str, Any]:
    device = have.link(bond.name)
    if device is None or device.kind != "bond":
        return {"name": bond.name, "state": "absent"}
    found = [member.name for member in members(have.links, bond.name)]
    mode = str(device.data.get("mode"))
    valid = {each.name for each in BOND if each.modes is None or mode in each.modes}
    lags = [state.lag for state in have.ports.values() if state.port.netdev in found]
    shown = {
        "name": bond.name,
        "members": [_called(have, want, member) for member in found],
        # Without miimon no document may ask for it.
        "vf_lag": True if bond.vf_lag and lags == [LAG_ACTIVE] * len(found) and device.data.get("miimon", 1) else None,
        "mtu": device.mtu if bond.mtu is not None else None,
        **{key: device.data.get(key) for key in ("mode", *bond.data) if key in valid},
    }
    if shown.get("primary") is not None:
        shown["primary"] = _called(have, want, str(shown["primary"]))
    return {key: value for key, value in shown.items() if value is not None}


def _called(have: Fabric, want: FabricWant, netdev: str) -> str:
    """How the document can name a network device: a port that gets no name in it is known by its address only."""
    for port in want.ports:
        state = have.ports.get(port.port)
        if state is not None and state.port.netdev == netdev and not port.name:
            return state.function
    return netdev


def _open_vswitch(have: Fabric, want: FabricWant) -> dict[str, Any]:
    if have.ovs is None:
        return {}
    keys = (_OVS_KEYS[key] + (have.ovs.config.get(key),) for key in want.ovs_config)
    shown: dict[str, Any] = {option: default if value is None else value for option, default, value in keys}
    if "hw_offload" in shown:
        shown["hw_offload"] = shown["hw_offload"] == "true"
    return shown


def _bridge(have: Fabric, want: FabricWant, bridge: BridgeWant) -> dict[str, Any]:
    found = next((each for each in have.ovs.bridges if each.name == bridge.name), None) if have.ovs else None
    if found is None:
        return {"name": bridge.name, "state": "absent"}
    of_ports = {
        netdev: (port.port, index)
        for port in want.ports
        if port.port in have.ports
        for index, netdev in have.ports[port.port].representors.items()
    }
    functions = {name: have.ports[name].function for name in have.ports}
    representors = []
    for port in found.ports:
        if port.name in of_ports:
            name, index = of_ports[port.name]
            tag = {} if port.tag is None else {"tag": port.tag}
            representors.append({"port": functions[name], "vf": index, **tag})
    # Tunnels and patches to other bridges are no network devices, and nobody's but Open vSwitch's.
    ports = [port.name for port in found.ports if port.name not in of_ports and have.link(port.name)]
    uplinks = [_called(have, want, port) for port in ports]
    shown = {"name": bridge.name, "uplinks": uplinks, "representors": representors}
    return {key: value for key, value in shown.items() if value}


def _addresses(have: Fabric, name: str) -> dict[str, Any]:
    found = have.addressing.get(name, Addressing())
    # A router can be reached by a route that needs none: that one comes first.
    ordered = sorted(found.routes, key=lambda route: bool(route.via))
    routes = [{key: value for key, value in vars(route).items() if value not in ("", None)} for route in ordered]
    return {"device": name, "addresses": list(found.addresses), "routes": routes}
