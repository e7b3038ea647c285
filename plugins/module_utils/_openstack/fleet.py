# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a project has for a cluster, in a constant number of calls, and makes the calls of a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._openstack.cloud import Cloud
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.nodes import Change, NodesPlan
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.nodes_state import (
    CloudSeen,
    Flavor,
    Fleet,
    NetworkSeen,
    Pair,
    PortSeen,
    Quota,
    ServerSeen,
    networks_with_profile,
)
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.rebuild import Clock
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.refusals import CloudError


def observe(cloud: Cloud, want: Fleet) -> CloudSeen:
    """Read everything; rights to a binding profile only where a port is to be made that takes them."""
    images = cloud.listing("images")
    limits = cloud.limits()
    seen = CloudSeen(
        servers=tuple(_server(row) for row in cloud.listing("servers")),
        ports=tuple(_port(row) for row in cloud.listing("ports")),
        groups={row["name"]: row["id"] for row in cloud.listing("groups")},
        images={name: row["id"] for row in images for name in (row["name"], row["id"])},
        flavors=tuple(
            Flavor(row["id"], row["name"], int(row["vcpus"]), int(row["ram"]), int(row["disk"]))
            for row in cloud.listing("flavors")
        ),
        networks=tuple(NetworkSeen(row["id"], row["name"], int(row["mtu"] or 0)) for row in cloud.listing("networks")),
        keys=tuple(row["name"] for row in cloud.listing("keys")),
        quota=Quota(
            _left(limits, "instances", "instances_used"),
            _left(limits, "total_cores", "total_cores_used"),
            _left(limits, "total_ram", "total_ram_used"),
        ),
    )
    allowed = all(cloud.may_set_profile(network) for network in networks_with_profile(seen, want))
    return replace(seen, profile_allowed=allowed)


def _left(limits: Mapping[str, Any], most: str, used: str) -> int | None:
    if limits.get(most) is None or int(limits[most]) < 0:
        return None
    return int(limits[most]) - int(limits.get(used) or 0)


def _server(row: Mapping[str, Any]) -> ServerSeen:
    flavor, image = row.get("flavor") or {}, row.get("image") or {}
    name = flavor.get("original_name") or flavor.get("name") or flavor.get("id") or ""
    return ServerSeen(row["id"], row["name"], row["status"], name, image.get("id") or "", row.get("metadata") or {})


def _port(row: Mapping[str, Any]) -> PortSeen:
    pairs = tuple(Pair(pair["ip_address"], pair.get("mac_address", "")) for pair in row["allowed_address_pairs"] or ())
    security = row["is_port_security_enabled"]
    return PortSeen(
        row["id"],
        row["name"],
        row["network_id"],
        row["binding_vnic_type"] or "normal",
        True if security is None else bool(security),
        pairs,
        row["device_id"] or "",
    )


def apply(
    cloud: Cloud, planned: NodesPlan, have: CloudSeen, *, clock: Clock, deadline: float, made: Callable[[Change], None]
) -> None:
    """Make all calls, then wait until every server runs, and every one that was deleted is gone."""
    ports = {port.name: port.id for port in have.ports}
    groups = dict(have.groups)
    servers = {server.name: server.id for server in have.servers}
    gone: list[str] = []
    for change in planned.changes:
        if change.verb == "create" and change.kind == "server":
            body = dict(change.body)
            _body_of_server(body, ports, groups)
            cloud.create("server", change.name, body)
        elif change.verb == "create":
            made_id = cloud.create(change.kind, change.name, change.body)
            (ports if change.kind == "port" else groups)[change.name] = made_id
        elif change.verb == "update" and change.kind == "port":
            body = dict(change.body)
            cloud.update_port(body.pop("id"), body)
        elif change.verb == "update":
            cloud.set_metadata(servers[change.name], change.body["metadata"])
        elif change.kind == "server":
            cloud.delete("server", change.body["id"])
            gone.append(change.name)
        else:
            _wait(cloud, gone, "", clock, deadline)
            cloud.delete("port", change.body["id"])
        made(change)
    _wait(cloud, gone, "", clock, deadline)
    created = [change.name for change in planned.changes if (change.verb, change.kind) == ("create", "server")]
    _wait(cloud, created, "ACTIVE", clock, deadline)


def _body_of_server(body: dict[str, Any], ports: Mapping[str, str], groups: Mapping[str, str]) -> None:
    body["networks"] = [{"port": ports[name]} for name in body.pop("ports")] or "none"
    group = body.pop("group", "")
    if group:
        body["scheduler_hints"] = {"group": groups[group]}
    volume = body.pop("volume", 0)
    if volume:
        body["block_device_mapping"] = [
            {
                "boot_index": 0,
                "uuid": body.pop("image_id"),
                "source_type": "image",
                "destination_type": "volume",
                "volume_size": volume,
                "delete_on_termination": True,
            }
        ]


def _wait(cloud: Cloud, names: list[str], status: str, clock: Clock, deadline: float) -> None:
    end = clock.now() + deadline
    while names:
        states = {row["name"]: str(row["status"]) for row in cloud.listing("servers")}
        found = {name: states.get(name, "") for name in names}
        failed = sorted(name for name, state in found.items() if state == "ERROR")
        if failed:
            faults = [f"{name}: {(cloud.server(name).get('fault') or {}).get('message', '')}" for name in failed]
            raise CloudError(
                f"Cannot use what was created, it ended in the state ERROR: {'; '.join(faults)}. Remove these servers "
                "and run again, or have the cause mended first.",
                "node_error",
            )
        left = sorted(name for name, state in found.items() if state != status)
        if not left:
            return
        if clock.now() >= end:
            raise CloudError(
                f"Cannot wait any longer for {', '.join(left)}: after {deadline:.0f} s the states are "
                f"{', '.join(found[name] or 'gone' for name in left)}. Raise the timeout, and run again.",
                "deadline",
            )
        clock.sleep(2.0)
