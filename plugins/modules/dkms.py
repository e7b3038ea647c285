#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dkms
short_description: Build the kernel modules that DKMS knows for a kernel that has not got them
version_added: 0.1.0
description:
  - DKMS builds modules when a kernel is installed, if the kernel's headers are there at that time. This module builds
    what is missing.
  - Does nothing on a host without DKMS, or without modules that are registered there.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - dkms on the host, and the headers of the kernel
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  kernel:
    description: Release of the kernel. Left out, it is the running one.
    type: str
  modules:
    description: Names that DKMS knows the modules by. Empty for all of them.
    type: list
    elements: str
    default: []
seealso:
  - module: railhead.cluster.kernel_module_info
"""

EXAMPLES = r"""
- name: Build what the running kernel has not got
  railhead.cluster.dkms:

- name: Build OFED for the kernel that boots next
  railhead.cluster.dkms:
    kernel: 6.12.63+deb13-amd64
    modules: [mlnx-ofed-kernel]
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample: [[dkms, install, -m, mlnx-ofed-kernel, -v, 25.07.OFED.25.07.0.9.7.1, -k, 6.12.57+deb13-amd64]]
kernel:
  description: Release of the kernel.
  returned: success
  type: str
  sample: 6.12.57+deb13-amd64
installed:
  description: What is installed for that kernel, as read last.
  returned: success
  type: list
  elements: str
  sample: [mlnx-ofed-kernel/25.07.OFED.25.07.0.9.7.1]
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._kernel.dkms import (
    Builds,
    observe_builds,
    plan_builds,
    shown_builds,
)


def build(params: Mapping[str, Any]) -> Task[Builds]:
    return Task(
        observe=partial(observe_builds, kernel=params["kernel"] or ""),
        plan=partial(plan_builds, wanted=params["modules"]),
        returns=shown_builds,
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "kernel": {"type": "str"},
            "modules": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
