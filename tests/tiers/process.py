# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a program, show what it prints while it runs, and keep it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tiers.result import CannotRunError


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of output (standard output and error, as they came), and when it came."""

    at: float
    text: str


@dataclasses.dataclass(frozen=True)
class Finished:
    """A program that has ended. `status` is negative when a signal ended it."""

    status: int
    seconds: float
    lines: tuple[Line, ...]


def stream(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    limit: float | None = None,
) -> Finished:
    """Run `argv` with `env` added to the environment; end it and all it started after `limit` seconds."""
    start = time.monotonic()
    lines = []
    try:
        process = subprocess.Popen(
            [str(word) for word in argv],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise CannotRunError(f"{error.filename} is missing; run `make venv`") from error
    with process, _ended_after(limit, process.pid):
        assert process.stdout is not None
        for text in process.stdout:
            lines.append(Line(time.monotonic() - start, text.rstrip("\n")))
            sys.stdout.write(text)
            sys.stdout.flush()
        status = process.wait()
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(f"{line.at:8.1f} {line.text}\n" for line in lines), encoding="utf-8")
    return Finished(status, time.monotonic() - start, tuple(lines))


@contextlib.contextmanager
def _ended_after(limit: float | None, group: int) -> Iterator[None]:
    """End a process group when the body takes too long, or when it is interrupted."""
    timer = threading.Timer(limit or threading.TIMEOUT_MAX, _end, [group])
    timer.daemon = True
    timer.start()
    try:
        yield
    except BaseException:
        _end(group)
        raise
    finally:
        timer.cancel()


def _end(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
