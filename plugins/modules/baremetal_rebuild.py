#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: baremetal_rebuild
short_description: Bring a node of Ironic to another image, without Nova
version_added: 0.1.0
description:
  - Has Ironic rebuild a node, which wipes its disk, unless it runs the image already. For Ironic on its own; where Nova
    has a server on the node, M(railhead.cluster.server_rebuild) is the way.
  - A node in maintenance is refused and left as it is. A conductor that has it reserved for a moment, to look at its
    power for example, is given a few tries to be done with it.
  - A rebuild that is going on with the same image is waited for. A node whose deployment failed is rebuilt.
author: The railhead.cluster maintainers (@railhead)
extends_documentation_fragment:
  - railhead.cluster.attributes
  - railhead.cluster.openstack
  - railhead.cluster.openstack.rebuild
options:
  node:
    description:
      - Name or id of the node.
    type: str
    required: true
  image:
    description:
      - What the node is told as C(image_source), an address such as V(https://images.example.com/node.qcow2) or the id
        of an image in Glance. It is compared word for word.
    type: str
    required: true
  checksum:
    description:
      - Checksum of the image, or the address of a file with it, where O(image) is an address.
    type: str
seealso:
  - module: railhead.cluster.server_rebuild
"""

EXAMPLES = r"""
- name: Another image for a node of a standalone Ironic
  railhead.cluster.baremetal_rebuild:
    cloud: ironic
    node: gpu-07
    image: https://images.example.com/debian-13-2026-11.qcow2
    checksum: https://images.example.com/debian-13-2026-11.qcow2.sha256
  delegate_to: localhost
"""

RETURN = r"""
commands:
  description: The calls that were made, or would be made in check mode, as lists of words.
  returned: always
  type: list
  elements: list
  sample: [[rebuild, 5a1d6a2f-6f6e-4d7b-8a43-7f7b2e2d7f10, "https://images.example.com/debian-13-2026-11.qcow2"]]
image_before:
  description: The image that the node had.
  returned: always
  type: str
  sample: https://images.example.com/debian-13-2026-06.qcow2
image_after:
  description: The image that was asked for.
  returned: always
  type: str
  sample: https://images.example.com/debian-13-2026-11.qcow2
states:
  description: The states that were seen while waiting, and after how many seconds.
  returned: always
  type: list
  elements: dict
  sample:
    - {state: deploying (to active), seconds: 0.2}
    - {state: active, seconds: 412.0}
seconds:
  description: Seconds that all of it took.
  returned: always
  type: float
  sample: 412.6
machine:
  description: The node as seen last.
  returned: success
  type: dict
  sample:
    id: 5a1d6a2f-6f6e-4d7b-8a43-7f7b2e2d7f10
    name: gpu-07
    state: active
    image: https://images.example.com/debian-13-2026-11.qcow2
reason:
  description: What kind of a failure it was, as M(railhead.cluster.server_rebuild) tells them apart.
  returned: failure
  type: str
  sample: conflict
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._openstack.baremetal import node_from, patch_for
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.module import (
    CLOUD_ARGUMENTS,
    WAIT_ARGUMENTS,
    connect,
    run_rebuild,
)
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.rebuild import Call, Image, Work


def build(params: Mapping[str, Any]) -> Work:
    cloud = connect(params)
    image = Image(params["image"], params["image"])

    def make(call: Call) -> None:
        if call.verb == "start":
            cloud.power_on_node(call.machine)
        else:
            cloud.patch_node(call.machine, patch_for(cloud.node(call.machine), image, params["checksum"]))
            cloud.provision_node(call.machine, "rebuild")

    return Work(lambda: node_from(cloud.node(params["node"])), lambda _have: image, make)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CLOUD_ARGUMENTS,
            "node": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            "checksum": {"type": "str"},
            **WAIT_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run_rebuild(module, build)


if __name__ == "__main__":
    main()
