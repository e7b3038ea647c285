# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is: system, kernel, tools, network devices and who else configures them."""

from __future__ import annotations

import os
import platform
import re
import shlex
from collections.abc import Mapping
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.host import SEARCH_PATH, Host
from ansible_collections.railhead.cluster.plugins.module_utils._node.management import observe_management
from ansible_collections.railhead.cluster.plugins.module_utils._node.owners import observe_owners

#: Tools of iproute2 that print their version with C(-V); they can be of different versions when OFED brought its own.
IPROUTE2_TOOLS = ("ip", "rdma", "devlink", "dcb")
_NET = "/sys/class/net"


def observe_node(host: Host) -> dict[str, Any]:
    """The return values of M(railhead.cluster.node_info)."""
    management = observe_management(host)
    owners = observe_owners(host)
    return {
        "os": parse_os_release(host.read("/etc/os-release") or host.read("/usr/lib/os-release") or ""),
        "python": platform.python_version(),
        "kernel": {
            "release": os.uname().release,
            "modules": host.list_directory("/sys/module"),
            "arguments": shlex.split(host.read("/proc/cmdline") or ""),
        },
        "root": os.geteuid() == 0,
        "tools": {tool: _version(host, tool) for tool in IPROUTE2_TOOLS},
        "management": {"address": management.address, "netdevs": list(management.netdevs)},
        "netdevs": [_netdev(host, name, owners) for name in host.list_directory(_NET)],
    }


def parse_os_release(text: str) -> dict[str, str]:
    """C(id), C(version_id) and C(pretty_name) of os-release(5); empty where it is silent."""
    words = dict(word.split("=", 1) for word in shlex.split(text, comments=True) if "=" in word)
    return {key: words.get(key.upper(), "") for key in ("id", "version_id", "pretty_name")}


def parse_pci_address(path: str) -> str | None:
    """The PCI function nearest to a device, from its canonical path in sysfs (virtio lies one step below its own)."""
    found = re.findall(r"/([0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])(?=/|$)", path)
    return found[-1] if found else None


def _version(host: Host, tool: str) -> str | None:
    installed = any(host.identity(f"{directory}/{tool}") for directory in SEARCH_PATH.split(":"))
    return host.tool_version(tool) if installed else None


def _netdev(host: Host, name: str, owners: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    device = f"{_NET}/{name}/device"
    driver = host.link_target(f"{device}/driver")
    total_vfs = host.read(f"{device}/sriov_totalvfs")
    return {
        "name": name,
        "address": host.read(f"{_NET}/{name}/address") or "",
        "pci_address": parse_pci_address(host.resolve(device)),
        "driver": os.path.basename(driver) if driver else None,
        "total_vfs": int(total_vfs) if total_vfs else 0,
        "vfs": int(host.read(f"{device}/sriov_numvfs") or 0),
        "rdma_devices": host.list_directory(f"{device}/infiniband"),
        "owners": list(owners.get(name, ())),
    }
