# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access Control Services of PCIe bridges, and between which accelerators and RDMA ports they stand. Only read.

Registers as in linux/pci_regs.h (PCI_EXT_CAP_ID_ACS, PCI_ACS_CAP, PCI_ACS_CTRL).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host

#: Bits of the two registers, from bit 0 on.
SERVICES = (
    "source_validation",
    "translation_blocking",
    "request_redirect",
    "completion_redirect",
    "upstream_forwarding",
    "egress_control",
    "direct_translated",
)
_DEVICES = "/sys/bus/pci/devices"
_ADDRESS = r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]"
_FIRST_EXTENDED, _ID_ACS = 0x100, 0x0D
#: Class codes of what has memory that ports can transfer from and to: 3D controllers, processing accelerators, and
#: display controllers, which GPUs are where they have an output.
_ACCELERATORS = ("0x0302", "0x1200", "0x0300")
_BRIDGE = "0x0604"


@dataclass(frozen=True)
class Acs:
    """Names of services that a bridge has, and of those that are switched on."""

    capable: tuple[str, ...] = ()
    enabled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Function:
    """C(above) are the bridges on the way from the root to this function, in this order. C(acs) None: it has none."""

    address: str
    kind: str
    above: tuple[str, ...] = ()
    acs: Acs | None = None
    rdma: tuple[str, ...] = ()


def observe_functions(host: Host) -> tuple[Function, ...]:
    """All bridges, accelerators and functions with RDMA devices. Files only, no process."""
    found = []
    for address in host.list_directory(_DEVICES):
        directory = f"{_DEVICES}/{address}"
        kind = (host.read(f"{directory}/class") or "")[:6]
        rdma = tuple(host.list_directory(f"{directory}/infiniband"))
        if kind == _BRIDGE or kind in _ACCELERATORS or rdma:
            chain = tuple(re.findall(_ADDRESS, host.resolve(directory)))
            acs = parse_acs(host.read_bytes(f"{directory}/config")) if kind == _BRIDGE else None
            found.append(Function(address, kind, tuple(name for name in chain if name != address), acs, rdma))
    return tuple(found)


def parse_acs(config: bytes) -> Acs | None:
    """From the whole configuration space (4096 bytes; without root it is 64). None without the capability."""
    offset, seen = _FIRST_EXTENDED, set[int]()
    while offset >= _FIRST_EXTENDED and offset not in seen and offset + 8 <= len(config):
        seen.add(offset)
        (header,) = struct.unpack_from("<I", config, offset)
        if header & 0xFFFF == _ID_ACS:
            capability, control = struct.unpack_from("<HH", config, offset + 4)
            return Acs(_names(capability), _names(control))
        offset = header >> 20
    return None


def _names(bits: int) -> tuple[str, ...]:
    return tuple(name for number, name in enumerate(SERVICES) if bits >> number & 1)


def redirecting(functions: Iterable[Function], one: Function, other: Function) -> tuple[str, ...]:
    """Bridges that send requests between two functions up to the root, though a switch below it joins them.

    Where no switch joins them, all requests go over the root in any case.
    """
    acs = {function.address: function.acs for function in functions}
    shared = tuple(takewhile(lambda pair: pair[0] == pair[1], zip(one.above, other.above)))
    if len(shared) < 2:
        return ()
    below = (*one.above[len(shared) :], *other.above[len(shared) :])
    return tuple(name for name in below if "request_redirect" in getattr(acs.get(name), "enabled", ()))


def describe(functions: tuple[Function, ...]) -> dict[str, Any]:
    """What the module returns."""
    accelerators = [function for function in functions if function.kind in _ACCELERATORS]
    ports = [function for function in functions if function.rdma]
    return {
        "bridges": [
            {
                "address": function.address,
                "capable": list(function.acs.capable) if function.acs else [],
                "enabled": list(function.acs.enabled) if function.acs else [],
            }
            for function in functions
            if function.kind == _BRIDGE
        ],
        "pairs": [
            {
                "accelerator": one.address,
                "port": other.address,
                "rdma_devices": list(other.rdma),
                "redirected_by": list(redirecting(functions, one, other)),
            }
            for one in accelerators
            for other in ports
        ],
    }
