#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: server_host_keys_info
short_description: Read the SSH host keys of a server from its console, through the cloud
version_added: 0.1.0
description:
  - Reads the keys that cloud-init prints to the console at the first boot. They come through the cloud's API, so
    whoever sits between the controller and the server cannot put keys of their own in their place, as they could where
    keys are taken from the first connection.
  - Waits until the keys are there. Keys that are known from before a rebuild are not taken for new ones.
author: The railhead.cluster maintainers (@railhead)
extends_documentation_fragment:
  - railhead.cluster.attributes.info
  - railhead.cluster.openstack
options:
  server:
    description:
      - Name or id of the server.
    type: str
    required: true
  not_keys:
    description:
      - Keys, each as V(type base64), that the server had before. While the console shows one of them, its new ones are
        waited for.
    type: list
    elements: str
    default: []
  timeout:
    description:
      - Seconds to wait for keys; with V(0.0) only what is there counts.
    type: float
    default: 600.0
  poll:
    description:
      - Seconds between two looks.
    type: float
    default: 5.0
  lines:
    description:
      - How many lines of the console's end are read. A boot that says much needs more.
    type: int
    default: 2000
seealso:
  - module: railhead.cluster.server_rebuild
  - module: ansible.builtin.known_hosts
"""

EXAMPLES = r"""
- name: The keys of a new server
  railhead.cluster.server_host_keys_info:
    cloud: site
    server: gpu-07
  delegate_to: localhost
  register: found

- name: Trust them
  ansible.builtin.known_hosts:
    name: 192.0.2.17
    key: "{{ found.keys | map('regex_replace', '^', '192.0.2.17 ') | join('\n') }}"
  delegate_to: localhost
"""

RETURN = r"""
host_keys:
  description: The host keys, each as type and base64.
  returned: success
  type: list
  elements: str
  sample: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBvX0yG0oX0m1oRr7d2c6wZ4N2bKkHk3mM9w2m3m3m3m"]
reason:
  description: What kind of a failure it was, as M(railhead.cluster.server_rebuild) tells them apart.
  returned: failure
  type: str
  sample: deadline
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._openstack.cloud import Cloud, Time
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.console import host_keys
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.module import CLOUD_ARGUMENTS, run_info
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.refusals import CloudError


def read(cloud: Cloud, params: Mapping[str, Any]) -> Mapping[str, Any]:
    clock = Time()
    end = clock.now() + params["timeout"]
    server = cloud.server(params["server"])
    while True:
        keys = host_keys(cloud.console(server["id"], params["lines"]))
        if keys and not set(keys) & set(params["not_keys"]):
            return {"host_keys": list(keys)}
        if clock.now() >= end:
            found = "shows the keys of before only" if keys else "shows no SSH host keys"
            raise CloudError(
                f"Cannot learn the host keys of the server {server['name']}, after {params['timeout']:.0f} s its "
                f"console {found}. See that cloud-init runs in the image and prints them (ssh: emit_keys_to_console), "
                "or trust a host key by other means.",
                "deadline",
            )
        clock.sleep(params["poll"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CLOUD_ARGUMENTS,
            "server": {"type": "str", "required": True},
            "not_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "timeout": {"type": "float", "default": 600.0},
            "poll": {"type": "float", "default": 5.0},
            "lines": {"type": "int", "default": 2000},
        },
        supports_check_mode=True,
    )
    run_info(module, lambda cloud: read(cloud, module.params))


if __name__ == "__main__":
    main()
