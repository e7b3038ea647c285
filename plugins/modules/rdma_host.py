#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rdma_host
short_description: Bring the RDMA side of a whole host into a state
version_added: 0.1.0
description:
  - Sets the namespace mode, creates network namespaces and software RDMA devices, places RDMA devices, and limits
    cgroups, in this order, in one call. What is not named is left alone; nothing is deleted.
  - All of it is read at once and planned before the first change. What one step makes counts as there for those after
    it, so check mode is exact for a device on a link that is still to be created.
  - The same sections as a JSON document are what the program of M(railhead.cluster.node_program) applies at boot.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 5.14 or newer on the host
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  netns_mode:
    description:
      - Mode of the RDMA subsystem, as with M(railhead.cluster.rdma_system). Without it the mode is left as it is.
    type: str
    choices: [shared, exclusive]
  namespaces:
    description:
      - Names of network namespaces, as with M(railhead.cluster.ip_netns).
    type: list
    elements: str
    default: []
  links:
    description:
      - Software RDMA devices, as with M(railhead.cluster.rdma_link).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the RDMA device.
        type: str
        required: true
      type:
        description: The driver.
        type: str
        choices: [rxe, siw]
        required: true
      netdev:
        description: Network device in the host's own network namespace.
        type: str
        required: true
  devices:
    description:
      - Names and places of RDMA devices, as with M(railhead.cluster.rdma_dev). Something must be wanted of each.
      - A new name cannot be the O(devices[].device) of another entry, as a second run could not tell the two apart.
    type: list
    elements: dict
    default: []
    suboptions:
      device:
        description: Name of the device now, or before it was renamed.
        type: str
        required: true
      name:
        description: The new name.
        type: str
      netns:
        description: >-
          Network namespace, listed under O(namespaces) or existing already; the empty string is the host's own.
        type: str
      adaptive_moderation:
        description: Whether completion queues moderate their interrupts adaptively.
        type: bool
  cgroups:
    description:
      - Limits, as with M(railhead.cluster.rdma_cgroup). A device that is to be renamed goes by its new name here.
    type: list
    elements: dict
    default: []
    suboptions:
      cgroup:
        description: Path of the cgroup, relative to where cgroup v2 is mounted, or absolute inside of it.
        type: str
        required: true
      device:
        description: Name of the RDMA device.
        type: str
        required: true
      hca_handle:
        description: Number of contexts, or V(max).
        type: str
      hca_object:
        description: Number of objects, or V(max).
        type: str
  expected_netdevs:
    description:
      - Network devices that are not there yet and that somebody else will have made by the time the steps are taken,
        such as a bridge of M(railhead.cluster.fabric). Links on them are planned as if they were there.
    type: list
    elements: str
    default: []
  expected_devices:
    description:
      - RDMA devices, likewise, such as those of VFs that M(railhead.cluster.fabric) will have made. They are planned
        for as if they were there, in the host's own namespace.
    type: list
    elements: str
    default: []
  allow_disruption:
    description:
      - Consent to moves of devices that are in use.
    type: bool
    default: false
seealso:
  - module: railhead.cluster.ip_netns
  - module: railhead.cluster.node_program
  - module: railhead.cluster.rdma_cgroup
  - module: railhead.cluster.rdma_dev
  - module: railhead.cluster.rdma_link
"""

EXAMPLES = r"""
- name: One namespace and one rail for each GPU, and limits for the jobs
  railhead.cluster.rdma_host:
    netns_mode: exclusive
    namespaces: [gpu0, gpu1]
    devices:
      - {device: mlx5_0, name: rail0, netns: gpu0}
      - {device: mlx5_1, name: rail1, netns: gpu1}
    cgroups:
      - {cgroup: jobs.slice, device: rail0, hca_handle: 2, hca_object: 2000}
      - {cgroup: jobs.slice, device: rail1, hca_handle: 2, hca_object: 2000}

- name: A laptop without RDMA hardware
  railhead.cluster.rdma_host:
    links:
      - {name: rxe0, type: rxe, netdev: eth0}
"""

RETURN = r"""
commands:
  description: >-
    The steps that were taken, or would be taken in check mode. C(write) stands for writing its last word to a file,
    C(mkdir) for creating a directory, all others are argument lists.
  returned: always
  type: list
  elements: list
  sample:
    - [ip, netns, add, gpu0]
    - [rdma, dev, set, mlx5_0, name, rail0]
    - [rdma, dev, set, rail0, netns, gpu0]
    - [write, /sys/fs/cgroup/jobs.slice/rdma.max, rail0 hca_handle=2 hca_object=2000]
host:
  description: What was asked for, as read last; each section in the order of the options.
  returned: success
  type: dict
  sample:
    netns_mode: exclusive
    namespaces: [gpu0]
    links: []
    devices: [{name: rail0, netns: gpu0, adaptive_moderation: true}]
    cgroups: [{cgroup: jobs.slice, device: rail0, hca_handle: 2, hca_object: 2000}]
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.host_state import (
    SECTIONS,
    HostState,
    load_document,
    observe_host,
    plan_host,
    shown_host,
)

REQUIRED = {"type": "str", "required": True}
OPTIONAL = {"type": "str"}


def build(params: Mapping[str, Any]) -> Task[HostState]:
    want = load_document({section: params[section] for section in SECTIONS})
    return Task(
        observe=partial(observe_host, want=want),
        plan=partial(
            plan_host,
            want=want,
            allow_disruption=params["allow_disruption"],
            expected_netdevs=params["expected_netdevs"],
            expected_devices=params["expected_devices"],
        ),
        returns=lambda have: {"host": shown_host(have, want)},
    )


def entries(**options: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "list", "elements": "dict", "default": [], "options": options}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "netns_mode": {"type": "str", "choices": ["shared", "exclusive"]},
            "namespaces": {"type": "list", "elements": "str", "default": []},
            "links": entries(name=REQUIRED, type={**REQUIRED, "choices": ["rxe", "siw"]}, netdev=REQUIRED),
            "devices": entries(device=REQUIRED, name=OPTIONAL, netns=OPTIONAL, adaptive_moderation={"type": "bool"}),
            "cgroups": entries(cgroup=REQUIRED, device=REQUIRED, hca_handle=OPTIONAL, hca_object=OPTIONAL),
            "expected_netdevs": {"type": "list", "elements": "str", "default": []},
            "expected_devices": {"type": "list", "elements": "str", "default": []},
            "allow_disruption": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
