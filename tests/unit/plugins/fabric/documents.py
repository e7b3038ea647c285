# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts, and documents for them: what the properties are about."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from .cards import KINDS, Function, ice_port, igb_port, mlx5_card, netdevsim_port
from .model import ModelHost, switch

SWITCHDEV, LEGACY = "switchdev", "legacy"
_MODES = ("active-backup", "balance-xor", "802.3ad", "balance-rr")
_NAMES = ("rail0", "rail1", "rail2", "rail3", "rail4")
_OTHER_NAMES = ("leaf0", "leaf1", "leaf2", "leaf3", "leaf4")
_SUBNETS = ("198.51.100.{}/24", "198.51.100.{}/25", "2001:db8::{}/64")
_ONLY_IN_LEGACY = {"vlan", "qos", "spoofchk", "trust"}
_GATEWAYS = ("198.51.100.99", "2001:db8::99")


def _maybe(draw: st.DrawFn, chance: int = 5) -> bool:
    """In C(chance) of ten cases."""
    return draw(st.integers(0, 9)) < chance


@st.composite
def hosts(draw: st.DrawFn) -> ModelHost:
    """A few cards, some with VFs already, and people who use some of it."""
    functions: list[Function] = []
    closes = draw(st.booleans())
    after = draw(st.sampled_from((None, True, False)))
    wanted = draw(st.sampled_from(("mlx5", "mlx5", "igb", "ice", "netdevsim", "mlx5 igb", "ice netdevsim", "igb mlx5")))
    for word in wanted.split():
        if word == "mlx5":
            functions += mlx5_card("08", closes=closes, offload_after=after)
        elif word == "ice":
            functions.append(ice_port(closes=closes, offload_after=after))
        else:
            functions.append(igb_port() if word == "igb" else netdevsim_port())
    host = ModelHost(*functions, switch=switch())
    host.promotes = draw(st.booleans())
    host.has_bonding = draw(st.booleans())
    for number, function in enumerate(functions):
        _use(draw, host, function, number)
    return host


def _use(draw: st.DrawFn, host: ModelHost, function: Function, number: int) -> None:
    if not _maybe(draw):
        return
    function.autoprobe = draw(st.booleans())
    host._set_count(function, draw(st.integers(0, 3)))
    for vf in function.vfs:
        vf.used = bool(vf.driver) and _maybe(draw, 2)
    device = host.links.spaces[""][function.netdev]
    altnames = (f"{function.netdev}np0",) if _maybe(draw) else ()
    host._put(device.__class__(**{**vars(device), "up": _maybe(draw), "altnames": altnames}))
    if _maybe(draw, 3):
        host.addresses[function.netdev] = [_SUBNETS[0].format(200 + number), _SUBNETS[2].format(200 + number)]


@st.composite
def documents(draw: st.DrawFn, host: ModelHost) -> dict[str, Any]:
    """One that fits the host, but for a few that the planner or load_document() has to refuse."""
    ports = [_port(draw, function, number) for number, function in enumerate(host.functions) if _maybe(draw, 8)]
    free = [entry.get("name", entry["port"]) for entry in ports]
    document: dict[str, Any] = {"ports": ports}
    by_name = dict(zip(free, ports, strict=True))
    if free and _maybe(draw, 6):
        document["bonds"] = [_bond(draw, host, by_name, free)]
    if _maybe(draw, 6):
        document["open_vswitch"] = {"hw_offload": draw(st.booleans())}
    if _maybe(draw, 6):
        document["bridges"] = _bridges(draw, document, by_name, free)
    free += [bond["name"] for bond in document.get("bonds", ()) if "members" in bond and bond["name"] not in free]
    in_bridges = [name for bridge in document.get("bridges", ()) for name in bridge.get("uplinks", ())]
    free = [name for name in free if name not in in_bridges and ":" not in name]
    free += [bridge["name"] for bridge in document.get("bridges", ()) if bridge.get("state") != "absent"]
    devices = [name for name in free if _maybe(draw, 4)]
    if devices:
        document["addresses"] = [_addresses(draw, name, number) for number, name in enumerate(devices)]
    return {section: value for section, value in document.items() if value}


def _port(draw: st.DrawFn, function: Function, number: int) -> dict[str, Any]:
    kind = KINDS[function.kind]
    entry: dict[str, Any] = {"port": draw(st.sampled_from((function.address, function.mac)))}
    name = draw(st.sampled_from((_NAMES[number], _NAMES[number], _NAMES[number], _OTHER_NAMES[number], None)))
    if name:
        entry["name"] = name
    if _maybe(draw, 2):
        entry["altnames"] = [f"alt{number}"]
    if _maybe(draw, 2):
        entry["admin_state"] = draw(st.sampled_from(("up", "down")))
    if _maybe(draw, 3):
        entry["mtu"] = draw(st.sampled_from((1500, 9000)))
    if _maybe(draw, 7):
        entry["count"] = draw(st.integers(0, 4))
    if kind.eswitch.mode and _maybe(draw, 7):
        entry["eswitch_mode"] = draw(st.sampled_from((LEGACY, SWITCHDEV, SWITCHDEV)))
    if kind.steering and _maybe(draw, 3):
        entry["steering_mode"] = draw(st.sampled_from(("dmfs", "smfs")))
        entry["encap_mode"] = draw(st.sampled_from(("none", "basic")))
    if kind.has_offload and _maybe(draw, 4):
        entry["hw_tc_offload"] = draw(st.booleans())
    if entry.get("count"):
        entry["vfs"] = [
            vf for index in range(entry["count"]) if len(vf := _vf(draw, function, entry, number, index)) > 1
        ]
    return entry


def _vf(draw: st.DrawFn, function: Function, entry: dict[str, Any], number: int, index: int) -> dict[str, Any]:
    vf: dict[str, Any] = {"vf": index}
    kind, choice = KINDS[function.kind], draw(st.integers(0, 63))
    settable = kind.settable
    if entry.get("eswitch_mode") != LEGACY and function.kind in ("mlx5", "ice"):
        settable -= _ONLY_IN_LEGACY
    if choice & 1:
        vf["mac"] = draw(st.sampled_from(("auto", f"02:00:5e:10:{number:02x}:{index:02x}")))
    if choice & 2 and "vlan" in settable:
        vf.update(vlan=draw(st.sampled_from((0, 100))))
        if vf["vlan"]:
            vf["qos"] = draw(st.sampled_from((0, 3)))
    if choice & 4 and "trust" in settable:
        vf.update(trust=draw(st.booleans()), spoofchk=draw(st.booleans()))
    if choice & 8 and "link_state" in settable:
        vf.update(link_state=draw(st.sampled_from(("auto", "enable"))), max_tx_rate=draw(st.sampled_from((0, 100))))
    if choice & 16 and function.is_pci:
        vf["driver"] = draw(st.sampled_from((kind.vf_driver, "vfio-pci", "none")))
    if choice & 32 and function.is_pci and vf.get("driver", kind.vf_driver) == kind.vf_driver:
        vf["netns"] = draw(st.sampled_from(("pod{vf}", "")))
        if vf["netns"]:
            vf["netns"] += f"-{number}"
    return vf


def _bond(draw: st.DrawFn, host: ModelHost, ports: dict[str, Any], free: list[str]) -> dict[str, Any]:
    """Takes its members from C(free), and may change what their entries in C(ports) ask, so that it fits."""
    if _maybe(draw, 1):
        return {"name": "bond0", "state": "absent"}
    pair = [name for name in free if _function(host, ports[name]).kind == "mlx5"]
    members = pair if len(pair) == 2 and _maybe(draw, 7) else free[: draw(st.integers(1, 2))]
    free[:] = [name for name in free if name not in members]
    entries = [ports[name] for name in members]
    bond: dict[str, Any] = {"name": "bond0", "members": members}
    if members is pair and _maybe(draw, 8):
        bond.update(vf_lag=True, miimon=100)
        _fit_for_lag(entries, draw(st.sampled_from((SWITCHDEV, SWITCHDEV, LEGACY))))
    elif _maybe(draw):
        bond["miimon"] = 100
    offloaded = any(entry.get("eswitch_mode") == SWITCHDEV for entry in entries) or "vf_lag" in bond
    bond["mode"] = draw(st.sampled_from(_MODES[:3] if offloaded else _MODES))
    if bond["mode"] == "802.3ad" and _maybe(draw):
        bond["lacp_rate"] = draw(st.sampled_from(("slow", "fast")))
    if bond["mode"] == "active-backup" and _maybe(draw):
        bond["primary"] = members[0]
    if _maybe(draw):
        bond["xmit_hash_policy"] = draw(st.sampled_from(("layer2", "layer3+4")))
    if _maybe(draw, 4) or any("mtu" in entry for entry in entries):
        bond["mtu"] = draw(st.sampled_from((1500, 9000)))
        for entry in entries:
            entry.pop("mtu", None)
    return bond


def _fit_for_lag(entries: list[dict[str, Any]], mode: str) -> None:
    for entry in entries:
        entry["eswitch_mode"] = mode
        if mode == LEGACY:
            entry.update(count=0, vfs=[])
        kept = ({key: vf[key] for key in vf if key not in _ONLY_IN_LEGACY} for vf in entry.get("vfs", ()))
        entry["vfs"] = [vf for vf in kept if len(vf) > 1]


def _bridges(draw: st.DrawFn, document: dict[str, Any], ports: dict[str, Any], free: list[str]) -> list[dict[str, Any]]:
    bridges: list[dict[str, Any]] = []
    bonds = [bond["name"] for bond in document.get("bonds", ()) if "members" in bond]
    left = [*bonds, *(name for name in free if ":" not in name)]
    representors: list[dict[str, Any]] = [
        {"port": name, "vf": index}
        for name, entry in ports.items()
        if entry.get("eswitch_mode") == SWITCHDEV and "name" in entry
        for index in range(entry.get("count", 0))
    ]
    for name in ("br0", "br1")[: draw(st.integers(1, 2))]:
        if _maybe(draw, 1):
            bridges.append({"name": name, "state": "absent"})
            continue
        bridge: dict[str, Any] = {"name": name}
        taken = [uplink for uplink in left if _maybe(draw, 4)]
        ours = [dict(each) for each in representors if _maybe(draw, 6)]
        left = [uplink for uplink in left if uplink not in taken]
        representors = [each for each in representors if each not in ours]
        for each in ours:
            if _maybe(draw):
                each["tag"] = 100 + each["vf"]
        bridges.append({**bridge, "uplinks": taken, "representors": ours})
    return bridges


def _addresses(draw: st.DrawFn, device: str, number: int) -> dict[str, Any]:
    numbers = draw(st.lists(st.integers(0, 4), max_size=4, unique=True))
    addresses = [_SUBNETS[each % 3].format(10 * number + each + 1) for each in numbers]
    routes = []
    for version, gateway in enumerate(_GATEWAYS):
        if any((":" in address) == bool(version) for address in addresses) and _maybe(draw):
            to = ("203.0.113.0/24", "2001:db8:1::/64")[version]
            routes.append({"to": to, "via": gateway, "metric": number + draw(st.sampled_from((50, 100)))})
    return {"device": device, "addresses": addresses, "routes": routes}


def _function(host: ModelHost, entry: dict[str, Any]) -> Function:
    return next(each for each in host.functions if entry["port"] in (each.address, each.mac))


def in_use(host: ModelHost) -> set[tuple[str, str]]:
    """Who would notice, as C(disturbed) of the host has them: VFs with users, devices that carry something."""
    here = host.links.spaces[""]
    vfs = set()
    for function in host.functions:
        for vf in function.vfs:
            users, name = host.users(function, vf), f"{function.address}/{vf.index}"
            if users:
                vfs.add(("vf", name))
            if any("representor" not in user for user in users):
                vfs.add(("driver", name))
    # A bond without addresses that is in no bridge carries nothing, and neither do its members.
    busy = {name for name, device in here.items() if device.up and (device.membership is None and device.master)}
    busy |= {name for name, device in here.items() if device.up and host.addresses.get(name)}
    busy |= {name for name, device in here.items() if device.up and device.membership and device.master in busy}
    return vfs | {("port", name) for name in busy}
