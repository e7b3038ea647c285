# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open vSwitch as its database describes it: reading. One process, or none where it is not installed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import CommandError, RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import SEARCH_PATH, Host
from ansible_collections.railhead.cluster.plugins.module_utils._node.management import observe_management

_RUN = "/run/openvswitch"
_UNITS = ("/usr/lib/systemd/system", "/lib/systemd/system")
#: The systemd unit for all of Open vSwitch: of Debian and Ubuntu, and of everyone else.
_SERVICES = ("openvswitch-switch", "openvswitch")
#: Four tables of one moment, one JSON document a table; sets are sorted (ovs-vsctl(8)). It waits for ovsdb-server only.
READ = (
    *("ovs-vsctl", "--timeout=10", "--format=json"),
    *("--columns=other_config,ovs_version", "list", "Open_vSwitch"),
    *("--", "--columns=name,ports", "list", "Bridge"),
    *("--", "--columns=_uuid,name,tag,trunks,interfaces", "list", "Port"),
    *("--", "--columns=_uuid,name,error", "list", "Interface"),
)


@dataclass(frozen=True)
class OvsPort:
    """A port of a bridge. C(tag) None is a trunk, of all VLANs when C(trunks) is empty.

    C(error) says why ovs-vswitchd cannot use its network device; empty when it can.
    """

    name: str
    tag: int | None = None
    trunks: tuple[int, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Bridge:
    """C(ports) are sorted by name; the local port, which has the name of the bridge, is not among them."""

    name: str
    ports: tuple[OvsPort, ...] = ()

    def port(self, name: str) -> OvsPort | None:
        return next((port for port in self.ports if port.name == name), None)


@dataclass(frozen=True)
class Ovs:
    """C(running) is whether ovs-vswitchd runs. C(config) is other_config of the table Open_vSwitch.

    C(service) is the systemd unit that starts all of it. C(known) is false while the database does not run: whatever
    is stored in it, C(config) and C(bridges) are empty then.
    """

    running: bool
    config: Mapping[str, str]
    bridges: tuple[Bridge, ...] = ()
    service: str = _SERVICES[0]
    version: str = ""
    known: bool = True

    def bridge(self, name: str) -> Bridge | None:
        return next((bridge for bridge in self.bridges if bridge.name == name), None)

    def bridge_of(self, port: str) -> Bridge | None:
        """The bridge that a port is in; each port is in one at most."""
        return next((bridge for bridge in self.bridges if bridge.port(port)), None)


@dataclass(frozen=True)
class Switch:
    """C(netdevs) are all in the host's own namespace, C(carries) those that the SSH connection of this run needs."""

    ovs: Ovs
    netdevs: tuple[str, ...] = ()
    carries: tuple[str, ...] = ()


def observe_ovs(host: Host) -> Ovs | None:
    """None, and no process, when ovs-vsctl is not installed."""
    if not any(host.identity(f"{folder}/ovs-vsctl") for folder in SEARCH_PATH.split(":")):
        return None
    installed = [name for name in _SERVICES if any(host.identity(f"{folder}/{name}.service") for folder in _UNITS)]
    service = (*installed, _SERVICES[0])[0]
    if host.identity(f"{_RUN}/db.sock") is None:
        return Ovs(False, {}, service=service, known=False)
    process = host.read(f"{_RUN}/ovs-vswitchd.pid")
    return parse_ovs(host.read_output(READ), bool(process) and host.is_directory(f"/proc/{process}"), service)


def require_ovs(host: Host) -> Ovs:
    """As observe_ovs; that it is not installed is an error."""
    found = observe_ovs(host)
    if found is None:
        raise RailheadError(
            "Cannot manage Open vSwitch: ovs-vsctl is not on this host; install openvswitch-switch (Debian, Ubuntu) or"
            " openvswitch (RHEL family) first."
        )
    return found


def observe_switch(host: Host) -> Switch:
    """One process, and one more when the run came in by SSH."""
    ovs = require_ovs(host)
    return Switch(ovs, tuple(host.list_directory("/sys/class/net")), observe_management(host).netdevs)


def parse_ovs(text: str, running: bool, service: str) -> Ovs:
    """What READ prints."""
    tables = tuple(_tables(text))
    if len(tables) != 4:
        raise CommandError(f"Cannot understand '{' '.join(READ)}': expected four tables, found {text[:80]!r}.")
    switches, bridges, ports, interfaces = tables
    errors = {row["_uuid"]: "; ".join(_many(row["error"])) for row in interfaces}
    by_uuid = {row["_uuid"]: _port(row, errors) for row in ports}
    return Ovs(
        running,
        {key: value for row in switches for key, value in row["other_config"].items()},
        tuple(sorted((_bridge(row, by_uuid) for row in bridges), key=lambda bridge: bridge.name)),
        service,
        "".join(text for row in switches for text in _many(row["ovs_version"])),
    )


def _bridge(row: Mapping[str, Any], ports: Mapping[str, OvsPort]) -> Bridge:
    found = [ports[uuid] for uuid in _many(row["ports"]) if ports[uuid].name != row["name"]]
    return Bridge(row["name"], tuple(sorted(found, key=lambda port: port.name)))


def _port(row: Mapping[str, Any], errors: Mapping[str, str]) -> OvsPort:
    tag = _many(row["tag"])
    found = (errors[uuid] for uuid in _many(row["interfaces"]))
    return OvsPort(
        row["name"],
        tag[0] if tag else None,
        tuple(_many(row["trunks"])),
        "; ".join(error for error in found if error),
    )


def _tables(text: str) -> Iterator[list[dict[str, Any]]]:
    """Documents {"headings": [...], "data": [[...]]}, one after the other (ovs-vsctl(8), --format=json)."""
    decoder, rest = json.JSONDecoder(), text.strip()
    while rest:
        try:
            table, end = decoder.raw_decode(rest)
        except ValueError:
            return
        rest = rest[end:].lstrip()
        yield [dict(zip(table["headings"], (_value(cell) for cell in row))) for row in table["data"]]


def _value(cell: Any) -> Any:
    """A value as RFC 7047 writes it: an atom, ["uuid", U], ["set", [...]] or ["map", [[K, V], ...]]."""
    if not isinstance(cell, list):
        return cell
    kind, content = cell
    if kind == "map":
        return {key: _value(value) for key, value in content}
    return [_value(each) for each in content] if kind == "set" else content


def _many(value: Any) -> list[Any]:
    """A set of one is written as its only element."""
    return value if isinstance(value, list) else [value]
