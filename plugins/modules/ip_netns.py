#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ip_netns
short_description: Manage named network namespaces
version_added: 0.1.0
description:
  - Creates and deletes the named network namespaces of C(ip netns).
  - A name that is left in C(/run/netns) without a namespace behind it is cleared first.
  - Namespaces do not survive a reboot. M(railhead.cluster.rdma_host) creates them again at boot.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 on the host
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  name:
    description:
      - Name of the namespace, one word without a slash.
    type: str
    required: true
  state:
    description:
      - With V(absent) the namespace is deleted, also while processes are in it; it lives on without a name until the
        last of them ends. Physical network devices in it go back to the host then, virtual ones are destroyed.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: railhead.cluster.ip_link
  - module: railhead.cluster.rdma_dev
"""

EXAMPLES = r"""
- name: A namespace for the first GPU
  railhead.cluster.ip_netns:
    name: gpu0

- name: No longer needed
  railhead.cluster.ip_netns:
    name: gpu0
    state: absent
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample: [[ip, netns, add, gpu0]]
namespaces:
  description: Names of all live namespaces, as read last.
  returned: success
  type: list
  elements: str
  sample: [gpu0, gpu1]
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import (
    Namespaces,
    observe_names,
    plan_namespace,
    valid_name,
)


def build(params: Mapping[str, Any]) -> Task[Namespaces]:
    return Task(
        observe=observe_names,
        plan=partial(plan_namespace, name=valid_name(params["name"]), present=params["state"] == "present"),
        returns=lambda have: {"namespaces": list(have.names)},
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
