# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rail_plan
short_description: Addresses of one host on all rails of a cluster
version_added: 0.1.0
description:
  - GPU clusters are wired as rails. A host has one network port beside each GPU, and the first ports of all hosts are
    one network, the second ports another. This filter gives a host its subnet, address, gateway and routes on each
    rail.
  - Rail I(r) has the I(r)-th part of the supernet, and host I(h) the I(h)-th place in it. An address depends on the
    supernet, O(layout), O(prefix), O(reserve) and O(hosts) only. It stays when hosts are added up to O(hosts), and when
    O(rails) grows.
  - Whatever does not fit is refused for every host and rail of the plan, not only for the host that is asked about.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - netaddr, for the Python that runs Ansible on the controller
positional: _input
options:
  _input:
    description:
      - The supernet, an IPv4 or IPv6 network with prefix length, of which all rails get a part.
    type: str
    required: true
  host:
    description:
      - Index of the host, from V(0) to one less than O(hosts). Keep it with the host; an index that is computed from a
        position in a group moves when the group changes.
    type: int
    required: true
  rails:
    description:
      - Number of rails, V(1) to V(256).
    type: int
    required: true
  hosts:
    description:
      - The largest number of hosts that the plan has room for, V(1) to V(1048576).
      - A larger number keeps all addresses only with O(prefix) given, and while the hosts fit in it.
    type: int
    required: true
  layout:
    description:
      - With V(shared) a rail is one subnet with all its hosts.
      - With V(p2p) each host has a link of its own to its switch on each rail, V(/31) with IPv4 (RFC 3021) and V(/127)
        with IPv6 (RFC 6164). The switch has the lower address.
    type: str
    choices: [shared, p2p]
    default: shared
  prefix:
    description:
      - Prefix length of the network of each rail. With O(layout=p2p) it is the network of all links of the rail.
      - The default is the longest that has room for O(hosts) and for all that is kept free.
    type: int
  reserve:
    description:
      - How many addresses are kept free at the start of each subnet with O(layout=shared), V(0) to V(65536). The first
        is for the gateway, also while O(gateway=false).
      - The network and broadcast address of IPv4, and the first and the last 128 addresses of an IPv6 network, are kept
        free besides.
      - The default is V(1). With O(layout=p2p) there is nothing to reserve.
    type: int
  gateway:
    description:
      - Whether the rails are routed. With O(layout=shared) the gateway is the first address of the subnet, with
        O(layout=p2p) the switch's end of the link.
      - The default is V(false) with O(layout=shared). With O(layout=p2p) it is V(true) and cannot be V(false).
    type: bool
  reach:
    description:
      - Where the routes of a rail lead, through the gateway of that rail.
      - V(supernet) is the network of the rail itself, with O(layout=p2p), and the supernet, with all other rails. The
        second has the same destination on each rail, so it needs a routing table, VRF or namespace for each rail.
      - V(rail) is the network of the rail only. These routes can all be in one table.
    type: str
    choices: [supernet, rail]
    default: supernet
  exclude:
    description:
      - Networks that are in use for something else, for example for management or pods. A supernet that overlaps one of
        them is refused, also where no rail has its part yet.
      - They are of the same family as the supernet.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
# In group_vars of the GPU nodes; rail_host is a number in the host_vars of each.
rails: "{{ '10.0.0.0/16' | railhead.cluster.rail_plan(host=rail_host, rails=8, hosts=64, exclude=['10.1.0.0/24']) }}"

# Two rails of four hosts, a /31 to the switch for each port.
# host=1 => address 192.0.2.3/31, gateway 192.0.2.2 on rail 0; 192.0.2.11/31, 192.0.2.10 on rail 1
links: "{{ '192.0.2.0/28' | railhead.cluster.rail_plan(host=1, rails=2, hosts=4, layout='p2p') }}"

# IPv6, a /64 for each rail.
# host=1 => address 2001:db8:0:1::3/64, gateway 2001:db8:0:1::1 on rail 1
v6: "{{ '2001:db8::/60' | railhead.cluster.rail_plan(host=1, rails=2, hosts=4, prefix=64, gateway=true) }}"
"""

RETURN = r"""
_value:
  description: One mapping for each rail, in order.
  type: list
  elements: dict
  contains:
    rail:
      description: Number of the rail, from V(0).
      type: int
      sample: 1
    subnet:
      description: What is reached without a gateway, the network of the rail or the link to the switch.
      type: str
      sample: 192.0.2.10/31
    address:
      description: Address of the host, with the prefix length of RV(_value[].subnet).
      type: str
      sample: 192.0.2.11/31
    gateway:
      description: Address of the gateway, or null where the rails are not routed.
      type: str
      sample: 192.0.2.10
    routes:
      description: Networks behind the gateway, as O(reach) says. Empty without a gateway.
      type: list
      elements: dict
      contains:
        to:
          description: The network.
          type: str
          sample: 192.0.2.8/29
        via:
          description: The gateway, the same as RV(_value[].gateway).
          type: str
          sample: 192.0.2.10
"""

import sys
from collections.abc import Callable
from inspect import signature

from ansible.errors import AnsibleFilterError

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.plugin_utils.rail_plan import NETADDR_MISSING, plan_rails, want_from


def rail_plan(*values: object, **options: object) -> list[dict[str, object]]:
    if NETADDR_MISSING is not None:
        raise AnsibleFilterError(
            "Cannot compute addresses: the Python library netaddr is missing on the controller; install it for the"
            f" Python that runs Ansible, for example with '{sys.executable} -m pip install netaddr'."
        ) from NETADDR_MISSING
    # Ansible writes the message of a cause after that of its error, so there is none.
    try:
        call = signature(want_from).bind(*values, **options)
    except TypeError as error:
        raise AnsibleFilterError(f"Cannot read the options of rail_plan: {error}") from None
    try:
        return [rail.shown() for rail in plan_rails(want_from(*call.args, **call.kwargs))]
    except RailheadError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[dict[str, object]]]]:
        return {"rail_plan": rail_plan}
