#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pci_acs_info
short_description: Read whether PCIe bridges redirect traffic between accelerators and RDMA ports
version_added: 0.1.0
description:
  - Reads Access Control Services (ACS) of all PCIe bridges from their configuration space, and tells for each
    accelerator and each RDMA port below one switch which bridges send their traffic up to the root complex.
  - Nothing is changed. Switching these services off takes away what keeps virtual machines apart, and a kernel that
    wants its IOMMU groups switches them on again at boot.
author: The railhead.cluster maintainers (@railhead)
extends_documentation_fragment:
  - railhead.cluster.attributes.info
seealso:
  - module: railhead.cluster.kernel_args
"""

EXAMPLES = r"""
- name: Read the bridges
  railhead.cluster.pci_acs_info:
  register: acs

- name: Show what keeps accelerators and ports from direct transfers
  ansible.builtin.debug:
    msg: "{{ acs.pairs | selectattr('redirected_by') }}"
"""

RETURN = r"""
bridges:
  description: >-
    All PCIe bridges, with the services that each has and those that are switched on. Both are empty without the
    capability.
  returned: success
  type: list
  elements: dict
  sample:
    - address: "0000:16:00.0"
      capable: [source_validation, request_redirect, completion_redirect, upstream_forwarding]
      enabled: [source_validation, request_redirect, completion_redirect, upstream_forwarding]
pairs:
  description: >-
    Each accelerator with each RDMA port, and the bridges that redirect requests between the two. There are none where
    no switch joins the two, as their traffic crosses the root complex anyway.
  returned: success
  type: list
  elements: dict
  sample:
    - accelerator: "0000:17:00.0"
      port: "0000:18:00.0"
      rdma_devices: [mlx5_0]
      redirected_by: ["0000:16:00.0", "0000:16:01.0"]
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.module import run_read
from ansible_collections.railhead.cluster.plugins.module_utils._pci.acs import describe, observe_functions


def read(host: Host) -> Mapping[str, Any]:
    return describe(observe_functions(host))


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    run_read(module, read)


if __name__ == "__main__":
    main()
