#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: devlink_info
short_description: Read the devlink devices of a host
version_added: 0.1.0
description:
  - Returns each devlink device with its driver and firmware versions, its e-switch, its ports, its parameters and its
    health reporters.
  - It starts the same number of processes however many devices, ports and virtual functions there are.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 with C(devlink) on the host
extends_documentation_fragment:
  - railhead.cluster.attributes.info
seealso:
  - module: railhead.cluster.devlink_eswitch
  - module: railhead.cluster.devlink_param
  - module: railhead.cluster.node_info
"""

EXAMPLES = r"""
- name: Read the devlink devices
  railhead.cluster.devlink_info:
  register: devlink

- name: All reporters are healthy
  ansible.builtin.assert:
    that: item.health | rejectattr('state', 'eq', 'healthy') | length == 0
    fail_msg: "{{ item.device }} has a reporter that is not healthy"
  loop: "{{ devlink.devices }}"
"""

RETURN = r"""
devices:
  description: The devlink devices.
  returned: success
  type: list
  elements: dict
  contains:
    device:
      description: Bus and name of the device.
      type: str
      sample: pci/0000:08:00.0
    info:
      description: >-
        Driver, serial numbers and versions in the words of C(devlink dev info). A C(stored) version other than the
        C(running) one waits for a reset of the firmware.
      type: dict
      sample:
        driver: mlx5_core
        versions:
          fixed: {fw.psid: MT_0000000359}
          running: {fw.version: 22.35.3006}
          stored: {fw.version: 22.35.3006}
    eswitch:
      description: The e-switch, V(null) for a device without one. What its driver does not implement is V(null) in it.
      type: dict
      sample: {mode: switchdev, inline_mode: none, encap_mode: basic}
    params:
      description: The parameters, by name and by configuration mode. A C(driverinit) value may still wait for a reload.
      type: dict
      sample:
        enable_roce: {driverinit: true}
        flow_steering_mode: {runtime: smfs}
    ports:
      description: The ports. What a port does not have is V(null).
      type: list
      elements: dict
      sample:
        - handle: pci/0000:08:00.0/1
          type: eth
          netdev: ens1f0npf0vf0
          ibdev: null
          flavour: pcivf
          port: null
          controller: 0
          pfnum: 0
          vfnum: 0
          sfnum: null
          function: {hw_addr: "02:00:00:00:53:01"}
    health:
      description: The health reporters, those of a port with its handle.
      type: list
      elements: dict
      sample:
        - {reporter: fw, port: null, state: healthy, error: 0, recover: 0, auto_dump: true}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import run_read
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.info import read_info


def main() -> None:
    run_read(AnsibleModule(argument_spec={}, supports_check_mode=True), read_info)


if __name__ == "__main__":
    main()
