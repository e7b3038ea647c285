# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: kubernetes_rdma
short_description: RDMA resources and networks of a Kubernetes cluster, from what its hosts have
version_added: 0.1.0
description:
  - A device plugin of Kubernetes has one configuration for all nodes. This filter makes it from the RDMA devices, ports
    and virtual functions of all hosts, with one resource a rail, so that no name of a device is typed twice.
  - Rails are told apart by the names of their network devices where these are V(rail0), V(rail1) and so on on every
    host, and otherwise by the order of PCI addresses on each host. Hosts that differ are united; what a single
    configuration cannot say is refused.
  - The role P(railhead.cluster.kubernetes_rdma#role) applies what it returns.
author: The railhead.cluster maintainers (@railhead)
positional: _input
options:
  _input:
    description:
      - For each node a mapping with C(devices) of M(railhead.cluster.rdma_info) and C(ports) of
        M(railhead.cluster.fabric_info).
    type: dict
    required: true
  model:
    description:
      - With V(shared) pods share the devices of the ports, by the RDMA shared device plugin.
      - With V(exclusive) a pod has virtual functions of its own, by the SR-IOV network device plugin.
    type: str
    choices: [shared, exclusive]
    required: true
  resources:
    description:
      - The resources, for those that are not to be computed. Each has a C(name), a list of C(interfaces) and, with
        O(model=shared), C(shares).
    type: list
    elements: dict
    default: []
  networks:
    description:
      - Networks of pods, as C(kubernetes_rdma_networks) of the role describes them.
    type: list
    elements: dict
    default: []
  prefix:
    description:
      - What the names of resources begin with.
    type: str
    default: rdma
  shares:
    description:
      - How many pods of a node can have a resource with O(model=shared).
    type: int
    default: 100
  update_interval:
    description:
      - Seconds between two searches of the RDMA shared device plugin for devices, V(0) for one search only.
    type: int
    default: 60
  namespace:
    description:
      - Namespace of networks that name none.
    type: str
    default: default
  complete:
    description:
      - Whether finding nothing is refused. With V(false) nothing is returned for nothing, as long as hosts are bare.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Show the resources of the cluster
  ansible.builtin.debug:
    msg: "{{ {'node1': have} | railhead.cluster.kubernetes_rdma('shared') }}"
  vars:
    have: {devices: "{{ rdma.devices }}", ports: "{{ fabric.ports }}"}
"""

RETURN = r"""
_value:
  description: What is to be applied, and what is to be seen afterwards.
  type: dict
  contains:
    resources:
      description: Names of the resources.
      type: list
      elements: str
      sample: [rdma/rail0, rdma/rail1]
    config:
      description: Configuration of the device plugin.
      type: dict
      sample:
        periodicUpdateInterval: 60
        configList:
          - resourceName: rail0
            resourcePrefix: rdma
            rdmaHcaMax: 100
            selectors: {ifNames: [rail0]}
    checksum:
      description: Changes when the plugin has to start anew, for its configuration or for other virtual functions.
      type: str
      sample: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    nodes:
      description: The resources that each node must report.
      type: dict
      sample: {node1: [rdma/rail0, rdma/rail1]}
    networks:
      description: A NetworkAttachmentDefinition for each network.
      type: list
      elements: dict
      sample:
        - apiVersion: k8s.cni.cncf.io/v1
          kind: NetworkAttachmentDefinition
          metadata: {name: rail0, namespace: default}
          spec: {config: "{}"}
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.plugin_utils.kubernetes_rdma import Want, plan


def plain(value: Any) -> Any:
    """The same without what Ansible knows of its origin, and with lazy templates resolved."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


def kubernetes_rdma(
    hosts: Any,
    model: str,
    resources: Any = (),
    networks: Any = (),
    **options: Any,
) -> dict[str, Any]:
    try:
        want = Want(model=str(model), **options)
    except TypeError as error:
        raise AnsibleFilterError(f"Cannot read the options of kubernetes_rdma: {error}") from None
    try:
        return plan(plain(hosts), want, plain(resources), plain(networks))
    except RailheadError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., dict[str, Any]]]:
        return {"kubernetes_rdma": kubernetes_rdma}
