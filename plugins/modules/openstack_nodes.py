#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openstack_nodes
short_description: Create the servers of a cluster in OpenStack, with their ports and server groups
version_added: 0.1.0
description:
  - Brings all nodes of a cluster about in one call, virtual machines or bare metal by their flavor. What is there
    already is left alone; all that is wrong with what is wanted is said at once, before anything is created.
  - Servers of this cluster carry its name in their metadata as C(railhead_cluster).
  - A server is never resized, and its image is not compared. M(railhead.cluster.server_rebuild) changes the image.
author: The railhead.cluster maintainers (@railhead)
extends_documentation_fragment:
  - railhead.cluster.attributes
  - railhead.cluster.openstack
options:
  cluster:
    description:
      - Name of the cluster.
    type: str
    required: true
  nodes:
    description:
      - The servers.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the server.
        type: str
        required: true
      flavor:
        description: Name or id of its size.
        type: str
        required: true
      image:
        description: Name or id of the image that it is created from.
        type: str
        required: true
      ports:
        description: Its ports, in the order in which the server gets them.
        type: list
        elements: dict
        default: []
        suboptions:
          network:
            description: Name or id of the network.
            type: str
            required: true
          name:
            description: Name of the port. Without it, the names of server and network with a hyphen between them.
            type: str
          type:
            description: What the server gets, V(direct) being a virtual function.
            type: str
            choices: [normal, direct, direct-physical, baremetal]
            default: normal
          switchdev:
            description: >-
              Whether the virtual function must be one of a port in switchdev mode (the capability of that name in the
              binding profile). The account needs rights to the profile, which is found out first.
            type: bool
            default: false
          port_security:
            description: >-
              Whether only the port's own addresses may leave it. Pods with macvlan need it off, or
              O(nodes[].ports[].allowed_address_pairs).
            type: bool
            default: true
          allowed_address_pairs:
            description: Addresses that may leave the port beside its own.
            type: list
            elements: dict
            default: []
            suboptions:
              ip_address:
                description: An address or a network.
                type: str
                required: true
              mac_address:
                description: A MAC; the port's own without it.
                type: str
          fixed_ip:
            description: The port's address; the cloud chooses one without it.
            type: str
          mtu:
            description: What the network must carry at least, in bytes.
            type: int
            default: 0
      server_group:
        description: Name of a server group, by which the scheduler keeps servers apart or together.
        type: str
      key_name:
        description: Name of a key pair.
        type: str
      availability_zone:
        description: Name of the zone.
        type: str
      volume_size:
        description: Boot from a volume of so many GiB, made from the image; V(0) for the disk of the flavor.
        type: int
        default: 0
      config_drive:
        description: Whether the server gets its metadata by a drive, as ports of type V(direct) often need it.
        type: bool
        default: true
      metadata:
        description: Metadata; other keys of a server that is there stay.
        type: dict
        default: {}
  server_groups:
    description:
      - Server groups to be made where they are not there.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the group.
        type: str
        required: true
      policy:
        description: What the scheduler makes of it.
        type: str
        choices: [affinity, anti-affinity, soft-affinity, soft-anti-affinity]
        default: soft-anti-affinity
  allow_removal:
    description:
      - Consent to delete servers of the cluster that are not in O(nodes), with their disks and ports.
    type: bool
    default: false
  timeout:
    description:
      - Seconds that servers get to run, or to be gone.
    type: float
    default: 1800.0
seealso:
  - module: railhead.cluster.server_rebuild
  - module: openstack.cloud.server
"""

EXAMPLES = r"""
- name: Two nodes with a switchdev port on each rail
  railhead.cluster.openstack_nodes:
    cloud: site
    cluster: train
    nodes:
      - name: gpu-01
        flavor: baremetal.h200
        image: debian-13-2026-11
        server_group: train
        ports:
          - {network: management}
          - {network: rail0, type: direct, switchdev: true, port_security: false, mtu: 9000}
          - {network: rail1, type: direct, switchdev: true, port_security: false, mtu: 9000}
      - name: gpu-02
        flavor: baremetal.h200
        image: debian-13-2026-11
        server_group: train
        ports:
          - {network: management}
          - network: rail0
            type: direct
            switchdev: true
            allowed_address_pairs: [{ip_address: 198.51.100.128/25}]
    server_groups:
      - {name: train}
  delegate_to: localhost
"""

RETURN = r"""
commands:
  description: The calls that were made, or would be made in check mode, as lists of words.
  returned: always
  type: list
  elements: list
  sample: [[create, port, gpu-01-rail0], [create, server, gpu-01]]
servers:
  description: Name, id and status of each wanted server, as read last.
  returned: success
  type: list
  elements: dict
  sample: [{name: gpu-01, id: 0f6c1b3e-54e6-4a0b-9d0c-3b8a3b8f5d11, status: ACTIVE}]
reason:
  description: What kind of a failure it was, as M(railhead.cluster.server_rebuild) tells them apart.
  returned: failure
  type: str
  sample: forbidden
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._openstack.module import CLOUD_ARGUMENTS, run_nodes

PAIR = {"ip_address": {"type": "str", "required": True}, "mac_address": {"type": "str"}}
PORT = {
    "network": {"type": "str", "required": True},
    "name": {"type": "str"},
    "type": {"type": "str", "choices": ["normal", "direct", "direct-physical", "baremetal"], "default": "normal"},
    "switchdev": {"type": "bool", "default": False},
    "port_security": {"type": "bool", "default": True},
    "allowed_address_pairs": {"type": "list", "elements": "dict", "default": [], "options": PAIR},
    "fixed_ip": {"type": "str"},
    "mtu": {"type": "int", "default": 0},
}
NODE = {
    "name": {"type": "str", "required": True},
    "flavor": {"type": "str", "required": True},
    "image": {"type": "str", "required": True},
    "ports": {"type": "list", "elements": "dict", "default": [], "options": PORT},
    "server_group": {"type": "str"},
    "key_name": {"type": "str", "no_log": False},
    "availability_zone": {"type": "str"},
    "volume_size": {"type": "int", "default": 0},
    "config_drive": {"type": "bool", "default": True},
    "metadata": {"type": "dict", "default": {}},
}
GROUP = {
    "name": {"type": "str", "required": True},
    "policy": {
        "type": "str",
        "choices": ["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"],
        "default": "soft-anti-affinity",
    },
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CLOUD_ARGUMENTS,
            "cluster": {"type": "str", "required": True},
            "nodes": {"type": "list", "elements": "dict", "required": True, "options": NODE},
            "server_groups": {"type": "list", "elements": "dict", "default": [], "options": GROUP},
            "allow_removal": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 1800.0},
        },
        supports_check_mode=True,
    )
    run_nodes(module)


if __name__ == "__main__":
    main()
