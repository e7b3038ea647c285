#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_info
short_description: Read the NVIDIA GPUs of a host
version_added: 0.1.0
description:
  - Returns each GPU with what PCI tells of it, what the driver tells of it, and how far each RDMA device is from it.
  - GPUs, NVSwitches and distances need no driver. Where a driver is loaded, one C(nvidia-smi) is started, however many
    GPUs there are. No driver is loaded by asking.
  - An RDMA device of another network namespace is seen only while C(ib_uverbs) is loaded.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - C(nvidia-smi) on the host, for what the driver tells
extends_documentation_fragment:
  - railhead.cluster.attributes.info
seealso:
  - module: railhead.cluster.gpu_direct_info
  - module: railhead.cluster.rdma_info
"""

EXAMPLES = r"""
- name: Read the GPUs
  railhead.cluster.gpu_info:
  register: gpu

- name: Each GPU has a card below its own PCIe switch
  ansible.builtin.assert:
    that: item.nearest_rdma.distance in ['PIX', 'PXB']
    fail_msg: "{{ item.pci_address }} has only {{ item.nearest_rdma.device }} at {{ item.nearest_rdma.distance }}"
  loop: "{{ gpu.gpus }}"
"""

RETURN = r"""
driver:
  description: >-
    NVIDIA's kernel driver, V(null) while none is loaded. C(complaint) is V(null), or what C(nvidia-smi) said in place
    of an answer.
  returned: success
  type: dict
  sample: {version: 580.105.08, open: true, complaint: null}
gpus:
  description: The GPUs in the order of their PCI addresses. What is not known is V(null).
  returned: success
  type: list
  elements: dict
  contains:
    pci_address:
      description: Address of the PCI function.
      type: str
      sample: "0000:18:00.0"
    pci_id:
      description: Vendor and device.
      type: str
      sample: 10de:2330
    numa_node:
      description: Number of the NUMA node that the GPU is at.
      type: int
      sample: 0
    kernel_driver:
      description: Kernel driver that has the function, such as V(nvidia), V(nouveau) or V(vfio-pci).
      type: str
      sample: nvidia
    supports_open:
      description: Whether NVIDIA's open kernel modules know this generation, which they do from Turing on.
      type: bool
      sample: true
    uuid:
      description: Identifier that CUDA and containers use.
      type: str
      sample: GPU-5f1e2d3c-0000-4000-8000-000000000018
    serial:
      description: Serial number of the board.
      type: str
      sample: "1650000000018"
    name:
      description: Name of the product.
      type: str
      sample: NVIDIA H100 80GB HBM3
    driver_version:
      description: Version of the driver that answered.
      type: str
      sample: 580.105.08
    vbios:
      description: Version of the firmware.
      type: str
      sample: 96.00.89.00.01
    memory_mib:
      description: Memory of the GPU in MiB.
      type: int
      sample: 81559
    persistence_mode:
      description: Whether the driver keeps the GPU initialised while nobody uses it.
      type: bool
      sample: true
    ecc:
      description: Whether its memory corrects errors.
      type: bool
      sample: true
    mig:
      description: Whether it is partitioned (MIG).
      type: bool
      sample: false
    nearest_rdma:
      description: >-
        The nearest RDMA device, V(null) on a host without any. GPUs with the same nearest ones share them out, the
        first one to the first GPU, by their PCI addresses.
      type: dict
      sample: {device: mlx5_0, pci_address: "0000:19:00.0", distance: PIX}
    rdma:
      description: >-
        All RDMA devices with their distance, in the words of C(nvidia-smi topo -m). V(PIX) is one PCIe bridge at most,
        V(PXB) more of them, V(PHB) the host bridge, V(NODE) another host bridge of the same NUMA node, V(SYS) another
        NUMA node.
      type: list
      elements: dict
      sample:
        - {device: mlx5_0, pci_address: "0000:19:00.0", distance: PIX}
        - {device: mlx5_5, pci_address: "0000:9b:00.0", distance: SYS}
nvswitches:
  description: >-
    PCI addresses of NVSwitches. Those of Blackwell are behind a ConnectX card, and are not among them.
  returned: success
  type: list
  elements: str
  sample: ["0000:07:00.0", "0000:08:00.0"]
users:
  description: Processes that have a device of the driver open. The kernel truncates names to 15 characters.
  returned: success
  type: list
  elements: dict
  sample: [{pid: 1234, name: nvidia-persiste}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import run_read
from ansible_collections.railhead.cluster.plugins.module_utils._gpu.info import read_info


def main() -> None:
    run_read(AnsibleModule(argument_spec={}, supports_check_mode=True), read_info)


if __name__ == "__main__":
    main()
