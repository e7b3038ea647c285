# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ethtool(8) reads, asked of the kernel without a process for each device (linux/ethtool.h, SIOCETHTOOL)."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

_SIOCETHTOOL = 0x8946
_CLONE_NEWNET = 0x40000000
_GDRVINFO, _GPAUSEPARAM, _GSTRINGS, _GSSET_INFO, _GFEATURES = 0x03, 0x12, 0x1B, 0x37, 0x3A
_FEATURES = 4  # ETH_SS_FEATURES
_STRING = 32  # ETH_GSTRING_LEN


def read_feature(netdev: str, feature: str) -> bool | None:
    """Whether a feature is on, by its name in C(ethtool -k); None when it cannot be switched, or there is none."""
    try:
        with _opened() as asked:
            count = struct.unpack("16xI", _ask(asked, netdev, struct.pack("IIQI", _GSSET_INFO, 0, 1 << _FEATURES, 0)))
            names = _names(_ask(asked, netdev, struct.pack("III", _GSTRINGS, _FEATURES, count[0]), count[0] * _STRING))
            blocks = (count[0] + 31) // 32
            answer = _ask(asked, netdev, struct.pack("II", _GFEATURES, blocks), blocks * 16)
    except OSError:
        return None
    if feature not in names:
        return None
    block, bit = divmod(names.index(feature), 32)
    available, _requested, active, never_changed = struct.unpack_from("IIII", answer, 8 + 16 * block)
    if not available >> bit & 1 or never_changed >> bit & 1:
        return None
    return bool(active >> bit & 1)


def read_pause(netdev: str) -> tuple[bool, bool] | None:
    """Global pause (IEEE 802.3x) as (received, sent), of struct ethtool_pauseparam; None when the driver has none."""
    try:
        with _opened() as asked:
            answer = _ask(asked, netdev, struct.pack("IIII", _GPAUSEPARAM, 0, 0, 0))
    except OSError:
        return None
    _command, _autoneg, received, sent = struct.unpack("IIII", answer)
    return bool(received), bool(sent)


def pci_netdevs(namespace: str) -> dict[str, str]:
    """Network devices by PCI address in the namespace that a file opens.

    For a thread that ends afterwards: it stays in the namespace (setns(2) moves one thread).
    """
    with open(namespace, "rb") as opened:
        if ctypes.CDLL(None, use_errno=True).setns(opened.fileno(), _CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), namespace)
    with _opened() as asked:
        found = {_bus_address(asked, name): name for _index, name in socket.if_nameindex()}
    return {address: name for address, name in found.items() if address}


def _opened() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def _bus_address(asked: socket.socket, netdev: str) -> str:
    """C(bus_info) of struct ethtool_drvinfo; empty when the device has none."""
    try:
        answer = _ask(asked, netdev, struct.pack("I", _GDRVINFO), 192)
    except OSError:
        return ""
    return answer[100:132].partition(b"\0")[0].decode(errors="replace")


def _names(answer: bytes) -> list[str]:
    """struct ethtool_gstrings: three numbers, then strings of a fixed length."""
    strings = answer[12:]
    return [
        strings[start : start + _STRING].partition(b"\0")[0].decode(errors="replace")
        for start in range(0, len(strings), _STRING)
    ]


def _ask(asked: socket.socket, netdev: str, request: bytes, room: int = 0) -> bytes:
    """The kernel answers in the place of the request, with C(room) bytes more."""
    buffer = ctypes.create_string_buffer(request, len(request) + room)
    fcntl.ioctl(asked, _SIOCETHTOOL, struct.pack("16sP", netdev.encode(), ctypes.addressof(buffer)))
    return buffer.raw
