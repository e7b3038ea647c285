# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which network managers on a host claim which device."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host

_NETWORKD_LINKS = "/run/systemd/netif/links"
_IFUPDOWN = "/etc/network/interfaces"


def observe_owners(host: Host) -> dict[str, tuple[str, ...]]:
    """Managers by device, each of: networkd, NetworkManager, ifupdown. At most one process (C(nmcli))."""
    claims = {
        "networkd": _networkd(host),
        "NetworkManager": _network_manager(host),
        "ifupdown": parse_interfaces(_interfaces_files(host)),
    }
    names = sorted(set().union(*claims.values()))
    return {name: tuple(manager for manager, claimed in claims.items() if name in claimed) for name in names}


def _networkd(host: Host) -> set[str]:
    """networkd writes one file a link, by ifindex; it is its owner unless the state is 'unmanaged'."""
    managed = set()
    for name in host.list_directory("/sys/class/net"):
        index = host.read(f"/sys/class/net/{name}/ifindex")
        state = re.search(r"^ADMIN_STATE=(\w+)", host.read(f"{_NETWORKD_LINKS}/{index}") or "", re.MULTILINE)
        if state and state.group(1) not in ("unmanaged", "initialized", "pending"):
            managed.add(name)
    return managed


def _network_manager(host: Host) -> set[str]:
    if not host.is_directory("/run/NetworkManager/devices"):
        return set()
    return parse_nmcli(host.read_output(["nmcli", "--terse", "--fields", "DEVICE,STATE", "device"]))


def parse_nmcli(text: str) -> set[str]:
    """Devices that are not 'unmanaged', from terse output: ':' between the two fields, '\\:' within one (nmcli(1))."""
    rows = (re.split(r"(?<!\\):", line, maxsplit=1) for line in text.splitlines() if ":" in line)
    return {name.replace("\\:", ":") for name, state in rows if state not in ("unmanaged", "unavailable")}


def parse_interfaces(texts: Iterable[str]) -> set[str]:
    """Devices with an C(iface) stanza in files of interfaces(5), but the loopback."""
    return {name for text in texts for name in re.findall(r"^\s*iface\s+(\S+)", text, re.MULTILINE)} - {"lo"}


def _interfaces_files(host: Host) -> list[str]:
    paths = [_IFUPDOWN, *(f"{_IFUPDOWN}.d/{name}" for name in host.list_directory(f"{_IFUPDOWN}.d"))]
    return [text for text in map(host.read, paths) if text is not None]
