# SPDX-License-Identifier: GPL-3.0-or-later
"""What is built for a release of Kubernetes, read from software.toml."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from railhead_lab.errors import LabError

SOFTWARE = Path(__file__).with_name("software.toml")
_RELEASE = re.compile(r"(\d+\.\d+)\.\d+")


@dataclass(frozen=True)
class Program:
    """Programs of one Go module, built together; with `source`, one program from a file in C that the module has."""

    name: str
    module: str
    version: str
    packages: tuple[str, ...] = ()
    source: str = ""
    cgo: bool = False
    external_linker_flags: str = ""
    requires: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the programs, as Go gives them: the last part of a package's path that is no version."""
        if self.source:
            return (Path(self.source).stem,)
        return tuple(re.sub(r"/v\d+$", "", package).rpartition("/")[2] for package in self.packages)


@dataclass(frozen=True)
class Base:
    """A small Debian that images stand on. `checks` are commands that must succeed in it."""

    name: str
    suite: str
    packages: tuple[str, ...]
    checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Image:
    """An image. `files` are {absolute path: PROGRAM/FILE, or the text of a script}."""

    name: str
    tag: str
    base: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()


@dataclass(frozen=True)
class Software:
    """All of it for one release."""

    release: str
    minor: str
    programs: Mapping[str, Program]
    bases: Mapping[str, Base]
    images: Mapping[str, Image]


def load(release: str) -> Software:
    """Return what the lab builds for a release such as 1.35.1."""
    return parse(SOFTWARE.read_text(encoding="utf-8"), release)


def parse(text: str, release: str) -> Software:
    """Read the text of software.toml; refuse a release of another minor than its versions are for."""
    data = tomllib.loads(text.replace("@release@", release))
    minor = str(data["minor"])
    match = _RELEASE.fullmatch(release)
    if match is None or match[1] != minor:
        raise LabError(
            f"Cannot build release {release!r} of Kubernetes",
            f"the lab knows which etcd, CoreDNS and pause belong to {minor}, not to others",
            f"give a release such as {minor}.1",
        )
    return Software(
        release,
        minor,
        {name: Program(name, **_frozen(row)) for name, row in data["programs"].items()},
        {name: Base(name, **_frozen(row)) for name, row in data["bases"].items()},
        {name: Image(name, **_frozen(row)) for name, row in data["images"].items()},
    )


def _frozen(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
