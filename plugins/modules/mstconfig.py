#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mstconfig
short_description: Set the firmware settings of Mellanox and NVIDIA network cards
version_added: 0.1.0
description:
  - Sets what a card keeps over power cycles, such as the number of its virtual functions, for several cards in one
    call. Cards answer in seconds, so they are all read, set and reset at the same time.
  - A setting counts as there when the card will have it at its next boot. It is in force after a reset of the card's
    firmware (O(reset)) or a boot of the host.
  - Values are compared as numbers where they have one, so 8 is neither 18 nor 80, and V(true), V(True) and V(1) are
    one value.
  - The limits of a card are known to the card only. A value beyond them is refused in its own words when it is set,
    before anything of this card has changed; check mode cannot foresee that.
  - Where mstflint is not installed yet, which check mode can see, every setting counts as one to change.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - mstflint on the host, and pciutils for O(reset)
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  devices:
    description:
      - The cards, each by one of its physical functions.
      - Settings such as C(NUM_OF_VFS) are those of the whole card and need one entry a card; those whose names begin
        with C(PF_) are of one function.
    type: list
    elements: dict
    required: true
    suboptions:
      device:
        description:
          - PCI address of a physical function, such as V(0000:08:00.0), or the name of its network device.
          - A change of the link type needs the address, as it takes the network device away.
        type: str
        required: true
      settings:
        description:
          - Names and values of settings, as C(mstconfig -d DEVICE query) shows them. An element of an array goes by
            C(NAME[0]). What is not named stays as it is.
        type: dict
        required: true
  reset:
    description:
      - Whether to reset the firmware of the cards whose wanted settings are not in force, by C(mstfwreset --level 3).
      - Firmware that does not tell which settings are in force is reset when this run changes one.
      - The tool refuses to work in virtual machines, while C(opensm) runs on the host, and with Secure Boot on some
        cards.
    type: bool
    default: false
  allow_reset:
    description:
      - Consent to the reset. The network and RDMA devices of the card go away and come back, its virtual functions
        are gone, and the e-switch is in V(legacy) mode afterwards.
    type: bool
    default: false
  allow_management:
    description:
      - Consent to a reset, or to another link type, of the card that the SSH connection of this run comes in over.
    type: bool
    default: false
seealso:
  - module: railhead.cluster.mstconfig_info
  - module: railhead.cluster.devlink_param
"""

EXAMPLES = r"""
- name: Eight virtual functions on each port of two cards, from the next boot on
  railhead.cluster.mstconfig:
    devices:
      - device: "0000:08:00.0"
        settings: {SRIOV_EN: true, NUM_OF_VFS: 8}
      - device: "0000:83:00.0"
        settings: {SRIOV_EN: true, NUM_OF_VFS: 8}

- name: Both ports as Ethernet, at once, on a host that is drained
  railhead.cluster.mstconfig:
    devices:
      - device: "0000:08:00.0"
        settings: {LINK_TYPE_P1: ETH, LINK_TYPE_P2: ETH}
    reset: true
    allow_reset: true
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample:
    - [mstconfig, -d, "0000:08:00.0", -y, set, SRIOV_EN=1, NUM_OF_VFS=8]
    - [mstfwreset, --device, "0000:08:00.0", --level, "3", --yes, reset]
devices:
  description: The devices as read last, in the order of O(devices).
  returned: success
  type: list
  elements: dict
  contains:
    device:
      description: The device as in O(devices[].device).
      type: str
      sample: ens1f0np0
    address:
      description: PCI address of its function.
      type: str
      sample: "0000:08:00.0"
    settings:
      description: >-
        The settings that were asked for, in the words of mstconfig. V(null) is what the firmware does not tell.
      type: dict
      sample:
        NUM_OF_VFS: {default: "0", current: "4", next_boot: "8", read_only: false}
        SRIOV_EN: {default: False(0), current: True(1), next_boot: True(1), read_only: false}
    reset_required:
      description: Whether a setting that was asked for waits for a reset or a boot after this run.
      type: bool
      sample: true
reset_required:
  description: Whether RV(devices[].reset_required) is true for any device.
  returned: success
  type: bool
  sample: true
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._firmware.observe import Firmware, observe_firmware
from ansible_collections.railhead.cluster.plugins.module_utils._firmware.plan import (
    FirmwarePlan,
    plan_firmware,
    shown_devices,
    want_from,
)


def build(params: Mapping[str, Any]) -> Task[Firmware]:
    want = want_from(params)
    plans: list[FirmwarePlan] = []

    def plan(have: Firmware) -> FirmwarePlan:
        # Old firmware does not tell what waits for a reset; only the first plan of this run does.
        plans.append(plan_firmware(have, want))
        return plans[-1]

    return Task(
        observe=partial(observe_firmware, keys=want.settings, addresses={}),
        plan=plan,
        returns=lambda have: {
            "devices": shown_devices(have, want, plans[0].waiting),
            "reset_required": bool(plans[0].waiting),
        },
    )


def main() -> None:
    entry = {"device": {"type": "str", "required": True}, "settings": {"type": "dict", "required": True}}
    module = AnsibleModule(
        argument_spec={
            "devices": {"type": "list", "elements": "dict", "required": True, "options": entry},
            "reset": {"type": "bool", "default": False},
            "allow_reset": {"type": "bool", "default": False},
            "allow_management": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
