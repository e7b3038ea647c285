#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_info
short_description: Read what a node is before it is changed
version_added: 0.1.0
description:
  - Returns the system, the kernel, the versions of the tools that this collection uses, the network devices with their
    SR-IOV limits and RDMA devices, which network managers claim them, and what the management connection runs over.
  - The role P(railhead.cluster.preflight#role) decides on it.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 on the host
extends_documentation_fragment:
  - railhead.cluster.attributes.info
seealso:
  - module: railhead.cluster.rdma_info
"""

EXAMPLES = r"""
- name: Read the node
  railhead.cluster.node_info:
  register: node

- name: Show the ports that can have virtual functions
  ansible.builtin.debug:
    msg: "{{ node.netdevs | selectattr('total_vfs', 'gt', 0) | map(attribute='name') }}"
"""

RETURN = r"""
os:
  description: What os-release(5) says.
  returned: success
  type: dict
  sample: {id: debian, version_id: "13", pretty_name: Debian GNU/Linux 13 (trixie)}
python:
  description: Version of the Python that modules run with on the host.
  returned: success
  type: str
  sample: 3.13.5
kernel:
  description: Release of the running kernel, the names under C(/sys/module), and its command line.
  returned: success
  type: dict
  sample: {release: 6.12.57+deb13-amd64, modules: [ib_core, ib_uverbs, igb], arguments: [root=/dev/vda]}
root:
  description: Whether the module ran as root.
  returned: success
  type: bool
  sample: true
tools:
  description: iproute2 version of each of its tools, V(null) where the tool is not installed.
  returned: success
  type: dict
  sample: {ip: 6.15.0, rdma: 6.15.0, devlink: 6.15.0, dcb: 6.15.0}
management:
  description: >-
    This host's address in the SSH connection that the run came in by, and the network devices that it runs over, the
    nearest first (a bond before its members). Empty for another connection.
  returned: success
  type: dict
  sample: {address: 192.0.2.17, netdevs: [bond0, eno1, eno2]}
netdevs:
  description: The network devices of the host's own namespace.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the device.
      type: str
      sample: ens1f0np0
    address:
      description: Link layer address.
      type: str
      sample: 00:00:5e:00:53:01
    pci_address:
      description: Address of the PCI function behind it, V(null) for a virtual device.
      type: str
      sample: "0000:08:00.0"
    driver:
      description: Name of its driver, V(null) where sysfs names none.
      type: str
      sample: mlx5_core
    total_vfs:
      description: Upper limit for the number of virtual functions, 0 without SR-IOV.
      type: int
      sample: 8
    vfs:
      description: Number of virtual functions now.
      type: int
      sample: 0
    rdma_devices:
      description: RDMA devices of the same PCI function.
      type: list
      elements: str
      sample: [mlx5_0]
    owners:
      description: Network managers that claim the device, of V(networkd), V(NetworkManager) and V(ifupdown).
      type: list
      elements: str
      sample: [networkd]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import run_read
from ansible_collections.railhead.cluster.plugins.module_utils._node.observe import observe_node


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    run_read(module, observe_node)


if __name__ == "__main__":
    main()
