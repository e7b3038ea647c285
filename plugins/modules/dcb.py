#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dcb
short_description: Set the priorities, traffic classes and flow control of a port
version_added: 0.1.0
description:
  - Sets what C(dcb) of iproute2 manages of a port (Data Center Bridging, IEEE 802.1Q) - which packets have which
    priority, how traffic classes share the link, which priorities are paused instead of dropped, and the buffers.
  - It is one module, as these belong to one object of the kernel and depend on each other. What is not given is left as
    it is.
  - All of it is read by one process. Nothing of it is kept over a reboot, and drivers forget it when the port is made
    anew, as some do when the e-switch mode changes. M(railhead.cluster.roce_qos) sets it again.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 5.11 or newer with C(dcb) on the host, 6.2 or newer for drivers that are told what to trust
  - C(ethtool) on the host, where the global pause changes
  - a driver with DCB
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  port:
    description:
      - Network device or PCI address of the port. Bonds, VLANs, virtual functions and representors have no DCB of their
        own.
    type: str
    required: true
  trust:
    description:
      - Whether the priority of a received packet is that of its DSCP (V(dscp)) or of its VLAN tag (V(pcp)).
      - The mlx5 driver trusts DSCPs as soon as one is mapped, and VLAN tags when none is; V(pcp) therefore removes the
        mapping there. Other drivers are told by C(dcb apptrust).
    type: str
    choices: [dscp, pcp]
  dscp_prio:
    description:
      - Priorities (0 to 7) by DSCP (0 to 63). Others are left as they are; cards map them by their upper three bits.
    type: dict
  pfc:
    description:
      - The priorities that have priority flow control; none for an empty list.
      - The mlx5 driver takes the link down and up again when this changes.
    type: list
    elements: int
  ets:
    description:
      - The traffic classes, all at once. Each of the eight priorities is in one of them.
    type: list
    elements: dict
    suboptions:
      tc:
        description: Number of the class, 0 to 7. Among strict classes, a higher number goes first.
        type: int
        required: true
      tsa:
        description: V(strict) goes before all others, V(ets) shares what is left.
        type: str
        choices: [ets, strict]
        required: true
      priorities:
        description: The priorities in this class.
        type: list
        elements: int
        required: true
      bandwidth:
        description: Share in percent, of V(ets) classes only. Together they are 100.
        type: int
  buffers:
    description:
      - The receive buffers. Cards size them by themselves unless somebody sets this.
      - Cards round sizes to their cells, often 128 bytes; the module fails when a size is not taken as it is.
    type: dict
    suboptions:
      prio_buffer:
        description: The buffers (0 to 7) of the eight priorities.
        type: list
        elements: int
        required: true
      buffer_size:
        description: The sizes of the eight buffers in bytes.
        type: list
        elements: int
        required: true
  dcbx:
    description:
      - With V(host) the firmware of the card stops changing these settings by what the switch tells it (DCBX).
    type: str
    choices: [host]
  global_pause:
    description:
      - Whether the port sends and obeys pause frames of the whole link (C(ethtool -A)). It excludes PFC; where it is
        on, PFC is refused unless this is V(false).
    type: bool
  allow_port_traffic:
    description:
      - Consent to a change of O(pfc) or O(global_pause) on a port that has a link, which can go down for a moment.
    type: bool
    default: false
  allow_management:
    description:
      - The same for a port that the SSH connection of this run comes in over.
    type: bool
    default: false
seealso:
  - module: railhead.cluster.dcb_info
  - module: railhead.cluster.roce_qos
  - name: dcb(8)
    description: The manual of the tool.
    link: https://man7.org/linux/man-pages/man8/dcb.8.html
"""

EXAMPLES = r"""
- name: RoCE is priority 3, and not dropped
  railhead.cluster.dcb:
    port: "0000:08:00.0"
    trust: dscp
    dscp_prio: {26: 3, 48: 6}
    pfc: [3]
    global_pause: false
    dcbx: host
    allow_port_traffic: true

- name: Half of the link for it, and its notifications first
  railhead.cluster.dcb:
    port: ens1f0np0
    ets:
      - {tc: 0, tsa: ets, bandwidth: 50, priorities: [0, 1, 2, 4, 5, 7]}
      - {tc: 3, tsa: ets, bandwidth: 50, priorities: [3]}
      - {tc: 6, tsa: strict, priorities: [6]}
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample:
    - [dcb, app, replace, dev, ens1f0np0, dscp-prio, "26:3", "48:6"]
    - [ethtool, -A, ens1f0np0, rx, "off", tx, "off"]
    - [dcb, pfc, set, dev, ens1f0np0, prio-pfc, "all:off", "3:on"]
port:
  description: The settings as read last, in the words of the options. What the driver does not implement is V(null).
  returned: success
  type: dict
  sample:
    netdev: ens1f0np0
    trust: dscp
    dscp_prio: {"26": 3, "48": 6}
    pfc: [3]
    ets:
      - {tc: 0, tsa: ets, bandwidth: 50, priorities: [0, 1, 2, 4, 5, 7]}
      - {tc: 3, tsa: ets, bandwidth: 50, priorities: [3]}
      - {tc: 6, tsa: strict, priorities: [6]}
    buffers: {prio_buffer: [0, 0, 0, 1, 0, 0, 0, 0], buffer_size: [130944, 130944, 0, 0, 0, 0, 0, 0]}
    dcbx: [host, cee, ieee]
    global_pause: false
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.observe import observe_ports
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.plan import Consents, plan_dcb
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.ports import valid_port
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.request import (
    BUFFER_OPTIONS,
    CLASS_OPTIONS,
    NUMBERS,
    settings_from,
)
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.state import PortState, shown_port


def build(params: Mapping[str, Any]) -> Task[PortState]:
    port = valid_port(params["port"])
    want = settings_from({**params, "host_dcbx": params["dcbx"] == "host"})
    consents = Consents(params["allow_port_traffic"], params["allow_management"])
    return Task(
        observe=lambda host: observe_ports(host, [port])[port],
        plan=partial(plan_dcb, want=want, consents=consents),
        returns=lambda have: {"port": shown_port(have)},
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "port": {"type": "str", "required": True},
            "trust": {"type": "str", "choices": ["dscp", "pcp"]},
            "dscp_prio": {"type": "dict"},
            "pfc": NUMBERS,
            "ets": {"type": "list", "elements": "dict", "options": CLASS_OPTIONS},
            "buffers": {"type": "dict", "options": BUFFER_OPTIONS},
            "dcbx": {"type": "str", "choices": ["host"]},
            "global_pause": {"type": "bool"},
            "allow_port_traffic": {"type": "bool", "default": False},
            "allow_management": {"type": "bool", "default": False},
        },
        required_one_of=[["trust", "dscp_prio", "pfc", "ets", "buffers", "dcbx", "global_pause"]],
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
