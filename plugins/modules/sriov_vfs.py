#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sriov_vfs
short_description: Manage the SR-IOV virtual functions of a port
version_added: 0.1.0
description:
  - Creates and removes the virtual functions (VFs) of a port, and sets what the port decides about each of them, such
    as its MAC address, VLAN and rate limits.
  - The kernel changes a number of VFs only by way of 0, which destroys all VFs. Those in use are found before that, and
    named. A VF counts as in use when its network device is in another network namespace, below another device, or up
    with an address, when processes use its RDMA device, when it is bound to C(vfio-pci), or when its representor is in
    a bridge.
  - On some cards a VF reads its MAC address and its GUIDs only when a driver is bound to it, so bind the driver again
    after a change of these.
  - While the e-switch of a card is in V(switchdev) mode, the number of VFs may be fixed, or a change may end the mode;
    use M(railhead.cluster.devlink_eswitch) to set V(legacy) first.
  - The number of VFs and their attributes are lost at a reboot.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 on the host
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  port:
    description:
      - The physical function, as the name of its network device or as its PCI address. The name of a netdevsim device
        is possible too.
    type: str
    required: true
  count:
    description:
      - The number of VFs. When not given, it stays as it is.
    type: int
  drivers_autoprobe:
    description:
      - Whether the kernel binds drivers to VFs that are created from now on. It is set before any is created.
      - With V(false), a driver can be bound to a VF only after its C(driver_override) is set.
      - When not given, the switch stays as it is.
    type: bool
  vfs:
    description:
      - Attributes of single VFs. What is not given stays as it is.
      - A VF may be in more than one entry, when each attribute is given once.
    type: list
    elements: dict
    suboptions:
      vf:
        description:
          - Number of the VF, from 0, or a range such as V(0-3) with both ends belonging to it.
        type: str
        required: true
      mac:
        description:
          - The MAC address of the VF.
          - With V(auto), it is a locally administered one that is made of the permanent address of the port and the
            number of the VF, so that it is the same on each run and after each reboot.
        type: str
      vlan:
        description:
          - The VLAN that the frames of the VF belong to, without the VF knowing. 0 is none.
        type: int
      qos:
        description:
          - The priority of these frames, from 0 to 7. It is 0 when O(vfs[].vlan) is given without it.
        type: int
      vlan_proto:
        description:
          - The kind of the VLAN tag. It is V(802.1Q) when O(vfs[].vlan) is given without it.
        type: str
        choices: ["802.1Q", "802.1ad"]
      spoofchk:
        description:
          - Whether frames with another source address than that of the VF are dropped.
        type: bool
      trust:
        description:
          - Whether the VF may ask for what concerns others, such as promiscuous mode or another MAC address.
          - A VF that is trusted can replace the address of O(vfs[].mac), which some drivers do when they are bound
            to it. The next run sets the address again.
        type: bool
      link_state:
        description:
          - What the VF sees as the state of its link. With V(auto) it is that of the port.
        type: str
        choices: [auto, enable, disable]
      min_tx_rate:
        description:
          - The rate in Mbit/s that the VF is guaranteed to send with, 0 for none.
        type: int
      max_tx_rate:
        description:
          - The rate in Mbit/s that the VF may send with at most, 0 for no limit.
        type: int
      node_guid:
        description:
          - The GUID of the node, for a VF of an InfiniBand port. V(auto) makes one of the port's own and the index.
        type: str
      port_guid:
        description:
          - The GUID of the port, for a VF of an InfiniBand port. V(auto) makes one of the port's own and the index.
        type: str
  allow_resize_in_use:
    description:
      - Consent to destroy VFs that are in use when their number changes. Without it, the module fails and names them.
    type: bool
    default: false
  allow_management:
    description:
      - Consent to changes on the port that the SSH connection of this run comes in over. The connection can end then.
    type: bool
    default: false
seealso:
  - module: railhead.cluster.devlink_eswitch
  - module: railhead.cluster.ip_link
"""

EXAMPLES = r"""
- name: Eight VFs with addresses that stay, two of them in a VLAN
  railhead.cluster.sriov_vfs:
    port: ens1f0np0
    count: 8
    vfs:
      - vf: 0-7
        mac: auto
        trust: true
      - vf: 6-7
        vlan: 100
        max_tx_rate: 10000

- name: VFs for a switchdev mode that is set later, so without a driver
  railhead.cluster.sriov_vfs:
    port: "0000:08:00.0"
    count: 16
    drivers_autoprobe: false
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample:
    - [write, "/sys/bus/pci/devices/0000:08:00.0/sriov_numvfs", "8"]
    - [ip, link, set, dev, ens1f0np0, vf, "0", trust, "on"]
port:
  description: >-
    The port as read last, with the users of each VF in words. Attributes that the driver does not report are absent.
  returned: success
  type: dict
  sample:
    netdev: ens1f0np0
    count: 1
    total_vfs: 16
    drivers_autoprobe: true
    vfs:
      - vf: 0
        pci_address: "0000:08:00.2"
        driver: mlx5_core
        netdevs: [ens1f0v0]
        users: [its network device ens1f0v0 is in br0]
        mac: "d2:00:00:00:53:01"
        vlan: 100
        qos: 0
        vlan_proto: 802.1Q
        spoofchk: true
        trust: false
        link_state: auto
        min_tx_rate: 0
        max_tx_rate: 10000
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.observe import Port, observe_port
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.plan import plan_vfs, returned_port
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.request import want_from

VF_OPTIONS = {
    "vf": {"type": "str", "required": True},
    "mac": {"type": "str"},
    "vlan": {"type": "int"},
    "qos": {"type": "int"},
    "vlan_proto": {"type": "str", "choices": ["802.1Q", "802.1ad"]},
    "spoofchk": {"type": "bool"},
    "trust": {"type": "bool"},
    "link_state": {"type": "str", "choices": ["auto", "enable", "disable"]},
    "min_tx_rate": {"type": "int"},
    "max_tx_rate": {"type": "int"},
    "node_guid": {"type": "str"},
    "port_guid": {"type": "str"},
}


def build(params: Mapping[str, Any]) -> Task[Port]:
    want = want_from(params)
    return Task(
        observe=partial(observe_port, name=want.port),
        plan=partial(plan_vfs, want=want),
        returns=lambda have: {"port": returned_port(have)},
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "port": {"type": "str", "required": True},
            "count": {"type": "int"},
            "drivers_autoprobe": {"type": "bool"},
            "vfs": {"type": "list", "elements": "dict", "options": VF_OPTIONS},
            "allow_resize_in_use": {"type": "bool", "default": False},
            "allow_management": {"type": "bool", "default": False},
        },
        required_one_of=[("count", "drivers_autoprobe", "vfs")],
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
