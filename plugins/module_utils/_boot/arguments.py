# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of the kernel: what it runs with, what the next boot gives it, and the steps to others."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._boot.cmdline import (
    Arguments,
    contradicting,
    iommu_arguments,
    joined,
    lacking,
    load_arguments,
    parse_cmdline,
    texts_of,
    topics,
    without,
)
from ansible_collections.railhead.cluster.plugins.module_utils._boot.loaders import (
    DROP_INS,
    GRUB,
    Loader,
    booted_by,
    drop_in,
    observe_loader,
)
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, InstallFile, Plan, Step
from ansible_collections.railhead.cluster.plugins.module_utils._tuning.hugepages import (
    Memory,
    Pages,
    boot_arguments,
    check_fit,
    load_pages,
    observe_memory,
)

#: Making entries for all kernels copies kernels and searches disks; on an emulated machine it was seen to take 10 s.
_GENERATE_SECONDS = 600.0
AUTO = "auto"


@dataclass(frozen=True)
class Want:
    """C(loader) AUTO is what the host was started by. The IOMMU's arguments are known when the processor is."""

    arguments: Arguments = ()
    pages: tuple[Pages, ...] = ()
    passthrough: bool = False
    loader: str = AUTO


@dataclass(frozen=True)
class Boot:
    """C(loader) is None when nothing says what the host was started by."""

    running: Arguments
    loader: Loader | None = None
    release: str = ""
    cpuinfo: str = ""
    memory: Memory = field(default_factory=Memory)


@dataclass(frozen=True)
class BootPlan(Plan):
    """C(next) is the command line after the steps. C(add) and C(remove) wait for a boot: what the running kernel lacks,
    and what it has of ours that nobody wants any more.
    """

    next: Arguments = ()
    add: Arguments = ()
    remove: Arguments = ()

    @property
    def reboot_required(self) -> bool:
        return bool(self.add or self.remove)


def want_from(params: Mapping[str, Any]) -> Want:
    return Want(
        load_arguments(params["arguments"]),
        load_pages(params["hugepages"]),
        params["iommu"] == "passthrough",
        params["boot_loader"],
    )


def observe_boot(host: Host, want: Want) -> Boot:
    """Files only, no process."""
    release = os.uname().release
    running = parse_cmdline(host.read("/proc/cmdline") or "")
    name = (booted_by(host, running) or _with_drop_in(host)) if want.loader == AUTO else want.loader
    return Boot(
        running,
        observe_loader(host, name, release) if name else None,
        release,
        host.read("/proc/cpuinfo") or "",
        observe_memory(host),
    )


def _with_drop_in(host: Host) -> str | None:
    return next((name for name, (path, _mode) in DROP_INS.items() if host.identity(path)), None)


def plan_boot(have: Boot, want: Want) -> BootPlan:
    """Our file, and the boot loader's configuration made anew when its entries do not have what is wanted."""
    wanted = _arguments(have, want)
    loader = have.loader
    if loader is None:
        if wanted:
            raise RailheadError(
                f"Cannot store the kernel arguments {joined(wanted)}: nothing says what started this host, neither"
                " systemd-boot (LoaderInfo among the EFI variables) nor GRUB (BOOT_IMAGE in /proc/cmdline, and"
                " /boot/grub/grub.cfg). Give them to the kernel where it is started, or say boot_loader if you know it."
            )
        return BootPlan()
    said = {argument for arguments in loader.others.values() for argument in arguments}
    ours = tuple(argument for argument in (*loader.stored, *loader.left) if argument not in said)
    found = {argument for line in (have.running, *loader.entries.values()) for argument in line}
    left = tuple(dict.fromkeys(argument for argument in ours if argument in found and argument not in wanted))
    after = {kernel: (*without(line, ours), *wanted) for kernel, line in loader.entries.items()}
    # A run that ended between the file and the configuration leaves entries that are not what the file says.
    stale = tuple(
        kernel
        for kernel, line in loader.entries.items()
        if lacking(line, wanted) or any(argument in line for argument in left)
    )
    steps: list[Step] = []
    if loader.stored != wanted:
        _refuse(loader, wanted)
        steps.append(_install(loader, wanted, left))
        stale = tuple(loader.entries)
    elif stale:
        _refuse(loader, wanted)
    if stale:
        steps += _generate(loader, stale)
    line = after.get(loader.next, ())
    return BootPlan(
        tuple(steps),
        _shown(loader, loader.stored, loader.line()),
        _shown(loader, wanted, line),
        line,
        lacking(have.running, wanted),
        tuple(argument for argument in left if argument in have.running),
    )


def shown_boot(have: Boot) -> dict[str, Any]:
    """What a module returns of the state as read last."""
    loader = have.loader
    return {
        "boot_loader": loader.name if loader else None,
        "running": texts_of(have.running),
        "stored": texts_of(loader.stored) if loader else [],
    }


def shown_plan(plan: BootPlan) -> dict[str, Any]:
    """What a module returns of the plan: as the host is after the steps."""
    return {
        "next": texts_of(plan.next),
        "pending": {"add": texts_of(plan.add), "remove": texts_of(plan.remove)},
        "reboot_required": plan.reboot_required,
    }


def _arguments(have: Boot, want: Want) -> Arguments:
    check_fit(have.memory, want.pages)
    made = iommu_arguments(have.cpuinfo) if want.passthrough else ()
    made = (*made, *boot_arguments(want.pages, have.release))
    twice = [topic for topic in topics(made) if topic in topics(want.arguments)]
    if twice:
        raise RailheadError(
            f"Cannot give the kernel {joined(topics(want.arguments)[twice[0]])}: {joined(topics(made)[twice[0]])}"
            " follows from iommu or hugepages already; leave one of the two out."
        )
    return (*made, *want.arguments)


def _refuse(loader: Loader, wanted: Arguments) -> None:
    attempt = f"Cannot store the kernel arguments {joined(wanted) or '(none)'} for {loader.name}: "
    if loader.unusable:
        raise RailheadError(f"{attempt}{loader.unusable}.")
    if loader.resets and wanted:
        raise RailheadError(
            f"{attempt}{loader.resets} is read after {loader.path} and sets GRUB_CMDLINE_LINUX_DEFAULT anew; have it"
            ' add to what there is (GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT ..."), or give it an'
            " earlier name."
        )
    for path, arguments in contradicting(loader.others, wanted).items():
        raise RailheadError(
            f"{attempt}{path} says {joined(arguments)}; take that out there, or leave yours out, as one place decides."
        )


def _install(loader: Loader, wanted: Arguments, left: Arguments) -> InstallFile:
    path, mode = DROP_INS[loader.name]
    content = drop_in(loader.name, wanted, left).encode()
    words = joined(wanted) or "no arguments"
    return InstallFile(path, content, hashlib.sha256(content).hexdigest(), f"store {words} in {path}", mode)


def _generate(loader: Loader, kernels: tuple[str, ...]) -> list[Step]:
    if loader.name == GRUB:
        does = "make the configuration of GRUB anew"
        return [Command(("update-grub",), does, deadline=_GENERATE_SECONDS)]
    return [
        Command(
            ("kernel-install", "add", kernel, f"/boot/vmlinuz-{kernel}"),
            f"make the boot entry of Linux {kernel} anew",
            deadline=_GENERATE_SECONDS,
        )
        for kernel in kernels
    ]


def _shown(loader: Loader, stored: Arguments, line: Arguments) -> dict[str, Any]:
    return {"file": loader.path, "stored": texts_of(stored), "next": texts_of(line)}
