#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: roce_qos
short_description: Bring the RoCE QoS of a whole host into a state
version_added: 0.1.0
description:
  - Sets trust, DSCPs, priority flow control (PFC), traffic classes (ETS), buffers and congestion notification of all
    RoCE ports of a host alike, and what the RDMA connection manager uses for connections of its RDMA devices.
  - All of it is read at once and planned before the first change. What is not given is left alone.
  - On ports with PFC the global pause is switched off, as it excludes PFC, and where the driver knows DCBX the host
    takes it over from the firmware, which would change these settings.
  - The same options as a JSON document are what the program of M(railhead.cluster.node_program) applies at boot.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 5.11 or newer with C(dcb), or C(mlnx_qos), on the host, for ports
  - C(ethtool) on the host, where the global pause changes
  - the module C(rdma_cm) loaded on the host and configfs mounted, for RDMA devices
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  provider:
    description:
      - V(dcb) of iproute2 is for the drivers of the kernel, V(mlnx_qos) for those of DOCA-OFED and MLNX_OFED.
    type: str
    choices: [dcb, mlnx_qos]
    default: dcb
  ports:
    description:
      - Network devices or PCI addresses of ports. Of a bond, all of its ports, and not the bond.
    type: list
    elements: str
    default: []
  trust:
    description:
      - Whether the priority of a received packet is that of its DSCP (V(dscp)) or of its VLAN tag (V(pcp)).
    type: str
    choices: [dscp, pcp]
  dscp_prio:
    description:
      - Priorities by DSCP, as with M(railhead.cluster.dcb).
    type: dict
  pfc:
    description:
      - The priorities that have PFC; none for an empty list.
    type: list
    elements: int
  ets:
    description:
      - The traffic classes, as with M(railhead.cluster.dcb).
    type: list
    elements: dict
    suboptions:
      tc:
        description: Number of the class, 0 to 7.
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
      - The receive buffers, as with M(railhead.cluster.dcb).
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
  ecn:
    description:
      - The priorities whose congestion is notified and reacted to (DCQCN), with O(provider=mlnx_qos). With the kernel's
        own driver only the firmware has a switch for this.
    type: list
    elements: int
  cnp_dscp:
    description:
      - DSCP of congestion notification packets (CNPs).
    type: int
  cnp_priority:
    description:
      - Priority of CNPs. It must have no PFC, and must be that of O(cnp_dscp).
    type: int
  rdma_devices:
    description:
      - RDMA devices that O(cma_mode), O(cma_tos) and O(traffic_class) are for, on all of their ports.
    type: list
    elements: str
    default: []
  cma_mode:
    description:
      - RoCE version of connections, as O(railhead.cluster.rdma_cm#module:mode).
    type: str
    choices: [RoCE v2, IB/RoCE v1]
  cma_tos:
    description:
      - ToS of connections, as O(railhead.cluster.rdma_cm#module:tos). Its DSCP must be one whose priority has PFC, if
        any has.
    type: int
  traffic_class:
    description:
      - ToS of all connections, also of programs that do not use the connection manager, with O(provider=mlnx_qos).
    type: int
  expected_devices:
    description:
      - RDMA devices that are not there yet and that somebody else will have made by the time the steps are taken. They
        are planned as the kernel makes them.
    type: list
    elements: str
    default: []
  expect_rdma_cm:
    description:
      - The same for the module C(rdma_cm), when it is not loaded yet.
    type: bool
    default: false
  allow_port_traffic:
    description:
      - Consent to a change of PFC or of the global pause on ports that have a link, which can go down for a moment.
    type: bool
    default: false
  allow_management:
    description:
      - The same for a port that the SSH connection of this run comes in over.
    type: bool
    default: false
seealso:
  - module: railhead.cluster.dcb
  - module: railhead.cluster.dcb_info
  - module: railhead.cluster.node_program
  - module: railhead.cluster.rdma_cm
"""

EXAMPLES = r"""
- name: Two lossless ports
  railhead.cluster.roce_qos:
    ports: ["0000:08:00.0", "0000:08:00.1"]
    trust: dscp
    dscp_prio: {26: 3, 48: 6}
    pfc: [3]
    ets:
      - {tc: 0, tsa: ets, bandwidth: 50, priorities: [0, 1, 2, 4, 5, 7]}
      - {tc: 3, tsa: ets, bandwidth: 50, priorities: [3]}
      - {tc: 6, tsa: strict, priorities: [6]}
    cnp_dscp: 48
    cnp_priority: 6
    rdma_devices: [mlx5_0, mlx5_1]
    cma_mode: RoCE v2
    cma_tos: 106
    allow_port_traffic: true

- name: Soft-RoCE, which has no ports
  railhead.cluster.roce_qos:
    rdma_devices: [rxe0]
    cma_tos: 106
"""

RETURN = r"""
commands:
  description: >-
    The steps that were taken, or would be taken in check mode. C(write) stands for writing its last word to a file,
    C(mkdir) and C(rmdir) for creating and removing a directory, all others are argument lists.
  returned: always
  type: list
  elements: list
  sample:
    - [dcb, app, replace, dev, ens1f0np0, dscp-prio, "26:3", "48:6"]
    - [dcb, pfc, set, dev, ens1f0np0, prio-pfc, "all:off", "3:on"]
    - [mkdir, /sys/kernel/config/rdma_cm/mlx5_0]
    - [write, /sys/kernel/config/rdma_cm/mlx5_0/ports/1/default_roce_tos, "106"]
    - [rmdir, /sys/kernel/config/rdma_cm/mlx5_0]
host:
  description: The ports and RDMA devices that were asked for, as read last. What a driver does not have is V(null).
  returned: success
  type: dict
  sample:
    ports:
      - port: "0000:08:00.0"
        netdev: ens1f0np0
        trust: dscp
        dscp_prio: {"26": 3, "48": 6}
        pfc: [3]
        ets:
          - {tc: 0, tsa: ets, bandwidth: 50, priorities: [0, 1, 2, 4, 5, 7]}
          - {tc: 3, tsa: ets, bandwidth: 50, priorities: [3]}
          - {tc: 6, tsa: strict, priorities: [6]}
        buffers: null
        dcbx: [host, cee, ieee]
        global_pause: false
        cnp_dscp: 48
        cnp_priority: 6
        ecn: null
    rdma_devices:
      - {device: mlx5_0, ports: [{port: 1, mode: RoCE v2, tos: 106}], traffic_class: null}
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.plan import Consents
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.request import (
    BUFFER_OPTIONS,
    CLASS_OPTIONS,
    NUMBERS,
)
from ansible_collections.railhead.cluster.plugins.module_utils._qos.document import KEYS, PROVIDERS, load_document
from ansible_collections.railhead.cluster.plugins.module_utils._qos.host_state import (
    QosState,
    observe_qos,
    plan_qos,
    shown_qos,
)
from ansible_collections.railhead.cluster.plugins.module_utils._rdma_cm.defaults import MODES

NAMES = {"type": "list", "elements": "str", "default": []}


def build(params: Mapping[str, Any]) -> Task[QosState]:
    want = load_document({key: params[key] for key in KEYS})
    return Task(
        observe=partial(observe_qos, want=want),
        plan=partial(
            plan_qos,
            want=want,
            consents=Consents(params["allow_port_traffic"], params["allow_management"]),
            expected_devices=params["expected_devices"],
            expect_rdma_cm=params["expect_rdma_cm"],
        ),
        returns=lambda have: {"host": shown_qos(have, want)},
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "provider": {"type": "str", "choices": list(PROVIDERS), "default": PROVIDERS[0]},
            "ports": NAMES,
            "trust": {"type": "str", "choices": ["dscp", "pcp"]},
            "dscp_prio": {"type": "dict"},
            "pfc": NUMBERS,
            "ets": {"type": "list", "elements": "dict", "options": CLASS_OPTIONS},
            "buffers": {"type": "dict", "options": BUFFER_OPTIONS},
            "ecn": NUMBERS,
            "cnp_dscp": {"type": "int"},
            "cnp_priority": {"type": "int"},
            "rdma_devices": NAMES,
            "cma_mode": {"type": "str", "choices": list(MODES)},
            "cma_tos": {"type": "int"},
            "traffic_class": {"type": "int"},
            "expected_devices": NAMES,
            "expect_rdma_cm": {"type": "bool", "default": False},
            "allow_port_traffic": {"type": "bool", "default": False},
            "allow_management": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
