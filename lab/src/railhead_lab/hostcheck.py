# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab needs of the host, all checked at once. Judging is separate from looking."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from railhead_lab.errors import LabError
from railhead_lab.paths import Home

# Program -> the Debian and Ubuntu package that brings it.
PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
BUILD_PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
}
USER_PROGRAMS = {
    "newuidmap": "uidmap",
    "unshare": "util-linux",
}
_GIB = 1 << 30
_BUILD_BYTES = 6 * _GIB
_NODE_BYTES = 1 * _GIB
# What QEMU itself takes for each node beside the guest's memory.
_NODE_OVERHEAD_MIB = 150


@dataclass(frozen=True)
class HostFacts:
    """What was seen of the host. `memory` is in MiB, `disk` in bytes; `kvm` is absent, denied or usable."""

    programs: frozenset[str]
    igb: bool
    memory: int
    disk: int
    kvm: str
    root: bool
    user_namespaces: bool
    subuid: bool
    busy_ports: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Need:
    """What is about to be done: build an image, start `nodes` of `memory` MiB at `ports`."""

    build: bool = False
    nodes: int = 0
    memory: int = 0


@dataclass(frozen=True)
class Finding:
    """Something about the host. `fatal` findings stop the lab, the others only cost speed."""

    fatal: bool
    found: str
    advice: str


def judge(facts: HostFacts, need: Need) -> list[Finding]:
    """Return all that is wrong with the host for what is needed."""
    findings: list[Finding] = []

    def add(found: str, advice: str, fatal: bool = True) -> None:
        findings.append(Finding(fatal, found, advice))

    wanted = dict(PROGRAMS)
    if need.build:
        wanted |= BUILD_PROGRAMS | ({} if facts.root else USER_PROGRAMS)
    for program, package in wanted.items():
        if program not in facts.programs:
            add(f"{program} is not installed", f"run lab/install-host-packages, or install {package}")
    if "qemu-system-x86_64" in facts.programs and not facts.igb:
        add(
            "this QEMU has no igb NIC (QEMU 8.0 brought it)",
            "Debian 12: run lab/install-host-packages, which takes QEMU from bookworm-backports;"
            " Debian 13 and Ubuntu 24.04 or newer have it",
        )
    if need.build and not facts.root:
        if not facts.user_namespaces:
            add(
                "ordinary users may make no user namespaces here",
                "set the sysctl that forbids them (kernel.unprivileged_userns_clone=1,"
                " kernel.apparmor_restrict_unprivileged_userns=0), or build as root",
            )
        if not facts.subuid:
            add(
                "this user has no subordinate ids in /etc/subuid and /etc/subgid",
                "run `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER`",
            )
    disk = (_BUILD_BYTES if need.build else 0) + need.nodes * _NODE_BYTES
    if facts.disk < disk:
        add(
            f"{facts.disk / _GIB:.1f} GiB are free for the lab's files, {disk / _GIB:.0f} are needed",
            "free some, `lab clean`, or set RAILHEAD_LAB_HOME to a folder on a larger disk",
        )
    memory = need.nodes * (need.memory + _NODE_OVERHEAD_MIB)
    if facts.memory < memory:
        add(
            f"{facts.memory} MiB of memory are free, {need.nodes} nodes of {need.memory} MiB need {memory}",
            "take fewer --nodes or less --memory, or end other labs with `lab down`",
        )
    if facts.busy_ports:
        add(
            f"TCP ports in use on 127.0.0.1: {', '.join(str(port) for port in sorted(facts.busy_ports))}",
            "choose another --ssh-port-base, or none: free ports are found then",
        )
    if facts.kvm == "denied":
        add(
            "/dev/kvm is there, but this user may not use it: software emulation is ten times slower",
            "run `sudo usermod --append --groups kvm $USER` and log in again",
            fatal=False,
        )
    if facts.kvm == "absent":
        add(
            "there is no /dev/kvm: software emulation is ten times slower",
            "switch virtualization on in the firmware, or nested virtualization in the hypervisor",
            fatal=False,
        )
    return findings


def require(facts: HostFacts, need: Need) -> None:
    """Raise LabError that lists every fatal finding."""
    fatal = [finding for finding in judge(facts, need) if finding.fatal]
    if fatal:
        raise LabError(
            "Cannot run the lab on this host",
            "\n  - ".join(["", *(f"{finding.found}\n      -> {finding.advice}" for finding in fatal)]).lstrip("\n"),
            "set right what is listed; `lab check` shows it again",
        )


def probe(home: Home, ports: Sequence[int] = ()) -> HostFacts:
    """Look at the host."""
    names = [*PROGRAMS, *BUILD_PROGRAMS, *USER_PROGRAMS]
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    existing = next(folder for folder in (home.root, *home.root.parents) if folder.is_dir())
    kvm = Path("/dev/kvm")
    usable = os.access(kvm, os.R_OK | os.W_OK)
    return HostFacts(
        programs=frozenset(name for name in names if shutil.which(name, path=path)),
        igb=_has_igb(),
        memory=available_memory(Path("/proc/meminfo").read_text(encoding="ascii")),
        disk=shutil.disk_usage(existing).free,
        kvm="absent" if not kvm.exists() else "usable" if usable else "denied",
        root=os.geteuid() == 0,
        user_namespaces=os.geteuid() == 0 or _may_unshare(),
        subuid=all(_has_subordinate(Path(f"/etc/{name}")) for name in ("subuid", "subgid")),
        busy_ports=frozenset(port for port in ports if not port_is_free(port)),
    )


def available_memory(meminfo: str) -> int:
    """Return MemAvailable of the text of /proc/meminfo, in MiB."""
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def has_range(text: str, names: Sequence[str]) -> bool:
    """Tell whether the text of /etc/subuid gives one of the names (or numbers) a range of 65536 ids."""
    fields = [line.split(":") for line in text.splitlines()]
    return any(len(field) == 3 and field[0] in names and int(field[2]) >= 65536 for field in fields)


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen at this port of 127.0.0.1."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Return so many different free ports of 127.0.0.1."""
    listeners = [socket.socket() for _ in range(count)]
    try:
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()


def _has_igb() -> bool:
    try:
        done = subprocess.run(["qemu-system-x86_64", "-device", "help"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return False
    return '"igb"' in done.stdout


def _may_unshare() -> bool:
    try:
        done = subprocess.run(["unshare", "--user", "--map-root-user", "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return True
    return done.returncode == 0


def _has_subordinate(path: Path) -> bool:
    if os.geteuid() == 0:
        return True
    names = [pwd.getpwuid(os.geteuid()).pw_name, str(os.geteuid())]
    return path.exists() and has_range(path.read_text(encoding="utf-8"), names)
