#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_tuning
short_description: Set the running kernel's sysctls, frequency governor and huge pages
version_added: 0.1.0
description:
  - Writes to files of the kernel what is not there already, and refuses what this kernel does not have or offer. What
    is not given is left as it is.
  - Nothing of it is stored. The role P(railhead.cluster.host_tuning#role) stores the same for the next boot.
author: The railhead.cluster maintainers (@railhead)
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  sysctls:
    description:
      - Values of sysctls by name, with dots, or with slashes where a part of the name has dots.
      - A value that a file of C(sysctl.d) sets otherwise after C(90-railhead.conf) is refused, since the next boot
        would undo it.
    type: dict
    default: {}
  governor:
    description:
      - How the frequency of all processors is chosen, one of those that their driver offers, such as V(performance).
    type: str
  transparent_hugepages:
    description:
      - Whether programs get huge pages without asking, V(always), only where they say that they like them, V(madvise),
        or not at all.
    type: str
    choices: [always, madvise, never]
  hugepages:
    description:
      - Huge pages for programs that ask for them by name, allocated now. Where memory is too fragmented the run fails
        and says how many there are; M(railhead.cluster.kernel_args) sets them aside at boot.
    type: list
    elements: dict
    default: []
    suboptions:
      size:
        description: Size of a page, such as V(2M) or V(1G).
        type: str
        required: true
      count:
        description: Number of pages. With V(0) all are given back that nobody uses.
        type: int
        required: true
      node:
        description: NUMA node. Without it the kernel spreads them over all nodes.
        type: int
seealso:
  - module: railhead.cluster.kernel_args
"""

EXAMPLES = r"""
- name: No moving of pages between NUMA nodes, full clock, 2 GiB of huge pages beside the NIC
  railhead.cluster.kernel_tuning:
    sysctls:
      kernel.numa_balancing: 0
    governor: performance
    hugepages:
      - {size: 2M, count: 1024, node: 0}
"""

RETURN = r"""
commands:
  description: >-
    The steps that were taken, or would be taken in check mode. C(write) stands for writing its last word to a file.
  returned: always
  type: list
  elements: list
  sample: [[write, /proc/sys/kernel/numa_balancing, "0"]]
settings:
  description: What was asked for, by file, as read last.
  returned: success
  type: dict
  sample: {/proc/sys/kernel/numa_balancing: "0"}
governor_modules:
  description: >-
    Drivers of the frequency that are modules of the kernel and not part of it, and so may appear late while the host
    boots.
  returned: success
  type: list
  elements: str
  sample: [acpi_cpufreq]
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._tuning.settings import (
    Settings,
    observe_settings,
    plan_settings,
    shown_settings,
    want_from,
)


def build(params: Mapping[str, Any]) -> Task[Settings]:
    want = want_from(params)
    return Task(
        observe=partial(observe_settings, want=want),
        plan=partial(plan_settings, want=want),
        returns=partial(shown_settings, want=want),
    )


def main() -> None:
    page = {
        "size": {"type": "str", "required": True},
        "count": {"type": "int", "required": True},
        "node": {"type": "int"},
    }
    module = AnsibleModule(
        argument_spec={
            "sysctls": {"type": "dict", "default": {}},
            "governor": {"type": "str"},
            "transparent_hugepages": {"type": "str", "choices": ["always", "madvise", "never"]},
            "hugepages": {"type": "list", "elements": "dict", "default": [], "options": page},
        },
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
