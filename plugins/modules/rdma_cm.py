#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rdma_cm
short_description: Set what the RDMA connection manager uses for the connections of a device
version_added: 0.1.0
description:
  - Sets the RoCE version and the ToS that connections get which are made by the RDMA connection manager (RDMA-CM),
    unless their program asks for others. C(cma_roce_mode) and C(cma_roce_tos) of the vendor's packages set the same.
  - The kernel shows the values in configfs, in a directory that has to be made for the device. To read them, in check
    mode too, the module makes the directory where it is missing, reads, and removes it again. That changes nothing, as
    the values belong to the device. The same is done around a change; a directory that is left keeps the module
    C(rdma_cm) from being unloaded.
  - The values are lost when the device is made anew, as by a change of the e-switch mode, and at a reboot.
    M(railhead.cluster.roce_qos) sets them again.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - the module C(rdma_cm) loaded on the host, and configfs mounted
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  device:
    description:
      - Name of the RDMA device.
    type: str
    required: true
  port:
    description:
      - Number of the port. Without it, all ports of the device.
    type: int
  mode:
    description:
      - The RoCE version. A device must have an address of it.
    type: str
    choices: [RoCE v2, IB/RoCE v1]
  tos:
    description:
      - The ToS byte, from V(0) to V(255), which has the DSCP in the upper six bits and ECN in the lower two. V(106) is
        DSCP 26 with ECN.
    type: int
seealso:
  - module: railhead.cluster.roce_qos
  - name: configfs-rdma_cm
    description: The kernel's documentation of the files.
    link: https://docs.kernel.org/admin-guide/abi-testing.html
"""

EXAMPLES = r"""
- name: Connections are marked with DSCP 26 and ECN
  railhead.cluster.rdma_cm:
    device: mlx5_0
    mode: RoCE v2
    tos: 106
"""

RETURN = r"""
commands:
  description: >-
    The steps that were taken, or would be taken in check mode. C(write) stands for writing its last word to a file,
    C(mkdir) and C(rmdir) for creating and removing a directory.
  returned: always
  type: list
  elements: list
  sample:
    - [mkdir, /sys/kernel/config/rdma_cm/mlx5_0]
    - [write, /sys/kernel/config/rdma_cm/mlx5_0/ports/1/default_roce_tos, "106"]
    - [rmdir, /sys/kernel/config/rdma_cm/mlx5_0]
device:
  description: The values as read last, of all ports.
  returned: success
  type: dict
  sample: {device: mlx5_0, ports: [{port: 1, mode: RoCE v2, tos: 106}]}
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._rdma_cm.defaults import (
    MODES,
    RdmaCm,
    observe_rdma_cm,
    plan_defaults,
    shown_device,
    want_from,
)


def build(params: Mapping[str, Any]) -> Task[RdmaCm]:
    want = want_from(params["device"], params["mode"], params["tos"], params["port"])
    return Task(
        observe=partial(observe_rdma_cm, names=[want.device]),
        plan=partial(plan_defaults, want=want),
        returns=lambda have: {"device": shown_device(have, want.device)},
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "device": {"type": "str", "required": True},
            "port": {"type": "int"},
            "mode": {"type": "str", "choices": list(MODES)},
            "tos": {"type": "int"},
        },
        required_one_of=[["mode", "tos"]],
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
