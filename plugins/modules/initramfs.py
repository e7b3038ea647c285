#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: initramfs
short_description: Rebuild the initramfs when it is older than configuration files
version_added: 0.1.0
description:
  - Rebuilds the initramfs of the running kernel when one of the files was changed after it was built.
  - Unlike a handler it also does so in the run after one that was interrupted between the two.
  - Does nothing on a host without an initramfs.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - initramfs-tools on the host (Debian, Ubuntu)
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  files:
    description:
      - Absolute paths of the configuration files. One that does not exist counts as changed, so that check mode
        predicts the rebuild for a file that is still to be written.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Take the options of ib_core into the initramfs
  railhead.cluster.initramfs:
    files: [/etc/modprobe.d/railhead-rdma.conf]
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample: [[update-initramfs, -u, -k, 6.12.57+deb13-amd64]]
image:
  description: Path of the initramfs, V(null) on a host that has none.
  returned: success
  type: str
  sample: /boot/initrd.img-6.12.57+deb13-amd64
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._boot.initramfs import (
    Initramfs,
    absolute,
    observe_initramfs,
    plan_initramfs,
)
from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task


def build(params: Mapping[str, Any]) -> Task[Initramfs]:
    return Task(
        observe=partial(observe_initramfs, files=[absolute(path) for path in params["files"]]),
        plan=plan_initramfs,
        returns=lambda have: {"image": have.image},
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={"files": {"type": "list", "elements": "str", "required": True}},
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
