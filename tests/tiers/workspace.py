# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
BUILD = ROOT / "build"
RESULTS = BUILD / "results"
COLLECTIONS = BUILD / "collections"
INSTALLED = COLLECTIONS / "ansible_collections" / "railhead" / "cluster"


def files() -> list[Path]:
    """Return the files of the working tree, relative to it: tracked ones, and new ones that git does not ignore."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return sorted(Path(name) for name in set(listing.stdout.split("\0")) if name and (ROOT / name).is_file())
