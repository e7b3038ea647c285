#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: server_rebuild
short_description: Bring a server of OpenStack to another image
version_added: 0.1.0
description:
  - Has Nova rebuild a server, which wipes its disk, unless it runs the image already. Ports, addresses, metadata and
    server groups stay; host keys do not.
  - A rebuild with the same image that is going on is waited for, and not asked for again. A server that ended in
    C(ERROR) is rebuilt, a stopped one is started too.
  - After an error of the cloud's own, or no answer, the server's state tells whether the call was taken; if not, it is
    made again, three times in all.
  - A server that boots from a volume is refused, as the cloud does not tell its image.
author: The railhead.cluster maintainers (@railhead)
extends_documentation_fragment:
  - railhead.cluster.attributes
  - railhead.cluster.openstack
  - railhead.cluster.openstack.rebuild
options:
  server:
    description:
      - Name or id of the server.
    type: str
    required: true
  image:
    description:
      - Name or id of the image. It must be active, and fit the server's size.
    type: str
    required: true
seealso:
  - module: railhead.cluster.baremetal_rebuild
  - module: railhead.cluster.server_host_keys_info
"""

EXAMPLES = r"""
- name: What would happen
  railhead.cluster.server_rebuild:
    cloud: site
    server: gpu-07
    image: debian-13-2026-11
  delegate_to: localhost
  check_mode: true
  diff: true

- name: Another image, and wait for it
  railhead.cluster.server_rebuild:
    cloud: site
    server: gpu-07
    image: debian-13-2026-11
    timeout: 2400
    progress: "{{ playbook_dir }}/gpu-07.jsonl"
  delegate_to: localhost
"""

RETURN = r"""
commands:
  description: The calls that were made, or would be made in check mode, as lists of words.
  returned: always
  type: list
  elements: list
  sample: [[rebuild, 0f6c1b3e-54e6-4a0b-9d0c-3b8a3b8f5d11, 7d0c6e0e-3f57-4b1c-a36c-1f1b7c1f4e60]]
image_before:
  description: Id of the image that the server had.
  returned: always
  type: str
  sample: 2a1f8d2c-bb0a-4a77-8f5f-0d0b3f3b8f01
image_after:
  description: Id of the image that was asked for.
  returned: always
  type: str
  sample: 7d0c6e0e-3f57-4b1c-a36c-1f1b7c1f4e60
states:
  description: The states that were seen while waiting, and after how many seconds.
  returned: always
  type: list
  elements: dict
  sample:
    - {state: REBUILD (rebuilding), seconds: 0.4}
    - {state: ACTIVE, seconds: 212.9}
seconds:
  description: Seconds that all of it took.
  returned: always
  type: float
  sample: 213.4
machine:
  description: The server as seen last.
  returned: success
  type: dict
  sample:
    id: 0f6c1b3e-54e6-4a0b-9d0c-3b8a3b8f5d11
    name: gpu-07
    state: ACTIVE
    image: 7d0c6e0e-3f57-4b1c-a36c-1f1b7c1f4e60
reason:
  description: >-
    What kind of a failure it was. V(conflict) is a lock or another operation, V(deadline) the end of O(timeout),
    V(node_error) a server that ended in C(ERROR), with Nova's fault in the message, V(cloud_error) an answer from 500
    on, V(no_answer) none at all; V(forbidden), V(quota), V(unauthorized), V(not_found), V(bad_request),
    V(configuration) and V(refused) are what they say.
  returned: failure
  type: str
  sample: conflict
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._openstack.module import (
    CLOUD_ARGUMENTS,
    WAIT_ARGUMENTS,
    connect,
    run_rebuild,
)
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.rebuild import Call, Image, Machine, Work
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.servers import (
    fitting,
    image_from,
    rebuildable,
    server_from,
)


def build(params: Mapping[str, Any]) -> Work:
    cloud = connect(params)

    def image(have: Machine) -> Image:
        rebuildable(have)
        found = cloud.image(params["image"])
        size = cloud.server(have.id).get("flavor") or {}
        fitting(have, found, int(size.get("disk") or 0), int(size.get("ram") or 0))
        return image_from(found, params["image"])

    def make(call: Call) -> None:
        if call.verb == "start":
            cloud.start_server(call.machine)
        else:
            cloud.rebuild_server(call.machine, call.detail)

    return Work(lambda: server_from(cloud.server(params["server"])), image, make)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CLOUD_ARGUMENTS,
            "server": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            **WAIT_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    run_rebuild(module, build)


if __name__ == "__main__":
    main()
