# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can be read of a host's RDMA devices, for people and for roles."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import (
    HOST_NAMESPACE,
    Namespaces,
    observe_all,
)
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.state import (
    Device,
    observe_system,
    parse_devices,
    read_rdma,
    visited,
)

_INFINIBAND = "/sys/class/infiniband"
#: Keys of C(rdma -j link show) that only InfiniBand ports have.
_INFINIBAND_KEYS = ("subnet_prefix", "lid", "sm_lid", "lmc")
_RESOURCES = ("pd", "cq", "qp", "cm_id", "mr", "ctx", "srq")


def read_info(host: Host, counters: bool = False) -> dict[str, Any]:
    """The return values of M(railhead.cluster.rdma_info): 4 processes, 3 more for each further namespace seen."""
    system = observe_system(host)
    spaces = observe_all(host)
    devices = [device for netns in visited(system.netns, spaces) for device in _devices(host, netns, counters)]
    return {"system": asdict(system), "devices": devices, "namespaces": shown_namespaces(spaces)}


def shown_namespaces(spaces: Namespaces) -> list[dict[str, str | None]]:
    return [{"name": space.name, "path": space.path, "holder": space.holder} for space in spaces.live]


def merged(
    shown: Mapping[str, Any], device: Device, links: list[dict[str, Any]], resources: list[dict[str, Any]]
) -> dict[str, Any]:
    """One device from what C(dev show), C(link show) and C(resource show) say of it; null where they are silent."""
    counts = next((counts for counts in resources if counts["ifname"] == device.name), {})
    return {
        "name": device.name,
        "index": shown["ifindex"],
        "netns": device.netns,
        "node_type": shown.get("node_type"),
        "protocol": shown.get("protocol"),
        "fw": shown.get("fw"),
        "node_guid": shown.get("node_guid"),
        "sys_image_guid": shown.get("sys_image_guid"),
        "adaptive_moderation": device.adaptive_moderation,
        "driver": device.kind or None,
        "pci_address": None,
        "numa_node": None,
        "ports": [_port(link) for link in links if link["ifname"] == device.name],
        "resources": {key: counts[key] for key in _RESOURCES if key in counts},
    }


def _devices(host: Host, netns: str, counters: bool) -> list[dict[str, Any]]:
    shown = read_rdma(host, netns, "-d", "dev", "show")
    links = read_rdma(host, netns, "link", "show")
    resources = read_rdma(host, netns, "resource", "show")
    devices = [
        merged(entry, device, links, resources) for entry, device in zip(shown, parse_devices(shown, links, (), netns))
    ]
    # The sysfs of another namespace is not mounted here.
    return [_with_sysfs(host, device, counters) for device in devices] if netns == HOST_NAMESPACE else devices


def _port(link: Mapping[str, Any]) -> dict[str, Any]:
    port = {key: link.get(key) for key in ("port", "state", "physical_state", "netdev")}
    return {**port, "link_layer": None, "rate": None, **{key: link[key] for key in _INFINIBAND_KEYS if key in link}}


def _with_sysfs(host: Host, device: dict[str, Any], counters: bool) -> dict[str, Any]:
    top = f"{_INFINIBAND}/{device['name']}"
    ports = [_port_with_sysfs(host, f"{top}/ports/{port['port']}", port, counters) for port in device["ports"]]
    if host.identity(f"{top}/device") is None:
        return {**device, "ports": ports}
    driver = host.link_target(f"{top}/device/driver")
    numa_node = int(host.read(f"{top}/device/numa_node") or -1)
    is_pci = host.identity(f"{top}/device/vendor") is not None
    return {
        **device,
        "driver": os.path.basename(driver) if driver else None,
        "pci_address": os.path.basename(host.resolve(f"{top}/device")) if is_pci else None,
        "numa_node": numa_node if numa_node >= 0 else None,
        "ports": ports,
    }


def _port_with_sysfs(host: Host, top: str, port: dict[str, Any], counters: bool) -> dict[str, Any]:
    found = {**port, "link_layer": host.read(f"{top}/link_layer"), "rate": host.read(f"{top}/rate")}
    if counters:
        found["counters"] = {**_counters(host, f"{top}/counters"), **_counters(host, f"{top}/hw_counters")}
    return found


def _counters(host: Host, directory: str) -> dict[str, int]:
    """Numbers of one directory; what is none (the update interval "lifespan" is one) or cannot be read is left out."""
    texts = {name: host.read(f"{directory}/{name}") for name in host.list_directory(directory) if name != "lifespan"}
    return {name: int(text) for name, text in texts.items() if text and text.isdigit()}
