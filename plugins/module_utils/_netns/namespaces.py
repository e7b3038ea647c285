# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network namespaces: those that C(ip netns) named, and those that only a process holds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Plan

#: Where C(ip netns) keeps one mount for each name (ip-netns(8)).
RUN_DIRECTORY = "/run/netns"
#: How a parameter spells the namespace that the host booted with.
HOST_NAMESPACE = ""


@dataclass(frozen=True)
class Namespace:
    """A network namespace other than the host's own.

    C(path) opens it: C(/run/netns/NAME), or C(/proc/PID/ns/net) when no name was given to it. C(holder) is then
    the command name of one process in it.
    """

    path: str
    name: str | None = None
    holder: str | None = None

    @property
    def shown(self) -> str:
        if self.name:
            return f"'{self.name}'"
        return f"an unnamed one held by process {self.path.split('/')[2]} ({self.holder})"


@dataclass(frozen=True)
class Namespaces:
    """All namespaces but the host's own. C(stale) are names in /run/netns that no longer lead to a namespace."""

    live: tuple[Namespace, ...] = ()
    stale: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(space.name for space in self.live if space.name is not None)


def valid_name(name: str) -> str:
    """The name, when it can be one of C(ip netns); an error that says why not otherwise."""
    if not name or name in (".", "..") or name.startswith("-") or len(name) > 255 or re.search(r"[/\s\x00-\x1f]", name):
        raise RailheadError(
            f"Cannot use {name!r} as the name of a network namespace: give one word of at most 255 characters, "
            "without '/' or white space, that is not '.' or '..' and does not begin with '-'."
        )
    return name


def enter(name: str) -> tuple[str, ...]:
    """Words before a command that is to run inside a named namespace; none for the host's own."""
    return ("nsenter", f"--net={RUN_DIRECTORY}/{name}", "--") if name else ()


def observe_names(host: Host) -> Namespaces:
    """The named namespaces only: one directory, no process started."""
    here = host.identity("/proc/1/ns/net")
    live, stale = [], []
    for name in host.list_directory(RUN_DIRECTORY):
        path = f"{RUN_DIRECTORY}/{name}"
        found = host.identity(path)
        if here and found and found[0] == here[0]:
            live.append(Namespace(path, name))
        else:
            stale.append(name)
    return Namespaces(tuple(live), tuple(stale))


def observe_all(host: Host) -> Namespaces:
    """Named and unnamed ones: /run/netns, then /proc/PID/ns/net of every process. No process is started."""
    named = observe_names(host)
    seen = {host.identity(space.path) for space in named.live} | {host.identity("/proc/1/ns/net")}
    unnamed = []
    for pid in host.list_directory("/proc"):
        path = f"/proc/{pid}/ns/net"
        if not pid.isdigit():
            continue
        found = host.identity(path)
        if found is not None and found not in seen:
            seen.add(found)
            unnamed.append(Namespace(path, holder=host.read(f"/proc/{pid}/comm")))
    return Namespaces(named.live + tuple(unnamed), named.stale)


def plan_namespace(have: Namespaces, name: str, present: bool) -> Plan:
    """Steps to create or delete one named namespace. A stale name is deleted before it is used again."""
    before, after = {"name": name, "present": name in have.names}, {"name": name, "present": present}
    delete = Command(("ip", "netns", "del", name), f"delete the network namespace '{name}'")
    add = Command(("ip", "netns", "add", name), f"create the network namespace '{name}'")
    if name in have.stale:
        return Plan((delete, add) if present else (delete,), before, after)
    if (name in have.names) == present:
        return Plan((), before, after)
    return Plan((add if present else delete,), before, after)
