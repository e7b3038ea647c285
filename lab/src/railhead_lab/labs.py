# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done with a lab: up, down, status, reset, reboot, power cut, clean."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from railhead_lab import accel, golden, hostcheck, images, qemu, ssh
from railhead_lab.commands import run
from railhead_lab.errors import LabError
from railhead_lab.locks import locked
from railhead_lab.machine import Machine
from railhead_lab.parallel import for_each
from railhead_lab.paths import Home
from railhead_lab.progress import Progress
from railhead_lab.state import LabState, NodeState, Place
from railhead_lab.topology import MAX_NODES

# Long, for hosts that are busy with other things; a machine that ends is noticed at once.
_RESTORE_SECONDS = 900.0


@dataclass(frozen=True)
class Wish:
    """What `lab up` was asked for; None means whatever there is, or the default."""

    image: str | None = None
    nodes: int | None = None
    memory: int | None = None
    cpus: int | None = None
    ssh_port_base: int | None = None
    hub: bool | None = None


DEFAULTS = Wish(image="debian13", nodes=2, memory=2048, cpus=2)


def differences(wish: Wish, state: LabState) -> list[str]:
    """Return how a lab differs from what is asked for, as words for a message."""
    pairs = [
        ("--image", wish.image, state.image),
        ("--nodes", wish.nodes, len(state.nodes)),
        ("--memory", wish.memory, state.memory),
        ("--cpus", wish.cpus, state.cpus),
        ("--ssh-port-base", wish.ssh_port_base, state.nodes[0].ssh_port),
        ("--hub", wish.hub, state.hub),
    ]
    return [f"{name} is {has}, not {want}" for name, want, has in pairs if want is not None and want != has]


def up(home: Home, name: str, wish: Wish, progress: Progress) -> LabState:
    """Bring a lab up: from golden nodes when it is not there, from its own disks when nodes are off."""
    place = Place(home, name)
    place.folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(home, f"lab-{name}", progress):
        state = place.read()
        if state is None:
            return _create(place, wish, progress, start=True)
        different = differences(wish, state)
        if different:
            raise LabError(
                f"Cannot bring up the lab {name!r}",
                f"it is there already, and its {'; its '.join(different)}",
                "run `lab down` first, or choose another --name",
            )
        off = [node for node in state.nodes if place.machine(node).pid() is None]
        if off:
            with progress.step(f"booting {_names(off)} from disk ({state.accel})"):
                _boot(place, state, off)
        else:
            progress.note(f"The lab {name!r} is already up: {len(state.nodes)} nodes of {state.image}.")
        return state


def prepare(home: Home, name: str, wish: Wish, progress: Progress) -> LabState:
    """Make a lab whose nodes have no power; `reset` starts one from the snapshot."""
    place = Place(home, name)
    place.folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(home, f"lab-{name}", progress):
        if place.read() is not None:
            raise LabError(f"Cannot make the lab {name!r}", "it is there already", f"run `lab down --name {name}`")
        return _create(place, wish, progress, start=False)


def _create(place: Place, wish: Wish, progress: Progress, *, start: bool) -> LabState:
    home = place.home
    nodes = wish.nodes or DEFAULTS.nodes or 0
    memory = wish.memory or DEFAULTS.memory or 0
    if not 1 <= nodes <= MAX_NODES:
        raise LabError("Cannot bring up the lab", f"--nodes is {nodes}", f"choose 1 to {MAX_NODES}")
    base = wish.ssh_port_base
    ports = hostcheck.free_ports(nodes) if base is None else list(range(base, base + nodes))
    hostcheck.require(hostcheck.probe(home, ports), hostcheck.Need(nodes=nodes, memory=memory))
    image = images.ensure(home, wish.image or DEFAULTS.image or "", progress)
    version = qemu.find_version()
    chosen = accel.choose(home, image.folder, image.kernel, version, progress)
    state = LabState(
        name=place.name,
        image=image.name,
        image_folder=str(image.folder),
        kernel=image.kernel,
        memory=memory,
        cpus=wish.cpus or DEFAULTS.cpus or 0,
        accel=chosen.kind,
        accel_reason=chosen.reason,
        nodes=tuple(NodeState(index, port) for index, port in enumerate(ports, start=1)),
        hub=bool(wish.hub),
    )
    golden_nodes = golden.ensure(home, state.specs(), image, version, progress)
    state = state.with_netdevs([node.netdevs for node in golden_nodes])
    if place.folder.exists():
        shutil.rmtree(place.folder)
    place.folder.mkdir()
    try:
        place.known_hosts.write_text(ssh.known_hosts(image.host_key, ports), encoding="ascii")
        place.write(state)
        if start:
            with progress.step(f"starting {_names(state.nodes)} from the snapshot"):
                _restore(place, state, state.nodes)
    except BaseException:
        _remove(place, state)
        raise
    return state


def down(home: Home, name: str, progress: Progress) -> None:
    """End a lab's machines and remove all of it."""
    place = Place(home, name)
    if not place.folder.exists():
        progress.note(f"The lab {name!r} is not up.")
        return
    with locked(home, f"lab-{name}", progress):
        state = place.read()
        if state is not None:
            _remove(place, state)
        shutil.rmtree(place.folder, ignore_errors=True)
    progress.note(f"The lab {name!r} is gone.")


def status(home: Home, name: str) -> dict[str, Any]:
    """Return what is to be said about a lab: {"name", "state": absent | up | partly up | off, ...}."""
    place = Place(home, name)
    state = place.read()
    if state is None:
        return {"name": name, "state": "absent"}
    nodes = []
    for node, spec in zip(state.nodes, state.specs(), strict=True):
        pid = place.machine(node).pid()
        ports = [
            {"netdev": netdev, "mac": port.mac, "address": port.address, "peer": port.peer_host}
            for netdev, port in zip(node.netdevs, spec.ports, strict=True)
        ]
        nodes.append(
            {
                "name": node.name,
                "state": "off" if pid is None else "running",
                "pid": pid,
                "ssh_port": node.ssh_port,
                "ports": ports,
            }
        )
    running = sum(node["state"] == "running" for node in nodes)
    return {
        "name": name,
        "state": "up" if running == len(nodes) else "partly up" if running else "off",
        "image": state.image,
        "kernel": state.kernel,
        "memory": state.memory,
        "cpus": state.cpus,
        "accel": state.accel,
        "accel_reason": state.accel_reason,
        "folder": str(place.folder),
        "nodes": nodes,
    }


def reset(home: Home, name: str, node: str | None, progress: Progress) -> None:
    """Put a node, or all, back to the snapshot: the golden disk again, and no boot."""
    place = Place(home, name)
    with locked(home, f"lab-{name}", progress):
        state = place.require()
        chosen = state.select(node)
        with progress.step(f"resetting {_names(chosen)}"):
            for one in chosen:
                place.machine(one).kill()
            state = state.with_boot_loader(chosen, False)
            place.write(state)
            _restore(place, state, chosen)


def reboot(home: Home, name: str, node: str | None, boot_loader: bool, progress: Progress) -> None:
    """Reboot a node, or all, as its own systemd does it; return when it is a new boot that answers.

    With `boot_loader`, this boot and all until a reset are by the boot loader that is on the node's disk.
    """
    place = Place(home, name)
    with locked(home, f"lab-{name}", progress):
        state = place.require()
        chosen = state.select(node)
        machines = [_require_running(place, one) for one in chosen]
        if boot_loader and not all(one.boot_loader for one in chosen):
            _boot_by_disk(place, state, chosen, progress)
            return

        def again(pair: tuple[NodeState, Machine]) -> None:
            one, machine = pair
            target = place.target(one)
            before = ssh.check_output(target, "cat /proc/sys/kernel/random/boot_id").strip()
            with machine.qmp() as qmp:
                ssh.call(target, "systemctl reboot", 60)
                qmp.wait_event("RESET", golden.BOOT_SECONDS)
            ssh.wait(target, machine, time.monotonic() + golden.BOOT_SECONDS, not_boot=before)

        with progress.step(f"rebooting {_names(chosen)} ({state.accel})"):
            for_each(again, zip(chosen, machines, strict=True))


def _boot_by_disk(place: Place, state: LabState, chosen: list[NodeState], progress: Progress) -> None:
    """QEMU takes a kernel of its own, or none, for as long as its process lives: so the machines are started anew."""
    with progress.step(f"rebooting {_names(chosen)} by the boot loader on disk ({state.accel})"):
        for one in chosen:
            machine = place.machine(one)
            ssh.call(place.target(one), "systemctl poweroff", 60)
            if not machine.wait_end(golden.BOOT_SECONDS):
                raise LabError(f"Cannot reboot {one.name}", machine.last_words("it does not power off"))
        state = state.with_boot_loader(chosen, True)
        place.write(state)
        _boot(place, state, chosen)


def power_cut(home: Home, name: str, node: str, stay_off: bool, progress: Progress) -> None:
    """Take a node's power away: whatever it had not synced is lost. Then boot it from its disk."""
    place = Place(home, name)
    with locked(home, f"lab-{name}", progress):
        state = place.require()
        [one] = state.select(node)
        _require_running(place, one).kill()
        progress.note(f"{one.name} has lost its power.")
        if not stay_off:
            with progress.step(f"booting {one.name} from disk ({state.accel})"):
                _boot(place, state, [one])


def boot(home: Home, name: str, node: str, progress: Progress) -> None:
    """Boot a node from its disk, unless it runs."""
    place = Place(home, name)
    with locked(home, f"lab-{name}", progress):
        state = place.require()
        [one] = state.select(node)
        if place.machine(one).pid() is None:
            with progress.step(f"booting {one.name} from disk ({state.accel})"):
                _boot(place, state, [one])


def clean(home: Home, progress: Progress) -> None:
    """Remove the caches: images, golden nodes, and what was found out about KVM. The SSH key stays."""
    names = sorted(path.name for path in home.labs.glob("*")) if home.labs.exists() else []
    if names:
        raise LabError(
            "Cannot remove the caches",
            f"these labs run from them: {', '.join(names)}",
            "; ".join(f"run `lab down --name {name}`" for name in names),
        )
    for path in (home.images, home.labs):
        if path.exists():
            shutil.rmtree(path)
    home.probes.unlink(missing_ok=True)
    progress.note(f"The caches under {home.root} are gone.")


def machine_of(home: Home, name: str, node: str) -> Machine:
    """Return one node's process and files."""
    place = Place(home, name)
    [one] = place.require().select(node)
    return place.machine(one)


def target_of(home: Home, name: str, node: str) -> ssh.Target:
    """Return one running node as SSH sees it."""
    place = Place(home, name)
    [one] = place.require().select(node)
    _require_running(place, one)
    return place.target(one)


def _require_running(place: Place, node: NodeState) -> Machine:
    machine = place.machine(node)
    if machine.pid() is None:
        raise LabError(f"Cannot reach {node.name}", "it is off", f"run `lab up --name {place.name}`")
    return machine


def _restore(place: Place, state: LabState, nodes: list[NodeState] | tuple[NodeState, ...]) -> None:
    version = qemu.find_version()
    image = images.load(Path(state.image_folder))
    specs = {spec.index: spec for spec in state.specs()}

    def restore(node: NodeState) -> None:
        spec = specs[node.index]
        source = golden.load(spec, image, version)
        if source is None:
            raise LabError(
                f"Cannot restore {node.name}",
                "its golden node is gone, or QEMU was changed since",
                f"run `lab down --name {state.name}` and `lab up` again",
            )
        machine = place.machine(node)
        _copy(source.disk, place.folder / f"{node.name}.qcow2")
        machine.serial_log.unlink(missing_ok=True)
        machine.start(qemu.arguments(spec, version, golden.SNAPSHOT))
        ssh.wait(place.target(node), machine, time.monotonic() + _RESTORE_SECONDS)

    for_each(restore, nodes, [place.machine(node) for node in nodes])


def _boot(place: Place, state: LabState, nodes: list[NodeState]) -> None:
    version = qemu.find_version()
    specs = {spec.index: spec for spec in state.specs()}

    def boot(node: NodeState) -> None:
        machine = place.machine(node)
        machine.start(qemu.arguments(specs[node.index], version))
        ssh.wait(place.target(node), machine, time.monotonic() + golden.BOOT_SECONDS)

    for_each(boot, nodes, [place.machine(node) for node in nodes])


def _copy(source: Path, target: Path) -> None:
    run(
        ["cp", "--reflink=auto", "--sparse=always", "--", str(source), str(target)],
        attempt=f"Cannot copy the golden disk to {target.name}",
        advice="see that the disk has space left",
    )


def _remove(place: Place, state: LabState) -> None:
    for node in state.nodes:
        place.machine(node).kill()
    shutil.rmtree(place.folder)


def _names(nodes: list[NodeState] | tuple[NodeState, ...]) -> str:
    return ", ".join(node.name for node in nodes)
