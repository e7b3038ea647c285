# SPDX-License-Identifier: GPL-3.0-or-later
"""What is recorded of a lab, in its lab.json."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from railhead_lab import ssh
from railhead_lab.errors import LabError
from railhead_lab.machine import Machine
from railhead_lab.paths import Home
from railhead_lab.qemu import NodeSpec
from railhead_lab.topology import node_name, ports_of

_FORMAT = 1


@dataclass(frozen=True)
class NodeState:
    """A node: its number, the TCP port of its SSH on 127.0.0.1, the guest's names of its data ports.

    `boot_loader` is whether it boots by the boot loader on its disk.
    """

    index: int
    ssh_port: int
    netdevs: tuple[str, ...] = ()
    boot_loader: bool = False

    @property
    def name(self) -> str:
        """The node's name."""
        return node_name(self.index)


@dataclass(frozen=True)
class LabState:
    """A lab. `image_folder` is the built image it runs from; memory (MiB) and cpus are for each node.

    With `hub` the ports of one number are in one network, by the UDP port with the number of the first SSH port.
    """

    name: str
    image: str
    image_folder: str
    kernel: str
    memory: int
    cpus: int
    accel: str
    accel_reason: str
    nodes: tuple[NodeState, ...]
    hub: bool = False

    def specs(self) -> list[NodeSpec]:
        """Return the specs of all nodes, in order."""
        return [
            NodeSpec(
                index=node.index,
                memory=self.memory,
                cpus=self.cpus,
                accel=self.accel,
                image=Path(self.image_folder),
                ssh_port=node.ssh_port,
                ports=ports_of(node.index, len(self.nodes), self.nodes[0].ssh_port if self.hub else None),
                label=f"railhead-lab-{self.name}-{node.name}",
                boot_loader=node.boot_loader,
            )
            for node in self.nodes
        ]

    def with_netdevs(self, netdevs: Sequence[tuple[str, ...]]) -> "LabState":
        """Return the same lab with the guests' names of the data ports, node by node."""
        nodes = (replace(node, netdevs=names) for node, names in zip(self.nodes, netdevs, strict=True))
        return replace(self, nodes=tuple(nodes))

    def with_boot_loader(self, chosen: Sequence[NodeState], boot_loader: bool) -> "LabState":
        """Return the same lab with other nodes that boot by the boot loader on their disk."""
        indices = {node.index for node in chosen}
        nodes = (replace(node, boot_loader=boot_loader) if node.index in indices else node for node in self.nodes)
        return replace(self, nodes=tuple(nodes))

    def select(self, name: str | None) -> list[NodeState]:
        """Return the node called `name`, or all of them for None."""
        if name is None:
            return list(self.nodes)
        found = [node for node in self.nodes if name in (node.name, str(node.index))]
        if not found:
            names = ", ".join(node.name for node in self.nodes)
            raise LabError(
                f"Cannot find {name!r} in the lab {self.name!r}", f"its nodes are {names}", "name one of them"
            )
        return found


@dataclass(frozen=True)
class Place:
    """The folder of a lab and what lies in it."""

    home: Home
    name: str

    @property
    def folder(self) -> Path:
        """The lab's folder."""
        return self.home.lab(self.name)

    @property
    def known_hosts(self) -> Path:
        """The host keys of the lab's nodes."""
        return self.folder / "known_hosts"

    def machine(self, node: NodeState) -> Machine:
        """Return the node's process and files."""
        return Machine(self.folder, node.name)

    def target(self, node: NodeState) -> ssh.Target:
        """Return the node as SSH sees it."""
        return ssh.Target(node.name, node.ssh_port, self.home.key, self.known_hosts)

    def read(self) -> LabState | None:
        """Return what is recorded, or None when there is no such lab."""
        try:
            return from_json((self.folder / "lab.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def require(self) -> LabState:
        """Return what is recorded; LabError when there is no such lab."""
        state = self.read()
        if state is None:
            others = sorted(path.parent.name for path in self.home.labs.glob("*/lab.json"))
            hint = f"; up are: {', '.join(others)} (choose with --name)" if others else ""
            option = "" if self.name == "default" else f" --name {self.name}"
            raise LabError(f"Cannot use the lab {self.name!r}", f"it is not up{hint}", f"run `lab up{option}`")
        return state

    def write(self, state: LabState) -> None:
        """Record the lab, whole or not at all."""
        temporary = self.folder / f"lab.json.{os.getpid()}"
        temporary.write_text(to_json(state), encoding="utf-8")
        temporary.replace(self.folder / "lab.json")


def to_json(state: LabState) -> str:
    """Return the text of lab.json."""
    return json.dumps({"format": _FORMAT, **asdict(state)}, indent=2) + "\n"


def from_json(text: str) -> LabState:
    """Read the text of lab.json."""
    data = json.loads(text)
    if data.pop("format", None) != _FORMAT:
        raise LabError(
            "Cannot read lab.json", "another version of the lab wrote it", "run `lab down` with that version"
        )
    nodes = tuple(
        NodeState(node["index"], node["ssh_port"], tuple(node["netdevs"]), node.get("boot_loader", False))
        for node in data.pop("nodes")
    )
    return LabState(**data, nodes=nodes)
