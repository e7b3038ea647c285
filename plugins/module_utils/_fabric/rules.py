# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""udev rules (udev(7)) that name ports and representors, and keep other network managers off them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Before 80-net-setup-link.rules, which names devices that have no name yet.
RULES_FILE = "/etc/udev/rules.d/70-railhead-fabric.rules"
_HEADER = """\
# Written by railhead.cluster.fabric: names of ports and representors. Changes made here are lost.
SUBSYSTEM!="net", GOTO="railhead_end"
ACTION!="add", GOTO="railhead_end"
"""
_FOOTER = 'LABEL="railhead_end"\n'
#: NetworkManager and systemd-networkd (256 and newer) leave a device alone that has these.
_UNMANAGED = 'ENV{NM_UNMANAGED}="1", ENV{ID_NET_MANAGED_BY}="railhead"'


@dataclass(frozen=True)
class Named:
    """C(function) is the address of the port on its bus; C(name) None leaves its name to others."""

    function: str
    name: str | None
    representors: tuple[str, ...] = ()


def render_rules(ports: Iterable[Named]) -> str | None:
    """None when nothing is to be named.

    The port and its representors have the same parent; phys_port_name tells them apart, and a port in legacy mode has
    none.
    """
    text = "".join(_of(port) for port in ports)
    return f"{_HEADER}{text}{_FOOTER}" if text else None


def _of(port: Named) -> str:
    parent = f'KERNELS=="{port.function}"'
    lines = [
        f'{parent}, ATTR{{phys_port_name}}=="pf*vf{index}", NAME="{name}", {_UNMANAGED}, GOTO="railhead_end"\n'
        for index, name in enumerate(port.representors)
    ]
    if port.name:
        lines.append(f'{parent}, ATTR{{phys_port_name}}=="*pf*", GOTO="railhead_end"\n')
        lines.append(f'{parent}, NAME="{port.name}", {_UNMANAGED}\n')
    return "".join(lines)
