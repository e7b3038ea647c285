#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rdma_cgroup
short_description: Limit the RDMA resources of a cgroup
version_added: 0.1.0
description:
  - Sets how many contexts and objects of an RDMA device the processes of a cgroup may hold (C(rdma.max) of cgroup v2).
  - Creates the cgroup where it is missing, and enables the C(rdma) controller from the root down to it. systemd knows
    nothing of this controller and leaves that alone.
  - A limit below what is in use is not an error; the processes keep what they hold and get no more.
  - Limits follow a device that is renamed or moved to another network namespace, and are lost when it is unregistered
    and at a reboot. M(railhead.cluster.rdma_host) sets them again at boot.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 5.14 or newer on the host
  - a kernel with the rdma controller in the cgroup v2 hierarchy
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  cgroup:
    description:
      - Path of the cgroup, relative to where cgroup v2 is mounted, or absolute inside of it. The root has no limits.
    type: str
    required: true
  device:
    description:
      - Name of the RDMA device, in whichever network namespace it is.
    type: str
    required: true
  hca_handle:
    description:
      - Number of contexts (open devices), from V(0) to V(2147483647), or V(max) for no limit.
      - When not given, the limit stays as it is.
    type: str
  hca_object:
    description:
      - Number of objects (queue pairs, completion queues, memory regions and so on), from V(0) to V(2147483647), or
        V(max) for no limit.
      - When not given, the limit stays as it is.
    type: str
  state:
    description:
      - With V(present) at least one of O(hca_handle) and O(hca_object) must be given.
      - With V(absent) both limits of the device are lifted. The cgroup stays.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - name: Control Group v2, RDMA
    description: The kernel's documentation of the controller.
    link: https://docs.kernel.org/admin-guide/cgroup-v2.html#rdma
  - module: railhead.cluster.rdma_host
"""

EXAMPLES = r"""
- name: Jobs open the first rail at most twice
  railhead.cluster.rdma_cgroup:
    cgroup: jobs.slice
    device: mlx5_0
    hca_handle: 2
    hca_object: 2000

- name: Without a limit again
  railhead.cluster.rdma_cgroup:
    cgroup: /sys/fs/cgroup/jobs.slice
    device: mlx5_0
    state: absent
"""

RETURN = r"""
commands:
  description: >-
    The steps that were taken, or would be taken in check mode. C(write) stands for writing its last word to a file,
    C(mkdir) for creating a directory.
  returned: always
  type: list
  elements: list
  sample:
    - [write, /sys/fs/cgroup/cgroup.subtree_control, +rdma]
    - [mkdir, /sys/fs/cgroup/jobs.slice]
    - [write, /sys/fs/cgroup/jobs.slice/rdma.max, mlx5_0 hca_handle=2 hca_object=2000]
limits:
  description: The limits as read last.
  returned: success
  type: dict
  sample: {cgroup: jobs.slice, device: mlx5_0, hca_handle: 2, hca_object: 2000}
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._cgroup.rdma import (
    load_limits,
    plan_limits,
    plan_no_limits,
    shown_limits,
)
from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Plan
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.host_state import (
    HostState,
    HostWant,
    observe_host,
)


def build(params: Mapping[str, Any]) -> Task[HostState]:
    want = load_limits(params, params["state"])

    def plan(have: HostState) -> Plan:
        if params["state"] == "absent":
            return plan_no_limits(have.cgroups, want)
        return plan_limits(have.cgroups, have.rdma.names, want)

    return Task(
        observe=partial(observe_host, want=HostWant(cgroups=(want,))),
        plan=plan,
        returns=lambda have: {"limits": shown_limits(have.cgroups, want)},
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "cgroup": {"type": "str", "required": True},
            "device": {"type": "str", "required": True},
            "hca_handle": {"type": "str"},
            "hca_object": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
