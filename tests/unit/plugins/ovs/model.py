# SPDX-License-Identifier: GPL-3.0-or-later
"""Open vSwitch to apply plans to: what its database and ovs-vswitchd do with the commands of this collection.

Answers of ovs-vsctl are those that versions 3.1 and 3.5 gave against a database; what the units do is read in those of
Debian 12 and 13. It is written down here once more, so that it checks the planner.
"""

from __future__ import annotations

from itertools import groupby

from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Step
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.observe import Bridge, Ovs, OvsPort


class RefusedError(Exception):
    """A program answers with an error."""


class Switch:
    """C(loaded) is what ovs-vswitchd read at its start; None while it does not run."""

    def __init__(self, config: dict[str, str], running: bool = True, database: bool = True) -> None:
        self.config = dict(config)
        self.database = database or running
        self.loaded = dict(config) if running else None
        self.bridges: dict[str, dict[str, OvsPort]] = {}

    def seen(self) -> Ovs:
        if not self.database:
            return Ovs(False, {}, known=False)
        ports = {name: tuple(ports[port] for port in sorted(ports)) for name, ports in sorted(self.bridges.items())}
        bridges = tuple(Bridge(name, found) for name, found in ports.items())
        return Ovs(self.loaded is not None, dict(self.config), bridges)

    def apply(self, step: Step) -> None:
        assert isinstance(step, Command)
        program, *words = step.argv
        if program == "systemctl":
            self._systemctl(words[0], words[1:])
        else:
            self._vsctl(words)

    def _systemctl(self, verb: str, units: list[str]) -> None:
        if verb == "stop":
            # All units are bound to the service, which is bound to each of them.
            self.database, self.loaded = False, None
            return
        self.database = True
        if "ovs-vswitchd" in units and self.loaded is None:
            self.loaded = dict(self.config)

    def _vsctl(self, words: list[str]) -> None:
        assert words.pop(0) == "--timeout=60"
        wait = words[0] != "--no-wait"
        if not self.database or (wait and self.loaded is None):
            raise RefusedError("Alarm clock")
        commands = [
            list(group) for separator, group in groupby(words[0 if wait else 1 :], "--".__eq__) if not separator
        ]
        for options, verb, *rest in ([c[0], *c[1:]] if c[0].startswith("--") else ["", *c] for c in commands):
            getattr(self, "_" + verb.replace("-", "_"))(options, *rest)

    def _add_br(self, option: str, name: str) -> None:
        assert option == "--may-exist"
        if any(name in ports for ports in self.bridges.values()):
            raise RefusedError("cannot create a bridge, because a port of that name exists")
        self.bridges.setdefault(name, {})

    def _del_br(self, option: str, name: str) -> None:
        assert option == "--if-exists"
        self.bridges.pop(name, None)

    def _add_port(self, option: str, bridge: str, name: str) -> None:
        assert option == "--may-exist"
        if name in self.bridges or any(name in ports for other, ports in self.bridges.items() if other != bridge):
            raise RefusedError("is actually attached to another bridge")
        self.bridges[bridge].setdefault(name, OvsPort(name))

    def _del_port(self, option: str, name: str) -> None:
        assert option == "--if-exists"
        for ports in self.bridges.values():
            ports.pop(name, None)

    def _remove(self, _option: str, _table: str, _record: str, _column: str, *keys: str) -> None:
        for key in keys:
            self.config.pop(key, None)

    def _set(self, _option: str, table: str, record: str, *settings: str) -> None:
        for setting in settings:
            column, _equals, value = setting.partition("=")
            if table == "Open_vSwitch":
                self.config[column.partition(":")[2]] = value
        if table == "Port":
            tag, trunks = (setting.partition("=")[2] for setting in settings)
            (ports,) = [ports for ports in self.bridges.values() if record in ports]
            vlans = () if trunks == "[]" else tuple(int(vlan) for vlan in trunks.split(","))
            ports[record] = OvsPort(record, None if tag == "[]" else int(tag), vlans)
