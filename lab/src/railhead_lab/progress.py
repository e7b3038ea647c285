# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress on stderr: a line that counts seconds on a terminal, a line now and then elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_TTY_SECONDS = 1.0
_LOG_SECONDS = 15.0


class Progress:
    """Shows which steps are running and for how long. Steps do not nest; notes may come between."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._tty = self._stream.isatty()
        self._lock = threading.Lock()
        self._detail = ""

    def note(self, text: str) -> None:
        """Print one line."""
        with self._lock:
            self._stream.write(f"{self._clear()}{text}\n")
            self._stream.flush()

    def detail(self, text: str) -> None:
        """Say what the running step is at; shown beside it the next time it is shown."""
        self._detail = text

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show `text` with its elapsed seconds until the block ends."""
        start = time.monotonic()
        self._detail = ""
        over = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(text, start, over), daemon=True)
        ticker.start()
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            over.set()
            ticker.join()
            elapsed = time.monotonic() - start
            if outcome == "failed" or elapsed >= 0.05:
                self.note(f"{text}: {outcome}, {elapsed:.1f} s")

    def _clear(self) -> str:
        return "\r\x1b[K" if self._tty else ""

    def _tick(self, text: str, start: float, over: threading.Event) -> None:
        while not over.wait(_TTY_SECONDS if self._tty else _LOG_SECONDS):
            detail = f" ({self._detail})" if self._detail else ""
            line = f"{text}: {time.monotonic() - start:.0f} s{detail}"
            with self._lock:
                self._stream.write(f"{self._clear()}{line[:118]}" if self._tty else f"{line}\n")
                self._stream.flush()
