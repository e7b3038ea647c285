# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far two devices are from each other on PCI, in the words of C(nvidia-smi topo -m)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile

from ansible_collections.railhead.cluster.plugins.module_utils._gpu.pci import Gpu, Hardware, Place, RdmaDevice

#: From near to far (nvidia-smi(1), topo): at most one bridge, more bridges, the host bridge, another host bridge of the
#: same NUMA node, another NUMA node.
DISTANCES = ("PIX", "PXB", "PHB", "NODE", "SYS")


def distance(one: Place, other: Place) -> str:
    """Two functions below one switch have its upstream port in common, and each a downstream port of its own.

    Two unknown NUMA nodes count as the same one, as NCCL has it.
    """
    shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one.path, other.path))))
    if shared == 0:
        return "NODE" if one.numa_node == other.numa_node else "SYS"
    if shared == 1:
        return "PHB"
    return "PIX" if max(len(one.path), len(other.path)) - shared <= 2 else "PXB"


def nearest(hardware: Hardware) -> Mapping[str, RdmaDevice]:
    """An RDMA device for each GPU, by PCI address of the GPU; empty on a host without any.

    GPUs that have the same nearest ones share them out: the first GPU takes the first one, both by PCI address.
    """
    choices = {gpu.place.address: _nearest(gpu, hardware.rdma_devices) for gpu in hardware.gpus}
    found = {}
    for address, choice in choices.items():
        if choice:
            sharing = [other for other, same in choices.items() if same == choice]
            found[address] = choice[sharing.index(address) % len(choice)]
    return found


def _nearest(gpu: Gpu, devices: Sequence[RdmaDevice]) -> list[RdmaDevice]:
    far = [DISTANCES.index(distance(gpu.place, device.place)) for device in devices]
    return [device for device, steps in zip(devices, far) if steps == min(far)]
