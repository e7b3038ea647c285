#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fabric_info
short_description: Read the whole fabric of a host
version_added: 0.1.0
description:
  - Returns each port that can have virtual functions (VFs) or that has an e-switch, with its VFs, who uses them, and
    their representors; the bonds, with what they and the other side of their links say in LACP; Open vSwitch with its
    bridges; and the addresses. Simulated ports of netdevsim are among the ports.
  - Returns it also as RV(document), in the form of the options of M(railhead.cluster.fabric), as a beginning for an
    inventory.
  - It starts the same number of processes however many ports and VFs there are.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 on the host, 6.1 or newer, with C(devlink) and C(rdma)
extends_documentation_fragment:
  - railhead.cluster.attributes.info
seealso:
  - module: railhead.cluster.fabric
  - module: railhead.cluster.devlink_info
  - module: railhead.cluster.rdma_info
  - module: railhead.cluster.node_info
"""

EXAMPLES = r"""
- name: Read the fabric
  railhead.cluster.fabric_info:
  register: fabric

- name: Every port of every bond is in the aggregate with the switch
  ansible.builtin.assert:
    that: "'collecting' in item.partner_state and 'distributing' in item.partner_state"
    fail_msg: "The switch has not taken {{ item.name }} into the LACP group"
  loop: "{{ fabric.bonds | selectattr('bond.mode', 'eq', '802.3ad') | map(attribute='members') | flatten }}"

- name: Begin an inventory with what there is
  ansible.builtin.debug:
    msg: "{{ fabric.document | to_nice_yaml }}"
"""

RETURN = r"""
ports:
  description: The ports, with what a port does not have as V(null).
  returned: success
  type: list
  elements: dict
  contains:
    port:
      description: PCI address, or name of the netdevsim device.
      type: str
      sample: "0000:08:00.0"
    driver:
      description: Driver of the port.
      type: str
      sample: mlx5_core
    netdev:
      description: Its network device, an empty string when it has none in the host's own network namespace.
      type: str
      sample: rail0
    link:
      description: That network device as M(railhead.cluster.ip_link) returns it.
      type: dict
      sample: {name: rail0, admin_state: up, operstate: up, mtu: 9000, master: bond0}
    count:
      description: The number of VFs that there are.
      type: int
      sample: 1
    total_vfs:
      description: The number of VFs that there can be, as far as the port says so.
      type: int
      sample: 128
    drivers_autoprobe:
      description: Whether the kernel binds drivers to VFs that are created.
      type: bool
      sample: true
    vfs:
      description: >-
        The VFs, with the attributes that the driver reports under the names of
        O(railhead.cluster.fabric#module:ports[].vfs), the network namespace that its network device is in (an empty
        string for the host's own), its representor, and its users in words.
      type: list
      elements: dict
      sample:
        - vf: 0
          pci_address: "0000:08:00.2"
          driver: mlx5_core
          netdevs: [eth0]
          netns: pod0
          representor: rail0_0
          users: [its network device is in another network namespace]
          mac: "d2:00:00:00:53:01"
          vlan: 0
          qos: 0
          vlan_proto: 802.1Q
          trust: false
    eswitch:
      description: The e-switch. What its driver does not implement is V(null) in it.
      type: dict
      sample: {mode: switchdev, inline_mode: none, encap_mode: basic}
    steering_mode:
      description: Who writes the steering rules of a card with mlx5.
      type: str
      sample: smfs
    hw_tc_offload:
      description: Whether the port takes flows from the kernel's traffic control, V(null) when that cannot be switched.
      type: bool
      sample: true
    lag:
      description: What a card with mlx5 says of its bonding in hardware, V(active) or V(disabled).
      type: str
      sample: active
bonds:
  description: >-
    The bonds as M(railhead.cluster.ip_link) returns them. C(vf_lag) is whether the card bonds all members in hardware.
  returned: success
  type: list
  elements: dict
  sample:
    - name: bond0
      admin_state: up
      operstate: up
      mtu: 9000
      vf_lag: true
      bond: {mode: 802.3ad, miimon: 100, lacp_rate: fast, xmit_hash_policy: layer3+4}
      lacp: {aggregator: 1, ports: 2, actor_key: 21, partner_key: 15, partner_address: "02:00:5e:10:00:ff"}
      members:
        - name: rail0
          state: active
          mii_status: up
          actor_state: [active, short_timeout, aggregating, in_sync, collecting, distributing]
          partner_state: [active, short_timeout, aggregating, in_sync, collecting, distributing]
open_vswitch:
  description: Open vSwitch with its bridges, V(null) where it is not installed.
  returned: success
  type: dict
  sample:
    version: 3.5.0
    running: true
    other_config: {hw-offload: "true"}
    bridges:
      - name: br0
        state: present
        ports:
          - {name: bond0, tag: null, trunks: [], error: ""}
          - {name: rail0_0, tag: 100, trunks: [], error: ""}
addresses:
  description: >-
    Addresses and static routes of all network devices that have some. Those that are link-local are left out, and so
    are routes that a routing daemon or DHCP made.
  returned: success
  type: list
  elements: dict
  sample:
    - device: br0
      addresses: [198.51.100.1/24]
      routes:
        - {to: 203.0.113.0/24, via: 198.51.100.254, metric: null}
management:
  description: The network devices that the SSH connection of this run comes in over.
  returned: success
  type: list
  elements: str
  sample: [eno1]
document:
  description: >-
    Options of M(railhead.cluster.fabric) for what there is. Addresses are in it of ports, bonds and bridges only. Leave
    out what another tool is to go on managing, such as the port of the management network.
  returned: success
  type: dict
  sample:
    ports:
      - port: "0000:08:00.0"
        name: rail0
        admin_state: up
        count: 1
        vfs:
          - {vf: 0, mac: "d2:00:00:00:53:01", vlan: 0, trust: false, netns: pod0}
        eswitch_mode: switchdev
    bonds:
      - {name: bond0, members: [rail0, rail1], vf_lag: true, mtu: 9000, mode: 802.3ad}
    bridges:
      - name: br0
        uplinks: [bond0]
        representors:
          - {port: "0000:08:00.0", vf: 0, tag: 100}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import run_read
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.info import read_info


def main() -> None:
    run_read(AnsibleModule(argument_spec={}, supports_check_mode=True), read_info)


if __name__ == "__main__":
    main()
