#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dcb_info
short_description: Read the priorities, traffic classes and flow control of ports
version_added: 0.1.0
description:
  - Returns the settings of M(railhead.cluster.dcb) of each port, with the counters of priority flow control.
  - It starts one process, however many ports there are.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 5.11 or newer with C(dcb) on the host
extends_documentation_fragment:
  - railhead.cluster.attributes.info
options:
  ports:
    description:
      - Network devices or PCI addresses. Without it, all network devices with DCB that have a device behind them.
    type: list
    elements: str
seealso:
  - module: railhead.cluster.dcb
"""

EXAMPLES = r"""
- name: Read all ports
  railhead.cluster.dcb_info:
  register: dcb

- name: Priority 3 is paused and not dropped, on each port
  ansible.builtin.assert:
    that: item.pfc == [3]
    fail_msg: "{{ item.netdev }} has PFC on {{ item.pfc }}"
  loop: "{{ dcb.ports }}"
"""

RETURN = r"""
ports:
  description: The ports. What the driver of one does not implement is V(null).
  returned: success
  type: list
  elements: dict
  contains:
    netdev:
      description: Name of the network device.
      type: str
      sample: ens1f0np0
    trust:
      description: Whether priorities come from DSCPs or from VLAN tags.
      type: str
      sample: dscp
    dscp_prio:
      description: Priorities by DSCP.
      type: dict
      sample: {"26": 3, "48": 6}
    pfc:
      description: Priorities with flow control.
      type: list
      elements: int
      sample: [3]
    ets:
      description: Traffic classes that have a priority.
      type: list
      elements: dict
      sample:
        - {tc: 0, tsa: ets, bandwidth: 50, priorities: [0, 1, 2, 4, 5, 7]}
        - {tc: 3, tsa: ets, bandwidth: 50, priorities: [3]}
        - {tc: 6, tsa: strict, priorities: [6]}
    buffers:
      description: Buffer of each priority, and size of each buffer in bytes.
      type: dict
      sample: {prio_buffer: [0, 0, 0, 1, 0, 0, 0, 0], buffer_size: [130944, 130944, 0, 0, 0, 0, 0, 0]}
    dcbx:
      description: Who changes these settings, and the versions of DCBX.
      type: list
      elements: str
      sample: [host, cee, ieee]
    global_pause:
      description: Whether pause frames of the whole link are sent or obeyed.
      type: bool
      sample: false
    pauses_sent:
      description: How often the port has paused its neighbour, by priority.
      type: list
      elements: int
      sample: [0, 0, 0, 17, 0, 0, 0, 0]
    pauses_received:
      description: How often the neighbour has paused the port, by priority.
      type: list
      elements: int
      sample: [0, 0, 0, 4711, 0, 0, 0, 0]
"""

from functools import partial

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import run_read
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.info import read_info


def main() -> None:
    module = AnsibleModule(argument_spec={"ports": {"type": "list", "elements": "str"}}, supports_check_mode=True)
    run_read(module, partial(read_info, ports=module.params["ports"]))


if __name__ == "__main__":
    main()
