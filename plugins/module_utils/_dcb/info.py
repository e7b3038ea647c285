# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The return values of M(railhead.cluster.dcb_info)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.observe import read_netdevs
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.ports import find_netdev, has_device, valid_port
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.state import shown_port

_NET = "/sys/class/net"


def read_info(host: Host, ports: Iterable[str] | None = None) -> dict[str, Any]:
    """One process. Ports that were not named are left out when they have no DCB."""
    if ports is None:
        netdevs = [netdev for netdev in host.list_directory(_NET) if has_device(host, netdev)]
    else:
        netdevs = list(dict.fromkeys(find_netdev(host, valid_port(port)) for port in ports))
    states = read_netdevs(host, netdevs).values()
    return {
        "ports": [
            {
                **shown_port(replace(state, pause=host.read_pause(state.netdev))),
                "pauses_sent": list(state.requests),
                "pauses_received": list(state.indications),
            }
            for state in states
            if ports is not None or state.pfc is not None
        ]
    }
