#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipoib
short_description: Bring the IPoIB interfaces of a host into a state
version_added: 0.1.0
description:
  - Sets up the interfaces of InfiniBand ports and their children in other partitions, with mode, MTU and addresses, in
    one call. What is not named is left alone; nothing is deleted.
  - Each interface is planned as M(railhead.cluster.ip_link) plans it. The same list as a JSON document is what the
    program C(railhead-ipoib) of M(railhead.cluster.node_program) applies at boot.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 on the host
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  interfaces:
    description:
      - The interfaces, each of which is taken up.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the interface.
        type: str
        required: true
      parent:
        description: Interface of the port, for a child.
        type: str
      pkey:
        description: >-
          Partition key of a child, from V(0x8001) to V(0xffff). The bit V(0x8000) (full member) is added when it is
          missing.
        type: str
      mode:
        description: Transport. The kernel adjusts the MTU when it changes.
        type: str
        choices: [datagram, connected]
      mtu:
        description: >-
          Largest packet in bytes. It is at most 4092 in O(interfaces[].mode=datagram), or 2044 where the partition has
          an MTU of 2048, and at most 65520 in O(interfaces[].mode=connected).
        type: int
      umcast:
        description: Whether multicast groups that user space joined are left to it.
        type: bool
      addresses:
        description: >-
          All addresses with their prefix lengths. Others are taken away, but those of the link itself. When omitted,
          they are left as they are.
        type: list
        elements: str
  expected_ports:
    description:
      - Whether somebody else will have made the interfaces of ports by the time the steps are taken, as the kernel does
        when C(ib_ipoib) is loaded. As long as the host has none, those that are named are planned for as if they were
        there.
    type: bool
    default: false
  allow_disruption:
    description:
      - Consent to steps that stop the traffic of an interface that is up.
    type: bool
    default: false
  allow_recreate:
    description:
      - Consent to deleting and making an interface that exists in another partition or on another parent.
    type: bool
    default: false
  allow_management:
    description:
      - Consent to changes of the interface that the SSH connection of this run comes in by. The connection can end
        then.
    type: bool
    default: false
seealso:
  - module: railhead.cluster.ip_link
  - module: railhead.cluster.node_program
"""

EXAMPLES = r"""
- name: The port in the default partition, and one child for storage
  railhead.cluster.ipoib:
    interfaces:
      - {name: ib0, mode: datagram, addresses: [198.51.100.17/24]}
      - {name: ib0.8042, parent: ib0, pkey: "0x8042", mode: datagram, mtu: 4092, addresses: [203.0.113.17/24]}
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample:
    - [ip, link, add, link, ib0, name, ib0.8042, type, ipoib, pkey, "0x8042", mode, datagram]
    - [ip, link, set, dev, ib0.8042, mtu, "4092"]
    - [ip, link, set, dev, ib0.8042, up]
    - [ip, address, replace, 203.0.113.17/24, dev, ib0.8042]
without_partition:
  description: >-
    Children whose partition the subnet manager has not given the port. They are there, and have no carrier until it
    does.
  returned: success
  type: list
  elements: str
  sample: []
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._ipoib.interfaces import (
    Consents,
    Ipoib,
    load_document,
    observe_ipoib,
    plan_ipoib,
    shown_ipoib,
)


def build(params: Mapping[str, Any]) -> Task[Ipoib]:
    want = load_document({"interfaces": params["interfaces"]})
    consents = Consents(params["allow_disruption"], params["allow_recreate"], params["allow_management"])
    return Task(
        observe=partial(observe_ipoib, want=want),
        plan=partial(plan_ipoib, want=want, consents=consents, expected_ports=params["expected_ports"]),
        returns=partial(shown_ipoib, want=want),
    )


def main() -> None:
    interface = {
        "name": {"type": "str", "required": True},
        "parent": {"type": "str"},
        # A partition is no secret, whatever its option is called.
        "pkey": {"type": "str", "no_log": False},
        "mode": {"type": "str", "choices": ["datagram", "connected"]},
        "mtu": {"type": "int"},
        "umcast": {"type": "bool"},
        "addresses": {"type": "list", "elements": "str"},
    }
    module = AnsibleModule(
        argument_spec={
            "interfaces": {"type": "list", "elements": "dict", "default": [], "options": interface},
            "expected_ports": {"type": "bool", "default": False},
            "allow_disruption": {"type": "bool", "default": False},
            "allow_recreate": {"type": "bool", "default": False},
            "allow_management": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
