# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden nodes: booted once, snapshotted as `ready`, and copied by every later `up` and `reset`."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from railhead_lab import hostcheck, qemu, ssh
from railhead_lab.commands import run
from railhead_lab.errors import LabError
from railhead_lab.images import Image
from railhead_lab.locks import locked
from railhead_lab.machine import Machine
from railhead_lab.parallel import for_each
from railhead_lab.paths import Home
from railhead_lab.progress import Progress
from railhead_lab.qemu import NodeSpec, Version

SNAPSHOT = "ready"
# Long, for hosts that are busy with other things; a machine that dies is noticed at once.
BOOT_SECONDS = 900.0
# To be raised when this module prepares a node in another way.
GOLDEN_VERSION = 1


@dataclass(frozen=True)
class Golden:
    """A golden node: its disk with the snapshot, and the names the guest gave its data ports."""

    disk: Path
    netdevs: tuple[str, ...]


def golden_key(spec: NodeSpec, image_hash: str, version: Version) -> str:
    """Return twelve hex digits that change with anything the snapshot depends on."""
    # The command line, less what a lab may choose freely.
    neutral = replace(spec, ssh_port=0, label="", image=Path(image_hash))
    inputs = [GOLDEN_VERSION, str(version), image_hash, qemu.arguments(neutral, version)]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:12]


def load(spec: NodeSpec, image: Image, version: Version) -> Golden | None:
    """Return the golden node for this spec, or None."""
    folder = _folder(spec, image, version)
    facts = folder / "facts.json"
    if not facts.exists():
        return None
    return Golden(folder / f"{spec.name}.qcow2", tuple(json.loads(facts.read_text(encoding="utf-8"))["netdevs"]))


def ensure(home: Home, specs: Sequence[NodeSpec], image: Image, version: Version, progress: Progress) -> list[Golden]:
    """Return a golden node for each spec; boot those that are not there, all at once."""
    with locked(home, f"golden-{image.name}-{image.hash}", progress):
        missing = [spec for spec in specs if load(spec, image, version) is None]
        if missing:
            names = ", ".join(spec.name for spec in missing)
            with progress.step(f"first boot of {names} ({missing[0].accel}), once for this image and size"):
                _make(missing, home, image, version, progress)
    golden = [load(spec, image, version) for spec in specs]
    return [node for node in golden if node is not None]


def _folder(spec: NodeSpec, image: Image, version: Version) -> Path:
    return image.folder / "golden" / golden_key(spec, image.hash, version)


def _make(specs: Sequence[NodeSpec], home: Home, image: Image, version: Version, progress: Progress) -> None:
    ports = hostcheck.free_ports(len(specs))
    booted = [
        replace(spec, ssh_port=port, label=f"golden-{spec.name}") for spec, port in zip(specs, ports, strict=True)
    ]
    folders = [_folder(spec, image, version).with_suffix(f".{os.getpid()}") for spec in specs]
    machines = [Machine(folder, spec.name) for folder, spec in zip(folders, booted, strict=True)]

    def make(machine: Machine, spec: NodeSpec) -> None:
        machine.folder.mkdir(parents=True)
        create_overlay(image, machine.folder / f"{spec.name}.qcow2")
        hosts = machine.folder / "known_hosts"
        hosts.write_text(ssh.known_hosts(image.host_key, [spec.ssh_port]), encoding="ascii")
        target = ssh.Target(spec.name, spec.ssh_port, home.key, hosts)
        machine.start(qemu.arguments(spec, version))
        ssh.wait(target, machine, time.monotonic() + BOOT_SECONDS)
        progress.detail(f"{spec.name} answers, waiting for the end of its boot")
        netdevs = _settle(target, spec)
        progress.detail(f"saving {spec.name}")
        with machine.qmp() as qmp:
            qmp.save_snapshot(SNAPSHOT, "disk")
            qmp.quit()
        if not machine.wait_end(60):
            raise LabError(f"Cannot save {spec.name}", "its QEMU does not end")
        facts = {"netdevs": netdevs, "kernel": image.kernel, "accel": spec.accel}
        (machine.folder / "facts.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        machine.folder.rename(_folder(spec, image, version))

    try:
        for_each(lambda pair: make(*pair), zip(machines, booted, strict=True), machines)
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def create_overlay(image: Image, disk: Path) -> None:
    """Make an empty disk on top of the image's."""
    base = str(image.folder / "base.qcow2")
    run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", str(disk)],
        attempt=f"Cannot make the disk {disk.name}",
    )


def _settle(target: ssh.Target, spec: NodeSpec) -> list[str]:
    """Wait until the node has done booting; return the names of its data ports, in order of their numbers."""
    state = ssh.call(target, "systemctl is-system-running --wait; systemctl --failed --plain --no-legend", 300)
    if state.stdout.split()[:1] != ["running"]:
        raise LabError(
            f"Cannot prepare {spec.name}",
            f"its system came up as: {(state.stdout or state.stderr).strip()}",
            "look at the units named",
        )
    # The interpreter's files in the page cache make the first Ansible task of every restored node faster.
    links = ssh.check_output(target, "python3 -c 'import apt, json, subprocess, tempfile, zipfile'; ip -j link; sync")
    return names_by_mac(links, [port.mac for port in spec.ports])


def names_by_mac(links: str, macs: Sequence[str]) -> list[str]:
    """Return the names of the links with these MACs, from the text of `ip -j link`."""
    names = {link["address"]: link["ifname"] for link in json.loads(links) if "address" in link}
    absent = [mac for mac in macs if mac not in names]
    if absent:
        raise LabError("Cannot find the data ports in the guest", f"no link has the MAC {', '.join(absent)}")
    return [names[mac] for mac in macs]
