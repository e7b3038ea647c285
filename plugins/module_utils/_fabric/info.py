# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fabric of a whole host, with nothing named: what there is, and the document that describes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.addressing import Addressing
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.document_bonds import BOND_OPTIONS
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.observe import (
    HERE,
    LAG_ACTIVE,
    Fabric,
    PortState,
    observe_fabric,
)
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.restore import document_of
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import (
    AddressesWant,
    BondWant,
    BridgeWant,
    FabricWant,
    PortWant,
    VfWant,
)
from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import BOND
from ansible_collections.railhead.cluster.plugins.module_utils._link.device import Device, describe, members
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.plan import shown_ovs
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.plan import returned_port

#: Network controllers, in the file C(class) of a PCI device: Ethernet, InfiniBand and others.
_NETWORK = "0x02"
#: phys_port_name of all that stands for something behind an e-switch; a port itself has p0, or none.
_REPRESENTOR = re.compile(r"(c\d+)?pf\d+.*")
_OVS_CONFIG = ("hw-offload", "tc-policy")


def read_info(host: Host) -> dict[str, Any]:
    """The return values of M(railhead.cluster.fabric_info).

    At most six processes, however many ports and VFs there are: ip three times, and devlink, ovs-vsctl and rdma once.
    """
    # The routes are read for as long as addresses of any device are asked for.
    asked = FabricWant(
        tuple(PortWant(name, hw_tc_offload=True) for name in _names(host)), addresses=(AddressesWant("lo"),)
    )
    found = observe_fabric(host, asked)
    have = replace(found, ports={name: state for name, state in found.ports.items() if _has_functions(state)})
    return {
        "ports": [_shown_port(have, state) for state in have.ports.values()],
        "bonds": [{**describe(bond, have.links, ""), "vf_lag": _is_vf_lag(have, bond)} for bond in _bonds(have)],
        "open_vswitch": {"version": have.ovs.version, **shown_ovs(have.ovs)} if have.ovs else None,
        "addresses": [
            _shown_addresses(name, addressing)
            for name, addressing in have.addressing.items()
            if addressing != Addressing()
        ],
        "management": sorted(have.management),
        "document": document_of(have, _everything(have)),
    }


def _names(host: Host) -> Iterator[str]:
    """Physical functions of network cards and simulated ones; by network device where a device has more than one."""
    for bus in ("pci", "netdevsim"):
        devices = f"/sys/bus/{bus}/devices"
        for name in host.list_directory(devices):
            directory = f"{devices}/{name}"
            is_vf = host.link_target(f"{directory}/physfn") is not None
            if bus == "pci" and (is_vf or not (host.read(f"{directory}/class") or "").startswith(_NETWORK)):
                continue
            netdevs = [netdev for netdev in host.list_directory(f"{directory}/net") if not _stands_in(host, netdev)]
            yield from netdevs if len(netdevs) > 1 else (name,)


def _stands_in(host: Host, netdev: str) -> bool:
    return bool(_REPRESENTOR.fullmatch(host.read(f"/sys/class/net/{netdev}/phys_port_name") or ""))


def _has_functions(state: PortState) -> bool:
    return bool(state.port.total_vfs or state.eswitch.mode or not state.port.is_pci)


def _shown_port(have: Fabric, state: PortState) -> dict[str, Any]:
    shown = returned_port(state.port)
    link = have.link(state.port.netdev)
    vfs: Any = shown["vfs"]
    for vf in vfs:
        vf["netns"], netdev = state.places.get(vf["vf"], HERE)
        vf["netdevs"] = [netdev] if netdev else vf["netdevs"]
        vf["representor"] = state.representors.get(vf["vf"])
    return {
        "port": state.function,
        "driver": state.driver or None,
        "link": describe(link, have.links, "") if link else None,
        **shown,
        "eswitch": vars(state.eswitch) if state.eswitch.mode else None,
        "steering_mode": state.steering_mode,
        "hw_tc_offload": state.hw_tc_offload,
        "lag": state.lag,
    }


def _shown_addresses(device: str, found: Addressing) -> dict[str, Any]:
    return {
        "device": device,
        "addresses": list(found.addresses),
        "routes": [dict(vars(route)) for route in found.routes],
    }


def _bonds(have: Fabric) -> list[Device]:
    return [link for link in have.links if link.kind == "bond"]


def _is_vf_lag(have: Fabric, bond: Device) -> bool:
    """Whether the card bonds the members itself, and not only carries their traffic."""
    netdevs = {state.port.netdev: state.lag for state in have.ports.values()}
    lags = [netdevs.get(member.name) for member in members(have.links, bond.name)]
    return bool(lags) and set(lags) == {LAG_ACTIVE}


def _everything(have: Fabric) -> FabricWant:
    """All that a document can name; a bond without members is none that it can describe."""
    ports = tuple(_port(have, name, state) for name, state in have.ports.items() if state.port.netdev)
    bonds = tuple(_bond(have, bond) for bond in _bonds(have) if members(have.links, bond.name))
    bridges = tuple(BridgeWant(bridge.name) for bridge in (have.ovs.bridges if have.ovs else ()))
    devices = [*(port.name for port in ports), *(bond.name for bond in bonds), *(bridge.name for bridge in bridges)]
    return FabricWant(
        ports,
        bonds,
        {key: have.ovs.config[key] for key in _OVS_CONFIG if key in have.ovs.config} if have.ovs else {},
        bridges,
        tuple(AddressesWant(str(device)) for device in devices if _has_addresses(have, str(device))),
    )


def _port(have: Fabric, name: str, state: PortState) -> PortWant:
    link = have.link(state.port.netdev)
    return PortWant(
        name,
        state.port.netdev,
        link.altnames if link else (),
        mtu=link.mtu if link else None,
        count=state.port.count if state.port.total_vfs or not state.port.is_pci else None,
        vfs={index: VfWant(netns=place) for index, (place, _netdev) in state.places.items()},
        eswitch=state.eswitch,
        steering_mode=state.steering_mode,
        hw_tc_offload=state.hw_tc_offload,
    )


def _bond(have: Fabric, bond: Device) -> BondWant:
    mode = bond.data.get("mode")
    options = [each for each in BOND if each.name in BOND_OPTIONS and (each.modes is None or mode in each.modes)]
    data = {each.name: bond.data[each.name] for each in options if each.name in bond.data}
    return BondWant(bond.name, data=data, mtu=bond.mtu, vf_lag=_is_vf_lag(have, bond))


def _has_addresses(have: Fabric, device: str) -> bool:
    """What is in a bond or bridge keeps its addresses to itself: they are without effect."""
    link = have.link(device)
    return link is not None and not link.master and have.addressing.get(device, Addressing()) != Addressing()
