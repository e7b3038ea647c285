# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the fabric of a host: a constant number of processes, however many VFs there are, and files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.device import parse_batch
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.eswitch import Settings, parse_settings
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.addressing import (
    Addressing,
    parse_addresses,
    parse_routes,
)
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.rules import RULES_FILE
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import FabricWant, PortWant
from ansible_collections.railhead.cluster.plugins.module_utils._link.device import (
    Device,
    Devices,
    carriers,
    parse_links,
)
from ansible_collections.railhead.cluster.plugins.module_utils._link.device import find as find_link
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import (
    RUN_DIRECTORY,
    Namespaces,
    observe_names,
)
from ansible_collections.railhead.cluster.plugins.module_utils._node.management import Management, ssh_address
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.observe import Ovs, observe_ovs
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.observe import (
    Port,
    Readings,
    directory_of,
    read_port,
    representors_of,
)

_NET = "/sys/class/net"
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
#: What VF-LAG of mlx5 says of itself (drivers/net/ethernet/mellanox/mlx5/core/lag/debugfs.c), by PCI address.
LAG_STATE = "/sys/kernel/debug/mlx5/{}/lag/state"
LAG_ACTIVE = "active"
#: The place of a VF in the host's own namespace, where sysfs has the name of its network device.
HERE = ("", "")


@dataclass(frozen=True)
class PortState:
    """One port of the document.

    C(handle) is its devlink instance, empty without one. C(representors) are network devices by VF. C(hw_tc_offload)
    is None when nobody asked, or the driver cannot switch it. C(lag) is the state of VF-LAG, None when the card has no
    such thing. C(overrides) are the drivers that VFs are kept for (driver_override). C(places) are the namespaces of
    VFs whose network device is not in the host's own, by name.
    """

    port: Port
    driver: str = ""
    handle: str = ""
    eswitch: Settings = field(default_factory=Settings)
    steering_mode: str | None = None
    representors: Mapping[int, str] = field(default_factory=dict)
    hw_tc_offload: bool | None = None
    lag: str | None = None
    overrides: Mapping[int, str] = field(default_factory=dict)
    places: Mapping[int, tuple[str, str]] = field(default_factory=dict)

    @property
    def function(self) -> str:
        """Address on the bus: 0000:08:00.0, netdevsim10."""
        return os.path.basename(self.port.directory)

    @property
    def card(self) -> str:
        """What all functions of one PCI card have in common: 0000:08:00."""
        return self.function.rpartition(".")[0]


@dataclass(frozen=True)
class Fabric:
    """C(ports) are by the name that the document has for them; C(missing) are those that are not there.

    C(links) are the devices of the host's own namespace. C(addressing) is by network device. C(rules) are the contents
    of RULES_FILE. C(management) are the network devices that the SSH connection of this run comes in over.
    """

    ports: Mapping[str, PortState] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    links: Devices = ()
    addressing: Mapping[str, Addressing] = field(default_factory=dict)
    ovs: Ovs | None = None
    spaces: Namespaces = field(default_factory=Namespaces)
    rules: str | None = None
    has_bonding: bool = True
    management: frozenset[str] = frozenset()

    def link(self, name: str) -> Device | None:
        return find_link(self.links, name)


def observe_fabric(host: Host, want: FabricWant) -> Fabric:
    """At most six processes: ip three times, devlink, ovs-vsctl and rdma once each."""
    shown = host.read_json(["ip", "-j", "-d", "address", "show"])
    links = parse_links(shown)
    addressing = parse_addresses(shown)
    address = ssh_address(host)
    ovs = observe_ovs(host)
    management = _management(links, addressing, ovs, address)
    found = _located(host, links, want.ports)
    return Fabric(
        ports=_ports(host, want.ports, found, Readings(host, shown), Management(address or "", tuple(management))),
        missing=tuple(port.port for port in want.ports if port.port not in found),
        links=links,
        addressing=_with_routes(host, addressing) if want.addresses or want.bonds or want.bridges else addressing,
        ovs=ovs,
        spaces=observe_names(host),
        rules=host.read(RULES_FILE),
        has_bonding=host.is_directory("/sys/module/bonding"),
        management=management,
    )


def missing_hardware(have: Fabric) -> tuple[str, ...]:
    """What the document needs and does not make itself, in words; at boot it can still appear."""
    return tuple(f"port {name}" for name in have.missing)


def _management(
    links: Devices, addressing: Mapping[str, Addressing], ovs: Ovs | None, address: str | None
) -> frozenset[str]:
    if address is None:
        return frozenset()
    plain, _percent, zone = address.partition("%")
    holders = [zone] if zone else [name for name, found in addressing.items() if found.holds(plain)]
    # The ports of a bridge of Open vSwitch are no members of its own network device.
    over = [port.name for bridge in (ovs.bridges if ovs else ()) if bridge.name in holders for port in bridge.ports]
    return carriers(links, [*holders, *over])


def _located(host: Host, links: Devices, wanted: Iterable[PortWant]) -> dict[str, str]:
    """What each port of the document is called by the host: a network device or a device on a bus."""
    found = {}
    for port in wanted:
        name = _with_address(links, port.port) if _MAC.fullmatch(port.port) else port.port
        # After the first run the port goes by its new name.
        for candidate in (name, port.name):
            if candidate and _exists(host, candidate):
                found[port.port] = candidate
                break
    return found


def _with_address(links: Devices, address: str) -> str | None:
    ports = [link.name for link in links if link.kind is None and link.perm_address == address]
    if len(ports) > 1:
        raise RailheadError(
            f"Cannot tell which port {address} is: {', '.join(ports)} have that address; give the PCI address instead."
        )
    return ports[0] if ports else None


def _exists(host: Host, name: str) -> bool:
    try:
        directory_of(host, name)
    except RailheadError:
        return False
    return True


def _ports(
    host: Host,
    wanted: Sequence[PortWant],
    found: Mapping[str, str],
    readings: Readings,
    management: Management,
) -> dict[str, PortState]:
    ports = {
        want.port: read_port(host, found[want.port], readings, management, has_sriov=bool(want.count or want.vfs))
        for want in wanted
        if want.port in found
    }
    devlink = _devlink(host, [_handle(port) for port in ports.values()])
    return {want.port: _port(host, want, ports[want.port], devlink) for want in wanted if want.port in ports}


def _handle(port: Port) -> str:
    _sys, bus, _devices, function = port.directory.rsplit("/", 3)
    return f"{bus}/{function}"


def _devlink(host: Host, handles: Iterable[str]) -> dict[str, dict[str, Any]]:
    """E-switch and steering mode by handle, of those that have a devlink instance."""
    lines = "".join(
        f"dev eswitch show {handle}\ndev param show {handle} name flow_steering_mode\n" for handle in handles
    )
    found: dict[str, dict[str, Any]] = {}
    if not lines:
        return found
    # Forced on: those without an instance, an e-switch or that parameter answer with an error, and only they.
    for answer in parse_batch(host.run(["devlink", "-j", "-f", "-b", "-"], stdin=lines).stdout):
        for handle, shown in answer.get("dev", {}).items():
            found.setdefault(handle, {})["eswitch"] = shown
        for handle, shown in answer.get("param", {}).items():
            found.setdefault(handle, {})["params"] = shown
    return found


def _port(host: Host, want: PortWant, port: Port, devlink: Mapping[str, Mapping[str, Any]]) -> PortState:
    handle = _handle(port)
    shown = devlink.get(handle, {})
    offload = port.netdev and want.hw_tc_offload is not None
    return PortState(
        port,
        os.path.basename(host.link_target(f"{port.directory}/driver") or ""),
        handle if handle in devlink else "",
        parse_settings(shown.get("eswitch", {})),
        _steering_mode(shown.get("params", ())),
        {index: name for name, index in representors_of(host, port.directory).items()},
        host.read_feature(port.netdev, "hw-tc-offload") if offload else None,
        host.read(LAG_STATE.format(os.path.basename(port.directory))),
        {vf.index: _override(host, port, vf.index) for vf in port.vfs} if port.is_pci else {},
        _places(host, port),
    )


def _steering_mode(params: Iterable[Mapping[str, Any]]) -> str | None:
    values = [entry.get("value") for param in params for entry in param.get("values", ())]
    return str(values[0]) if values else None


def _override(host: Host, port: Port, index: int) -> str:
    """The kernel prints C((null)) for none."""
    found = host.read(f"{port.directory}/virtfn{index}/driver_override") or ""
    return "" if found == "(null)" else found


def _places(host: Host, port: Port) -> dict[int, tuple[str, str]]:
    """Namespaces of those VFs that have a driver and no network device here."""
    away = {
        vf.pci_address: vf.index
        for vf in port.vfs
        if vf.pci_address and not vf.netdevs and host.is_directory(f"{port.directory}/virtfn{vf.index}/net")
    }
    places = {}
    for name in observe_names(host).names if away else ():
        for address, netdev in host.pci_netdevs(f"{RUN_DIRECTORY}/{name}").items():
            if address in away:
                places[away[address]] = (name, netdev)
    return places


def _with_routes(host: Host, addressing: Mapping[str, Addressing]) -> dict[str, Addressing]:
    routes = [
        *host.read_json(["ip", "-j", "-4", "route", "show"]),
        *host.read_json(["ip", "-j", "-6", "route", "show"]),
    ]
    return {name: parse_routes(found, name, routes) for name, found in addressing.items()}
