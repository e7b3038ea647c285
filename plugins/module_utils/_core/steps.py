# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What planners return: steps (pure data) and the state before and after them.

C(does) of a step completes the sentence "Cannot ...". C(disrupts) is what stops while it runs or because of it, C(undo)
how to take it back; both are empty where that goes without saying.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union

#: How a word of a command names the network device that a device of the hardware has at that time.
NETDEV_OF = "netdev@"
#: How a written value names the address on its bus that a device of the hardware has at that time.
ADDRESS_OF = "address@"


@dataclass(frozen=True)
class Command:
    """Start one program.

    A word that is NETDEV_OF and a directory of a device in sysfs is replaced by the name of its network device.
    C(since) is the first version of iproute2 that knows all words of C(argv), C(advice) what to do; both are looked at
    only after an error. C(patience) is for what the kernel still has to finish by itself: seconds to try again.
    C(deadline) are the seconds after which the program counts as hung: firmware may take tens of them.
    Neighbouring commands of one program that have a C(lane) run at the same time, those of one lane in order.
    """

    argv: tuple[str, ...]
    does: str
    since: str = ""
    advice: str = ""
    patience: float = 0.0
    deadline: float = 120.0
    lane: str = ""
    disrupts: str = ""
    undo: str = ""

    @property
    def shown(self) -> list[str]:
        return list(self.argv)


@dataclass(frozen=True)
class Write:
    """Write C(value) to a kernel file in one write(2).

    ADDRESS_OF and a directory in sysfs stand for the address of the device that the directory leads to.
    """

    path: str
    value: str
    does: str
    disrupts: str = ""
    undo: str = ""

    @property
    def shown(self) -> list[str]:
        return ["write", self.path, self.value]


@dataclass(frozen=True)
class MakeDirectory:
    """Create one directory (a cgroup, a configfs entry)."""

    path: str
    does: str
    disrupts: str = ""
    undo: str = ""

    @property
    def shown(self) -> list[str]:
        return ["mkdir", self.path]


@dataclass(frozen=True)
class RemoveDirectory:
    """Remove one directory that has nothing of its own in it (a configfs entry)."""

    path: str
    does: str
    disrupts: str = ""
    undo: str = ""

    @property
    def shown(self) -> list[str]:
        return ["rmdir", self.path]


@dataclass(frozen=True)
class InstallFile:
    """Put a file in place, whole or not at all."""

    path: str
    content: bytes
    sha256: str
    does: str
    mode: int = 0o755
    disrupts: str = ""
    undo: str = ""

    @property
    def shown(self) -> list[str]:
        return ["install", self.path, f"sha256:{self.sha256}"]


@dataclass(frozen=True)
class Wait:
    """Wait until the kernel or udev has made all C(paths), or, with C(pattern), until all of them say that (a regular
    expression for the whole content). C(advice) is what to do when they do not within C(seconds).
    """

    paths: tuple[str, ...]
    does: str
    pattern: str = ""
    seconds: float = 60.0
    advice: str = ""
    disrupts: str = ""
    undo: str = ""

    @property
    def shown(self) -> list[str]:
        return ["wait", *(self.paths if len(self.paths) < 3 else (self.paths[0], "...", self.paths[-1]))]


Step = Union[Command, Write, MakeDirectory, RemoveDirectory, InstallFile, Wait]


@dataclass(frozen=True)
class Plan:
    """The steps from one state to another; no steps means that nothing is to be done.

    C(before) and C(after) are what a person reads as the diff; check mode and a real run show the same two.
    """

    steps: tuple[Step, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
