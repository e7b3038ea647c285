# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the Open vSwitch that is there to the one that is wanted. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import NotTakenError, RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Plan, Step
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.observe import Bridge, Ovs, OvsPort, Switch

HW_OFFLOAD, TC_POLICY = "hw-offload", "tc-policy"
#: What ovs-vswitchd reads only once, with the value that a missing key means (ovs-vswitchd.conf.db(5)).
_AT_START = {
    HW_OFFLOAD: "false",
    TC_POLICY: "none",
    "n-offload-threads": "1",
    "offload-rebalance": "false",
    "per-port-memory": "false",
    "shared-mempool-config": "",
    "userspace-tso-enable": "false",
}
_AT_START_PREFIXES = ("dpdk-", "vhost-")
#: Read in the moment in which hw-offload takes effect, and of no meaning without it (netdev_set_flow_api_enabled).
_OF_OFFLOAD = (TC_POLICY, "n-offload-threads", "offload-rebalance")
#: Seconds that ovs-vswitchd gets to take a change of the database; without a limit ovs-vsctl waits for ever.
_TIMEOUT = "--timeout=60"
#: Longer than TimeoutSec of the units.
_SERVICE_DEADLINE = 330.0
_JOURNAL = "'journalctl -u ovsdb-server -u ovs-vswitchd' says why."


@dataclass(frozen=True)
class PortWant:
    """C(tag) makes it an access port of that VLAN; C(trunks) are the VLANs of a trunk, all when empty."""

    name: str
    tag: int | None = None
    trunks: tuple[int, ...] = ()


@dataclass(frozen=True)
class BridgeWant:
    """Ports that are not named are left alone."""

    name: str
    present: bool = True
    ports: tuple[PortWant, ...] = ()


def plan_config(have: Ovs, wanted: Mapping[str, str | None], allow_restart: bool = False) -> Plan:
    steps, after = with_config(have, wanted, allow_restart)
    return Plan(steps, shown_config(have), shown_config(after))


def plan_bridge(
    have: Switch, want: BridgeWant, absent_ports: Sequence[str] = (), allow_management: bool = False
) -> Plan:
    """One bridge, and what only a look at the host can refuse."""
    ovs, bridge = have.ovs, have.ovs.bridge(want.name)
    if want.present:
        _refuse_missing(have, want)
        _refuse_errors(ovs, want)
    there = [name for name in absent_ports if bridge and bridge.port(name)]
    removed, after = without_ports(ovs, there)
    changed, after = with_bridges(after, [want])
    touched = _touched(want.name, bridge, after.bridge(want.name))
    cut = [name for name in have.carries if name in touched]
    if (removed or changed) and cut and not allow_management:
        raise RailheadError(
            f"Cannot change the bridge {want.name}: the SSH connection of this run comes in over {', '.join(cut)},"
            " which could end; come in by another way, or set allow_management=true."
        )
    return Plan((*removed, *changed), shown_bridge(ovs, want.name), shown_bridge(after, want.name))


def with_config(have: Ovs, wanted: Mapping[str, str | None], allow_restart: bool) -> tuple[tuple[Step, ...], Ovs]:
    """Steps to the wanted keys of other_config (None removes one), and the state after them.

    ovs-vswitchd is stopped before the database changes what it reads at its start. So whenever these steps end early,
    it either has the old values in the database too, or does not run, which the next plan sees.
    """
    config = {key: value for key, value in {**have.config, **wanted}.items() if value is not None}
    changes = {key: value for key, value in wanted.items() if not have.known or have.config.get(key) != value}
    restart = _read_at_start(have.config, config) if have.running else []
    after = replace(have, running=have.running or bool(wanted), config=config)
    if have.running and not restart:
        return ((_set(changes, wait=True),) if changes else ()), after
    if not wanted:
        return (), after
    steps: list[Step] = [_stop(have, restart, allow_restart)] if restart else []
    steps.append(_systemctl("start", "ovsdb-server", does="start the database of Open vSwitch", advice=_JOURNAL))
    if changes:
        steps.append(_set(changes, wait=False))
    return (*steps, _start(have)), after


def with_bridges(have: Ovs, wanted: Sequence[BridgeWant]) -> tuple[tuple[Step, ...], Ovs]:
    """Steps to the wanted bridges, and the state after them. All changes are one transaction of one process."""
    words: list[tuple[str, ...]] = []
    does: list[str] = []
    now = have
    # Bridges that go away free their ports for others.
    for want in sorted(wanted, key=lambda want: want.present):
        more, texts, now = _with_bridge(now, want) if want.present else _without_bridge(now, want.name)
        words += more
        does += texts
    if not words and (have.running or not any(want.present for want in wanted)):
        return (), have
    steps = [] if have.running else [_start(have)]
    steps += [_vsctl(words, " and ".join(does))] if words else []
    return tuple(steps), replace(now, running=True)


def without_ports(have: Ovs, names: Iterable[str]) -> tuple[tuple[Step, ...], Ovs]:
    """Steps that take the named ports out of the bridges that they are in, if they are in one; and the state after."""
    places = {name: bridge.name for name in names if (bridge := have.bridge_of(name))}
    if not places:
        return (), have
    now = have
    for name in places:
        now = _replaced(now, name, None)
    does = "take " + ", ".join(f"{name} out of {bridge}" for name, bridge in places.items())
    step = _vsctl([("--if-exists", "del-port", name) for name in places], does)
    return (*(() if have.running else (_start(have),)), step), replace(now, running=True)


def shown_ovs(ovs: Ovs) -> dict[str, Any]:
    """What a person gets to see of all of it."""
    return {**shown_config(ovs), "bridges": [shown_bridge(ovs, bridge.name) for bridge in ovs.bridges]}


def shown_config(ovs: Ovs) -> dict[str, Any]:
    return {"running": ovs.running, "other_config": dict(sorted(ovs.config.items()))}


def shown_bridge(ovs: Ovs, name: str) -> dict[str, Any]:
    bridge = ovs.bridge(name)
    if bridge is None:
        return {"name": name, "state": "absent", "ports": []}
    return {"name": name, "state": "present", "ports": [_shown_port(port) for port in bridge.ports]}


def _shown_port(port: OvsPort) -> dict[str, Any]:
    return {"name": port.name, "tag": port.tag, "trunks": list(port.trunks), "error": port.error}


# Configuration


def _read_at_start(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Changed keys that a running ovs-vswitchd does not look at again."""
    offload = "true" in (old.get(HW_OFFLOAD), new.get(HW_OFFLOAD))
    return [
        key
        for key in sorted({*old, *new})
        if (key in _AT_START or key.startswith(_AT_START_PREFIXES))
        and old.get(key, _AT_START.get(key)) != new.get(key, _AT_START.get(key))
        and (offload or key not in _OF_OFFLOAD)
    ]


def _stop(have: Ovs, keys: Sequence[str], allow_restart: bool) -> Command:
    used = [
        f"{bridge.name} ({', '.join(port.name for port in bridge.ports)})" for bridge in have.bridges if bridge.ports
    ]
    if used and not allow_restart:
        raise RailheadError(
            f"Cannot change {', '.join(keys)} of Open vSwitch: ovs-vswitchd reads that only when it starts, and a"
            f" restart interrupts the traffic of {', '.join(used)}; set allow_restart=true to go on."
        )
    # With the units of the distributions this stops the database too: both and the service require each other.
    return _systemctl(
        *("stop", "ovs-vswitchd"),
        does="stop Open vSwitch",
        disrupts=f"the traffic of {', '.join(used)}, and services that require Open vSwitch" if used else "",
        undo=f"systemctl start {have.service}",
    )


def _set(changes: Mapping[str, str | None], wait: bool) -> Command:
    put = [f"other_config:{key}={_quoted(value)}" for key, value in changes.items() if value is not None]
    gone = [key for key, value in changes.items() if value is None]
    words = [("set", "Open_vSwitch", ".", *put)] if put else []
    words += [("remove", "Open_vSwitch", ".", "other_config", *gone)] if gone else []
    told = [f"set {key}={value}" for key, value in changes.items() if value is not None]
    told += [f"remove {key}" for key in gone]
    return _vsctl(words, f"{', '.join(told)} in other_config of Open vSwitch", wait)


def _quoted(value: str) -> str:
    """ovs-vsctl takes what stands behind = as it is, unless it begins like a string of JSON."""
    return json.dumps(value) if value.startswith('"') else value


# Bridges


def _with_bridge(have: Ovs, want: BridgeWant) -> tuple[list[tuple[str, ...]], list[str], Ovs]:
    words: list[tuple[str, ...]] = []
    does: list[str] = []
    joining: list[str] = []
    now = have
    if now.bridge(want.name) is None:
        words.append(("--may-exist", "add-br", want.name))
        does.append(f"create the bridge {want.name}")
        now = replace(now, bridges=tuple(sorted((*now.bridges, Bridge(want.name)), key=lambda each: each.name)))
    for wanted in want.ports:
        port = OvsPort(wanted.name, wanted.tag, tuple(sorted(set(wanted.trunks))))
        owner = now.bridge_of(wanted.name)
        found = owner.port(wanted.name) if owner else None
        if owner and owner.name != want.name:
            raise RailheadError(
                f"Cannot put {wanted.name} into the bridge {want.name}: it is in the bridge {owner.name}; take it out"
                " of there first."
            )
        if found is None:
            words.append(("--may-exist", "add-port", want.name, wanted.name))
            joining.append(wanted.name)
        if found is None or (found.tag, found.trunks) != (port.tag, port.trunks):
            if found or port != OvsPort(port.name) or not have.known:
                words.append(_vlans(port))
            does += [f"give {port.name} {_told(port)}"] if found else []
            now = _replaced(now, want.name, replace(port, error=found.error if found else ""))
    does += [f"put {', '.join(joining)} into {want.name}"] if joining else []
    return words, does, now


def _without_bridge(have: Ovs, name: str) -> tuple[list[tuple[str, ...]], list[str], Ovs]:
    if have.known and have.bridge(name) is None:
        return [], [], have
    left = tuple(bridge for bridge in have.bridges if bridge.name != name)
    return [("--if-exists", "del-br", name)], [f"delete the bridge {name}"], replace(have, bridges=left)


def _vlans(port: OvsPort) -> tuple[str, ...]:
    tag = "[]" if port.tag is None else str(port.tag)
    return ("set", "Port", port.name, f"tag={tag}", f"trunks={','.join(map(str, port.trunks)) or '[]'}")


def _told(port: OvsPort) -> str:
    if port.tag is not None:
        return f"the tag {port.tag}"
    return f"the trunks {', '.join(map(str, port.trunks))}" if port.trunks else "no tag"


def _replaced(ovs: Ovs, place: str, port: OvsPort | None) -> Ovs:
    """With C(port) in the bridge C(place); with None, without the port C(place) in any bridge."""
    out = place if port is None else port.name
    bridges = []
    for bridge in ovs.bridges:
        ports = [each for each in bridge.ports if each.name != out]
        ports += [port] if port and bridge.name == place else []
        bridges.append(Bridge(bridge.name, tuple(sorted(ports, key=lambda each: each.name))))
    return replace(ovs, bridges=tuple(bridges))


# What only a look at the host can refuse


def _refuse_missing(have: Switch, want: BridgeWant) -> None:
    ovs = have.ovs
    if not ovs.known:
        return
    missing = [port.name for port in want.ports if not ovs.bridge_of(port.name) and port.name not in have.netdevs]
    if missing:
        raise RailheadError(
            f"Cannot put {', '.join(missing)} into the bridge {want.name}: there is no such network device in the"
            " host's own namespace; create it or take it back first."
        )
    if ovs.running and ovs.bridge(want.name) is None and want.name in have.netdevs:
        raise RailheadError(
            f"Cannot create the bridge {want.name}: there is a network device of that name already, which is not of"
            " Open vSwitch; give another name, or delete that device."
        )


def _refuse_errors(ovs: Ovs, want: BridgeWant) -> None:
    """ovs-vsctl takes a port that ovs-vswitchd cannot use; the database says so afterwards."""
    bridge = ovs.bridge(want.name)
    ports = [bridge.port(port.name) for port in want.ports] if bridge and ovs.running else []
    failed = [f"{port.name} ({port.error})" for port in ports if port and port.error]
    if failed:
        raise NotTakenError(
            f"Open vSwitch cannot use these ports of the bridge {want.name}: {', '.join(failed)}. See that the device"
            " is there, and in no bond, bridge or other network namespace; Open vSwitch tries again by itself then."
        )


def _touched(name: str, before: Bridge | None, after: Bridge | None) -> set[str]:
    """Devices whose traffic the change can end. A port that joins takes nothing from those that are there."""
    old, new = set(before.ports if before else ()), set(after.ports if after else ())
    return {port.name for port in old ^ new} | ({name} if after is None or old - new else set())


# Steps


def _vsctl(words: Sequence[Sequence[str]], does: str, wait: bool = True) -> Command:
    argv = ["ovs-vsctl", _TIMEOUT, *([] if wait else ["--no-wait"])]
    for number, command in enumerate(words):
        argv += [*(["--"] if number else []), *command]
    return Command(
        tuple(argv), does, advice="An alarm clock means that Open vSwitch did not answer in time; see that it runs."
    )


def _start(have: Ovs) -> Command:
    # Not all versions of the service wait for ovs-vswitchd.
    return _systemctl("start", "ovs-vswitchd", have.service, does="start Open vSwitch", advice=_JOURNAL)


def _systemctl(*words: str, does: str, advice: str = "", disrupts: str = "", undo: str = "") -> Command:
    return Command(("systemctl", *words), does, advice=advice, deadline=_SERVICE_DEADLINE, disrupts=disrupts, undo=undo)
