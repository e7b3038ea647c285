#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: devlink_param
short_description: Set a devlink parameter of a device
version_added: 0.1.0
description:
  - Sets one parameter in one configuration mode. A V(runtime) value counts at once, a V(driverinit) one after a reload
    of the device, a V(permanent) one after a reset of its firmware.
  - The kernel shows a V(driverinit) value as soon as it is set, and does not tell the one that is in force. So only the
    run that changes the value can know that a reload is due. It says so with RV(reload_required), or reloads
    with O(reload).
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 with C(devlink) on the host
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  device:
    description:
      - The devlink device, for example V(pci/0000:08:00.0), or the name of the port's network device.
    type: str
    required: true
  name:
    description:
      - Name of the parameter.
    type: str
    required: true
  value:
    description:
      - The value, of the type that the parameter has, which is a boolean, a number or a word.
    type: raw
    required: true
  cmode:
    description:
      - The configuration mode that the value is set in. It may be left out when the parameter has only one.
    type: str
    choices: [runtime, driverinit, permanent]
  reload:
    description:
      - Whether to reload the device when a V(driverinit) value has changed. O(device) must be a devlink device then.
      - A value that was set earlier, without a reload, does not lead to one.
    type: bool
    default: false
  allow_reload:
    description:
      - Consent to the reload. It removes the network and RDMA devices and makes them anew, possibly with other names,
        removes the virtual functions, and puts the e-switch back to V(legacy) mode.
    type: bool
    default: false
  allow_management:
    description:
      - Consent to the reload of a device that the SSH connection of this run comes in over. The connection can end
        then.
    type: bool
    default: false
seealso:
  - module: railhead.cluster.devlink_eswitch
  - module: railhead.cluster.devlink_info
"""

EXAMPLES = r"""
- name: Steer flows in software
  railhead.cluster.devlink_param:
    device: pci/0000:08:00.0
    name: flow_steering_mode
    value: smfs
    cmode: runtime

- name: No RoCE, at once
  railhead.cluster.devlink_param:
    device: pci/0000:08:00.0
    name: enable_roce
    value: false
    cmode: driverinit
    reload: true
    allow_reload: true
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample:
    - [devlink, dev, param, set, "pci/0000:08:00.0", name, enable_roce, value, "false", cmode, driverinit]
    - [devlink, dev, reload, "pci/0000:08:00.0"]
param:
  description: The parameter as read last, by configuration mode.
  returned: success
  type: dict
  sample: {driverinit: false}
reload_required:
  description: Whether this run has set a value, or would set one in check mode, that waits for a reload of the device.
  returned: success
  type: bool
  sample: false
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Plan
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.params import (
    Params,
    awaits_reload,
    observe_params,
    plan_param,
    want_from,
)


def build(params: Mapping[str, Any]) -> Task[Params]:
    want = want_from(params)
    plans: list[Plan] = []

    def plan(have: Params) -> Plan:
        # The kernel does not tell what waits for a reload; only the first plan of this run does.
        plans.append(plan_param(have, want))
        return plans[-1]

    return Task(
        observe=partial(observe_params, device=want.device),
        plan=plan,
        returns=lambda have: {"param": dict(have.values[want.name]), "reload_required": awaits_reload(plans[0])},
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "device": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "value": {"type": "raw", "required": True},
            "cmode": {"type": "str", "choices": ["runtime", "driverinit", "permanent"]},
            "reload": {"type": "bool", "default": False},
            "allow_reload": {"type": "bool", "default": False},
            "allow_management": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
