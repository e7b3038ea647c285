#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rdma_dev
short_description: Name an RDMA device and place it into a network namespace
version_added: 0.1.0
description:
  - Renames an RDMA device, moves it between network namespaces, and switches its adaptive moderation (rdma-dev(8)).
  - The device is found in whichever network namespace it is.
  - A move takes the device from the processes that use it, without a warning to them, and destroys its IPoIB network
    devices. It needs the V(exclusive) mode of M(railhead.cluster.rdma_system), and a driver that can do it, which
    mlx5, mlx4, irdma, bnxt_re, mana, hns and erdma can in Linux 6.12; rxe and an unmodified siw cannot.
  - Nothing here survives a reboot, and udev may rename a device when it comes back to the host.
    M(railhead.cluster.rdma_host) applies it again at boot.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 5.14 or newer on the host
  - nsenter of util-linux on the host, when the device is in another network namespace
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  device:
    description:
      - Name of the device now. When there is none of that name, but one called O(name), it counts as renamed.
    type: str
    required: true
  name:
    description:
      - The new name. When not given, the device keeps its name.
    type: str
  netns:
    description:
      - Name of the network namespace that the device is to be in; the empty string is the host's own.
      - When not given, the device stays where it is.
    type: str
  adaptive_moderation:
    description:
      - Whether completion queues that are created from now on moderate their interrupts adaptively.
      - When not given, the switch stays as it is.
    type: bool
  allow_disruption:
    description:
      - Consent to a move of a device that is in use. Without it, the module fails and names the users.
    type: bool
    default: false
seealso:
  - module: railhead.cluster.ip_netns
  - module: railhead.cluster.rdma_host
  - module: railhead.cluster.rdma_system
"""

EXAMPLES = r"""
- name: Give the first device to the first GPU
  railhead.cluster.rdma_dev:
    device: mlx5_0
    name: rail0
    netns: gpu0

- name: Take it back
  railhead.cluster.rdma_dev:
    device: rail0
    netns: ""
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample: [[rdma, dev, set, mlx5_0, name, rail0], [rdma, dev, set, rail0, netns, gpu0]]
device:
  description: The device as read last. The network namespace of the host is the empty string.
  returned: success
  type: dict
  sample: {name: rail0, netns: gpu0, adaptive_moderation: true}
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.devices import (
    Placement,
    find,
    plan_device,
    shown_device,
)
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.state import Rdma, observe_rdma


def build(params: Mapping[str, Any]) -> Task[Rdma]:
    want = Placement(params["device"], params["name"], params["netns"], params["adaptive_moderation"])
    return Task(
        observe=observe_rdma,
        plan=partial(plan_device, want=want, allow_disruption=params["allow_disruption"]),
        returns=lambda have: {"device": shown_device(find(have, want))},
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "device": {"type": "str", "required": True},
            "name": {"type": "str"},
            "netns": {"type": "str"},
            "adaptive_moderation": {"type": "bool"},
            "allow_disruption": {"type": "bool", "default": False},
        },
        required_one_of=[("name", "netns", "adaptive_moderation")],
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
