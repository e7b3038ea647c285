#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mstconfig_info
short_description: Read the firmware settings of Mellanox and NVIDIA network cards
version_added: 0.1.0
description:
  - Returns the physical functions of the cards of a host with their firmware settings, the default one, the one in
    force and that for the next boot. All cards are read at the same time.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - mstflint on the host, for the settings
extends_documentation_fragment:
  - railhead.cluster.attributes.info
options:
  devices:
    description:
      - PCI addresses of physical functions, or names of their network devices. By default, all that the host has.
    type: list
    elements: str
    default: []
  keys:
    description:
      - Names of settings, an element of an array as C(NAME[0]). By default, all that the card has, which takes longer.
      - A name that a card does not have is not among its settings.
    type: list
    elements: str
    default: []
seealso:
  - module: railhead.cluster.mstconfig
"""

EXAMPLES = r"""
- name: Read what is set for virtual functions
  railhead.cluster.mstconfig_info:
    keys: [SRIOV_EN, NUM_OF_VFS]
  register: firmware

- name: Name the functions whose number of virtual functions waits for a reset
  ansible.builtin.debug:
    msg: "{{ item.address }}"
  loop: "{{ firmware.devices }}"
  when: item.settings.NUM_OF_VFS.current != item.settings.NUM_OF_VFS.next_boot
"""

RETURN = r"""
installed:
  description: Whether mstconfig is installed. Without it, all settings are empty.
  returned: success
  type: bool
  sample: true
lockdown:
  description: The kernel's lockdown, V(none), V(integrity) or V(confidentiality). The last two can keep mstconfig out.
  returned: success
  type: str
  sample: none
devices:
  description: The physical functions.
  returned: success
  type: list
  elements: dict
  contains:
    device:
      description: The device as in O(devices), or its address.
      type: str
      sample: ens1f0np0
    address:
      description: PCI address.
      type: str
      sample: "0000:08:00.0"
    netdevs:
      description: Its network devices.
      type: list
      elements: str
      sample: [ens1f0np0]
    settings:
      description: Settings by name, in the words of mstconfig. V(null) is what the firmware does not tell.
      type: dict
      sample:
        NUM_OF_VFS: {default: "0", current: "4", next_boot: "8", read_only: false}
        SRIOV_EN: {default: False(0), current: True(1), next_boot: True(1), read_only: false}
"""

from functools import partial

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import run_read
from ansible_collections.railhead.cluster.plugins.module_utils._firmware.observe import read_info


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "devices": {"type": "list", "elements": "str", "default": []},
            "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        },
        supports_check_mode=True,
    )
    run_read(module, partial(read_info, devices=module.params["devices"], keys=module.params["keys"]))


if __name__ == "__main__":
    main()
