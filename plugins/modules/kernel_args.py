#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_args
short_description: Have the kernel booted with arguments
version_added: 0.1.0
description:
  - Stores arguments for the kernel in a file of its own beside those of the boot loader, has the boot loader's
    configuration made anew, and says whether the running kernel has them already. It never reboots.
  - For GRUB the file is C(/etc/default/grub.d/90-railhead.cfg), and the arguments are those of all entries but the ones
    for recovery. For systemd-boot, or whatever else starts what C(kernel-install) prepares, it is
    C(/etc/kernel/install.d/95-railhead.install), which adds to each entry when it is written.
  - All arguments that this collection stores are those of one task. What is no longer given goes again, and files of
    others are never changed.
  - Arguments are compared as the kernel reads them, with quotes and with the last one of a name counting. C(hugepagesz)
    and C(hugepages) count as a sequence.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - GRUB with C(update-grub) as on Debian and Ubuntu, or C(kernel-install) with C(/etc/kernel/cmdline)
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  arguments:
    description:
      - The arguments, one an entry, as V(name) or V(name=value). A value with blanks has double quotes around it.
      - Those that boot loaders set themselves, such as C(root), are refused, and so are characters that a boot loader
        would interpret.
    type: list
    elements: str
    default: []
  iommu:
    description:
      - With V(passthrough), what this processor's kernel needs for an IOMMU that is there for virtual functions and
        virtual machines, and does not translate for devices of the host itself. This is C(intel_iommu=on iommu=pt) for
        Intel, C(iommu=pt) for AMD, whose IOMMU is always on, and C(iommu.passthrough=1) for ARM.
    type: str
    choices: [passthrough]
  hugepages:
    description:
      - Huge pages that are set aside when the kernel starts, when memory is not fragmented yet.
    type: list
    elements: dict
    default: []
    suboptions:
      size:
        description: Size of a page, such as V(2M) or V(1G).
        type: str
        required: true
      count:
        description: Number of pages.
        type: int
        required: true
      node:
        description: NUMA node, from Linux 5.16 on. Without it the kernel spreads them over all nodes.
        type: int
  boot_loader:
    description:
      - V(auto) is what the running kernel was started by. systemd-boot and newer versions of GRUB say so in an EFI
        variable, and GRUB names the kernel's file in C(/proc/cmdline).
    type: str
    choices: [auto, grub, kernel-install]
    default: auto
seealso:
  - module: railhead.cluster.kernel_tuning
"""

EXAMPLES = r"""
- name: IOMMU for virtual functions, four pages of 1 GiB on each of two nodes, and one more argument
  railhead.cluster.kernel_args:
    iommu: passthrough
    hugepages:
      - {size: 1G, count: 4, node: 0}
      - {size: 1G, count: 4, node: 1}
    arguments: [pcie_aspm=off]
  register: boot

- name: Say what is to be done
  ansible.builtin.debug:
    msg: "A reboot adds {{ boot.pending.add | join(' ') }}"
  when: boot.reboot_required
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample:
    - - install
      - /etc/default/grub.d/90-railhead.cfg
      - sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    - [update-grub]
boot_loader:
  description: The boot loader that the arguments are stored for, V(null) when there is none.
  returned: success
  type: str
  sample: grub
running:
  description: The arguments of the running kernel.
  returned: success
  type: list
  elements: str
  sample: [BOOT_IMAGE=/boot/vmlinuz-6.12.57+deb13-amd64, root=/dev/sda1, ro, quiet]
stored:
  description: The arguments that are stored, as read last.
  returned: success
  type: list
  elements: str
  sample: [intel_iommu=on, iommu=pt]
next:
  description: All arguments of the next boot, after the steps.
  returned: success
  type: list
  elements: str
  sample: [root=/dev/sda1, ro, quiet, intel_iommu=on, iommu=pt]
pending:
  description: >-
    The arguments that the next boot adds and those that it removes, after the steps. Only arguments that this module
    stores or has stored are looked at.
  returned: success
  type: dict
  sample: {add: [intel_iommu=on, iommu=pt], remove: []}
reboot_required:
  description: Whether RV(pending) names an argument.
  returned: success
  type: bool
  sample: true
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._boot.arguments import (
    Boot,
    observe_boot,
    plan_boot,
    shown_boot,
    shown_plan,
    want_from,
)
from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task


def build(params: Mapping[str, Any]) -> Task[Boot]:
    want = want_from(params)
    return Task(
        observe=partial(observe_boot, want=want),
        plan=partial(plan_boot, want=want),
        returns=shown_boot,
        returns_of_plan=shown_plan,
    )


def main() -> None:
    page = {
        "size": {"type": "str", "required": True},
        "count": {"type": "int", "required": True},
        "node": {"type": "int"},
    }
    module = AnsibleModule(
        argument_spec={
            "arguments": {"type": "list", "elements": "str", "default": []},
            "iommu": {"type": "str", "choices": ["passthrough"]},
            "hugepages": {"type": "list", "elements": "dict", "default": [], "options": page},
            "boot_loader": {"type": "str", "choices": ["auto", "grub", "kernel-install"], "default": "auto"},
        },
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
