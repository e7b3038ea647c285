# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which network devices carry the connection that manages this host, and must therefore not be cut."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host

_NET = "/sys/class/net"


@dataclass(frozen=True)
class Management:
    """C(address) is this host's end of the SSH connection; C(netdevs) the device with that address and all that it
    runs over (the members of a bond, the parent of a VLAN), nearest first. Both empty without an SSH connection.
    """

    address: str = ""
    netdevs: tuple[str, ...] = ()


def observe_management(host: Host) -> Management:
    """One process (C(ip -j addr)) when the run came in by SSH, none otherwise."""
    address = connection_address(_environments(host))
    if address is None:
        return Management()
    netdev = holder_of(address, host.read_json(["ip", "-j", "addr", "show"]))
    return Management(address, _with_lowers(host, netdev) if netdev else ())


def connection_address(environments: Iterable[str]) -> str | None:
    """Our address in the first SSH_CONNECTION among environments of processes (NUL between entries).

    SSH_CONNECTION is "CLIENT PORT SERVER PORT" (ssh(1)).
    """
    for environment in environments:
        match = re.search(r"(?:^|\0)SSH_CONNECTION=\S+ \d+ (\S+) \d+", environment)
        if match:
            return match.group(1)
    return None


def holder_of(address: str, shown: Iterable[Mapping[str, Any]]) -> str | None:
    """Name of the device that has an address, from the parsed output of C(ip -j addr show)."""
    wanted = ipaddress.ip_address(address.partition("%")[0])
    for device in shown:
        for entry in device.get("addr_info", ()):
            if ipaddress.ip_address(entry.get("local", "::")) == wanted:
                return str(device["ifname"])
    return None


def _environments(host: Host) -> Iterable[str]:
    """Environments of this process and of its ancestors: sudo drops SSH_CONNECTION, the SSH session still has it."""
    pid = str(os.getpid())
    while pid not in ("0", "1"):
        yield host.read(f"/proc/{pid}/environ") or ""
        # /proc/PID/stat: the command name in parentheses may contain anything; then come the state and the parent.
        fields = (host.read(f"/proc/{pid}/stat") or "").rpartition(")")[2].split()
        pid = fields[1] if len(fields) > 1 else "1"


def _with_lowers(host: Host, netdev: str) -> tuple[str, ...]:
    found = [netdev]
    for name in found:
        links = [entry for entry in host.list_directory(f"{_NET}/{name}") if entry.startswith("lower_")]
        found += [link[len("lower_") :] for link in links if link[len("lower_") :] not in found]
    return tuple(found)
