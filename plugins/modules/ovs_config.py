#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ovs_config
short_description: Configure Open vSwitch as a whole
version_added: 0.1.0
description:
  - Sets keys of C(other_config) of the one record in the table C(Open_vSwitch), such as that for hardware offload, and
    starts Open vSwitch when it does not run.
  - C(ovs-vswitchd) reads some keys only when it starts. When one of these changes, it is stopped, the key is set, and
    it is started again. Other keys take effect without a restart.
  - A key that is set already counts as in effect, also when somebody has set it by hand and not restarted Open vSwitch.
  - What is set here is kept over reboots.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - Open vSwitch on the host, as units of systemd
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  hw_offload:
    description:
      - Whether flows are handed to the kernel's traffic control, and by it to cards that can take them.
      - A change restarts Open vSwitch.
    type: bool
  tc_policy:
    description:
      - Where the flows go when O(hw_offload=true). V(none) tries the card first and falls back to software, V(skip_sw)
        is the card only, V(skip_hw) is software only.
      - A change restarts Open vSwitch, unless offload is off.
    type: str
    choices: [none, skip_sw, skip_hw]
  other_config:
    description:
      - Further keys with their values, see the manual page C(ovs-vswitchd.conf.db). What is not named stays as it is.
      - With V(null) or an empty string as its value, a key is removed.
      - A change of a key that C(ovs-vswitchd) reads only at its start, such as C(n-offload-threads) or one that begins
        with C(dpdk-), restarts Open vSwitch.
    type: dict
  allow_restart:
    description:
      - Consent to a restart while there are bridges with ports, whose traffic is interrupted. Without it, the module
        fails and names them.
      - Services whose units require that of Open vSwitch, such as those of OVN, are stopped with it. Start them again
        afterwards.
    type: bool
    default: false
seealso:
  - module: railhead.cluster.ovs_bridge
  - module: railhead.cluster.devlink_eswitch
"""

EXAMPLES = r"""
- name: Hardware offload, before there is a bridge
  railhead.cluster.ovs_config:
    hw_offload: true
    tc_policy: none

- name: Keep idle flows for a minute, and have as many handlers as Open vSwitch likes
  railhead.cluster.ovs_config:
    other_config:
      max-idle: 60000
      n-handler-threads: null

- name: No offload, on a host that is drained
  railhead.cluster.ovs_config:
    hw_offload: false
    allow_restart: true
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample:
    - [systemctl, stop, ovs-vswitchd]
    - [systemctl, start, ovsdb-server]
    - [ovs-vsctl, "--timeout=60", "--no-wait", set, Open_vSwitch, ".", "other_config:hw-offload=true"]
    - [systemctl, start, ovs-vswitchd, openvswitch-switch]
open_vswitch:
  description: >-
    Open vSwitch as read last. While its database does not run, which check mode can see, C(other_config)
    is empty.
  returned: success
  type: dict
  sample:
    running: true
    version: 3.5.0
    other_config: {hw-offload: "true", tc-policy: none}
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.observe import Ovs, require_ovs
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.plan import plan_config, shown_config
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.request import config_from


def build(params: Mapping[str, Any]) -> Task[Ovs]:
    return Task(
        observe=require_ovs,
        plan=partial(plan_config, wanted=config_from(params), allow_restart=params["allow_restart"]),
        returns=lambda have: {"open_vswitch": {**shown_config(have), "version": have.version}},
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "hw_offload": {"type": "bool"},
            "tc_policy": {"type": "str", "choices": ["none", "skip_sw", "skip_hw"]},
            "other_config": {"type": "dict"},
            "allow_restart": {"type": "bool", "default": False},
        },
        required_one_of=[("hw_offload", "tc_policy", "other_config")],
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
