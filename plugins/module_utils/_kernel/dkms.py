# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel modules that DKMS builds from source: what is registered, and for which kernels it is installed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Plan

#: OFED is some hundred source files; on a slow processor that takes its time.
_BUILD_SECONDS = 7200.0


@dataclass(frozen=True)
class Registered:
    """A row of C(dkms status); C(kernel) is empty in the state C(added), before it was built for any."""

    module: str
    version: str
    kernel: str
    state: str


@dataclass(frozen=True)
class Builds:
    """C(headers) tells whether the kernel's own build files are there; C(dkms) is empty without DKMS."""

    kernel: str
    dkms: tuple[Registered, ...]
    headers: bool


def observe_dkms(host: Host) -> tuple[Registered, ...]:
    """One process, or none where DKMS is not installed."""
    return parse_status(host.read_output(["dkms", "status"])) if host.is_installed("dkms") else ()


def parse_status(text: str) -> tuple[Registered, ...]:
    """Rows of dkms(8): "MODULE/VERSION, KERNEL, ARCH: STATE", "MODULE/VERSION: added", before 2.8.8 with a comma in
    place of the slash; a remark in parentheses can follow the state.
    """
    rows = []
    for line in text.splitlines():
        match = re.match(r"([^,/:\s]+)(?:/|, )([^,:\s]+)(?:, ([^,\s]+), [^,:\s]+)?: (\w+)", line)
        if match:
            rows.append(Registered(match.group(1), match.group(2), match.group(3) or "", match.group(4)))
    return tuple(rows)


def observe_builds(host: Host, kernel: str) -> Builds:
    release = kernel or os.uname().release
    headers = host.identity(f"/lib/modules/{release}/build/Makefile") is not None
    return Builds(release, observe_dkms(host), headers)


def plan_builds(have: Builds, wanted: Sequence[str]) -> Plan:
    missing = to_build(have, wanted)
    if missing and not have.headers:
        raise RailheadError(
            f"Cannot build {_named(missing)} for the kernel {have.kernel}: there is no"
            f" /lib/modules/{have.kernel}/build; install its headers first (Debian: linux-headers-{have.kernel})."
        )
    steps = tuple(
        Command(
            ("dkms", "install", "-m", module, "-v", version, "-k", have.kernel),
            f"build {module} {version} for the kernel {have.kernel}",
            deadline=_BUILD_SECONDS,
            advice=f"See /var/lib/dkms/{module}/{version}/build/make.log.",
        )
        for module, version in missing
    )
    before = {"kernel": have.kernel, "missing": [f"{module}/{version}" for module, version in missing]}
    return Plan(steps, before, {"kernel": have.kernel, "missing": []})


def to_build(have: Builds, wanted: Iterable[str]) -> list[tuple[str, str]]:
    """Modules and versions that are registered, and not installed for the kernel; without names, of all modules."""
    names = set(wanted)
    chosen = dict.fromkeys((one.module, one.version) for one in have.dkms if not names or one.module in names)
    done = {one.module for one in have.dkms if one.kernel == have.kernel and one.state == "installed"}
    return [(module, version) for module, version in chosen if module not in done]


def shown_builds(have: Builds) -> Mapping[str, Any]:
    return {
        "kernel": have.kernel,
        "installed": sorted(
            f"{one.module}/{one.version}" for one in have.dkms if one.kernel == have.kernel and one.state == "installed"
        ),
    }


def _named(missing: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{module} {version}" for module, version in missing)
