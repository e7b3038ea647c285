# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of a cluster, with their ports and groups: the calls between what is there and what is wanted. Pure.

All that speaks against the wanted state is said at once, before the first call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._openstack.nodes_refusals import problems
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.nodes_state import (
    CLUSTER_KEY,
    CloudSeen,
    Fleet,
    NodeWish,
    Pair,
    PortSeen,
    PortWish,
    surplus,
)
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.refusals import CloudError


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


def plan_nodes(have: CloudSeen, want: Fleet) -> NodesPlan:
    """Plan all calls; refuse with everything that speaks against it."""
    found = list(problems(have, want))
    if found:
        kind = found[0].kind if len(found) == 1 else "bad_request"
        raise CloudError(" ".join(problem.text for problem in found), kind)
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
    gone = surplus(have, want)
    for server in gone:
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
        if server.name in after or server in gone
    }
    return NodesPlan(tuple(changes), before if changes else after, after)


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
