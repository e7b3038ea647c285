# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which network device a port is, and whether it can have DCB at all."""

from __future__ import annotations

import os
import re

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._link.request import valid_netdev_name

_NET = "/sys/class/net"
_PCI = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")
#: phys_port_name of what stands for a function behind an e-switch; a port itself has p0, or none.
_REPRESENTOR = re.compile(r"(c\d+)?pf\d+.*")


def valid_port(port: object) -> str:
    """The name of a network device, or a PCI address in the kernel's spelling."""
    if not isinstance(port, str) or not port:
        raise RailheadError(
            f"Cannot use {port!r} as a port: give the name of a network device, or a PCI address in quotes, such as"
            " '0000:08:00.0'."
        )
    if _PCI.fullmatch(port.lower()):
        return port.lower()
    return valid_netdev_name("ports", port)


def is_present(host: Host, port: str) -> bool:
    """Whether the port has its network device by now."""
    return bool(netdevs_of(host, port)) if _PCI.fullmatch(port) else host.is_directory(f"{_NET}/{port}")


def netdevs_of(host: Host, address: str) -> list[str]:
    """Network devices of a PCI function, without the representors of those behind it."""
    found = host.list_directory(f"/sys/bus/pci/devices/{address}/net")
    return [netdev for netdev in found if not _is_representor(host, netdev)]


def find_netdev(host: Host, port: str) -> str:
    """The network device of a port; what cannot have DCB is refused. Files only, no process is started."""
    attempt = f"Cannot set the QoS of {port}: "
    netdev = _by_address(host, port, attempt) if _PCI.fullmatch(port) else port
    directory = f"{_NET}/{netdev}"
    if not host.is_directory(directory):
        known = ", ".join(name for name in host.list_directory(_NET) if has_device(host, name)) or "none"
        raise RailheadError(
            f"{attempt}there is no network device of that name; ports here: {known}. A port that gets its name later"
            " is known by its PCI address."
        )
    if host.is_directory(f"{directory}/bonding"):
        members = (host.read(f"{directory}/bonding/slaves") or "").split()
        raise RailheadError(
            f"{attempt}it is a bond, which has no DCB of its own; give its ports"
            f" {', '.join(members) or '(it has none now)'}."
        )
    if not has_device(host, netdev):
        below = [name[len("lower_") :] for name in host.list_directory(directory) if name.startswith("lower_")]
        hint = f"it runs over {', '.join(below)}; give the port itself" if below else "give a port of a card"
        raise RailheadError(f"{attempt}it is no port, as there is no device behind it; {hint}.")
    if _is_representor(host, netdev):
        raise RailheadError(f"{attempt}it is a representor, which has no DCB; give the port of the card.")
    physical = host.link_target(f"{directory}/device/physfn")
    if physical:
        raise RailheadError(
            f"{attempt}it is a virtual function, which has no DCB; its port has the PCI address"
            f" {os.path.basename(physical)}, give that."
        )
    return netdev


def has_device(host: Host, netdev: str) -> bool:
    return host.link_target(f"{_NET}/{netdev}/device") is not None


def pci_address(host: Host, netdev: str) -> str:
    """Address of the PCI function behind a network device."""
    return os.path.basename(host.resolve(f"{_NET}/{netdev}/device"))


def _by_address(host: Host, port: str, attempt: str) -> str:
    if not host.is_directory(f"/sys/bus/pci/devices/{port}"):
        raise RailheadError(f"{attempt}there is no PCI device of that address; see 'lspci -D'.")
    found = netdevs_of(host, port)
    if len(found) != 1:
        raise RailheadError(
            f"{attempt}it has {len(found)} network devices{': ' if found else ''}{', '.join(found)}; "
            + ("give one of these." if found else "see that its driver is bound, and that it is in Ethernet mode.")
        )
    return found[0]


def _is_representor(host: Host, netdev: str) -> bool:
    return bool(_REPRESENTOR.fullmatch(host.read(f"{_NET}/{netdev}/phys_port_name") or ""))
