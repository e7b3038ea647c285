# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change of the fabric that is taken back unless somebody confirms it: what is kept of it, and who is at it.

Whether a change is pending is one file, the way back, which appears and goes by a rename: a power cut leaves the change
either pending, and the next boot takes it back, or not.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import CommandError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host

PROGRAM = "/usr/local/sbin/railhead-fabric"
DIRECTORY = "/var/lib/railhead/fabric"
#: The transient units that take the change back.
_UNIT = "railhead-fabric-rollback"


class Pending:
    """The files of C(directory).

    before.json is the way back, returning.json the same while it is gone; candidate.json is the document that wants to
    be confirmed. C(process) has the process that is at it, C(note) what became of the last change that was not kept.
    """

    def __init__(self, host: Host, directory: str = "") -> None:
        self.host = host
        self._directory = directory or DIRECTORY
        self._before = self._path("before.json")
        self._returning = self._path("returning.json")
        self._candidate = self._path("candidate.json")
        self._process = self._path("process")
        self._note = self._path("note")

    def exists(self) -> bool:
        return os.path.exists(self._before) or self.is_returning()

    def is_returning(self) -> bool:
        return os.path.exists(self._returning)

    def is_applied(self) -> bool:
        return not os.path.exists(self._process)

    def is_at_work(self) -> bool:
        return self._running() is not None

    def note(self) -> str:
        return self.host.read(self._note) or ""

    def begin(self, before: str, candidate: str, seconds: int) -> None:
        """From here on, the change is taken back after C(seconds), whatever becomes of this process."""
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        _remove(self._note)
        self._write(self._candidate, candidate)
        self._write(self._process, str(os.getpid()))
        self._write(self._before, before)
        armed = False
        try:
            self._arm(seconds)
            armed = True
        finally:
            if not armed:
                _remove(self._before, self._candidate, self._process)

    def complete(self) -> None:
        _remove(self._process)

    def confirm(self, document: str) -> bool:
        """Make the candidate the confirmed document; False when the way back has been gone meanwhile."""
        candidate = self.host.read(self._candidate) or ""
        try:
            os.unlink(self._before)
        except FileNotFoundError:
            return False
        self._write(document, candidate)
        self._forget()
        return True

    def take_over(self) -> str | None:
        """The way back, for the caller alone: who applies the change, or is on the way back already, is ended."""
        process = self._running()
        if process is not None and process != os.getpid():
            self._end(process)
        with suppress(FileNotFoundError):
            os.replace(self._before, self._returning)
        before = self.host.read(self._returning)
        if before is not None:
            self._write(self._process, str(os.getpid()))
        return before

    def end(self, note: str) -> None:
        self.leave_note(f"it was rolled back at {_now()}, as {note}")
        self._forget()

    def refuse(self, why: str) -> None:
        self.leave_note(f"it was refused at {_now()}: {why}")

    def leave_note(self, note: str) -> None:
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        self._write(self._note, note)

    def _arm(self, seconds: int) -> None:
        result = self.host.run(
            [
                *("systemd-run", f"--unit={_UNIT}", "--collect", f"--on-active={seconds}"),
                *("--timer-property=AccuracySec=1s", "--property=Restart=on-failure", "--property=RestartSec=10"),
                *(PROGRAM, "rollback", "--reason", f"it was not confirmed within {seconds} s"),
            ]
        )
        if result.rc != 0:
            raise CommandError(f"Cannot have a timer take the change back: systemd-run says {result.stderr.strip()!r}.")

    def _forget(self) -> None:
        _remove(self._returning, self._candidate, self._process)
        # It may have run out already, or be of an earlier boot.
        self.host.run(["systemctl", "stop", f"{_UNIT}.timer"])

    def _running(self) -> int | None:
        process = self.host.read(self._process)
        # Numbers of processes are used again, after a reboot above all.
        alive = process and os.path.basename(PROGRAM) in (self.host.read(f"/proc/{process}/cmdline") or "")
        return int(process) if process and alive else None

    def _end(self, process: int) -> None:
        """With the programs that it has started, and before it starts another one."""
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGSTOP)
            children = self.host.read(f"/proc/{process}/task/{process}/children") or ""
            for each in (process, *map(int, children.split())):
                os.kill(each, signal.SIGKILL)

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)

    def _write(self, path: str, text: str) -> None:
        self.host.install(path, f"{text}\n".encode(), mode=0o644)


def _remove(*paths: str) -> None:
    for path in paths:
        with suppress(FileNotFoundError):
            os.unlink(path)


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
