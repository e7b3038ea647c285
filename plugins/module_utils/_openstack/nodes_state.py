# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of a cluster with their ports and groups: what is wanted, and what is there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Key of the metadata that says to which cluster a server belongs.
CLUSTER_KEY = "railhead_cluster"


@dataclass(frozen=True)
class Pair:
    """An address that may leave a port beside its own; a MAC of the port's own when empty."""

    ip_address: str
    mac_address: str = ""


@dataclass(frozen=True)
class PortWish:
    """A port of a node. C(mtu) is what the network must carry at least, 0 for anything."""

    name: str
    network: str
    kind: str = "normal"
    switchdev: bool = False
    port_security: bool = True
    pairs: tuple[Pair, ...] = ()
    fixed_ip: str = ""
    mtu: int = 0


@dataclass(frozen=True)
class NodeWish:
    """A server. C(volume) is the size of a volume to boot from, in GiB, 0 for the flavor's disk."""

    name: str
    flavor: str
    image: str
    ports: tuple[PortWish, ...] = ()
    group: str = ""
    key: str = ""
    zone: str = ""
    volume: int = 0
    config_drive: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fleet:
    """All nodes of a cluster, and its server groups as {name: policy}."""

    cluster: str
    nodes: tuple[NodeWish, ...]
    groups: Mapping[str, str]
    allow_removal: bool = False


@dataclass(frozen=True)
class Flavor:
    """A size: C(vcpus), C(ram) in MiB, C(disk) in GiB."""

    id: str
    name: str
    vcpus: int
    ram: int
    disk: int


@dataclass(frozen=True)
class NetworkSeen:
    """A network and its MTU."""

    id: str
    name: str
    mtu: int


@dataclass(frozen=True)
class PortSeen:
    """A port; C(server) is the id of the server that has it, empty for none."""

    id: str
    name: str
    network: str
    kind: str
    port_security: bool
    pairs: tuple[Pair, ...]
    server: str


@dataclass(frozen=True)
class ServerSeen:
    """A server; C(flavor) is the name of its size, C(image) an id."""

    id: str
    name: str
    status: str
    flavor: str
    image: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Quota:
    """What the project may still have; None for any number."""

    instances: int | None = None
    cores: int | None = None
    ram: int | None = None


@dataclass(frozen=True)
class CloudSeen:
    """What the project has that matters here. Images are {name or id: id} of those that are active.

    C(profile_allowed) counts where a port takes it.
    """

    servers: tuple[ServerSeen, ...] = ()
    ports: tuple[PortSeen, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    flavors: tuple[Flavor, ...] = ()
    networks: tuple[NetworkSeen, ...] = ()
    keys: tuple[str, ...] = ()
    quota: Quota = Quota()
    profile_allowed: bool = True


def fleet_from(params: Mapping[str, Any]) -> Fleet:
    """Read the options of the module."""
    return Fleet(
        params["cluster"],
        tuple(_node_from(row) for row in params["nodes"]),
        {row["name"]: row["policy"] for row in params["server_groups"]},
        params["allow_removal"],
    )


def _node_from(row: Mapping[str, Any]) -> NodeWish:
    ports = []
    for port in row["ports"]:
        pairs = tuple(Pair(pair["ip_address"], pair["mac_address"] or "") for pair in port["allowed_address_pairs"])
        ports.append(
            PortWish(
                port["name"] or f"{row['name']}-{port['network']}",
                port["network"],
                port["type"],
                port["switchdev"],
                port["port_security"],
                pairs,
                port["fixed_ip"] or "",
                port["mtu"],
            )
        )
    metadata = {key: str(value) for key, value in row["metadata"].items()}
    return NodeWish(
        row["name"],
        row["flavor"],
        row["image"],
        tuple(ports),
        row["server_group"] or "",
        row["key_name"] or "",
        row["availability_zone"] or "",
        row["volume_size"],
        row["config_drive"],
        metadata,
    )


def networks_with_profile(have: CloudSeen, want: Fleet) -> list[str]:
    """The ids of the networks on which a port is to be made that takes rights to its binding profile, in order."""
    there = {port.name for port in have.ports}
    ports = [port for node in want.nodes for port in node.ports if port.switchdev and port.name not in there]
    return list(dict.fromkeys(net.id for port in ports for net in have.networks if port.network in (net.id, net.name)))


def surplus(have: CloudSeen, want: Fleet) -> list[ServerSeen]:
    """The servers that belong to the cluster and are not wanted any more."""
    wanted = {node.name for node in want.nodes}
    return [
        server
        for server in have.servers
        if server.metadata.get(CLUSTER_KEY) == want.cluster and want.cluster and server.name not in wanted
    ]
