# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task asks of Open vSwitch, checked as far as that is possible without looking at the host."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._link.request import valid_netdev_name
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.plan import (
    HW_OFFLOAD,
    TC_POLICY,
    BridgeWant,
    PortWant,
)

_MOST_VLAN = 4094


def config_from(params: Mapping[str, Any]) -> dict[str, str | None]:
    """Keys of other_config and their values; None removes the key."""
    own = {HW_OFFLOAD: params["hw_offload"], TC_POLICY: params["tc_policy"]}
    wanted = {key: _text(key, value) for key, value in own.items() if value is not None}
    for key, value in (params["other_config"] or {}).items():
        if key in own:
            option = key.replace("-", "_")
            raise RailheadError(f"Cannot set {key} by other_config: give it as {option}, which is checked.")
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", str(key)):
            raise RailheadError(
                f"Cannot use {key!r} as a key of other_config: give letters, digits, '_', '.' and '-', not beginning"
                " with '-' or '.'."
            )
        wanted[str(key)] = _text(str(key), value)
    return wanted


def bridge_from(params: Mapping[str, Any]) -> BridgeWant:
    name, ports = valid_netdev_name("name", params["name"]), params["ports"] or ()
    if params["state"] == "absent" and (ports or params["absent_ports"]):
        raise RailheadError(
            f"Cannot delete the bridge {name} and manage its ports: they go with it; leave them out, or give"
            " state=present."
        )
    found = tuple(_port(name, port) for port in ports)
    _refuse_twice(name, [*(port.name for port in found), *absent_ports_from(params)])
    return BridgeWant(name, params["state"] == "present", found)


def absent_ports_from(params: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(valid_netdev_name("absent_ports", port) for port in params["absent_ports"] or ())


def _text(key: str, value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, (int, float, str)):
        return None if value is None or value == "" else str(value)
    raise RailheadError(f"Cannot set {key} of Open vSwitch to {value!r}: give a string, a number or a boolean.")


def _port(bridge: str, entry: Mapping[str, Any]) -> PortWant:
    name, tag, trunks = valid_netdev_name("ports[].name", entry["name"]), entry["tag"], entry["trunks"] or ()
    attempt = f"Cannot put {name} into the bridge {bridge}: "
    if name == bridge:
        raise RailheadError(f"{attempt}it is the bridge itself; leave it out.")
    if tag is not None and trunks:
        raise RailheadError(
            f"{attempt}a port with a tag is an access port of that VLAN, and has no trunks; give one of tag and trunks."
        )
    if tag is not None and not 1 <= tag <= _MOST_VLAN:
        raise RailheadError(
            f"{attempt}there is no VLAN {tag}; give 1 to {_MOST_VLAN} as tag, or leave it out for none."
        )
    for vlan in trunks:
        if not 0 <= vlan <= _MOST_VLAN:
            raise RailheadError(
                f"{attempt}there is no VLAN {vlan}; give 1 to {_MOST_VLAN} in trunks, and 0 for frames without a tag."
            )
    return PortWant(name, tag, tuple(sorted(set(trunks))))


def _refuse_twice(bridge: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise RailheadError(f"Cannot manage the bridge {bridge}: its port {name} is named twice; keep one of them.")
        seen.add(name)
