# SPDX-License-Identifier: GPL-3.0-or-later
"""Linters: each counts once."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from tiers.process import stream
from tiers.result import Part
from tiers.workspace import BIN, COLLECTIONS, INSTALLED, ROOT, files

PACKAGE = "ansible_collections.railhead.cluster.plugins"


@dataclasses.dataclass(frozen=True)
class Linter:
    """A program that ends with 0 when all is well."""

    name: str
    argv: tuple[str | Path, ...]
    cwd: Path = ROOT
    env: dict[str, str] = dataclasses.field(default_factory=dict)


def linters() -> list[Linter]:
    """Return every linter."""
    return [
        Linter("ansible-lint", (BIN / "ansible-lint", "--nocolor")),
        Linter("yamllint", (BIN / "yamllint", "--strict", ".")),
        Linter("ruff check", (BIN / "ruff", "check", "--config=pyproject.toml")),
        Linter("ruff format", (BIN / "ruff", "format", "--config=pyproject.toml", "--check", "--diff")),
        # The oldest Python that mypy still knows; ruff checks that the syntax fits 3.9.
        Linter(
            "mypy plugins",
            (BIN / "mypy", "--python-version=3.10", f"--package={PACKAGE}"),
            env={"MYPYPATH": str(COLLECTIONS)},
        ),
        Linter("mypy lab", (BIN / "mypy", "lab/src"), env={"MYPYPATH": "lab/src"}),
        Linter("mypy tools", (BIN / "mypy", "tests/tiers", "tools"), env={"MYPYPATH": "tests:tools"}),
        Linter("shellcheck", (BIN / "shellcheck", *shell_scripts())),
        Linter("antsibull-docs", (BIN / "antsibull-docs", "lint-collection-docs", "--plugin-docs", "."), cwd=INSTALLED),
        Linter("antsibull-changelog", (BIN / "antsibull-changelog", "lint")),
        Linter("role READMEs", (BIN / "python", "tools/role_readmes.py", "--check")),
    ]


def shell_scripts() -> list[Path]:
    """Return the files whose first line starts a shell."""
    shebang = re.compile(rb"#! ?/(usr/)?bin/(env )?(ba|da)?sh\b")
    return [path for path in files() if shebang.match((ROOT / path).read_bytes()[:40])]


def run() -> list[Part]:
    """Run them all."""
    parts = []
    for linter in linters():
        print(f"-- {linter.name}", flush=True)
        finished = stream(linter.argv, cwd=linter.cwd, env=linter.env)
        parts.append(Part(linter.name, "failed" if finished.status else "passed", finished.seconds))
    return parts
