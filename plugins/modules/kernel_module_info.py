#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_module_info
short_description: Read which file a kernel would load as a module, and where it comes from
version_added: 0.1.0
description:
  - Tells for each installed kernel which file it would load as a module, and whether that is the kernel's own or one
    that a vendor's package or DKMS has put before it.
  - Names the kernel that would boot next, and whether what is loaded now is what would be loaded.
  - The role P(railhead.cluster.rdma_stack#role) keeps a host from booting a kernel that its drivers were not built for.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - kmod on the host
extends_documentation_fragment:
  - railhead.cluster.attributes.info
options:
  modules:
    description: Names of the kernel modules.
    type: list
    elements: str
    required: true
seealso:
  - module: railhead.cluster.dkms
"""

EXAMPLES = r"""
- name: Read where the driver of the NICs comes from
  railhead.cluster.kernel_module_info:
    modules: [mlx5_core]
  register: found

- name: Stop when the next kernel has only its own
  ansible.builtin.assert:
    that: found.kernels | selectattr('release', 'equalto', found.next)
      | selectattr('modules.mlx5_core.origin', 'equalto', 'external')
"""

RETURN = r"""
running:
  description: Release of the running kernel.
  returned: success
  type: str
  sample: 6.12.57+deb13-amd64
next:
  description: The newest kernel that is installed, which is the one that boots next unless the boot loader is told.
  returned: success
  type: str
  sample: 6.12.63+deb13-amd64
machine:
  description: What the kernel calls the architecture.
  returned: success
  type: str
  sample: x86_64
kernels:
  description: The installed kernels, oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    release:
      description: Release of the kernel.
      type: str
      sample: 6.12.57+deb13-amd64
    headers:
      description: Whether modules can be built for it.
      type: bool
      sample: true
    modules:
      description: >-
        What it would load for each name, V(null) where it has no such module. The path is empty for one that is part
        of the kernel; the origin is V(inbox) for the kernel's own, V(external) otherwise.
      type: dict
      sample:
        mlx5_core:
          path: /lib/modules/6.12.57+deb13-amd64/updates/dkms/mlx5_core.ko.xz
          origin: external
          version: 25.07-0.9.7
          srcversion: 1F37C9D50A6F2FA7F6A5D2E
loaded:
  description: >-
    What is loaded for each name, and whether that is what a new load would take; V(null) when nothing is. The taint O
    is that of a module from elsewhere.
  returned: success
  type: dict
  sample: {mlx5_core: {version: 24.10-3.2.5, srcversion: 533BB7E5866E52F63B9ACCB, taint: OE, current: false}}
dkms:
  description: What DKMS knows, empty without it. The kernel is empty for what was not built for any.
  returned: success
  type: list
  elements: dict
  sample: [{module: mlnx-ofed-kernel, version: 25.07.OFED.25.07.0.9.7.1, kernel: 6.12.57+deb13-amd64, state: installed}]
"""

from functools import partial

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import run_read
from ansible_collections.railhead.cluster.plugins.module_utils._kernel.modules import observe_modules


def main() -> None:
    module = AnsibleModule(
        argument_spec={"modules": {"type": "list", "elements": "str", "required": True}},
        supports_check_mode=True,
    )
    run_read(module, partial(observe_modules, names=module.params["modules"]))


if __name__ == "__main__":
    main()
