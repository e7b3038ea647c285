# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks against the servers that are wanted; each says what to do. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.railhead.cluster.plugins.module_utils._openstack.nodes_state import (
    CLUSTER_KEY,
    CloudSeen,
    Flavor,
    Fleet,
    NodeWish,
    PortWish,
    ServerSeen,
    networks_with_profile,
    surplus,
)


@dataclass(frozen=True)
class Problem:
    """One thing that speaks against it, and the kind of error that it is."""

    text: str
    kind: str = "bad_request"


def problems(have: CloudSeen, want: Fleet) -> Iterator[Problem]:
    """All of it, in the order of the nodes."""
    yield from _doubles(want)
    if not want.cluster:
        yield Problem("Cannot tell the servers of this cluster from others without a name: set cluster.")
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
    for server in surplus(have, want):
        if not want.allow_removal:
            yield Problem(
                f"Cannot remove the server {server.name}, which belongs to {want.cluster} and is not in nodes any "
                "more: that deletes it with its disk and takes consent. Set allow_removal, or put it back.",
                "refused",
            )
    if networks_with_profile(have, want) and not have.profile_allowed:
        yield Problem(
            "Cannot make ports with the capability switchdev: this account may not set a port's binding profile. Use "
            "one with the role that the cloud's policy wants for create_port:binding:profile (admin or service by "
            "default), or have the policy changed.",
            "forbidden",
        )
    yield from _quota(have, want, flavors)


def _doubles(want: Fleet) -> Iterator[Problem]:
    names = Counter(node.name for node in want.nodes)
    ports = Counter(port.name for node in want.nodes for port in node.ports)
    for what, counted in (("node", names), ("port", ports)):
        for name, times in counted.items():
            if times > 1:
                yield Problem(f"Cannot have {times} {what}s named {name}. Give each a name of its own.")


def _unknown(node: NodeWish, have: CloudSeen, flavors: Mapping[str, Flavor], want: Fleet) -> Iterator[Problem]:
    attempt = f"Cannot create {node.name}, there is no"
    if node.flavor not in flavors:
        yield Problem(
            f"{attempt} flavor {node.flavor}. Name one of: {_listed(flavor.name for flavor in have.flavors)}.",
            "not_found",
        )
    if node.image not in have.images:
        yield Problem(
            f"{attempt} active image {node.image}. Name one that openstack image list shows as active.", "not_found"
        )
    if node.key and node.key not in have.keys:
        yield Problem(f"{attempt} key pair {node.key}. Name one of: {_listed(have.keys)}.", "not_found")
    if node.group and node.group not in {*want.groups, *have.groups}:
        yield Problem(
            f"{attempt} server group {node.group}. List it in server_groups, or name one that is there.", "not_found"
        )


def _different(node: NodeWish, server: ServerSeen, flavors: Mapping[str, Flavor], want: Fleet) -> Iterator[Problem]:
    owner = server.metadata.get(CLUSTER_KEY, "")
    if owner != want.cluster:
        said = f"belongs to the cluster {owner}" if owner else "was not made for a cluster by this collection"
        yield Problem(
            f"Cannot take over the server {node.name}, it {said}. Give the node another name, or set the server's "
            f"metadata {CLUSTER_KEY}={want.cluster}."
        )
    wanted = flavors[node.flavor].name if node.flavor in flavors else node.flavor
    if server.flavor != wanted:
        yield Problem(
            f"Cannot change the size of {node.name} from {server.flavor} to {wanted}: a server is resized, or made "
            "anew, by somebody who has drained it (openstack server resize). Set its flavor back, or remove it and "
            "create it again."
        )
    if server.status == "ERROR":
        yield Problem(
            f"Cannot use the server {node.name}, it is in the state ERROR. Rebuild it (railhead.cluster.reimage), or "
            "remove it."
        )


def _port_problems(node: NodeWish, port: PortWish, have: CloudSeen, server: ServerSeen | None) -> Iterator[Problem]:
    attempt = f"Cannot give {node.name} the port {port.name}"
    networks = {name: network for network in have.networks for name in (network.name, network.id)}
    network = networks.get(port.network)
    if network is None:
        known = _listed(one.name for one in have.networks)
        yield Problem(f"{attempt}, there is no network {port.network}. Name one of: {known}.", "not_found")
        return
    if port.mtu > network.mtu:
        yield Problem(
            f"{attempt}, the network {network.name} carries {network.mtu} bytes, and mtu wants {port.mtu}. Have the "
            "network's MTU raised, or ask for less."
        )
    if port.switchdev and port.kind != "direct":
        yield Problem(f"{attempt} with switchdev, its type is {port.kind}. Set type to direct.")
    if port.pairs and not port.port_security:
        yield Problem(
            f"{attempt}, port security is off, and with that every address is allowed already. Leave "
            "allowed_address_pairs out, or port security on."
        )
    seen = next((one for one in have.ports if one.name == port.name), None)
    if seen is None and server is not None:
        yield Problem(
            f"{attempt}, the server is there, and a port is plugged in when it is created only. Remove the node and "
            "create it again."
        )
    if seen is not None and (seen.network, seen.kind) != (network.id, port.kind):
        yield Problem(
            f"{attempt}, a port of that name is there on another network or of the type {seen.kind}. Delete it, or "
            "choose another name."
        )
    if seen is not None and seen.server and (server is None or seen.server != server.id):
        yield Problem(f"{attempt}, another server has it. Choose another name.")


def _quota(have: CloudSeen, want: Fleet, flavors: Mapping[str, Flavor]) -> Iterator[Problem]:
    there = {server.name for server in have.servers}
    sizes = [flavors[node.flavor] for node in want.nodes if node.name not in there and node.flavor in flavors]
    needs = {
        "servers": (len(sizes), have.quota.instances),
        "cores": (sum(size.vcpus for size in sizes), have.quota.cores),
        "MiB of memory": (sum(size.ram for size in sizes), have.quota.ram),
    }
    for what, (need, left) in needs.items():
        if left is not None and need > left:
            yield Problem(
                f"Cannot create {len(sizes)} servers, the quota of this project has {left} {what} left, and they take "
                f"{need}. Have the quota raised, or create fewer.",
                "quota",
            )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "(there are none)"
