# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that devlink tells of a host's devices. Six processes, however many devices there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.device import parse_batch
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.eswitch import parse_settings
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.params import parse_params

_PORT_KEYS = ("type", "netdev", "ibdev", "flavour", "port", "controller", "pfnum", "vfnum", "sfnum", "function")


def read_info(host: Host) -> dict[str, Any]:
    """The return values of M(railhead.cluster.devlink_info)."""
    handles = list(host.read_json(["devlink", "-j", "dev", "show"])["dev"])
    if not handles:
        return {"devices": []}
    info = host.read_json(["devlink", "-j", "dev", "info"])["info"]
    params = host.read_json(["devlink", "-j", "dev", "param", "show"])["param"]
    ports = host.read_json(["devlink", "-j", "port", "show"])["port"]
    health = host.read_json(["devlink", "-j", "health", "show"])["health"]
    eswitches = _eswitches(host, handles)
    return {
        "devices": [
            {
                "device": handle,
                "info": info.get(handle, {}),
                "eswitch": asdict(parse_settings(eswitches[handle])) if handle in eswitches else None,
                "params": parse_params(params.get(handle, ())),
                "ports": [_port(name, port) for name, port in ports.items() if _is_port_of(name, handle)],
                "health": [
                    {**reporter, "port": None if name == handle else name}
                    for name, reporters in health.items()
                    if name == handle or _is_port_of(name, handle)
                    for reporter in reporters
                ],
            }
            for handle in handles
        ]
    }


def _eswitches(host: Host, handles: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """devlink cannot show the e-switches of all devices, so one batch asks for each; those without one are silent."""
    lines = "".join(f"dev eswitch show {handle}\n" for handle in handles)
    answered = host.run(["devlink", "-j", "-f", "-b", "-"], stdin=lines)
    return {handle: shown for entry in parse_batch(answered.stdout) for handle, shown in entry["dev"].items() if shown}


def _is_port_of(name: str, handle: str) -> bool:
    return name.rpartition("/")[0] == handle


def _port(name: str, shown: Mapping[str, Any]) -> dict[str, Any]:
    return {"handle": name, **{key: shown.get(key) for key in _PORT_KEYS}}
