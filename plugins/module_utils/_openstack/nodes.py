# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of a cluster, with their ports and groups: what is there, what is wanted, and the calls between. Pure.

All that speaks against the wanted state is said at once, before the first call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._openstack.refusals import CloudError

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


@dataclass(frozen=True)
class Change:
    """One call. C(verb) is create, update or delete, C(kind) group, port or server."""

    verb: str
    kind: str
    name: str
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shown(self) -> list[str]:
        return [self.verb, self.kind, self.name]


@dataclass(frozen=True)
class NodesPlan:
    """The calls, in order, and the state before and after."""

    changes: tuple[Change, ...]
    before: Mapping[str, Any]
    after: Mapping[str, Any]


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


def plan_nodes(have: CloudSeen, want: Fleet) -> NodesPlan:
    """Plan all calls; refuse with everything that speaks against it."""
    problems = list(_problems(have, want))
    if problems:
        raise CloudError(" ".join(problems), "bad_request" if len(problems) > 1 else _kind(problems[0]))
    servers = {server.name: server for server in have.servers}
    ports = {port.name: port for port in have.ports}
    changes = [Change("create", "group", name, {"policy": policy}) for name, policy in want.groups.items()
               if name not in have.groups]  # fmt: skip
    for node in want.nodes:
        changes += [change for port in node.ports for change in _port_changes(port, ports.get(port.name), have)]
        if node.name not in servers:
            changes.append(Change("create", "server", node.name, _server_body(node, want.cluster, have)))
            continue
        missing = {
            key: value
            for key, value in _metadata(node, want.cluster).items()
            if servers[node.name].metadata.get(key) != value
        }
        if missing:
            changes.append(Change("update", "server", node.name, {"metadata": missing}))
    surplus = _surplus(have, want)
    for server in surplus:
        changes.append(Change("delete", "server", server.name, {"id": server.id}))
        changes += [Change("delete", "port", port.name, {"id": port.id}) for port in have.ports
                    if port.server == server.id]  # fmt: skip
    after = {node.name: {"flavor": node.flavor, "ports": [port.name for port in node.ports]} for node in want.nodes}
    before = {
        server.name: {
            "flavor": server.flavor,
            "ports": [port.name for port in have.ports if port.server == server.id],
        }
        for server in have.servers
        if server.name in after or server in surplus
    }
    return NodesPlan(tuple(changes), before if changes else after, after)


def _kind(problem: str) -> str:
    words = {"quota": "quota", "binding profile": "forbidden", "there is no": "not_found", "consent": "refused"}
    return next((kind for word, kind in words.items() if word in problem), "bad_request")


def _problems(have: CloudSeen, want: Fleet) -> Iterator[str]:
    yield from _doubles(want)
    if not want.cluster:
        yield "Cannot tell the servers of this cluster from others without a name: set cluster."
    flavors = {name: flavor for flavor in have.flavors for name in (flavor.name, flavor.id)}
    servers = {server.name: server for server in have.servers}
    for node in want.nodes:
        server = servers.get(node.name)
        if server is None:
            yield from _unknown(node, have, flavors, want)
        else:
            yield from _different(node, server, flavors, want)
        for port in node.ports:
            yield from _port_problems(node, port, have, server)
    for server in _surplus(have, want):
        if not want.allow_removal:
            yield (
                f"Cannot remove the server {server.name}, which belongs to {want.cluster} and is not in nodes any "
                "more: that deletes it with its disk and takes consent. Set allow_removal, or put it back."
            )
    if networks_with_profile(have, want) and not have.profile_allowed:
        yield (
            "Cannot make ports with the capability switchdev: this account may not set a port's binding profile. Use "
            "one with the role that the cloud's policy wants for create_port:binding:profile (admin or service by "
            "default), or have the policy changed."
        )
    yield from _quota(have, want, flavors)


def _doubles(want: Fleet) -> Iterator[str]:
    names = Counter(node.name for node in want.nodes)
    ports = Counter(port.name for node in want.nodes for port in node.ports)
    for what, counted in (("node", names), ("port", ports)):
        for name, times in counted.items():
            if times > 1:
                yield f"Cannot have {times} {what}s named {name}. Give each a name of its own."


def _unknown(node: NodeWish, have: CloudSeen, flavors: Mapping[str, Flavor], want: Fleet) -> Iterator[str]:
    attempt = f"Cannot create {node.name}, there is no"
    if node.flavor not in flavors:
        yield f"{attempt} flavor {node.flavor}. Name one of: {_listed(flavor.name for flavor in have.flavors)}."
    if node.image not in have.images:
        yield f"{attempt} active image {node.image}. Name one that openstack image list shows as active."
    if node.key and node.key not in have.keys:
        yield f"{attempt} key pair {node.key}. Name one of: {_listed(have.keys)}."
    if node.group and node.group not in {*want.groups, *have.groups}:
        yield f"{attempt} server group {node.group}. List it in server_groups, or name one that is there."


def _different(node: NodeWish, server: ServerSeen, flavors: Mapping[str, Flavor], want: Fleet) -> Iterator[str]:
    owner = server.metadata.get(CLUSTER_KEY, "")
    if owner != want.cluster:
        said = f"belongs to the cluster {owner}" if owner else "was not made for a cluster by this collection"
        yield (
            f"Cannot take over the server {node.name}, it {said}. Give the node another name, or set the server's "
            f"metadata {CLUSTER_KEY}={want.cluster}."
        )
    wanted = flavors[node.flavor].name if node.flavor in flavors else node.flavor
    if server.flavor != wanted:
        yield (
            f"Cannot change the size of {node.name} from {server.flavor} to {wanted}: a server is resized, or made "
            "anew, by somebody who has drained it (openstack server resize). Set its flavor back, or remove it and "
            "create it again."
        )
    if server.status == "ERROR":
        yield (
            f"Cannot use the server {node.name}, it is in the state ERROR. Rebuild it (railhead.cluster.reimage), or "
            "remove it."
        )


def _port_problems(node: NodeWish, port: PortWish, have: CloudSeen, server: ServerSeen | None) -> Iterator[str]:
    attempt = f"Cannot give {node.name} the port {port.name}"
    networks = {name: network for network in have.networks for name in (network.name, network.id)}
    network = networks.get(port.network)
    if network is None:
        known = _listed(one.name for one in have.networks)
        yield f"{attempt}, there is no network {port.network}. Name one of: {known}."
        return
    if port.mtu > network.mtu:
        yield (
            f"{attempt}, the network {network.name} carries {network.mtu} bytes, and mtu wants {port.mtu}. Have the "
            "network's MTU raised, or ask for less."
        )
    if port.switchdev and port.kind != "direct":
        yield f"{attempt} with switchdev, its type is {port.kind}. Set type to direct."
    if port.pairs and not port.port_security:
        yield (
            f"{attempt}, port security is off, and with that every address is allowed already. Leave "
            "allowed_address_pairs out, or port security on."
        )
    seen = next((one for one in have.ports if one.name == port.name), None)
    if seen is None and server is not None:
        yield (
            f"{attempt}, the server is there, and a port is plugged in when it is created only. Remove the node and "
            "create it again."
        )
    if seen is not None and (seen.network, seen.kind) != (network.id, port.kind):
        yield (
            f"{attempt}, a port of that name is there on another network or of the type {seen.kind}. Delete it, or "
            "choose another name."
        )
    if seen is not None and seen.server and (server is None or seen.server != server.id):
        yield f"{attempt}, another server has it. Choose another name."


def _quota(have: CloudSeen, want: Fleet, flavors: Mapping[str, Flavor]) -> Iterator[str]:
    there = {server.name for server in have.servers}
    sizes = [flavors[node.flavor] for node in want.nodes if node.name not in there and node.flavor in flavors]
    needs = {
        "servers": (len(sizes), have.quota.instances),
        "cores": (sum(size.vcpus for size in sizes), have.quota.cores),
        "MiB of memory": (sum(size.ram for size in sizes), have.quota.ram),
    }
    for what, (need, left) in needs.items():
        if left is not None and need > left:
            yield (
                f"Cannot create {len(sizes)} servers, the quota of this project has {left} {what} left, and they take "
                f"{need}. Have the quota raised, or create fewer."
            )


def _surplus(have: CloudSeen, want: Fleet) -> list[ServerSeen]:
    wanted = {node.name for node in want.nodes}
    return [
        server
        for server in have.servers
        if server.metadata.get(CLUSTER_KEY) == want.cluster and want.cluster and server.name not in wanted
    ]


def _port_changes(port: PortWish, seen: PortSeen | None, have: CloudSeen) -> Iterator[Change]:
    pairs = [_pair_body(pair) for pair in port.pairs]
    if seen is None:
        networks = {name: network.id for network in have.networks for name in (network.name, network.id)}
        body: dict[str, Any] = {
            "network_id": networks[port.network],
            "binding_vnic_type": port.kind,
            "is_port_security_enabled": port.port_security,
        }
        if port.switchdev:
            body["binding_profile"] = {"capabilities": ["switchdev"]}
        if pairs:
            body["allowed_address_pairs"] = pairs
        if port.fixed_ip:
            body["fixed_ips"] = [{"ip_address": port.fixed_ip}]
        yield Change("create", "port", port.name, body)
        return
    body = {}
    # A pair without a MAC comes back with the port's own; Nova adds to the profile, so that is never compared.
    if {pair.ip_address for pair in port.pairs} != {pair.ip_address for pair in seen.pairs}:
        body["allowed_address_pairs"] = pairs
    if port.port_security != seen.port_security:
        body["is_port_security_enabled"] = port.port_security
    if body:
        yield Change("update", "port", port.name, {"id": seen.id, **body})


def _pair_body(pair: Pair) -> dict[str, str]:
    named = {"ip_address": pair.ip_address, "mac_address": pair.mac_address}
    return {key: value for key, value in named.items() if value}


def _metadata(node: NodeWish, cluster: str) -> dict[str, str]:
    return {**node.metadata, CLUSTER_KEY: cluster}


def _server_body(node: NodeWish, cluster: str, have: CloudSeen) -> dict[str, Any]:
    flavors = {name: flavor.id for flavor in have.flavors for name in (flavor.name, flavor.id)}
    body: dict[str, Any] = {
        "flavor_id": flavors[node.flavor],
        "image_id": have.images[node.image],
        "ports": [port.name for port in node.ports],
        "metadata": _metadata(node, cluster),
        "config_drive": node.config_drive,
    }
    optional = {"group": node.group, "key_name": node.key, "availability_zone": node.zone, "volume": node.volume}
    return {**body, **{key: value for key, value in optional.items() if value}}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "(there are none)"


def states(have: CloudSeen, names: Sequence[str]) -> dict[str, str]:
    """The status of each server by name; empty for one that is not there."""
    found = {server.name: server.status for server in have.servers}
    return {name: found.get(name, "") for name in names}
