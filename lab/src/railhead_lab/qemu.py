# SPDX-License-Identifier: GPL-3.0-or-later
"""The QEMU command line of a node. Pure; all its paths but the image's are relative to the node's folder."""

import re
from dataclasses import dataclass
from pathlib import Path

from railhead_lab.commands import run
from railhead_lab.errors import LabError
from railhead_lab.topology import Hub, Port, mgmt_mac, node_name

BINARY = "qemu-system-x86_64"


@dataclass(frozen=True, order=True)
class Version:
    """QEMU's version."""

    major: int
    minor: int
    micro: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.micro}"


@dataclass(frozen=True)
class NodeSpec:
    """All that a node's command line depends on. `image` is the folder with vmlinuz and initrd.

    With `boot_loader` the node boots what its own disk's boot loader decides on, and not that kernel.
    """

    index: int
    memory: int
    cpus: int
    accel: str
    image: Path
    ssh_port: int
    ports: tuple[Port, ...]
    label: str
    boot_loader: bool = False

    @property
    def name(self) -> str:
        """The node's name, which is also the stem of its files."""
        return node_name(self.index)


def parse_version(text: str) -> Version:
    """Read the output of `qemu-system-x86_64 --version`."""
    match = re.search(r"version (\d+)\.(\d+)\.(\d+)", text)
    if not match:
        raise LabError("Cannot read QEMU's version", f"it printed {text.strip()!r}", "install another QEMU")
    return Version(*(int(part) for part in match.groups()))


def find_version() -> Version:
    """Ask the installed QEMU for its version."""
    return parse_version(run([BINARY, "--version"], attempt="Cannot ask QEMU for its version"))


def accel_arguments(accel: str) -> list[str]:
    """Return the options for `kvm`, or for software emulation (`tcg`)."""
    if accel == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg,thread=multi", "-cpu", "max"]


def kernel_command_line(spec: NodeSpec) -> str:
    """Return what the node's kernel is told; the guest reads its name and addresses from it."""
    # Linux 7 keeps statistics of memory accesses, which an emulated CPU pays dearly for. Older kernels skip the word.
    words = ["root=/dev/vda", "rw", "console=ttyS0", "damon_stat.enabled=N", f"systemd.hostname={spec.name}"]
    words += [f"railhead_lab.port={port.number},{port.mac},{port.address}/{port.prefix}" for port in spec.ports]
    return " ".join(words)


def cable_netdev(port: Port, version: Version) -> str:
    """Return the -netdev of one end of a cable. The connecting end tries again every second, forever."""
    if isinstance(port.cable, Hub):
        return f"socket,id=port{port.number},mcast={port.cable.group}:{port.cable.udp_port},localaddr=127.0.0.1"
    base = f"stream,id=port{port.number},addr.type=unix,addr.path={port.cable.socket}"
    if port.cable.server:
        return f"{base},server=on"
    reconnect = "reconnect-ms=1000" if version >= Version(9, 2, 0) else "reconnect=1"
    return f"{base},server=off,{reconnect}"


def arguments(spec: NodeSpec, version: Version, snapshot: str | None = None) -> list[str]:
    """Return the argv that starts the node: from `snapshot`, or by booting its kernel or its disk."""
    argv = [BINARY, "-name", spec.label, "-nodefaults", "-no-user-config", "-display", "none"]
    argv += ["-machine", "q35", *accel_arguments(spec.accel)]
    argv += ["-smp", str(spec.cpus), "-m", str(spec.memory), "-device", "virtio-rng-pci"]
    if not spec.boot_loader:
        argv += ["-kernel", str(spec.image / "vmlinuz"), "-initrd", str(spec.image / "initrd")]
        argv += ["-append", kernel_command_line(spec)]
    argv += ["-blockdev", f"driver=qcow2,node-name=disk,file.driver=file,file.filename={spec.name}.qcow2"]
    argv += ["-device", "virtio-blk-pci,drive=disk"]
    argv += ["-netdev", f"user,id=mgmt,ipv6=off,hostfwd=tcp:127.0.0.1:{spec.ssh_port}-:22"]
    argv += ["-device", f"virtio-net-pci,netdev=mgmt,mac={mgmt_mac(spec.index)},romfile="]
    for port in spec.ports:
        number = port.number
        argv += ["-device", f"pcie-root-port,id=slot{number},bus=pcie.0,chassis={number},slot={number}"]
        argv += ["-netdev", cable_netdev(port, version)]
        argv += ["-device", f"igb,bus=slot{number},netdev=port{number},mac={port.mac}"]
    argv += ["-chardev", f"socket,id=serial,path={spec.name}.serial,server=on,wait=off"]
    argv[-1] += f",logfile={spec.name}.serial.log,logappend=on"
    argv += ["-serial", "chardev:serial", "-qmp", f"unix:{spec.name}.qmp,server=on,wait=off"]
    if snapshot is not None:
        argv += ["-loadvm", snapshot]
    return argv
