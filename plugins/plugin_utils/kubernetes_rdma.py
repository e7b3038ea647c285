# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One configuration of the device plugins and networks for a whole cluster, from what its hosts have. Pure.

A device plugin has one configuration for all nodes, and selects by the names of network devices. So a rail has one
resource, and the resource has the names that the rail has on any host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError

SHARED = "shared"
EXCLUSIVE = "exclusive"
MODELS = (SHARED, EXCLUSIVE)

MACVLAN = "macvlan"
IPOIB = "ipoib"
SRIOV = "sriov"
OVS = "ovs"
#: What a pod's second interface can be made by, in each model. The others would take a device from the wrong plugin.
TYPES = {SHARED: (MACVLAN, IPOIB), EXCLUSIVE: (SRIOV, OVS)}

#: The newest version of CNI that all of the plugins here speak.
_CNI_VERSION = "0.3.1"
#: Both device plugins refuse anything else, hyphens too.
_RESOURCE_NAME = re.compile(r"[A-Za-z0-9_]+")
_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_RAIL_NAME = re.compile(r"rail[0-9]+")
#: Virtual functions of these drivers belong to virtual machines.
_NOT_OURS = frozenset({"vfio-pci", "pci-stub", "uio_pci_generic", "igb_uio"})

_RESOURCE_KEYS = frozenset({"name", "interfaces", "shares"})
_NETWORK_KEYS = frozenset(
    {"name", "type", "resource", "master", "bridge", "vlan", "mtu", "ipam", "namespace", "options", "chain"}
)


@dataclass(frozen=True)
class Port:
    """A port with RDMA. C(vfs) are its virtual functions that containers may have, as number and driver."""

    pci_address: str
    interface: str
    vfs: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Resource:
    name: str
    interfaces: tuple[str, ...]
    shares: int


@dataclass(frozen=True)
class Want:
    model: str
    prefix: str = "rdma"
    shares: int = 100
    update_interval: int = 60
    namespace: str = "default"
    complete: bool = True


def plan(
    hosts: Mapping[str, Any],
    want: Want,
    resources: Iterable[Mapping[str, Any]] = (),
    networks: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the resources, the configuration of their plugin, who has which, and the networks, for the cluster.

    C(hosts) is, for each node, what rdma_info (C(devices)) and fabric_info (C(ports)) returned. Raises RailheadError
    for what no single configuration can say.
    """
    if want.model not in MODELS:
        raise RailheadError(f"Cannot use the model {want.model!r}: it must be {' or '.join(MODELS)}.")
    ports = {host: _ports(facts, want.model) for host, facts in hosts.items()}
    asked = tuple(_resource(entry, want) for entry in resources)
    found = asked or _rails(ports, want)
    if not found and not want.complete:
        return {"resources": [], "config": {}, "checksum": "", "nodes": {}, "networks": []}
    if not found:
        raise RailheadError(_nothing(hosts, want.model))
    _refuse_twice(found)
    config = _shared_config(found, want) if want.model == SHARED else _exclusive_config(found, ports, want)
    functions = {host: [[port.pci_address, *vf] for port in have for vf in port.vfs] for host, have in ports.items()}
    return {
        "resources": [f"{want.prefix}/{resource.name}" for resource in found],
        "config": config,
        "checksum": _checksum([config, functions if want.model == EXCLUSIVE else {}]),
        "nodes": {host: _expected(found, have, want) for host, have in ports.items()},
        "networks": [_network(network, found, want) for network in networks],
    }


def _ports(facts: Mapping[str, Any], model: str) -> tuple[Port, ...]:
    """The ports of a host that a plugin can give away, in the order of their PCI addresses."""
    fabric = {port["port"]: port for port in facts["ports"]}
    virtual = {vf["pci_address"] for port in facts["ports"] for vf in port["vfs"]}
    capable: dict[str, str] = {}
    for device in facts["devices"]:
        address = device["pci_address"]
        if address is None or address in virtual:
            continue
        netdevs = [fabric.get(address, {}).get("netdev"), *(port["netdev"] for port in device["ports"])]
        # A bond's RDMA device names the bond, and plugins look for the port: the fabric knows it.
        interface = next((netdev for netdev in netdevs if netdev), None)
        if interface is not None:
            capable.setdefault(address, interface)
    found = tuple(
        Port(address, interface, _functions(fabric.get(address))) for address, interface in sorted(capable.items())
    )
    return tuple(port for port in found if port.vfs) if model == EXCLUSIVE else found


def _functions(port: Mapping[str, Any] | None) -> tuple[tuple[int, str], ...]:
    vfs = [] if port is None else port["vfs"]
    return tuple(sorted((vf["vf"], vf["driver"]) for vf in vfs if vf["driver"] and vf["driver"] not in _NOT_OURS))


def _rails(ports: Mapping[str, tuple[Port, ...]], want: Want) -> tuple[Resource, ...]:
    """One resource a rail. Devices that are all called rail0, rail1 and so on say themselves which rail they are on."""
    named = all(_RAIL_NAME.fullmatch(port.interface) for have in ports.values() for port in have)
    interfaces: dict[str, dict[str, None]] = {}
    for have in ports.values():
        for position, port in enumerate(have):
            name = port.interface if named else f"rail{position}"
            interfaces.setdefault(name, {})[port.interface] = None
    order = sorted(interfaces, key=lambda name: int(name[len("rail") :]))
    return tuple(Resource(name, tuple(sorted(interfaces[name])), want.shares) for name in order)


def _resource(entry: Mapping[str, Any], want: Want) -> Resource:
    name = str(entry.get("name", ""))
    _refuse_unknown(f"the resource {name!r}", entry, _RESOURCE_KEYS)
    if not _RESOURCE_NAME.fullmatch(name):
        raise RailheadError(
            f"Cannot name a resource {name!r}: device plugins take letters, digits and underscores; use one such as"
            " rail0."
        )
    interfaces = entry.get("interfaces")
    if not isinstance(interfaces, (list, tuple)) or not interfaces:
        raise RailheadError(
            f"Cannot make the resource {name}: it has no interfaces; list the network devices that it stands for, such"
            " as [rail0]."
        )
    return Resource(name, tuple(str(each) for each in interfaces), int(entry.get("shares", want.shares)))


def _refuse_twice(resources: Iterable[Resource]) -> None:
    names: set[str] = set()
    owners: dict[str, str] = {}
    for resource in resources:
        if resource.name in names:
            raise RailheadError(
                f"Cannot make the resource {resource.name} twice; list all its interfaces in one entry."
            )
        names.add(resource.name)
        for interface in resource.interfaces:
            owner = owners.setdefault(interface, resource.name)
            if owner != resource.name:
                raise RailheadError(
                    f"Cannot tell the resources {owner} and {resource.name} apart: {interface} is in both, and one"
                    " configuration is for all hosts. Give ports of one rail the same name on each host"
                    " (host_fabric_ports[].name, such as rail0), or list kubernetes_rdma_resources."
                )


def _nothing(hosts: Mapping[str, Any], model: str) -> str:
    where = ", ".join(sorted(hosts))
    if model == EXCLUSIVE:
        return (
            f"Cannot make RDMA resources of the model exclusive: no port with RDMA on {where} has virtual functions"
            " with a driver for containers; make some with host_fabric_ports[].count."
        )
    return (
        f"Cannot make RDMA resources: there is no RDMA device on a PCI function on {where}; load the driver of the"
        " cards, or list kubernetes_rdma_resources with their interfaces."
    )


def _shared_config(resources: Iterable[Resource], want: Want) -> dict[str, Any]:
    return {
        "periodicUpdateInterval": want.update_interval,
        "configList": [
            {
                "resourceName": resource.name,
                "resourcePrefix": want.prefix,
                "rdmaHcaMax": resource.shares,
                "selectors": {"ifNames": list(resource.interfaces)},
            }
            for resource in resources
        ],
    }


def _exclusive_config(
    resources: Iterable[Resource], ports: Mapping[str, tuple[Port, ...]], want: Want
) -> dict[str, Any]:
    return {"resourceList": [_pool(resource, ports, want) for resource in resources]}


def _pool(resource: Resource, ports: Mapping[str, tuple[Port, ...]], want: Want) -> dict[str, Any]:
    numbers: dict[str, set[int]] = {}
    drivers: set[str] = set()
    for port in (port for have in ports.values() for port in have if port.interface in resource.interfaces):
        numbers.setdefault(port.interface, set()).update(number for number, _driver in port.vfs)
        drivers.update(driver for _number, driver in port.vfs)
    missing = sorted(set(resource.interfaces) - set(numbers))
    if missing:
        raise RailheadError(
            f"Cannot make the resource {resource.name}: no host has virtual functions with RDMA on"
            f" {', '.join(missing)}; make some with host_fabric_ports[].count, or take it out."
        )
    return {
        "resourceName": resource.name,
        "resourcePrefix": want.prefix,
        "selectors": [
            {
                # With numbers a port without virtual functions is never taken for one.
                "pfNames": [f"{name}#{_ranges(numbers[name])}" for name in resource.interfaces],
                "drivers": sorted(drivers),
                "isRdma": True,
            }
        ],
    }


def _ranges(numbers: Iterable[int]) -> str:
    """Numbers in the form of the plugin, for example 0-3,6."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def _expected(resources: Iterable[Resource], have: Iterable[Port], want: Want) -> list[str]:
    names = {port.interface for port in have}
    return [f"{want.prefix}/{resource.name}" for resource in resources if names & set(resource.interfaces)]


def _network(entry: Mapping[str, Any], resources: tuple[Resource, ...], want: Want) -> dict[str, Any]:
    name = str(entry.get("name", ""))
    if not _OBJECT_NAME.fullmatch(name):
        raise RailheadError(f"Cannot name a network {name!r}: use small letters, digits and hyphens, such as rail0.")
    _refuse_unknown(f"the network {name}", entry, _NETWORK_KEYS)
    kind = str(entry.get("type", TYPES[want.model][0]))
    if kind not in TYPES[want.model]:
        raise RailheadError(
            f"Cannot make the network {name} of the type {kind} in a cluster of the model {want.model}: a cluster has"
            f" one model, and this one has {' and '.join(TYPES[want.model])}."
        )
    resource = _resource_of(name, entry, resources)
    ipam = entry.get("ipam", {"type": "static"})
    plugin = {**entry.get("options", {}), "type": kind, "ipam": ipam}
    plugin.update({key: entry[key] for key in ("vlan", "mtu", "bridge") if key in entry})
    if ipam.get("type") == "static":
        plugin["capabilities"] = {**plugin.get("capabilities", {}), "ips": True}
    if kind in TYPES[SHARED]:
        plugin["master"] = _master(name, entry, resource)
    if kind == MACVLAN:
        plugin.setdefault("mode", "bridge")
    if kind == OVS and "bridge" not in plugin:
        raise RailheadError(f"Cannot make the network {name} of the type ovs: it has no bridge; name one, such as br0.")
    if want.model == EXCLUSIVE and resource is None:
        raise RailheadError(
            f"Cannot make the network {name} of the type {kind}: its interface is a virtual function, and no resource"
            f" is named; use one of {_names(resources)}."
        )
    chain = [*entry.get("chain", []), *([{"type": "rdma"}] if want.model == EXCLUSIVE else [])]
    metadata: dict[str, Any] = {"name": name, "namespace": str(entry.get("namespace", want.namespace))}
    if want.model == EXCLUSIVE and resource is not None:
        metadata["annotations"] = {"k8s.v1.cni.cncf.io/resourceName": f"{want.prefix}/{resource.name}"}
    config = {"cniVersion": _CNI_VERSION, "name": name, "plugins": [plugin, *chain]}
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": metadata,
        "spec": {"config": json.dumps(config, sort_keys=True)},
    }


def _resource_of(name: str, entry: Mapping[str, Any], resources: tuple[Resource, ...]) -> Resource | None:
    if "resource" not in entry:
        return None
    found = [resource for resource in resources if resource.name == entry["resource"]]
    if not found:
        raise RailheadError(
            f"Cannot make the network {name}: there is no resource {entry['resource']!r}; use one of"
            f" {_names(resources)}."
        )
    return found[0]


def _master(name: str, entry: Mapping[str, Any], resource: Resource | None) -> str:
    if "master" in entry:
        return str(entry["master"])
    if resource is not None and len(resource.interfaces) == 1:
        return resource.interfaces[0]
    found = "no resource is named" if resource is None else f"{resource.name} is {', '.join(resource.interfaces)}"
    raise RailheadError(
        f"Cannot make the network {name}: it has no master, and {found}; name the network device below it as master,"
        " the same on each host."
    )


def _refuse_unknown(what: str, entry: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(set(entry) - known)
    if unknown:
        raise RailheadError(
            f"Cannot make {what}: it has {', '.join(unknown)}; the keys are {', '.join(sorted(known))}."
        )


def _names(resources: Iterable[Resource]) -> str:
    return ", ".join(resource.name for resource in resources)


def _checksum(value: object) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
