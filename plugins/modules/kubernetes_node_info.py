#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubernetes_node_info
short_description: Read what a host is to Kubernetes
version_added: 0.1.0
description:
  - Reads from the files of a host whether it is a node of a cluster that kubeadm made, which versions it runs, when its
    certificates end, and what would stand in the way of joining. It asks neither kubeadm nor the API server.
  - The role P(railhead.cluster.kubernetes#role) decides by it what there is to do.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - iproute2 and dpkg on the host, and openssl on one with a control plane
extends_documentation_fragment:
  - railhead.cluster.attributes.info
options:
  files:
    description: Absolute paths of text files to return.
    type: list
    elements: str
    default: []
  modules:
    description: Names of kernel modules to look for.
    type: list
    elements: str
    default: []
  sysctls:
    description: Names of sysctls to read.
    type: list
    elements: str
    default: []
seealso:
  - module: railhead.cluster.node_info
"""

EXAMPLES = r"""
- name: Read what this host is to Kubernetes
  railhead.cluster.kubernetes_node_info:
    modules: [br_netfilter]
  register: node
"""

RETURN = r"""
joined:
  description: Whether the kubelet has its credentials, so the host is a node of a cluster.
  returned: success
  type: bool
  sample: true
api_server_endpoint:
  description: Address and port of the API server that is to run on the host, V(null) without one.
  returned: success
  type: str
  sample: 198.51.100.11:6443
api_server_version:
  description: Version of that API server, V(null) without one.
  returned: success
  type: str
  sample: 1.35.1
packages:
  description: Versions of the packages of Kubernetes that are installed.
  returned: success
  type: dict
  sample: {kubeadm: 1.35.1-1.1, kubelet: 1.35.1-1.1, kubectl: 1.35.1-1.1, cri-tools: 1.35.0-1.1}
policies:
  description: >-
    The policies by which the kubelet last shared out processors and memory, V(null) where it has not.
  returned: success
  type: dict
  sample: {cpu: static, memory: None}
certificates_end:
  description: >-
    When the first certificate of the control plane ends, in seconds since 1970, those of CAs apart; V(null) without
    any.
  returned: success
  type: int
  sample: 1826863348
swap:
  description: Files and devices that are in use for swapping.
  returned: success
  type: list
  elements: str
  sample: []
cgroup:
  description: Version of the cgroups that the host has mounted.
  returned: success
  type: int
  sample: 2
memory:
  description: Memory of the host in MiB.
  returned: success
  type: int
  sample: 3911
kernel:
  description: Release of the running kernel.
  returned: success
  type: str
  sample: 6.12.57+deb13-amd64
ports:
  description: TCP ports on which some program listens.
  returned: success
  type: list
  elements: int
  sample: [22]
addresses:
  description: The global addresses of the host, each with prefix length, device and its MTU.
  returned: success
  type: list
  elements: dict
  sample: [{device: ens1f0np0, mtu: 9000, address: 198.51.100.11, prefix: 24}]
default_address:
  description: IPv4 address of the host on the device of its default route, V(null) without one.
  returned: success
  type: str
  sample: 192.0.2.17
networks:
  description: Networks in the routing table, without those of pods and the default route.
  returned: success
  type: list
  elements: dict
  sample: [{network: 198.51.100.0/24, device: ens1f0np0}]
modules:
  description: Those of O(modules) that are loaded.
  returned: success
  type: list
  elements: str
  sample: [br_netfilter]
sysctls:
  description: Values of O(sysctls), V(null) for one that the kernel has not.
  returned: success
  type: dict
  sample: {net.ipv4.ip_forward: "1"}
files:
  description: Content of O(files), V(null) for one that is not there.
  returned: success
  type: dict
  sample: {/etc/kubernetes/railhead-kubeadm.yaml: null}
"""

from functools import partial

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.module import run_read
from ansible_collections.railhead.cluster.plugins.module_utils._kubernetes.node import read_node


def main() -> None:
    names = ("files", "modules", "sysctls")
    module = AnsibleModule(
        argument_spec={name: {"type": "list", "elements": "str", "default": []} for name in names},
        supports_check_mode=True,
    )
    run_read(module, partial(read_node, **{name: module.params[name] for name in names}))


if __name__ == "__main__":
    main()
