#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ovs_bridge
short_description: Manage a bridge of Open vSwitch
version_added: 0.1.0
description:
  - Creates and deletes a bridge of Open vSwitch, and puts network devices into it as ports. The bridge and the ports
    that it is to have change in one transaction. Open vSwitch is started when it does not run.
  - A port that Open vSwitch cannot use, for example because its network device is in a bond, is an error that names it.
  - Bridges and ports are kept over reboots. A port whose network device comes later, such as a representor, is used as
    soon as that is there.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - Open vSwitch on the host, as units of systemd
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  name:
    description:
      - Name of the bridge, and of the network device by which the host itself is on it.
    type: str
    required: true
  state:
    description:
      - With V(absent) the bridge is deleted, with all of its ports.
    type: str
    choices: [present, absent]
    default: present
  ports:
    description:
      - The ports that the bridge has. Those that it has besides stay as they are.
      - A network device that is in another bridge is refused.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name of the network device, which is in the host's own namespace.
          - For a hardware bond this is a bond of the kernel, as made by M(railhead.cluster.ip_link).
        type: str
        required: true
      tag:
        description:
          - The VLAN of the port, from 1 to 4094. Its frames have no tag outside of the bridge.
          - Without it, the port is a trunk.
        type: int
      trunks:
        description:
          - The VLANs of a trunk, 0 for frames without a tag. Without it, a trunk carries all.
        type: list
        elements: int
  absent_ports:
    description:
      - Names of ports that the bridge does not have.
    type: list
    elements: str
  allow_management:
    description:
      - Consent to changes that concern the network device that the SSH connection of this run comes in over. The
        connection can end then.
    type: bool
    default: false
seealso:
  - module: railhead.cluster.ovs_config
  - module: railhead.cluster.devlink_eswitch
  - module: railhead.cluster.ip_link
"""

EXAMPLES = r"""
- name: A bridge of a bond and the representors of two VFs
  railhead.cluster.ovs_bridge:
    name: br0
    ports:
      - name: bond0
      - name: rail0_0
        tag: 100
      - name: rail0_1
        trunks: [101, 102]

- name: One of the VFs is no longer on it
  railhead.cluster.ovs_bridge:
    name: br0
    absent_ports: [rail0_1]

- name: No bridge
  railhead.cluster.ovs_bridge:
    name: br0
    state: absent
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample:
    - [ovs-vsctl, "--timeout=60", "--may-exist", add-br, br0, "--", "--may-exist", add-port, br0, bond0]
bridge:
  description: >-
    The bridge as read last, with all of its ports but that of the host. The C(error) of a port says why Open vSwitch
    cannot use a port, and is empty when it can.
  returned: success
  type: dict
  sample:
    name: br0
    state: present
    ports:
      - {name: bond0, tag: null, trunks: [], error: ""}
      - {name: rail0_0, tag: 100, trunks: [], error: ""}
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.observe import Switch, observe_switch
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.plan import plan_bridge, shown_bridge
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.request import absent_ports_from, bridge_from


def build(params: Mapping[str, Any]) -> Task[Switch]:
    want = bridge_from(params)
    return Task(
        observe=observe_switch,
        plan=partial(
            plan_bridge,
            want=want,
            absent_ports=absent_ports_from(params),
            allow_management=params["allow_management"],
        ),
        returns=lambda have: {"bridge": shown_bridge(have.ovs, want.name)},
    )


def main() -> None:
    port = {
        "name": {"type": "str", "required": True},
        "tag": {"type": "int"},
        "trunks": {"type": "list", "elements": "int"},
    }
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "ports": {"type": "list", "elements": "dict", "options": port},
            "absent_ports": {"type": "list", "elements": "str"},
            "allow_management": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
