#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_direct_info
short_description: Read whether RDMA devices can reach the memory of GPUs
version_added: 0.1.0
description:
  - Says for both ways of GPUDirect RDMA, DMA-BUF and C(nvidia-peermem), what stands in the way on this host.
  - Whether one GPU and one card then work together, only a transfer shows. The switches of the PCIe fabric (ACS), the
    IOMMU and the GPU itself have a say too.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - C(modinfo) on the host
extends_documentation_fragment:
  - railhead.cluster.attributes.info
seealso:
  - module: railhead.cluster.gpu_info
"""

EXAMPLES = r"""
- name: Read what GPUDirect RDMA has
  railhead.cluster.gpu_direct_info:
  register: direct

- name: DMA-BUF can be used
  ansible.builtin.assert:
    that: direct.dma_buf.problems | length == 0
    fail_msg: "{{ direct.dma_buf.problems | join('; ') }}"
"""

RETURN = r"""
gpus:
  description: Number of NVIDIA GPUs on PCI.
  returned: success
  type: int
  sample: 8
dma_buf:
  description: The way by DMA-BUF, with the C(problems) that it has on this host, in words.
  returned: success
  type: dict
  sample: {problems: ["rdma-core 28 is older than 34, and has no ibv_reg_dmabuf_mr"]}
peermem:
  description: >-
    The way by C(nvidia-peermem), with the C(problems) that it has, why the module must be built again (V(null) when it
    needs not), and whether it is loaded.
  returned: success
  type: dict
  sample:
    problems: []
    rebuild: /lib/modules/6.8.0-60-generic/updates/dkms/nvidia-peermem.ko was built without OFED
    loaded: false
predecessor:
  description: Whether C(nv_peer_mem) is there, which C(nvidia-peermem) has replaced and which it cannot be used beside.
  returned: success
  type: bool
  sample: false
iommu:
  description: >-
    How the IOMMU treats the GPUs, in the kernel's words. V(identity) is pass-through, which peer-to-peer transfers
    want; empty without an IOMMU.
  returned: success
  type: list
  elements: str
  sample: [identity]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import run_read
from ansible_collections.railhead.cluster.plugins.module_utils._gpu.direct import read_direct


def main() -> None:
    run_read(AnsibleModule(argument_spec={}, supports_check_mode=True), read_direct)


if __name__ == "__main__":
    main()
