# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""InfiniBand ports of a host, and the subnet manager that each of them obeys. Only read."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host

_DEVICES = "/sys/class/infiniband"


@dataclass(frozen=True)
class Manager:
    """What a subnet manager says of itself; C(guid) is that of the port that it runs on, as 16 digits."""

    lid: int
    guid: str
    priority: int
    state: str


@dataclass(frozen=True)
class Port:
    """C(state) as in sysfs, in lower case. C(lid) and C(manager_lid) are 0 until a subnet manager has given them.

    C(answer) is what C(sminfo) said, where it was not what a subnet manager says.
    """

    device: str
    number: int
    guid: str
    state: str
    lid: int = 0
    manager_lid: int = 0
    manager: Manager | None = None
    answer: str = ""


def observe_ports(host: Host) -> tuple[Port, ...]:
    """One C(sminfo), where it is installed, for each InfiniBand port that a subnet manager has configured."""
    found = []
    for device in host.list_directory(_DEVICES):
        for number in host.list_directory(f"{_DEVICES}/{device}/ports"):
            directory = f"{_DEVICES}/{device}/ports/{number}"
            if host.read(f"{directory}/link_layer") == "InfiniBand":
                found.append(_observe(host, device, number, directory))
    return tuple(found)


def _observe(host: Host, device: str, number: str, directory: str) -> Port:
    state = (host.read(f"{directory}/state") or "").partition(": ")[2].lower()
    guid = (host.read(f"{directory}/gids/0") or "").replace(":", "")[16:]
    lid, manager_lid = (int(host.read(f"{directory}/{name}") or "0", 16) for name in ("lid", "sm_lid"))
    port = Port(device, int(number), guid, state, lid, manager_lid)
    if manager_lid == 0 or not host.is_installed("sminfo"):
        return port
    result = host.run(["sminfo", "-C", device, "-P", number])
    manager = parse_sminfo(result.stdout) if result.rc == 0 else None
    answer = "" if manager else (result.stderr.strip() or result.stdout.strip() or f"return code {result.rc}")
    return replace(port, manager=manager, answer=answer)


def parse_sminfo(text: str) -> Manager | None:
    """C(sminfo: sm lid 1 sm guid 0x2c9..., activity count 5 priority 14 state 3 SMINFO_MASTER) (infiniband-diags)."""
    match = re.search(
        r"sm lid (\d+) sm guid 0x([0-9a-f]+), activity count \d+ priority (\d+) state \d+ (?:SMINFO_)?(\S+)", text
    )
    if match is None:
        return None
    lid, guid, priority, state = match.groups()
    return Manager(int(lid), guid.zfill(16), int(priority), state.lower())


def describe(ports: tuple[Port, ...]) -> dict[str, Any]:
    """What the module returns. A subnet manager is foreign when it runs on a port of another host."""
    return {
        "ports": [
            {
                "device": port.device,
                "port": port.number,
                "guid": port.guid,
                "state": port.state,
                "manager": vars(port.manager) if port.manager else None,
                "manager_lid": port.manager_lid,
                "foreign": _is_foreign(port, ports),
                "answer": port.answer,
            }
            for port in ports
        ]
    }


def _is_foreign(port: Port, ports: tuple[Port, ...]) -> bool:
    """One that does not say who it is goes by its LID, which this host may have itself."""
    if port.manager:
        return port.manager.guid not in [own.guid for own in ports]
    return port.manager_lid != 0 and port.manager_lid not in [own.lid for own in ports]
