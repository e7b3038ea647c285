# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab as Ansible's dynamic inventory."""

import shlex
from pathlib import Path
from typing import Any

from railhead_lab import ssh
from railhead_lab.state import LabState, Place


def host_vars(state: LabState, place: Place) -> dict[str, dict[str, Any]]:
    """Return the variables of all hosts: {host: {variable: value}}."""
    result: dict[str, dict[str, Any]] = {}
    for node, spec in zip(state.nodes, state.specs(), strict=True):
        target = place.target(node)
        result[node.name] = {
            "ansible_host": "127.0.0.1",
            "ansible_port": node.ssh_port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(target.key),
            "ansible_ssh_common_args": shlex.join(["-F", "none", *ssh.options(target)]),
            "ansible_python_interpreter": "/usr/bin/python3",
            "lab_index": node.index,
            "lab_ports": [
                {
                    "netdev": netdev,
                    "mac": port.mac,
                    "address": port.address,
                    "prefix": port.prefix,
                    "peer_host": port.peer_host,
                    "peer_address": port.peer_address,
                }
                for netdev, port in zip(node.netdevs, spec.ports, strict=True)
            ],
        }
    return result


def group_name(image: str) -> str:
    """Return the name of the group of an image's nodes; Ansible wants no hyphens there."""
    return f"lab_{image.replace('-', '_')}"


def listing(state: LabState, place: Place) -> dict[str, Any]:
    """Return what `--list` prints."""
    variables = host_vars(state, place)
    hosts = list(variables)
    group = group_name(state.image)
    return {
        "all": {"children": ["lab"]},
        "lab": {
            "children": [group],
            "vars": {"lab_name": state.name, "lab_image": state.image, "lab_folder": str(Path(place.folder))},
        },
        group: {"hosts": hosts},
        "_meta": {"hostvars": variables},
    }
