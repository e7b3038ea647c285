#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: subnet_manager_info
short_description: Read which subnet manager each InfiniBand port obeys
version_added: 0.1.0
description:
  - Lists the InfiniBand ports of a host, and asks for the subnet manager of each that has one.
  - Ports for Ethernet are left out. What a subnet manager says of itself takes C(sminfo) of infiniband-diags;
    without it, only its LID is known.
author: The railhead.cluster maintainers (@railhead)
extends_documentation_fragment:
  - railhead.cluster.attributes.info
seealso:
  - module: railhead.cluster.ipoib
"""

EXAMPLES = r"""
- name: Read the ports
  railhead.cluster.subnet_manager_info:
  register: subnet

- name: Show the ports that another host's subnet manager has configured
  ansible.builtin.debug:
    msg: "{{ subnet.ports | selectattr('foreign') }}"
"""

RETURN = r"""
ports:
  description: The InfiniBand ports.
  returned: success
  type: list
  elements: dict
  contains:
    device:
      description: RDMA device.
      type: str
      sample: mlx5_0
    port:
      description: Number of the port.
      type: int
      sample: 1
    guid:
      description: GUID of the port.
      type: str
      sample: b8cef60300aabbcc
    state:
      description: State of the port. It is V(init) until a subnet manager configures it.
      type: str
      sample: active
    manager_lid:
      description: LID of the subnet manager that has configured the port, V(0) when none has.
      type: int
      sample: 1
    manager:
      description: The subnet manager as it describes itself, V(null) when it does not.
      type: dict
      sample: {lid: 1, guid: b8cef60300aabbcc, priority: 14, state: master}
    foreign:
      description: Whether there is one that runs on another host.
      type: bool
      sample: false
    answer:
      description: What was said instead, where a subnet manager has configured the port and does not answer.
      type: str
      sample: ""
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.module import run_read
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.subnet_manager import describe, observe_ports


def read(host: Host) -> Mapping[str, Any]:
    return describe(observe_ports(host))


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    run_read(module, read)


if __name__ == "__main__":
    main()
