# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The physical functions of cards whose firmware mstconfig can set, as sysfs shows them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host

#: PCI vendor of Mellanox and NVIDIA networking (pci.ids).
_VENDOR = "0x15b3"
#: PCI class of network controllers: Ethernet is 0x020000, InfiniBand 0x020700. The bridges of a BlueField are others.
_NETWORK = "0x02"
_DEVICES = "/sys/bus/pci/devices"
_NET = "/sys/class/net"


@dataclass(frozen=True)
class Function:
    """C(device) is how the task names it. C(card) is the PCI slot that all functions of the card share."""

    device: str
    address: str
    netdevs: tuple[str, ...] = ()
    vfs: int = 0

    @property
    def card(self) -> str:
        return self.address.rpartition(".")[0]


def find_function(host: Host, device: str) -> Function:
    """The function that a PCI address or the name of a network device means, or an error that says what there is."""
    attempt = f"Cannot use the firmware of {device}: "
    address = _address(host, device)
    if address is None or host.read(f"{_DEVICES}/{address}/vendor") is None:
        known = ", ".join(" ".join([found.address, *found.netdevs]) for found in all_functions(host)) or "none"
        raise RailheadError(
            f"{attempt}there is no such PCI device or network device; found of Mellanox or NVIDIA: {known}."
        )
    parent = host.link_target(f"{_DEVICES}/{address}/physfn")
    if parent:
        raise RailheadError(
            f"{attempt}{address} is a virtual function; give the physical one, {os.path.basename(parent)}."
        )
    if not _is_ours(host, address):
        raise RailheadError(
            f"{attempt}{address} is no network card of Mellanox or NVIDIA (PCI vendor"
            f" {host.read(f'{_DEVICES}/{address}/vendor')}, class {host.read(f'{_DEVICES}/{address}/class')}), and"
            " mstconfig knows no others; leave it out."
        )
    return _function(host, device, address)


def all_functions(host: Host) -> list[Function]:
    """Every physical function, by address."""
    return [
        _function(host, address, address)
        for address in host.list_directory(_DEVICES)
        if _is_ours(host, address) and not host.link_target(f"{_DEVICES}/{address}/physfn")
    ]


def netdevs_on(host: Host, card: str, netdevs: Collection[str]) -> tuple[str, ...]:
    """Which of the network devices belong to a card. Virtual functions can be in other slots than the card."""

    def address(netdev: str) -> str:
        device = f"{_NET}/{netdev}/device"
        return os.path.basename(host.link_target(f"{device}/physfn") or host.resolve(device))

    return tuple(netdev for netdev in netdevs if address(netdev).rpartition(".")[0] == card)


def _address(host: Host, device: str) -> str | None:
    match = re.fullmatch(r"(?:([0-9a-fA-F]{4,}):)?([0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7])", device)
    if match:
        return f"{match.group(1) or '0000'}:{match.group(2)}".lower()
    if not re.fullmatch(r"[^\s/]+", device) or device in (".", ".."):
        return None
    target = host.link_target(f"{_NET}/{device}/device")
    return os.path.basename(host.resolve(f"{_NET}/{device}/device")) if target else None


def _is_ours(host: Host, address: str) -> bool:
    directory = f"{_DEVICES}/{address}"
    return host.read(f"{directory}/vendor") == _VENDOR and (host.read(f"{directory}/class") or "").startswith(_NETWORK)


def _function(host: Host, device: str, address: str) -> Function:
    directory = f"{_DEVICES}/{address}"
    vfs = int(host.read(f"{directory}/sriov_numvfs") or 0)
    return Function(device, address, tuple(host.list_directory(f"{directory}/net")), vfs)
