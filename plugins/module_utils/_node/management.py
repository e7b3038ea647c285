# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which network devices carry the connection that manages this host, and must therefore not be cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host

_NET = "/sys/class/net"
#: A guard against a /proc that changes while it is read; real chains are short.
_MOST_ANCESTORS = 64


@dataclass(frozen=True)
class Management:
    """C(address) is this host's end of the SSH connection; C(netdevs) the device with that address and all that it
    runs over (the members of a bond, the parent of a VLAN), nearest first. Both empty without an SSH connection.
    """

    address: str = ""
    netdevs: tuple[str, ...] = ()


def observe_management(host: Host) -> Management:
    """One process when the run came in by SSH, none otherwise."""
    address = ssh_address(host)
    return Management() if address is None else Management(address, _with_lowers(host, holders(host, address)))


def ssh_address(host: Host) -> str | None:
    """The address of this host that the SSH connection of this run came in by; None when there is none.

    SSH_CONNECTION is "CLIENT PORT SERVER PORT" (ssh(1)). sudo and the like drop it, so the environments of the
    processes above this one are searched.
    """
    for process in _ancestry(host):
        try:
            environment = host.read(f"/proc/{process}/environ") or ""
        except RailheadError:
            continue  # as that of the first process in a container; the search goes on above it
        for entry in environment.split("\0"):
            if entry.startswith("SSH_CONNECTION="):
                fields = entry.partition("=")[2].split()
                return fields[2] if len(fields) == 4 else None
    return None


def holders(host: Host, address: str) -> tuple[str, ...]:
    """Network devices with an address. A link-local one names its device itself (C(fe80::1%eth0))."""
    plain, _percent, zone = address.partition("%")
    if zone:
        return (zone,)
    shown = host.read_json(["ip", "-j", "address", "show", "to", plain])
    # With a filter, ip prints an empty object for each device that does not match.
    return tuple(entry["ifname"] for entry in shown if entry.get("ifname"))


def _ancestry(host: Host) -> Iterator[str]:
    process = "self"
    for _generation in range(_MOST_ANCESTORS):
        yield process
        status = host.read(f"/proc/{process}/status") or ""
        parent = next((line.split()[1] for line in status.splitlines() if line.startswith("PPid:")), "0")
        if parent == "0":
            return
        process = parent


def _with_lowers(host: Host, netdevs: tuple[str, ...]) -> tuple[str, ...]:
    found = list(netdevs)
    for name in found:
        links = [entry for entry in host.list_directory(f"{_NET}/{name}") if entry.startswith("lower_")]
        found += [link[len("lower_") :] for link in links if link[len("lower_") :] not in found]
    return tuple(found)
