# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GPUs, NVSwitches and RDMA devices where PCI has them. No process, and no driver is needed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host

_PCI = "/sys/bus/pci/devices"
_INFINIBAND = "/sys/class/infiniband"
_VERBS = "/sys/class/infiniband_verbs"
_NVIDIA = "0x10de"
#: Base class and subclass of PCI (include/linux/pci_ids.h): VGA and 3D controllers, and "other bridge", which is what
#: an NVSwitch is up to Hopper. Those of Blackwell are behind a ConnectX and not on PCI themselves.
_GPU_CLASSES = ("0x0300", "0x0302")
_NVSWITCH_CLASS = "0x0680"
#: The first device of Turing, which is where the open kernel modules begin (README of open-gpu-kernel-modules).
_FIRST_OPEN_DEVICE = 0x1E00


@dataclass(frozen=True)
class Place:
    """Where a function is: the PCI host bridge, the bridges below it and the function itself, as sysfs nests them.

    C(numa_node) is None where the firmware does not say.
    """

    path: tuple[str, ...]
    numa_node: int | None = None

    @property
    def address(self) -> str:
        return self.path[-1]


@dataclass(frozen=True)
class Gpu:
    """C(device) is the PCI ID such as C(10de:2330), C(driver) the name of the kernel driver that has it."""

    place: Place
    device: str
    driver: str | None = None

    @property
    def supports_open(self) -> bool:
        """Whether NVIDIA's open kernel modules know this generation."""
        return int(self.device.partition(":")[2], 16) >= _FIRST_OPEN_DEVICE


@dataclass(frozen=True)
class RdmaDevice:
    """An RDMA device of a PCI function, in any network namespace."""

    name: str
    place: Place


@dataclass(frozen=True)
class Hardware:
    """All in the order of PCI addresses."""

    gpus: tuple[Gpu, ...] = ()
    nvswitches: tuple[str, ...] = ()
    rdma_devices: tuple[RdmaDevice, ...] = ()


def observe_hardware(host: Host) -> Hardware:
    gpus, nvswitches = [], []
    for name in host.list_directory(_PCI):
        top = host.resolve(f"{_PCI}/{name}")
        if host.read(f"{top}/vendor") != _NVIDIA:
            continue
        kind = (host.read(f"{top}/class") or "")[:6]
        place = place_of(top, host.read(f"{top}/numa_node"))
        if place and kind in _GPU_CLASSES:
            driver = host.link_target(f"{top}/driver")
            device = f"10de:{(host.read(f'{top}/device') or '0x0')[2:]}"
            gpus.append(Gpu(place, device, os.path.basename(driver) if driver else None))
        elif place and kind == _NVSWITCH_CLASS:
            nvswitches.append(place.address)
    found = {name: place_of(top, host.read(f"{top}/numa_node")) for name, top in _rdma_devices(host)}
    rdma_devices = [RdmaDevice(name, place) for name, place in found.items() if name and place]
    return Hardware(
        tuple(sorted(gpus, key=lambda gpu: gpu.place.address)),
        tuple(sorted(nvswitches)),
        tuple(sorted(rdma_devices, key=lambda device: (device.place.address, device.name))),
    )


def place_of(path: str, numa_node: str | None) -> Place | None:
    """The place of the device with a canonical path in sysfs; None for one that is not on PCI.

    What lies below the function (an auxiliary device, a virtio one) is left out.
    """
    found = re.search(r"/(pci[0-9a-f]{4,}:[0-9a-f]{2})((?:/[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])+)", path)
    if found is None:
        return None
    number = int(numa_node or -1)
    return Place((found[1], *found[2].strip("/").split("/")), number if number >= 0 else None)


def _rdma_devices(host: Host) -> Iterator[tuple[str, str]]:
    """Name and path of the device below each one.

    The class infiniband shows those of this network namespace (ib_class of the kernel has namespaces), the class
    infiniband_verbs those of all, where ib_uverbs is loaded.
    """
    for name in host.list_directory(_INFINIBAND):
        yield name, host.resolve(f"{_INFINIBAND}/{name}/device")
    for verbs in host.list_directory(_VERBS):
        yield host.read(f"{_VERBS}/{verbs}/ibdev") or "", host.resolve(f"{_VERBS}/{verbs}/device")
