#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: devlink_eswitch
short_description: Manage the e-switch of a network card
version_added: 0.1.0
description:
  - Sets the mode of the switch that a card has inside. In V(switchdev) mode each virtual function (VF) has a
    representor on the host, which can be put into a bridge.
  - No driver may be bound to a VF of a PCI device when its card enters V(switchdev) mode. The module names those that
    are.
  - The mode is lost at a reboot, when the driver is loaded again and, with some drivers, when the last VF is removed.
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
  mode:
    description:
      - The mode of the e-switch.
    type: str
    choices: [legacy, switchdev]
  inline_mode:
    description:
      - How much of each frame's headers the card needs inline. ConnectX-4 and ConnectX-4 Lx need V(transport) before
        they enter V(switchdev) mode; later cards have V(none) only.
    type: str
    choices: [none, link, network, transport]
  encap_mode:
    description:
      - Whether the card can encapsulate tunnels.
    type: str
    choices: [none, basic]
  allow_mode_change:
    description:
      - Consent to a change of the mode while there are VFs, or while a representor is in a bridge. Without it, the
        module fails and names them.
    type: bool
    default: false
  allow_management:
    description:
      - Consent to changes on a card that the SSH connection of this run comes in over. The connection can end then.
    type: bool
    default: false
seealso:
  - module: railhead.cluster.devlink_info
  - module: railhead.cluster.sriov_vfs
"""

EXAMPLES = r"""
- name: Representors for the VFs, which have no driver yet
  railhead.cluster.devlink_eswitch:
    device: pci/0000:08:00.0
    mode: switchdev
    allow_mode_change: true
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample: [[devlink, dev, eswitch, set, "pci/0000:08:00.0", mode, switchdev]]
eswitch:
  description: The e-switch as read last. What its driver does not implement is V(null).
  returned: success
  type: dict
  sample: {device: "pci/0000:08:00.0", mode: switchdev, inline_mode: none, encap_mode: basic}
representors:
  description: The ports that stand for functions, as read last.
  returned: success
  type: list
  elements: dict
  sample: [{netdev: ens1f0npf0vf0, flavour: pcivf, pfnum: 0, vfnum: 0}]
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.eswitch import (
    Eswitch,
    observe_eswitch,
    plan_eswitch,
    shown_representors,
    shown_settings,
    want_from,
)


def build(params: Mapping[str, Any]) -> Task[Eswitch]:
    want = want_from(params)
    return Task(
        observe=partial(observe_eswitch, device=want.device),
        plan=partial(plan_eswitch, want=want),
        returns=lambda have: {"eswitch": shown_settings(have), "representors": shown_representors(have)},
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "device": {"type": "str", "required": True},
            "mode": {"type": "str", "choices": ["legacy", "switchdev"]},
            "inline_mode": {"type": "str", "choices": ["none", "link", "network", "transport"]},
            "encap_mode": {"type": "str", "choices": ["none", "basic"]},
            "allow_mode_change": {"type": "bool", "default": False},
            "allow_management": {"type": "bool", "default": False},
        },
        required_one_of=[("mode", "inline_mode", "encap_mode")],
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
