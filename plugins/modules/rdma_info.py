#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rdma_info
short_description: Read the RDMA devices of a host
version_added: 0.1.0
description:
  - Returns the switches of the RDMA subsystem, each RDMA device in each network namespace, and the network namespaces
    themselves, which are what keeps the mode of the subsystem from being changed.
  - What a tool or a kernel is too old to report is V(null), as is what only the sysfs of another namespace shows.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 5.3 or newer on the host
  - nsenter of util-linux on the host, in the V(exclusive) mode of M(railhead.cluster.rdma_system)
extends_documentation_fragment:
  - railhead.cluster.attributes.info
options:
  counters:
    description:
      - Whether to read the counters of the ports too.
    type: bool
    default: false
seealso:
  - module: railhead.cluster.node_info
  - module: railhead.cluster.rdma_dev
  - module: railhead.cluster.rdma_system
"""

EXAMPLES = r"""
- name: Read the RDMA devices
  railhead.cluster.rdma_info:
  register: rdma

- name: All ports are up
  ansible.builtin.assert:
    that: item.ports | rejectattr('state', 'eq', 'ACTIVE') | length == 0
    fail_msg: "{{ item.name }} has a port that is not up"
  loop: "{{ rdma.devices }}"
"""

RETURN = r"""
system:
  description: The switches of the RDMA subsystem.
  returned: success
  type: dict
  sample: {netns: exclusive, privileged_qkey: false, monitor: true, copy_on_fork: true}
devices:
  description: The RDMA devices of the host's own network namespace, then those of the others.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the device.
      type: str
      sample: mlx5_0
    index:
      description: Number of the device, from 0.
      type: int
      sample: 0
    netns:
      description: Network namespace that it is in, the empty string for the host's own, or the path of an unnamed one.
      type: str
      sample: gpu0
    node_type:
      description: Kind of the node, for example V(ca), V(rnic) or V(switch).
      type: str
      sample: ca
    protocol:
      description: V(ib), V(roce), V(iw) and others; V(null) before iproute2 6.5.
      type: str
      sample: roce
    fw:
      description: Version of the firmware, V(null) for a software device.
      type: str
      sample: 16.35.3006
    node_guid:
      description: GUID of the node.
      type: str
      sample: "0000:5eff:fe00:5301"
    sys_image_guid:
      description: GUID of the system image, the same for the ports of one card.
      type: str
      sample: "0000:5eff:fe00:5301"
    adaptive_moderation:
      description: Whether completion queues moderate their interrupts adaptively.
      type: bool
      sample: true
    driver:
      description: Name of the driver, V(rxe) or V(siw) for a software device.
      type: str
      sample: mlx5_core
    pci_address:
      description: Address of the PCI function.
      type: str
      sample: "0000:08:00.0"
    numa_node:
      description: Number of the NUMA node that the card is at.
      type: int
      sample: 0
    ports:
      description: >-
        The ports, with their rate in the words of sysfs. A port with InfiniBand also has C(subnet_prefix), C(lid),
        C(sm_lid) and C(lmc). With O(counters), C(counters) are all numbers of the two directories of sysfs.
      type: list
      elements: dict
      sample:
        - port: 1
          state: ACTIVE
          physical_state: LINK_UP
          netdev: ens1f0np0
          link_layer: Ethernet
          rate: 100 Gb/sec (4X EDR)
          counters: {port_xmit_data: 4711, out_of_sequence: 0}
    resources:
      description: >-
        Numbers of verbs objects in use. A device that the kernel uses by itself has one protection domain, completion
        queue and queue pair for each port.
      type: dict
      sample: {pd: 1, cq: 1, qp: 1, cm_id: 0, mr: 0, ctx: 0, srq: 0}
namespaces:
  description: >-
    All network namespaces but the host's own. C(name) is V(null) for one without a name, C(holder) is the command
    name of one process in it then.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: gpu0, path: /run/netns/gpu0, holder: null}
    - {name: null, path: /proc/4242/ns/net, holder: pause}
"""

from functools import partial

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import run_read
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.info import read_info


def main() -> None:
    module = AnsibleModule(
        argument_spec={"counters": {"type": "bool", "default": False}},
        supports_check_mode=True,
    )
    run_read(module, partial(read_info, counters=module.params["counters"]))


if __name__ == "__main__":
    main()
