# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs other programs to their end."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from railhead_lab.errors import LabError


def run(argv: Sequence[str], *, attempt: str, advice: str = "", cwd: Path | None = None) -> str:
    """Run `argv` with LC_ALL=C and return its stdout; a failure says `attempt` and the end of stderr."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, cwd=cwd, env={**os.environ, "LC_ALL": "C"}
        )
    except FileNotFoundError as error:
        raise LabError(attempt, f"{argv[0]} is not installed", "run lab/install-host-packages") from error
    if done.returncode != 0:
        raise LabError(attempt, describe_failure(argv, done.returncode, done.stderr), advice)
    return done.stdout


def describe_failure(argv: Sequence[str], status: int, stderr: str, lines: int = 15) -> str:
    """Say how a program ended, with the last lines it wrote."""
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    tail = "\n    ".join(stderr.strip().splitlines()[-lines:])
    return f"{Path(argv[0]).name} {how}" + (f":\n    {tail}" if tail else "")
