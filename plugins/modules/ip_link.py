#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ip_link
short_description: Manage one network device
version_added: 0.1.0
description:
  - Creates, changes, moves between network namespaces and deletes one network device of the kernel.
  - What is not given is left as it is. Bonds, VLANs and other virtual devices do not survive a reboot.
    M(railhead.cluster.rdma_host) creates them again at boot.
  - What the kernel is known to refuse is refused before the first change, with what to do instead.
  - The steps are not a transaction. When one fails, RV(commands) has those that took effect, and the next run goes on
    from what it finds.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 on the host, 6.1 or newer. Single options that need a newer one say so.
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  name:
    description:
      - Name of the device, at most 15 characters.
    type: str
    required: true
  state:
    description:
      - With V(absent) the device is deleted, and O(kind) must be the kind that it has.
    type: str
    choices: [present, absent]
    default: present
  kind:
    description:
      - What kind of device this is. It is created when it is not there.
      - When omitted, the device must be there, and it may be of any kind, for example a port of the hardware.
    type: str
    choices: [bond, dummy, ipoib, macvlan, veth, vlan]
  parent:
    description:
      - The device below this one, needed to create one with O(kind=vlan), O(kind=macvlan) or O(kind=ipoib).
      - It is looked for in the namespace O(netns) first, then in the host's own.
    type: str
  admin_state:
    description:
      - Whether the device is taken up or down. A member of a bond is taken up by the bond.
      - When omitted, a device that is taken down on the way (see O(allow_disruption)) is taken up again.
    type: str
    choices: [up, down]
  mtu:
    description:
      - Largest packet in bytes, from 68 to 65535.
      - A VLAN or macvlan cannot have more than its parent, an IPoIB device at most 4092 in datagram and 65520 in
        connected mode. A member of a bond follows the bond, so any other value
        than that of the bond is refused.
    type: int
  address:
    description:
      - MAC address.
      - A member of a bond has the address of the bond, so here it is compared with the one that the member had
        before, and a change is refused.
    type: str
  altnames:
    description:
      - Alternative names, at most 127 characters each, that the device has in addition to those it has already.
    type: list
    elements: str
  master:
    description:
      - The bond, bridge or VRF that the device is in. An empty string releases it.
    type: str
  netns:
    description:
      - Named network namespace that the device is in, and that O(master) is in. It must exist, see
        M(railhead.cluster.ip_netns). An empty string means the host's own.
      - When omitted, the host's own is the only one that is looked at.
      - A device of that name is looked for in this namespace first, then in the host's own, from where it is moved if
        it has the same O(kind). Without O(kind), or with an empty string here, other named namespaces are looked at
        last.
      - A move takes the device down and takes its addresses. Its state is set again in the same run.
      - A bond cannot be moved, it is created anew, see O(allow_recreate).
    type: str
  bond:
    description:
      - Options of a bond, see the kernel's document C(networking/bonding.rst) for what they mean.
      - Those that the kernel does not have in the O(bond.mode) of the bond are refused.
    type: dict
    suboptions:
      mode:
        description:
          - How the members are used. It can be changed only while the bond has no members.
        type: str
        choices: [balance-rr, active-backup, balance-xor, broadcast, 802.3ad, balance-tlb, balance-alb]
      xmit_hash_policy:
        description: What a flow is distributed over the members by.
        type: str
        choices: [layer2, layer2+3, layer3+4, encap2+3, encap3+4, vlan+srcmac]
      miimon:
        description:
          - Milliseconds between two looks at the carrier of the members, V(0) for none. It excludes
            O(bond.arp_interval).
        type: int
      updelay:
        description: Milliseconds before a member with a carrier is used, a multiple of O(bond.miimon).
        type: int
      downdelay:
        description: Milliseconds before a member without a carrier is no longer used, a multiple of O(bond.miimon).
        type: int
      peer_notify_delay:
        description: Milliseconds between notifications of the peers after a failover, a multiple of O(bond.miimon).
        type: int
      min_links:
        description: Least number of members with a carrier for the bond to have one.
        type: int
      lacp_rate:
        description: How often the partner is asked to send LACP frames. Only with O(bond.mode=802.3ad), while the
          bond is down.
        type: str
        choices: [slow, fast]
      lacp_active:
        description: Whether LACP frames are sent unasked. Only with O(bond.mode=802.3ad), while the bond is down.
        type: bool
      coupled_control:
        description:
          - Whether collecting and distributing begin together. Only with O(bond.mode=802.3ad), while the bond is down.
          - It needs iproute2 6.9 and Linux 6.9.
        type: bool
      ad_select:
        description: How the aggregator is chosen. It can be changed only while the bond is down.
        type: str
        choices: [stable, bandwidth, count]
      ad_actor_sys_prio:
        description: LACP system priority, from 1 to 65535. Only with O(bond.mode=802.3ad).
        type: int
      ad_actor_system:
        description: LACP system MAC address. Only with O(bond.mode=802.3ad).
        type: str
      ad_user_port_key:
        description: Upper bits of the LACP port key, from 0 to 1023. Only with O(bond.mode=802.3ad), while the bond
          is down.
        type: int
      primary:
        description:
          - Member that is used whenever it is up. It must be a member already. Only with O(bond.mode=active-backup),
            O(bond.mode=balance-tlb) or O(bond.mode=balance-alb).
        type: str
      active_slave:
        description:
          - Member that is used now. The kernel changes it when it fails over. It must be a member already. Only with
            O(bond.mode=active-backup), O(bond.mode=balance-tlb) or O(bond.mode=balance-alb).
        type: str
      primary_reselect:
        description: When O(bond.primary) is used again after it came back.
        type: str
        choices: [always, better, failure]
      fail_over_mac:
        description:
          - Which MAC addresses the members have with O(bond.mode=active-backup). It can be changed only while the
            bond has no members. IPoIB members need V(active).
        type: str
        choices: [none, active, follow]
      arp_interval:
        description:
          - Milliseconds between two ARP probes of O(bond.arp_ip_target), V(0) for none. It excludes O(bond.miimon).
            Not with O(bond.mode=802.3ad), O(bond.mode=balance-tlb) and O(bond.mode=balance-alb).
        type: int
      arp_validate:
        description: Which members' ARP answers are checked. In the same modes as O(bond.arp_interval).
        type: str
        choices: [none, active, backup, all, filter, filter_active, filter_backup]
      arp_all_targets:
        description: Whether one target that answers is enough.
        type: str
        choices: [any, all]
      arp_ip_target:
        description: IPv4 addresses to probe, at most 16, in this order. An empty list removes them.
        type: list
        elements: str
      ns_ip6_target:
        description: IPv6 addresses to probe, at most 16, in this order. An empty list removes them.
        type: list
        elements: str
      arp_missed_max:
        description: Number of probes without an answer, from 1 to 255. In the same modes as O(bond.arp_interval).
        type: int
      all_slaves_active:
        description: Whether frames that arrive on members that are not used are taken.
        type: bool
      num_grat_arp:
        description: Number of gratuitous ARP and unsolicited neighbour advertisements after a failover, from 0 to 255.
        type: int
      resend_igmp:
        description: Number of IGMP membership reports after a failover, from 0 to 255.
        type: int
      lp_interval:
        description: Seconds between two learning packets to the switches.
        type: int
      packets_per_slave:
        description: Packets on one member before the next, V(0) for a random one. Only with O(bond.mode=balance-rr).
        type: int
      tlb_dynamic_lb:
        description:
          - Whether flows are moved by load. Only with O(bond.mode=balance-tlb) and O(bond.mode=balance-alb), while
            the bond is down.
        type: bool
  vlan:
    description:
      - Options of a VLAN. Those of one that exists change only by O(allow_recreate).
    type: dict
    suboptions:
      protocol:
        description: Ethernet type of the tag.
        type: str
        choices: [802.1Q, 802.1ad]
      id:
        description: VLAN ID from 1 to 4094, needed to create one.
        type: int
  macvlan:
    description:
      - Options of a macvlan.
    type: dict
    suboptions:
      mode:
        description: Who can talk to whom. V(passthru) is entered and left only by O(allow_recreate).
        type: str
        choices: [private, vepa, bridge, passthru, source]
  ipoib:
    description:
      - Options of an IPoIB device.
    type: dict
    suboptions:
      pkey:
        description:
          - Partition key from C(0x8001) to C(0xffff), needed to create a child. The bit C(0x8000) (full member) is
            added when it is missing. It changes only by O(allow_recreate).
        type: str
      mode:
        description: Transport. The kernel adjusts the MTU when it changes, so O(mtu) is set after it.
        type: str
        choices: [datagram, connected]
      umcast:
        description: Whether multicast groups that user space joined are left to it.
        type: bool
  veth:
    description:
      - Options of a pair of virtual devices. They change only by O(allow_recreate).
    type: dict
    suboptions:
      peer:
        description: Name of the other end, needed to create the pair.
        type: str
      peer_netns:
        description:
          - Named network namespace that the other end is in, an empty string for the host's own. When omitted, both
            ends are in the same one.
        type: str
  allow_disruption:
    description:
      - Allows steps that stop the traffic of a device that is up, beyond what was asked for. These are taking it down
        to enslave it to a bond, taking a bond down to change one of its options, and moving it to another namespace.
    type: bool
    default: false
  allow_recreate:
    description:
      - Allows the device to be deleted and created when what is wanted cannot be changed. This is so for another
        O(kind), O(parent), O(vlan.id), O(vlan.protocol), O(ipoib.pkey) or O(veth.peer), for O(macvlan.mode=passthru),
        and for a bond that is to be in another namespace.
      - Addresses, routes and what is on top of the device go with it. Its state, master and alternative names stay, and
        every other option that is not given gets the kernel's default.
    type: bool
    default: false
  allow_management:
    description:
      - Allows the device that the SSH connection of this run comes in by, and the devices below that one, to be taken
        down, enslaved, released, moved, deleted or given another MAC address. The connection can end then.
    type: bool
    default: false
seealso:
  - module: railhead.cluster.ip_netns
  - module: railhead.cluster.rdma_link
notes:
  - A bond and its members are one task each. The bond comes first, then the members with O(master), and O(bond.primary)
    in a last one.
"""

EXAMPLES = r"""
- name: An LACP bond
  railhead.cluster.ip_link:
    name: bond0
    kind: bond
    mtu: 9000
    admin_state: up
    bond:
      mode: 802.3ad
      xmit_hash_policy: layer3+4
      miimon: 100
      lacp_rate: fast

- name: Over both ports of the card, which carry nothing yet
  railhead.cluster.ip_link:
    name: "{{ item }}"
    master: bond0
    allow_disruption: true
  loop: [ens1f0np0, ens1f1np1]

- name: The storage VLAN on it
  railhead.cluster.ip_link:
    name: storage
    kind: vlan
    parent: bond0
    vlan:
      id: 120
    admin_state: up

- name: A macvlan of a port for the namespace of a GPU
  railhead.cluster.ip_link:
    name: net1
    kind: macvlan
    parent: ens2f0np0
    netns: gpu0
    macvlan:
      mode: bridge
    admin_state: up

- name: The partition 0x0042 of an InfiniBand port
  railhead.cluster.ip_link:
    name: ib0.8042
    kind: ipoib
    parent: ib0
    ipoib:
      pkey: "0x8042"
      mode: datagram

- name: A port of the hardware goes back to the host
  railhead.cluster.ip_link:
    name: ens2f1np1
    netns: ""
    allow_disruption: true

- name: No longer needed
  railhead.cluster.ip_link:
    name: storage
    kind: vlan
    state: absent
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample: [[ip, link, set, dev, ens1f0np0, master, bond0], [ip, link, set, dev, ens1f0np0, up]]
link:
  description: The device as read last, before the steps in check mode and after them otherwise.
  returned: success, when the device is there
  type: dict
  contains:
    name:
      description: Name of the device.
      returned: always
      type: str
      sample: bond0
    index:
      description: Number of the device in its namespace.
      returned: always
      type: int
      sample: 7
    kind:
      description: Kind of the device, null for one that a driver made.
      returned: always
      type: str
      sample: bond
    admin_state:
      description: Whether it is taken up or down.
      returned: always
      type: str
      sample: up
    operstate:
      description: Operational state, in lower case as in RFC 2863.
      returned: always
      type: str
      sample: up
    mtu:
      description: Largest packet in bytes.
      returned: always
      type: int
      sample: 9000
    address:
      description: MAC address.
      returned: always
      type: str
      sample: 02:00:5e:10:00:01
    perm_address:
      description: MAC address that the hardware has, or had before a bond gave it another one.
      returned: always
      type: str
      sample: 02:00:5e:10:00:01
    altnames:
      description: Alternative names.
      returned: always
      type: list
      elements: str
      sample: [rail0]
    master:
      description: The bond, bridge or VRF that the device is in, an empty string for none.
      returned: always
      type: str
      sample: ""
    netns:
      description: Named network namespace that the device is in, an empty string for the host's own.
      returned: always
      type: str
      sample: ""
    parent:
      description: The device below it or the other end of a veth, null when there is none in the same namespace.
      returned: always
      type: str
      sample: null
    bond:
      description: Options of a bond under the names of O(bond). The same exists for each other O(kind).
      returned: when the device is a bond
      type: dict
      sample: {mode: 802.3ad, miimon: 100, lacp_rate: fast, xmit_hash_policy: layer3+4}
    vlan:
      description: Options of a VLAN under the names of O(vlan).
      returned: when the device is a VLAN
      type: dict
      sample: {id: 120, protocol: 802.1Q}
    macvlan:
      description: Options of a macvlan under the names of O(macvlan).
      returned: when the device is a macvlan
      type: dict
      sample: {mode: bridge}
    ipoib:
      description: Options of an IPoIB device under the names of O(ipoib).
      returned: when the device is an IPoIB device
      type: dict
      sample: {pkey: "0x8042", mode: datagram, umcast: false}
    veth:
      description: The other end of a pair, null when it is in another namespace.
      returned: when the device is one end of a pair
      type: dict
      sample: {peer: gpu0-host}
    lacp:
      description: The chosen aggregator of a bond with the mode 802.3ad, empty with other modes.
      returned: when the device is a bond
      type: dict
      sample: {aggregator: 1, ports: 2, actor_key: 21, partner_key: 15, partner_address: "02:00:5e:10:00:ff"}
    members:
      description: The members of a bond.
      returned: when the device is a bond
      type: list
      elements: dict
      sample:
        - name: ens1f0np0
          state: active
          mii_status: up
          perm_address: 02:00:5e:10:00:01
          link_failures: 0
          aggregator: 1
          actor_state: [active, short_timeout, aggregating, in_sync, collecting, distributing]
          partner_state: [active, short_timeout, aggregating, in_sync, collecting, distributing]
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import KINDS, argument_spec
from ansible_collections.railhead.cluster.plugins.module_utils._link.device import describe
from ansible_collections.railhead.cluster.plugins.module_utils._link.observe import Links, observe
from ansible_collections.railhead.cluster.plugins.module_utils._link.plan import plan_link
from ansible_collections.railhead.cluster.plugins.module_utils._link.request import Want, want_from


def build(params: Mapping[str, Any]) -> Task[Links]:
    want = want_from(params)
    return Task(
        observe=partial(observe, want=want),
        plan=partial(plan_link, want=want),
        returns=partial(_returns, want=want),
    )


def _returns(have: Links, want: Want) -> dict[str, Any]:
    places = have.locate(want)
    if not places:
        return {}
    space, device = places[0]
    return {"link": describe(device, have.of(space), space)}


def main() -> None:
    suboptions = {name: argument_spec(kind.attributes) for name, kind in KINDS.items() if kind.attributes}
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "kind": {"type": "str", "choices": list(KINDS)},
            "parent": {"type": "str"},
            "admin_state": {"type": "str", "choices": ["up", "down"]},
            "mtu": {"type": "int"},
            "address": {"type": "str"},
            "altnames": {"type": "list", "elements": "str"},
            "master": {"type": "str"},
            "netns": {"type": "str"},
            **suboptions,
            "veth": {"type": "dict", "options": {"peer": {"type": "str"}, "peer_netns": {"type": "str"}}},
            "allow_disruption": {"type": "bool", "default": False},
            "allow_recreate": {"type": "bool", "default": False},
            "allow_management": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
