# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the running kernel: sysctls, frequency governor, transparent and other huge pages."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Plan, Step, Write
from ansible_collections.railhead.cluster.plugins.module_utils._tuning.hugepages import (
    Memory,
    Pages,
    check_fit,
    load_pages,
    observe_memory,
)

#: Where the role stores sysctls; what is read after it at boot wins (sysctl.d(5)).
SYSCTL_FILE = "90-railhead.conf"
#: Of two files with one name only the first counts.
_SYSCTL_DIRECTORIES = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
_SYSCTLS = "/proc/sys"
_POLICIES = "/sys/devices/system/cpu/cpufreq"
_THP = "/sys/kernel/mm/transparent_hugepage/enabled"


@dataclass(frozen=True)
class Want:
    """C(sysctls) are by their path below /proc/sys. None leaves a setting as it is."""

    sysctls: Mapping[str, str] = field(default_factory=dict)
    governor: str | None = None
    transparent_hugepages: str | None = None
    pages: tuple[Pages, ...] = ()


@dataclass(frozen=True)
class Policy:
    """Processors whose frequency is set together (cpufreq). C(offered) are the governors that the driver takes."""

    file: str
    governor: str
    offered: tuple[str, ...] = ()
    driver: str = ""


@dataclass(frozen=True)
class Later:
    """A line of a file that sets a sysctl after ours at boot; C(pattern) can have wildcards."""

    path: str
    pattern: str
    value: str


@dataclass(frozen=True)
class Settings:
    """C(values) are by file, without what the kernel does not have. C(transparent) is its file's whole text.

    C(modules) are drivers of the frequency that are no part of the kernel itself.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    later: tuple[Later, ...] = ()
    policies: tuple[Policy, ...] = ()
    modules: tuple[str, ...] = ()
    transparent: str = ""
    memory: Memory = field(default_factory=Memory)


def want_from(params: Mapping[str, Any]) -> Want:
    sysctls: dict[str, str] = {}
    for name, value in params["sysctls"].items():
        path = sysctl_path(name)
        if path in sysctls:
            raise RailheadError(
                f"Cannot set the sysctl {name}: it is given twice, with dots and with slashes; give one."
            )
        sysctls[path] = _sysctl_value(name, value)
    return Want(sysctls, params["governor"], params["transparent_hugepages"], load_pages(params["hugepages"]))


def sysctl_path(name: str) -> str:
    """ "net.ipv4.ip_forward" -> "net/ipv4/ip_forward". If the first separator is a slash, dots stay (sysctl.d(5))."""
    path = name
    first = re.search(r"[./]", name)
    if first and first.group() == ".":
        path = name.translate(str.maketrans("./", "/."))
    if not re.fullmatch(r"[A-Za-z0-9_.:@-]+(/[A-Za-z0-9_.:@-]+)+", path) or {".", ".."} & set(path.split("/")):
        raise RailheadError(f"Cannot set the sysctl {name!r}: give a name such as vm.swappiness, without wildcards.")
    return path


def _sysctl_value(name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not str(value).strip():
        raise RailheadError(f"Cannot set the sysctl {name} to {value!r}: give a number or a text.")
    text = _normal(str(value))
    if "\n" in str(value):
        raise RailheadError(f"Cannot set the sysctl {name} to {value!r}: give one line.")
    return text


def _normal(value: str) -> str:
    """The kernel parts numbers with tabs, people with blanks."""
    return " ".join(value.split())


def observe_settings(host: Host, want: Want) -> Settings:
    """Files only, no process."""
    files = [*(f"{_SYSCTLS}/{path}" for path in want.sysctls), *(pages.file for pages in want.pages)]
    values = {file: host.read(file) for file in files}
    policies = _policies(host)
    drivers = sorted({policy.driver.replace("-", "_") for policy in policies} - {""})
    return Settings(
        {file: _normal(value) for file, value in values.items() if value is not None},
        _later(host),
        policies,
        # What is built into the kernel has no state of being loaded.
        tuple(driver for driver in drivers if host.read(f"/sys/module/{driver}/initstate") is not None),
        host.read(_THP) or "",
        observe_memory(host),
    )


def _policies(host: Host) -> tuple[Policy, ...]:
    found = []
    for name in host.list_directory(_POLICIES):
        directory = f"{_POLICIES}/{name}"
        governor = host.read(f"{directory}/scaling_governor")
        if governor is not None:
            offered = (host.read(f"{directory}/scaling_available_governors") or "").split()
            driver = host.read(f"{directory}/scaling_driver") or ""
            found.append(Policy(f"{directory}/scaling_governor", governor, tuple(offered), driver))
    return tuple(found)


def _later(host: Host) -> tuple[Later, ...]:
    paths: dict[str, str] = {}
    for directory in _SYSCTL_DIRECTORIES:
        for name in host.list_directory(directory):
            if name.endswith(".conf") and name > SYSCTL_FILE:
                paths.setdefault(name, f"{directory}/{name}")
    return tuple(line for _name, path in sorted(paths.items()) for line in parse_sysctls(path, host.read(path) or ""))


def parse_sysctls(path: str, text: str) -> tuple[Later, ...]:
    """Lines C(name = value) of sysctl.d(5), each with its name as a path."""
    found = []
    for name, value in re.findall(r"^[ \t]*-?[ \t]*([^#;=\s][^=\s]*)[ \t]*=[ \t]*(.*?)[ \t]*$", text, re.MULTILINE):
        first = re.search(r"[./]", name)
        dotted = first is not None and first.group() == "."
        found.append(Later(path, name.translate(str.maketrans("./", "/.")) if dotted else name, _normal(value)))
    return tuple(found)


def plan_settings(have: Settings, want: Want) -> Plan:
    """One write for each value that is another one."""
    _check_sysctls(have, want)
    check_fit(have.memory, want.pages)
    wanted = {f"{_SYSCTLS}/{path}": value for path, value in want.sysctls.items()}
    now = dict(have.values)
    titles = {file: f"the sysctl {file[len(_SYSCTLS) + 1 :].replace('/', '.')}" for file in wanted}
    if want.governor is not None:
        for policy in _checked_policies(have, want.governor):
            wanted[policy.file], now[policy.file] = want.governor, policy.governor
            titles[policy.file] = f"the governor of {policy.file.split('/')[-2]}"
    if want.transparent_hugepages is not None:
        wanted[_THP], now[_THP] = want.transparent_hugepages, _checked_choice(have, want.transparent_hugepages)
        titles[_THP] = "transparent huge pages"
    # What is given back first can be taken by those after it.
    for pages in sorted(want.pages, key=lambda pages: pages.count > int(now.get(pages.file, 0))):
        wanted[pages.file] = str(pages.count)
        titles[pages.file] = f"the number of {pages.title}"
    steps: list[Step] = [
        Write(file, value, f"set {titles[file]} to {value}") for file, value in wanted.items() if now.get(file) != value
    ]
    return Plan(tuple(steps), {file: now.get(file) for file in wanted}, wanted)


def shown_settings(have: Settings, want: Want) -> dict[str, Any]:
    """What a module returns: the values as read last, by file, and the drivers of the frequency that are modules."""
    return {"settings": dict(plan_settings(have, want).before), "governor_modules": list(have.modules)}


def _check_sysctls(have: Settings, want: Want) -> None:
    for path, value in want.sysctls.items():
        name = path.replace("/", ".") if "." not in path else path
        if f"{_SYSCTLS}/{path}" not in have.values:
            raise RailheadError(
                f"Cannot set the sysctl {name} to {value}: this kernel has none of that name; look for a typing error,"
                " or load the module that makes it first."
            )
        against = [line for line in have.later if fnmatch.fnmatchcase(path, line.pattern)]
        if against and against[-1].value != value:
            raise RailheadError(
                f"Cannot keep the sysctl {name} at {value} over a boot: {against[-1].path} is read after"
                f" {SYSCTL_FILE} and sets it to {against[-1].value}; take it out there."
            )


def _checked_policies(have: Settings, governor: str) -> Sequence[Policy]:
    attempt = f"Cannot have the frequency governor {governor}: "
    if not have.policies:
        raise RailheadError(
            f"{attempt}this kernel does not set the processors' frequency ({_POLICIES} is empty), as in a virtual"
            " machine, or where the firmware does it; set it there, and leave governor out."
        )
    for policy in have.policies:
        if governor not in policy.offered:
            raise RailheadError(
                f"{attempt}the driver {policy.driver or '(unnamed)'} of {policy.file.split('/')[-2]} offers"
                f" {', '.join(policy.offered) or 'none'}; use one of these."
            )
    return have.policies


def _checked_choice(have: Settings, wanted: str) -> str:
    """The word in brackets is what holds: C(always [madvise] never)."""
    words = have.transparent.split()
    if wanted not in [word.strip("[]") for word in words]:
        raise RailheadError(
            f"Cannot set transparent huge pages to {wanted}: {_THP} offers {have.transparent or 'nothing'}; leave it"
            " out, or boot a kernel that has them."
        )
    return next((word.strip("[]") for word in words if word.startswith("[")), "")
