#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_program
short_description: Install the program that applies this collection's state at boot
version_added: 0.1.0
description:
  - Packs the code that this collection's modules run on the host into one executable file, and installs it there.
  - What a playbook applied and what the host applies at boot are then the same code, and cannot drift.
  - The file needs the distribution's Python 3.9 or newer and nothing else.
author: The railhead.cluster maintainers (@railhead)
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  name:
    description:
      - The program. V(railhead-rdma) has the verbs C(plan) and C(apply) for the documents of
        M(railhead.cluster.rdma_host) in C(/etc/railhead/rdma.d).
      - V(railhead-fabric) has the verbs C(plan), C(apply) and C(show) for the document of M(railhead.cluster.fabric) in
        C(/etc/railhead/fabric.json), and C(confirm) and C(rollback) for a change that could cut the host off.
      - V(railhead-ipoib) has the verbs C(plan) and C(apply) for the document of M(railhead.cluster.ipoib) in
        C(/etc/railhead/ipoib/document.json).
      - V(railhead-qos) has the verbs C(plan), C(apply) and C(show) for the document of M(railhead.cluster.roce_qos) in
        C(/etc/railhead/qos/document.json).
    type: str
    choices: [railhead-rdma, railhead-fabric, railhead-ipoib, railhead-qos]
    default: railhead-rdma
  directory:
    description:
      - An existing directory on the host to install it in.
    type: path
    default: /usr/local/sbin
seealso:
  - module: railhead.cluster.rdma_host
  - module: railhead.cluster.fabric
  - module: railhead.cluster.ipoib
  - module: railhead.cluster.roce_qos
"""

EXAMPLES = r"""
- name: Install the boot program
  railhead.cluster.node_program:
    name: railhead-rdma
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode.
  returned: always
  type: list
  elements: list
  sample:
    - - install
      - /usr/local/sbin/railhead-rdma
      - sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
path:
  description: Where the program is.
  returned: success
  type: str
  sample: /usr/local/sbin/railhead-rdma
"""

import importlib
import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._program import fabric, ipoib, qos, rdma
from ansible_collections.railhead.cluster.plugins.module_utils._program.install import observe_file, plan_file
from ansible_collections.railhead.cluster.plugins.module_utils._program.zipapp import pack

PROGRAMS = {"railhead-rdma": rdma, "railhead-fabric": fabric, "railhead-ipoib": ipoib, "railhead-qos": qos}


def source_of(name: str) -> str:
    """Source of a module of this collection, which lies in a ZIP file while Ansible runs this one."""
    return inspect.getsource(importlib.import_module(name))


def build(params: Mapping[str, Any]) -> Task[str | None]:
    path = f"{params['directory']}/{params['name']}"
    content = pack(PROGRAMS[params["name"]].__name__, source_of)
    return Task(
        observe=partial(observe_file, path=path),
        plan=partial(plan_file, path=path, content=content),
        returns=lambda _have: {"path": path},
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "choices": list(PROGRAMS), "default": "railhead-rdma"},
            "directory": {"type": "path", "default": "/usr/local/sbin"},
        },
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
