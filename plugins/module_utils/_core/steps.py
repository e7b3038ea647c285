# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What planners return: steps (pure data) and the state before and after them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union


@dataclass(frozen=True)
class Command:
    """Start one program. C(does) completes the sentence "Cannot ...".

    C(since) is the first version of iproute2 that knows all words of C(argv), C(advice) what to do; both are looked at
    only after an error. C(patience) is for what the kernel still has to finish by itself: seconds to try again.
    C(deadline) are the seconds after which the program counts as hung: firmware may take tens of them.
    """

    argv: tuple[str, ...]
    does: str
    since: str = ""
    advice: str = ""
    patience: float = 0.0
    deadline: float = 120.0

    @property
    def shown(self) -> list[str]:
        return list(self.argv)


@dataclass(frozen=True)
class Write:
    """Write C(value) to a kernel file in one write(2)."""

    path: str
    value: str
    does: str

    @property
    def shown(self) -> list[str]:
        return ["write", self.path, self.value]


@dataclass(frozen=True)
class MakeDirectory:
    """Create one directory (a cgroup, a configfs entry)."""

    path: str
    does: str

    @property
    def shown(self) -> list[str]:
        return ["mkdir", self.path]


@dataclass(frozen=True)
class InstallFile:
    """Put an executable file in place, whole or not at all."""

    path: str
    content: bytes
    sha256: str
    does: str

    @property
    def shown(self) -> list[str]:
        return ["install", self.path, f"sha256:{self.sha256}"]


Step = Union[Command, Write, MakeDirectory, InstallFile]


@dataclass(frozen=True)
class Plan:
    """The steps from one state to another; no steps means that nothing is to be done.

    C(before) and C(after) are what a person reads as the diff; check mode and a real run show the same two.
    """

    steps: tuple[Step, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
