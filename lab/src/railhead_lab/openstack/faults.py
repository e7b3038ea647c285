# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults by request: a file of wishes that the compute driver and the APIs look into, and a log of those granted."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from railhead_lab.errors import LabError

#: What can go wrong, and what its `on` is: a node's name, or a part of the kind of a call (calls.kind).
KINDS = {
    "spawn-fails": "a server that is created ends in ERROR",
    "rebuild-fails": "a rebuilt server ends in ERROR, without a machine",
    "rebuild-hangs": "a rebuild does not go on until the fault is cleared",
    "no-ssh": "a created or rebuilt machine runs, and its SSH never answers",
    "api-slow": "an API waits for --seconds before it answers",
    "api-500": "an API answers 500",
}


@dataclass(frozen=True)
class Fault:
    """One wish. `on` is a node, or a part of the kind of a call; empty for any. `times` is how often, 0 for ever."""

    kind: str
    on: str = ""
    times: int = 1
    seconds: float = 5.0

    def fits(self, kind: str, on: str) -> bool:
        """Tell whether this is the wish for what is about to be done."""
        if self.kind != kind:
            return False
        return self.on in on if kind.startswith("api-") else self.on in ("", on)


def ask(path: Path, fault: Fault) -> None:
    """Add a wish."""
    if fault.kind not in KINDS:
        raise LabError(f"Cannot ask for the fault {fault.kind!r}", "there is none of that name", ", ".join(KINDS))
    with _opened(path) as wishes:
        wishes.append(asdict(fault))


def clear(path: Path) -> None:
    """Take all wishes back."""
    with _opened(path) as wishes:
        wishes.clear()


def wanted(path: Path) -> list[Fault]:
    """Return all wishes."""
    with _opened(path) as wishes:
        return [Fault(**wish) for wish in wishes]


def take(path: Path, kind: str, on: str) -> Fault | None:
    """Return the wish that fits, and grant it: one time less is left of it, and the log says so."""
    # Most requests come while nothing is wished for: those cost one look at a file.
    try:
        if path.stat().st_size <= len("[]\n"):
            return None
    except FileNotFoundError:
        return None
    with _opened(path) as wishes:
        for position, wish in enumerate(wishes):
            fault = Fault(**wish)
            if not fault.fits(kind, on):
                continue
            if fault.times == 1:
                del wishes[position]
            elif fault.times > 1:
                wishes[position] = asdict(replace(fault, times=fault.times - 1))
            line = json.dumps({"time": time.time(), "kind": kind, "on": on})
            with path.with_suffix(".jsonl").open("a", encoding="utf-8") as log:
                log.write(line + "\n")
            return fault
    return None


def granted(path: Path) -> list[dict[str, Any]]:
    """Return the log: [{"time", "kind", "on"}]."""
    try:
        lines = path.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]


@contextmanager
def _opened(path: Path) -> Iterator[list[dict[str, Any]]]:
    """Give the wishes to change; one process at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        wishes: list[dict[str, Any]] = json.loads(text) if text.strip() else []
        yield wishes
        new = json.dumps(wishes) + "\n"
        if new != text:
            # Never empty in between: take() goes by the size of the file.
            file.seek(0)
            file.write(new)
            file.truncate()
