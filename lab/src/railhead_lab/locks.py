# SPDX-License-Identifier: GPL-3.0-or-later
"""One process at a time for each lab and for each image."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from railhead_lab.paths import Home
from railhead_lab.progress import Progress


@contextmanager
def locked(home: Home, what: str, progress: Progress) -> Iterator[None]:
    """Hold the lock named `what` (as `lab-default`), waiting for another process that has it."""
    home.locks.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home.locks / f"{what}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with progress.step(f"waiting for another process that works on {what}"):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
