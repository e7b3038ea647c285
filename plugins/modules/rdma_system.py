#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rdma_system
short_description: Set the switches of the RDMA subsystem
version_added: 0.1.0
description:
  - Sets the network namespace mode of the RDMA subsystem, and who may set privileged Q_Keys (rdma-system(8)).
  - The kernel takes a new mode only while no network namespace but the host's own exists, whether or not RDMA devices
    are in it. Containers, C(ip netns) and units with C(PrivateNetwork=yes) all count. The module finds out before it
    changes anything, also in check mode, and names what is in the way. The mode that is set already is never an error.
  - The switches do not survive a reboot. Persist the mode with C(options ib_core netns_mode=0) for V(exclusive), or
    C(netns_mode=1) for V(shared), in C(/etc/modprobe.d), and in the initramfs where that contains ib_core.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 5.3 or newer on the host, 6.7 for O(privileged_qkey)
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  netns:
    description:
      - With V(shared) each RDMA device is visible in all network namespaces.
      - With V(exclusive) each one belongs to a single network namespace, and M(railhead.cluster.rdma_dev) can move it.
      - When not given, the mode stays as it is.
    type: str
    choices: [shared, exclusive]
  privileged_qkey:
    description:
      - Whether unprivileged processes may use Q_Keys with the most significant bit set.
      - When not given, the switch stays as it is.
    type: bool
seealso:
  - module: railhead.cluster.rdma_dev
  - module: railhead.cluster.rdma_info
"""

EXAMPLES = r"""
- name: Each RDMA device belongs to one network namespace
  railhead.cluster.rdma_system:
    netns: exclusive

- name: Ask whether the mode could be changed now, and what is in the way
  railhead.cluster.rdma_system:
    netns: exclusive
  check_mode: true
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample: [[rdma, system, set, netns, exclusive]]
system:
  description: The switches as read last. Those that the tool or the kernel does not report are V(null).
  returned: success
  type: dict
  sample: {netns: exclusive, privileged_qkey: false, monitor: true, copy_on_fork: true}
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.system import (
    Subsystem,
    observe_subsystem,
    plan_system,
    shown_system,
)


def build(params: Mapping[str, Any]) -> Task[Subsystem]:
    return Task(
        observe=observe_subsystem,
        plan=partial(plan_system, netns=params["netns"], privileged_qkey=params["privileged_qkey"]),
        returns=shown_system,
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "netns": {"type": "str", "choices": ["shared", "exclusive"]},
            "privileged_qkey": {"type": "bool"},
        },
        required_one_of=[("netns", "privileged_qkey")],
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
