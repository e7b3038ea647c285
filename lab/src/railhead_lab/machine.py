# SPDX-License-Identifier: GPL-3.0-or-later
"""One QEMU process: start it, know it again later, end it, wait for its end."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from railhead_lab.errors import LabError
from railhead_lab.qmp import Qmp

_START_SECONDS = 60.0


@dataclass(frozen=True)
class Machine:
    """A node's process and files: `<name>.pid`, `.qmp`, `.serial`, `.serial.log`, `.stderr` in `folder`."""

    folder: Path
    name: str

    def file(self, suffix: str) -> Path:
        """Return the path of one of the node's files."""
        return self.folder / f"{self.name}.{suffix}"

    @property
    def serial_log(self) -> Path:
        """All that the node ever wrote to its serial console."""
        return self.file("serial.log")

    def pid(self) -> int | None:
        """Return the process id, or None when the node is off."""
        return noted_pid(self.file("pid"))

    def start(self, argv: Sequence[str]) -> None:
        """Start QEMU in the node's folder; return when it answers, with the machine running."""
        for suffix in ("qmp", "serial"):
            self.file(suffix).unlink(missing_ok=True)
        # Not only the CPU that a caller was put on: mitogen does that to what runs a playbook.
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        with self.file("stderr").open("wb") as stderr:
            process = subprocess.Popen(
                argv,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )
        note_pid(self.file("pid"), process.pid)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                with self.qmp() as qmp:
                    if qmp.execute("query-status", timeout=_START_SECONDS)["running"]:
                        return
            except (OSError, LabError) as error:
                if self.pid() is not None and time.monotonic() > deadline:
                    self.kill()
                    raise LabError(
                        f"Cannot start {self.name}", f"QEMU did not answer within {_START_SECONDS:.0f} s"
                    ) from error
            if self.wait_end(0.05):
                status = process.wait()
                raise LabError(f"Cannot start {self.name}", self.last_words(f"QEMU ended with status {status}"))

    def last_words(self, what: str) -> str:
        """Return `what` with QEMU's own messages and the end of the serial log."""
        parts = [what]
        for title, path in (("QEMU's messages", self.file("stderr")), ("serial console", self.serial_log)):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
            if lines:
                parts.append(f"{title}:\n    " + "\n    ".join(lines[-12:]))
        return "\n  ".join(parts)

    def qmp(self) -> Qmp:
        """Connect to the running QEMU."""
        return Qmp(self.file("qmp"))

    def wait_end(self, seconds: float) -> bool:
        """Wait until the process has ended, at most so long; tell whether it has."""
        pid = self.pid()
        if pid is None:
            return True
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            return bool(poll.poll(seconds * 1000))
        finally:
            os.close(descriptor)

    def kill(self) -> None:
        """End the process at once, without a word to the guest, and wait until it is gone."""
        pid = self.pid()
        if pid is None:
            return
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        if not self.wait_end(30):
            raise LabError(f"Cannot end {self.name}", f"process {pid} is still there 30 s after SIGKILL")


def note_pid(path: Path, pid: int) -> None:
    """Write a process id and when its process started, 0 for one that has ended already."""
    path.write_text(f"{pid} {start_time(pid) or 0}\n", encoding="ascii")


def noted_pid(path: Path) -> int | None:
    """Return the process id of a file of note_pid, or None when it has ended. One used again does not count."""
    try:
        pid, started = path.read_text(encoding="ascii").split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if start_time(int(pid)) == int(started) else None


def start_time(pid: int) -> int | None:
    """Return when a process started, in ticks since boot (proc(5), field 22); None if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *rest = fields.rpartition(")")[2].split()
    return None if state in "ZX" else int(rest[18])
