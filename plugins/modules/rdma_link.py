#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rdma_link
short_description: Manage software RDMA devices
version_added: 0.1.0
description:
  - Creates and deletes RDMA devices of type rxe (Soft-RoCE) or siw (Soft-iWARP) on network devices (rdma-link(8)).
  - A device of the wanted name that is of another type, or on another network device, is an error. The module does not
    re-create it, as that would take it from its users.
  - The kernel does not report the type. The module takes a device without a firmware version and without hardware
    behind it for siw when it is an C(rnic), and for rxe when it is a C(ca).
  - The devices do not survive a reboot. M(railhead.cluster.rdma_host) creates them again at boot.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 5.14 or newer on the host
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  name:
    description:
      - Name of the RDMA device, unique over all network namespaces.
    type: str
    required: true
  type:
    description:
      - The driver. A network device takes one RDMA device of each type. Debian's kernels do not contain siw.
    type: str
    choices: [rxe, siw]
  netdev:
    description:
      - Network device in the host's own network namespace. For V(rxe) it must not be a VLAN.
    type: str
  state:
    description:
      - With V(absent) the device is deleted, in whichever network namespace it is. Hardware is refused, and so is a
        device in use, as the kernel would wait for its users.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: railhead.cluster.rdma_dev
  - module: railhead.cluster.rdma_host
"""

EXAMPLES = r"""
- name: Soft-RoCE on the bond
  railhead.cluster.rdma_link:
    name: rxe0
    type: rxe
    netdev: bond0

- name: No longer needed
  railhead.cluster.rdma_link:
    name: rxe0
    state: absent
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample: [[rdma, link, add, rxe0, type, rxe, netdev, bond0]]
link:
  description: >-
    The device as read last. O(netdev) is V(null) where it is not in the network namespace of the RDMA device.
  returned: success
  type: dict
  sample: {name: rxe0, state: present, type: rxe, netdev: bond0}
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.links import (
    Link,
    plan_link,
    plan_no_link,
    shown_link,
)
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.state import Rdma, observe_rdma


def build(params: Mapping[str, Any]) -> Task[Rdma]:
    name = params["name"]
    if params["state"] == "present":
        plan = partial(plan_link, want=Link(name, params["type"], params["netdev"]))
    else:
        plan = partial(plan_no_link, name=name)
    return Task(observe=observe_rdma, plan=plan, returns=lambda have: {"link": shown_link(have, name)})


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "type": {"type": "str", "choices": ["rxe", "siw"]},
            "netdev": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ("type", "netdev"))],
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
