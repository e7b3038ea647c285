# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of the RDMA controller of cgroup v2 (rdma.max; cgroup-v2.rst of the kernel, section RDMA)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import MakeDirectory, Plan, Step, Write
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.state import valid_device_name

#: What the kernel stores for "max", and prints as "max".
UNLIMITED = 2**31 - 1
KEYS = ("hca_handle", "hca_object")
_ROOT = ""


@dataclass(frozen=True)
class Limits:
    """Contexts (C(hca_handle)) and objects of verbs (C(hca_object)) that the processes of a cgroup may hold."""

    hca_handle: int = UNLIMITED
    hca_object: int = UNLIMITED


@dataclass(frozen=True)
class Cgroup:
    """One directory. C(passes_on): its children have rdma.max. C(occupied): processes are in it.

    C(limits) are by device, None without rdma.max.
    """

    exists: bool = False
    passes_on: bool = False
    occupied: bool = False
    limits: Mapping[str, Limits] | None = None


@dataclass(frozen=True)
class Cgroups:
    """The cgroups on the way to those asked for, by path below C(mount); "" is the root.

    C(mount) is empty without a cgroup v2 hierarchy, C(controller) is whether it has the rdma controller.
    """

    mount: str = ""
    controller: bool = False
    groups: Mapping[str, Cgroup] = field(default_factory=dict)

    def at(self, path: str) -> Cgroup:
        return self.groups.get(path, Cgroup())

    def limits(self, path: str, device: str) -> Limits:
        return (self.at(path).limits or {}).get(device, Limits())


@dataclass(frozen=True)
class WantedLimits:
    """None leaves a limit as it is."""

    cgroup: str
    device: str
    hca_handle: int | None = None
    hca_object: int | None = None

    @property
    def given(self) -> dict[str, int]:
        both = {"hca_handle": self.hca_handle, "hca_object": self.hca_object}
        return {key: value for key, value in both.items() if value is not None}


def parse_limit(key: str, value: int | str) -> int:
    """A number of C(rdma.max), or "max". The kernel would also take "m" for "max", and nothing for 0; this does not."""
    if value == "max":
        return UNLIMITED
    if not isinstance(value, bool) and re.fullmatch(r"0|[1-9][0-9]{0,9}", str(value)) and int(value) <= UNLIMITED:
        return int(value)
    raise RailheadError(f"Cannot use {value!r} for {key}: give a number from 0 to {UNLIMITED}, or 'max' for no limit.")


def valid_cgroup(path: str) -> str:
    """The path of a cgroup other than the root, relative or absolute; an error that says why not otherwise."""
    parts = path.rstrip("/").lstrip("/").split("/")
    attempt = f"Cannot limit the cgroup {path!r}: "
    if parts == [""]:
        raise RailheadError(
            f"{attempt}the root cgroup has no limits; name a cgroup below it, for example 'jobs.slice'."
        )
    if any(part in ("", ".", "..") or "\n" in part for part in parts):
        raise RailheadError(f"{attempt}give a path without empty parts, '.', '..' and line ends.")
    if any(re.match(r"(cgroup|rdma)\.", part) for part in parts):
        raise RailheadError(
            f"{attempt}names that begin with 'cgroup.' or 'rdma.' are those of control files; name the directory."
        )
    return path


def load_limits(entry: Mapping[str, Any], state: str = "present") -> WantedLimits:
    """What is wanted, from an entry of a document or from module parameters; null leaves a limit as it is."""
    cgroup, device = valid_cgroup(entry["cgroup"]), valid_device_name(entry["device"])
    limits = {key: parse_limit(key, entry[key]) for key in KEYS if entry.get(key) is not None}
    if state == "present" and not limits:
        raise RailheadError(f"Cannot limit {device} in the cgroup {cgroup!r}: give {' or '.join(KEYS)}.")
    return WantedLimits(cgroup, device, **limits)


def relative(mount: str, cgroup: str) -> str:
    """A cgroup's path below the mount; an absolute one must lie inside."""
    valid_cgroup(cgroup)
    if not mount:
        raise RailheadError(
            f"Cannot limit the cgroup '{cgroup}': no cgroup v2 hierarchy is mounted (no 'cgroup2' in /proc/mounts)."
        )
    inner = cgroup.rstrip("/")
    if inner.startswith("/"):
        if inner == mount:
            valid_cgroup("/")
        if not inner.startswith(f"{mount}/"):
            raise RailheadError(
                f"Cannot limit the cgroup '{cgroup}': it is outside of the cgroup v2 hierarchy at {mount}; "
                f"give a path below {mount}, or one relative to it."
            )
        inner = inner[len(mount) + 1 :]
    return inner


def observe_cgroups(host: Host, cgroups: Iterable[str]) -> Cgroups:
    """The given cgroups and those above them. Files only, no process is started."""
    mount = find_mount(host.read("/proc/mounts") or "")
    if not mount:
        return Cgroups()
    controller = "rdma" in (host.read(f"{mount}/cgroup.controllers") or "").split()
    paths = {_ROOT: None} | {
        path: None for cgroup in cgroups for pair in lineage(relative(mount, cgroup)) for path in pair
    }
    return Cgroups(mount, controller, {path: _observe(host, f"{mount}/{path}".rstrip("/")) for path in paths})


def find_mount(mounts: str) -> str:
    """Where cgroup v2 is mounted first, in the text of /proc/mounts; /sys/fs/cgroup/unified on a hybrid."""
    rows = (line.split() for line in mounts.splitlines())
    return next((row[1] for row in rows if len(row) > 2 and row[2] == "cgroup2"), "")


def parse_limits(text: str) -> dict[str, Limits]:
    """C(rdma.max): "rxe0 hca_handle=2 hca_object=max " for each device of the host, in whichever namespace."""
    found = {}
    for line in text.splitlines():
        device, *words = line.split()
        values = dict(word.split("=", 1) for word in words)
        found[device] = Limits(**{key: parse_limit(key, values[key]) for key in KEYS if key in values})
    return found


def lineage(path: str) -> tuple[tuple[str, str], ...]:
    """Pairs of (parent, child) from the root down: "a/b" -> ("", "a"), ("a", "a/b")."""
    parts = path.split("/")
    paths = [_ROOT, *("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))]
    return tuple(zip(paths, paths[1:]))


def plan_limits(have: Cgroups, devices: Collection[str], want: WantedLimits) -> Plan:
    steps, after = with_limits(have, devices, want)
    return Plan(steps, shown_limits(have, want), shown_limits(after, want))


def plan_no_limits(have: Cgroups, want: WantedLimits) -> Plan:
    """Back to no limit. The cgroup stays, and nothing is to be done where it or the device does not exist."""
    path = relative(have.mount, want.cgroup)
    limited = [key for key in KEYS if getattr(have.limits(path, want.device), key) != UNLIMITED]
    steps, after = _write(have, path, want.device, dict.fromkeys(limited, UNLIMITED))
    return Plan(steps, shown_limits(have, want), shown_limits(after, want))


def with_limits(have: Cgroups, devices: Collection[str], want: WantedLimits) -> tuple[tuple[Step, ...], Cgroups]:
    """Steps to limits, and the state after them: the controller is passed on from the root down to the cgroup."""
    path = relative(have.mount, want.cgroup)
    attempt = f"Cannot limit {want.device} in the cgroup '{want.cgroup}': "
    if not have.controller:
        raise RailheadError(
            f"{attempt}the cgroup v2 hierarchy at {have.mount} has no rdma controller (cgroup.controllers): the kernel"
            " was built without CONFIG_CGROUP_RDMA, or a cgroup v1 hierarchy holds it; boot with"
            " systemd.unified_cgroup_hierarchy=1."
        )
    if want.device not in devices:
        raise RailheadError(f"{attempt}there is no such RDMA device; found: {', '.join(devices) or 'none'}.")
    now = have
    steps: list[Step] = []
    for parent, child in lineage(path):
        more, now = _pass_on(now, parent, child, attempt)
        steps += more
    missing = {key: value for key, value in want.given.items() if getattr(now.limits(path, want.device), key) != value}
    written, now = _write(now, path, want.device, missing)
    return (*steps, *written), now


def shown_limits(state: Cgroups, want: WantedLimits) -> dict[str, object]:
    """The limits of one device in one cgroup, in the words of C(rdma.max)."""
    limits = state.limits(relative(state.mount, want.cgroup), want.device)
    return {"cgroup": want.cgroup, "device": want.device, **{key: _word(getattr(limits, key)) for key in KEYS}}


def _pass_on(have: Cgroups, parent: str, child: str, attempt: str) -> tuple[list[Step], Cgroups]:
    """A child that exists, of a parent that passes the controller on to it."""
    upper, lower = have.at(parent), have.at(child)
    directory = f"{have.mount}/{parent}".rstrip("/")
    steps: list[Step] = []
    if not upper.passes_on:
        if upper.occupied and parent != _ROOT:
            raise RailheadError(
                f"{attempt}the controller must be enabled in '{parent}', and the kernel refuses that while processes"
                " are in it (only leaves may hold processes); move them into a cgroup below it, or limit a cgroup"
                " beside it."
            )
        does = f"enable the rdma controller in {directory}"
        steps.append(Write(f"{directory}/cgroup.subtree_control", "+rdma", does))
    if not lower.exists:
        steps.append(MakeDirectory(f"{have.mount}/{child}", f"create the cgroup {have.mount}/{child}"))
    groups = {
        **have.groups,
        parent: replace(upper, passes_on=True),
        child: replace(lower, exists=True, limits={} if lower.limits is None else lower.limits),
    }
    return steps, replace(have, groups=groups)


def _write(have: Cgroups, path: str, device: str, values: Mapping[str, int]) -> tuple[tuple[Step, ...], Cgroups]:
    if not values:
        return (), have
    words = " ".join(f"{key}={_word(value)}" for key, value in values.items())
    file = f"{have.mount}/{path}/rdma.max"
    group = have.at(path)
    limits = {**(group.limits or {}), device: replace(have.limits(path, device), **values)}
    after = replace(have, groups={**have.groups, path: replace(group, limits=limits)})
    return (Write(file, f"{device} {words}", f"set the limits of {device} in {file}"),), after


def _word(value: int) -> int | str:
    return "max" if value == UNLIMITED else value


def _observe(host: Host, directory: str) -> Cgroup:
    limits = host.read(f"{directory}/rdma.max")
    return Cgroup(
        exists=host.is_directory(directory),
        passes_on="rdma" in (host.read(f"{directory}/cgroup.subtree_control") or "").split(),
        occupied=bool(host.read(f"{directory}/cgroup.procs")),
        limits=None if limits is None else parse_limits(limits),
    )
