#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fabric
short_description: Manage the whole fabric of a host in one call
version_added: 0.1.0
description:
  - Takes one document that says what the ports, virtual functions (VFs), e-switches, bonds, bridges of Open vSwitch and
    addresses of a host are, and does what is missing, in the one order that the hardware accepts.
  - The host is read once. What cannot work is refused before the first step, also when it is the last thing in the
    document. Ports, bonds and bridges that the document does not name are left alone.
  - When VFs change their number or an e-switch its mode, what is in the way is taken out of bridges and bonds, drivers
    are taken off the VFs, and all of it is put back in the same run. That needs consent while somebody uses it.
  - A port and the representors of its VFs keep their names by C(/etc/udev/rules.d/70-railhead-fabric.rules), which is
    as a whole what the document says. The representor of VF 3 of the port C(rail0) is C(rail0_3).
  - The number of VFs, e-switch modes, bonds and addresses are lost at a reboot. The role
    P(railhead.cluster.host_fabric#role) applies the same document at every boot, and goes back to the earlier state by
    itself when a change cuts the host off.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 on the host, 6.1 or newer, with C(devlink) and C(rdma)
  - C(ethtool) on the host for O(ports[].hw_tc_offload)
  - Open vSwitch on the host, as units of systemd, for O(open_vswitch) and O(bridges)
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  ports:
    description:
      - The physical functions of cards. A port may be in one entry only.
    type: list
    elements: dict
    suboptions:
      port:
        description:
          - Which port this is, as PCI address such as V(0000:08:00.0), name of a network device, permanent MAC address,
            or name of a netdevsim device.
        type: str
        required: true
      name:
        description:
          - The name that the network device of the port gets and keeps, at most 15 characters. Those of the
            representors are this name, C(_) and the number of the VF, and may not be longer either.
          - When not given, the name stays as it is.
        type: str
      altnames:
        description:
          - Alternative names that the network device has in addition to those it has already.
        type: list
        elements: str
      admin_state:
        description:
          - Whether the port is taken up or down. A member of a bond is taken up by the bond.
        type: str
        choices: [up, down]
        default: up
      mtu:
        description:
          - Largest packet in bytes, from 68 to 65535. The members of a bond have that of the bond.
        type: int
      count:
        description:
          - The number of VFs. When not given, their number and their drivers stay as they are.
          - The kernel changes a number of VFs only by way of 0, see O(allow_vfs_in_use).
        type: int
      vfs:
        description:
          - What single VFs are like. What is not given stays as it is.
          - A VF may be in more than one entry, when each of its attributes is given once.
        type: list
        elements: dict
        suboptions:
          vf:
            description:
              - Number of the VF, from 0, or a range such as V(0-127) with both ends belonging to it.
            type: str
            required: true
          mac:
            description:
              - The MAC address of the VF. A VF takes it when its driver is bound, so that is done anew after a change.
              - With V(auto), it is a locally administered one that is made of the permanent address of the port and
                the number of the VF, so that it is the same on each run and after each reboot.
            type: str
          vlan:
            description:
              - The VLAN that the frames of the VF belong to, without the VF knowing. 0 is none.
              - A range such as V(100-227) gives one to each VF of the entry, and must have as many numbers.
            type: str
          qos:
            description:
              - The priority of these frames, from 0 to 7. It is 0 when O(ports[].vfs[].vlan) is given without it.
            type: int
          vlan_proto:
            description:
              - The kind of the VLAN tag. It is V(802.1Q) when O(ports[].vfs[].vlan) is given without it.
            type: str
            choices: ["802.1Q", "802.1ad"]
          spoofchk:
            description:
              - Whether frames with another source address than that of the VF are dropped.
            type: bool
          trust:
            description:
              - Whether the VF may ask for what concerns others, such as promiscuous mode or another MAC address.
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
              - The GUID of the node as eight octets, for a VF of an InfiniBand port. With V(auto) it is made of that of
                the port and the number of the VF.
            type: str
          port_guid:
            description:
              - The GUID of the port, as O(ports[].vfs[].node_guid).
            type: str
          driver:
            description:
              - The driver that the VF is kept for and bound to, such as V(mlx5_core) or V(vfio-pci). V(none) keeps it
                without one. When not given, the kernel picks it. It needs O(ports[].count).
            type: str
          netns:
            description:
              - The named network namespace that the network device of the VF is moved to. It is created when it is not
                there. C({vf}) in it is replaced by the number of the VF. An empty string means the host's own.
              - When not given, the VF stays where it is.
            type: str
      eswitch_mode:
        description:
          - With V(switchdev), the port forwards frames between its VFs by rules of the host, and each VF has a
            representor on the host. With V(legacy), it does so by MAC address and VLAN alone.
          - Bonds in hardware and the offload of Open vSwitch need V(switchdev).
        type: str
        choices: [legacy, switchdev]
      inline_mode:
        description:
          - How much of the headers is put into the work request. V(transport) is for ConnectX-4 and ConnectX-4 Lx
            only; newer cards have V(none).
        type: str
        choices: [none, link, network, transport]
      encap_mode:
        description:
          - Whether tunnels can be offloaded.
        type: str
        choices: [none, basic]
      steering_mode:
        description:
          - Who writes the steering rules of a card with mlx5, which is the devlink parameter C(flow_steering_mode). The
            firmware does with V(dmfs), the driver with V(smfs) and V(hmfs). It changes in V(legacy) mode only.
        type: str
        choices: [dmfs, smfs, hmfs]
      hw_tc_offload:
        description:
          - Whether the port takes flows from the kernel's traffic control, C(hw-tc-offload) of C(ethtool -k).
        type: bool
  bonds:
    description:
      - Bonds of the kernel. What is not given stays as it is, or is the kernel's default for a bond that is made.
      - See the kernel's document C(networking/bonding.rst) for what the options mean. An option that the kernel does
        not have in O(bonds[].mode) is refused.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name of the bond, at most 15 characters.
        type: str
        required: true
      state:
        description:
          - With V(absent) the bond is deleted.
        type: str
        choices: [present, absent]
        default: present
      members:
        description:
          - All members of the bond, as O(ports[].port), O(ports[].name), or name of another network device. Others are
            released. A bond that is present has one or more.
        type: list
        elements: str
      vf_lag:
        description:
          - Whether the card must bond its ports in hardware (VF-LAG of mlx5). Its rules are checked before the first
            step, and the run waits until the card says that it does so, before VFs get drivers.
          - This takes all ports of one card and no others, each in O(ports), all in the same e-switch mode, which is
            V(switchdev) when they have VFs, and the O(bonds[].mode) V(active-backup), V(balance-xor) or V(802.3ad).
        type: bool
        default: false
      mtu:
        description:
          - Largest packet in bytes, from 68 to 65535, of the bond and of its members.
        type: int
      mode:
        description:
          - How the members are used. It changes only by way of a bond without members, which the run takes care of.
        type: str
        choices: [balance-rr, active-backup, balance-xor, broadcast, 802.3ad, balance-tlb, balance-alb]
      xmit_hash_policy:
        description:
          - What a flow is distributed over the members by.
        type: str
        choices: [layer2, layer2+3, layer3+4, encap2+3, encap3+4, vlan+srcmac]
      miimon:
        description:
          - Milliseconds between two looks at the carrier of the members, V(0) for none.
        type: int
      updelay:
        description:
          - Milliseconds before a member with a carrier is used, a multiple of O(bonds[].miimon).
        type: int
      downdelay:
        description:
          - Milliseconds before a member without a carrier is no longer used, a multiple of O(bonds[].miimon).
        type: int
      min_links:
        description:
          - Least number of members with a carrier for the bond to have one.
        type: int
      lacp_rate:
        description:
          - How often the partner is asked to send LACP frames, with O(bonds[].mode=802.3ad). V(fast) is once a second,
            V(slow) every 30 seconds.
        type: str
        choices: [slow, fast]
      lacp_active:
        description:
          - Whether LACP frames are sent unasked, with O(bonds[].mode=802.3ad).
        type: bool
      ad_select:
        description:
          - How the aggregator is chosen, with O(bonds[].mode=802.3ad).
        type: str
        choices: [stable, bandwidth, count]
      primary:
        description:
          - Member that is used whenever it is up, with O(bonds[].mode=active-backup), O(bonds[].mode=balance-tlb) or
            O(bonds[].mode=balance-alb).
        type: str
  open_vswitch:
    description:
      - Open vSwitch as a whole. A change of these can restart it, see O(allow_port_traffic).
    type: dict
    suboptions:
      hw_offload:
        description:
          - Whether flows are handed to the kernel's traffic control, and by it to cards that can take them.
        type: bool
      tc_policy:
        description:
          - Where the flows go when O(open_vswitch.hw_offload=true). V(none) tries the card first and falls back to
            software, V(skip_sw) is the card only, V(skip_hw) is software only.
        type: str
        choices: [none, skip_sw, skip_hw]
  bridges:
    description:
      - Bridges of Open vSwitch. Ports of a bridge that are not representors of O(ports) and not named stay in it.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name of the bridge, and of the network device by which the host itself is on it.
        type: str
        required: true
      state:
        description:
          - With V(absent) the bridge is deleted, with all of its ports.
        type: str
        choices: [present, absent]
        default: present
      uplinks:
        description:
          - Bonds, ports and other network devices that the bridge has as trunks. The members of a bond cannot be
            among them.
        type: list
        elements: str
      representors:
        description:
          - The VFs that are on the bridge by their representors. Other representors of O(ports) are taken out of it.
        type: list
        elements: dict
        suboptions:
          port:
            description:
              - The port of the VFs, as O(ports[].port) or O(ports[].name). It has O(ports[].eswitch_mode=switchdev).
            type: str
            required: true
          vf:
            description:
              - Number of the VF, or a range such as V(0-127).
            type: str
            required: true
          tag:
            description:
              - The VLAN of the VF, from 1 to 4094, or a range with as many numbers as there are VFs. Without it, the
                VF is on a trunk and sets its tags itself.
            type: str
  addresses:
    description:
      - Addresses and static routes of network devices. For a device that is named here, its addresses and its static
        routes are exactly these. Left alone are addresses that are link-local, that DHCP or router advertisements
        gave, and that a program has marked with its protocol, as keepalived does with virtual ones on Linux 5.18.
    type: list
    elements: dict
    suboptions:
      device:
        description:
          - A bond, a bridge, a port by O(ports[].port) or O(ports[].name), or another network device. What is in a
            bond or bridge has none of its own.
        type: str
        required: true
      addresses:
        description:
          - Addresses of IPv4 and IPv6 with their prefix lengths, in any order. Of those in one subnet the host sends
            from the one that it has had longest, which is the first one where several are added.
        type: list
        elements: str
      routes:
        description:
          - Routes over the device, besides those to its own subnets.
        type: list
        elements: dict
        suboptions:
          to:
            description:
              - The network with its prefix length, or V(default).
            type: str
            required: true
          via:
            description:
              - The address of the router. When not given, the network is on the link.
            type: str
          metric:
            description:
              - The lower one of two routes to a network is taken.
            type: int
  allow_vfs_in_use:
    description:
      - Consent to take VFs away from those who use them, when their number, e-switch mode, address, driver or namespace
        changes. Without it, the module fails and names the users.
      - A VF counts as in use when its network device is in another network namespace, below another device, or up with
        an address, when processes use its RDMA device, when it is bound to C(vfio-pci), or when its representor is in
        a bridge.
    type: bool
    default: false
  allow_port_traffic:
    description:
      - Consent to interrupt the traffic of ports, bonds and bridges that have addresses, or other devices above them.
        Without it, the module fails and says whose it is.
    type: bool
    default: false
  allow_management:
    description:
      - Consent to touch the network devices that the SSH connection of this run comes in over. The connection can end
        then. RV(cuts) has them.
    type: bool
    default: false
seealso:
  - module: railhead.cluster.fabric_info
  - module: railhead.cluster.sriov_vfs
  - module: railhead.cluster.devlink_eswitch
  - module: railhead.cluster.ip_link
  - module: railhead.cluster.ovs_config
  - module: railhead.cluster.ovs_bridge
notes:
  - Run it in check mode first and read RV(plan).
  - Leave the devices that are named here to one owner. NetworkManager, systemd-networkd and netplan are kept off ports
    with O(ports[].name) and off representors by the udev rules, not off bonds and bridges.
"""

EXAMPLES = r"""
- name: One card, bonded in hardware, with 64 VFs on each port that Open vSwitch switches in the card
  railhead.cluster.fabric:
    ports:
      - port: "0000:08:00.0"
        name: rail0
        count: 64
        vfs:
          - {vf: 0-63, mac: auto, netns: "a{vf}"}
        eswitch_mode: switchdev
        hw_tc_offload: true
      - port: "0000:08:00.1"
        name: rail1
        count: 64
        vfs:
          - {vf: 0-63, mac: auto, netns: "b{vf}"}
        eswitch_mode: switchdev
        hw_tc_offload: true
    bonds:
      - name: bond0
        members: [rail0, rail1]
        vf_lag: true
        mtu: 9000
        mode: 802.3ad
        xmit_hash_policy: layer3+4
        lacp_rate: fast
        miimon: 100
    open_vswitch:
      hw_offload: true
    bridges:
      - name: br0
        uplinks: [bond0]
        representors:
          - {port: rail0, vf: 0-63, tag: 100-163}
          - {port: rail1, vf: 0-63, tag: 100-163}
    addresses:
      - device: br0
        addresses: [198.51.100.1/24, "2001:db8::1/64"]
        routes:
          - to: 203.0.113.0/24
            via: 198.51.100.254

- name: More VFs, on a host that is drained
  railhead.cluster.fabric:
    ports:
      - port: ens1f0np0
        count: 16
        vfs:
          - vf: 0-15
            vlan: 100-115
            trust: true
    allow_vfs_in_use: true

- name: Take the bridge, the bond and the VFs back
  railhead.cluster.fabric:
    ports:
      - port: "0000:08:00.0"
        count: 0
        eswitch_mode: legacy
      - port: "0000:08:00.1"
        count: 0
        eswitch_mode: legacy
    bonds:
      - name: bond0
        state: absent
    bridges:
      - name: br0
        state: absent
    allow_vfs_in_use: true
    allow_port_traffic: true
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample:
    - [write, "/sys/bus/pci/devices/0000:08:00.0/sriov_numvfs", "64"]
    - [devlink, dev, eswitch, set, "pci/0000:08:00.0", mode, switchdev]
    - [ip, link, set, dev, rail0, master, bond0]
plan:
  description: The same steps for people, with what each of them interrupts and how to take it back.
  returned: success
  type: list
  elements: dict
  contains:
    does:
      description: What the step is for.
      type: str
      sample: "set mode of the e-switch of 0000:08:00.0 to switchdev"
    disrupts:
      description: What stops while it runs or because of it, an empty string for nothing.
      type: str
      sample: the traffic of rail0 and its VFs
    undo:
      description: How to take it back, an empty string where that goes without saying.
      type: str
      sample: set it to legacy
    command:
      description: The step as in RV(commands).
      type: list
      elements: str
      sample: [devlink, dev, eswitch, set, "pci/0000:08:00.0", mode, switchdev]
cuts:
  description: >-
    The network devices that the SSH connection of this run comes in over and that the steps touch. The connection
    survives the run for sure only when there are none.
  returned: success
  type: list
  elements: str
  sample: [bond0, rail0]
fabric:
  description: >-
    What there is of what the options name, as read last, in the form of the options. Applying it brings this state
    back. A bond or bridge that is not there has C(state=absent).
  returned: success
  type: dict
  sample:
    ports:
      - port: "0000:08:00.0"
        name: rail0
        admin_state: up
        count: 1
        vfs:
          - {vf: 0, mac: "d2:00:00:00:53:01", vlan: 0, trust: false}
        eswitch_mode: switchdev
    bonds:
      - {name: bond0, members: [rail0, rail1], vf_lag: true, mode: 802.3ad}
    bridges:
      - name: br0
        uplinks: [bond0]
        representors:
          - {port: "0000:08:00.0", vf: 0, tag: 100}
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.document import load_document
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.document_bonds import BOND_OPTIONS
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.observe import Fabric, observe_fabric
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.plan import FabricPlan, plan_fabric
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.restore import document_of
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import Consents
from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import BOND

SECTIONS = ("ports", "bonds", "open_vswitch", "bridges", "addresses")

TEXT = {"type": "str"}
REQUIRED = {"type": "str", "required": True}
NUMBER = {"type": "int"}
SWITCH = {"type": "bool"}
TEXTS = {"type": "list", "elements": "str"}
UNLESS_SAID = {"type": "bool", "default": False}
STATE = {"type": "str", "choices": ["present", "absent"], "default": "present"}


def entries(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "list", "elements": "dict", "options": options}


VF = {
    "vf": REQUIRED,
    "mac": TEXT,
    "vlan": TEXT,
    "qos": NUMBER,
    "vlan_proto": {"type": "str", "choices": ["802.1Q", "802.1ad"]},
    "spoofchk": SWITCH,
    "trust": SWITCH,
    "link_state": {"type": "str", "choices": ["auto", "enable", "disable"]},
    "min_tx_rate": NUMBER,
    "max_tx_rate": NUMBER,
    "node_guid": TEXT,
    "port_guid": TEXT,
    "driver": TEXT,
    "netns": TEXT,
}


PORT = {
    "port": REQUIRED,
    "name": TEXT,
    "altnames": TEXTS,
    "admin_state": {"type": "str", "choices": ["up", "down"], "default": "up"},
    "mtu": NUMBER,
    "count": NUMBER,
    "vfs": entries(VF),
    "eswitch_mode": {"type": "str", "choices": ["legacy", "switchdev"]},
    "inline_mode": {"type": "str", "choices": ["none", "link", "network", "transport"]},
    "encap_mode": {"type": "str", "choices": ["none", "basic"]},
    "steering_mode": {"type": "str", "choices": ["dmfs", "smfs", "hmfs"]},
    "hw_tc_offload": SWITCH,
}
BOND_ENTRY = {
    "name": REQUIRED,
    "state": STATE,
    "members": TEXTS,
    "vf_lag": UNLESS_SAID,
    "mtu": NUMBER,
    **{option.name: option.spec for option in BOND if option.name in BOND_OPTIONS},
}
OPEN_VSWITCH = {"hw_offload": SWITCH, "tc_policy": {"type": "str", "choices": ["none", "skip_sw", "skip_hw"]}}
BRIDGE = {
    "name": REQUIRED,
    "state": STATE,
    "uplinks": TEXTS,
    "representors": entries({"port": REQUIRED, "vf": REQUIRED, "tag": TEXT}),
}
ADDRESSES = {
    "device": REQUIRED,
    "addresses": TEXTS,
    "routes": entries({"to": REQUIRED, "via": TEXT, "metric": NUMBER}),
}


def build(params: Mapping[str, Any]) -> Task[Fabric]:
    want = load_document({section: params[section] for section in SECTIONS})
    consents = Consents(params["allow_vfs_in_use"], params["allow_port_traffic"], params["allow_management"])
    return Task(
        observe=partial(observe_fabric, want=want),
        plan=partial(plan_fabric, want=want, consents=consents),
        returns=lambda have: {"fabric": document_of(have, want)},
        returns_of_plan=readable,
    )


def readable(plan: FabricPlan) -> dict[str, Any]:
    steps = [
        {"does": step.does, "disrupts": step.disrupts, "undo": step.undo, "command": step.shown} for step in plan.steps
    ]
    return {"plan": steps, "cuts": list(plan.cuts)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "ports": entries(PORT),
            "bonds": entries(BOND_ENTRY),
            "open_vswitch": {"type": "dict", "options": OPEN_VSWITCH},
            "bridges": entries(BRIDGE),
            "addresses": entries(ADDRESSES),
            "allow_vfs_in_use": UNLESS_SAID,
            "allow_port_traffic": UNLESS_SAID,
            "allow_management": UNLESS_SAID,
        },
        required_one_of=[SECTIONS],
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
