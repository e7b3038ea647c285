# SPDX-License-Identifier: GPL-3.0-or-later
"""A client for QEMU's machine protocol (QMP): one JSON object a line over a Unix socket."""

import json
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from railhead_lab.errors import LabError

JsonObject = dict[str, Any]


class Qmp:
    """A connection to one QEMU. Use it as a context manager."""

    def __init__(self, path: Path, timeout: float = 60.0) -> None:
        """Connect to the socket `path`; OSError when there is none or nobody listens."""
        self._name = path.stem
        self._buffer = b""
        self._events: list[JsonObject] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(timeout)
            # A socket's path has at most 107 bytes; the folder's descriptor stands for the long part.
            folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self._socket.connect(f"/proc/self/fd/{folder}/{path.name}")
            finally:
                os.close(folder)
            self._read(time.monotonic() + timeout)
            self.execute("qmp_capabilities")
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def execute(self, command: str, arguments: JsonObject | None = None, timeout: float = 60.0) -> Any:
        """Run one command and return its `return` value; LabError when QEMU refuses it."""
        request: JsonObject = {"execute": command}
        if arguments is not None:
            request["arguments"] = arguments
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        deadline = time.monotonic() + timeout
        while True:
            answer = self._read(deadline)
            if "event" in answer:
                self._events.append(answer)
            elif "error" in answer:
                raise LabError(
                    f"Cannot run {command} on {self._name}", f"QEMU answered {answer['error'].get('desc')!r}"
                )
            else:
                return answer.get("return")

    def wait_event(self, name: str, timeout: float, **data: object) -> JsonObject:
        """Return the next event `name` whose data contains `data`, also one that came before."""
        deadline = time.monotonic() + timeout
        while True:
            for position, event in enumerate(self._events):
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    return self._events.pop(position)
            message = self._read(deadline)
            if "event" in message:
                self._events.append(message)

    def save_snapshot(self, tag: str, disk: str, timeout: float = 300.0) -> None:
        """Save the whole machine as snapshot `tag` on `disk`. The machine is left paused."""
        self.execute("stop")
        job = f"save-{tag}"
        self.execute("snapshot-save", {"job-id": job, "tag": tag, "vmstate": disk, "devices": [disk]})
        self.wait_event("JOB_STATUS_CHANGE", timeout, id=job, status="concluded")
        errors = [j["error"] for j in self.execute("query-jobs") if j["id"] == job and "error" in j]
        if errors:
            raise LabError(f"Cannot save the snapshot {tag!r} of {self._name}", errors[0])
        self.execute("job-dismiss", {"id": job})

    def quit(self) -> None:
        """Tell QEMU to end, which writes its disks back; it closes the connection on its way."""
        try:
            self.execute("quit")
        except (OSError, LabError) as error:
            if isinstance(error, LabError) and "closed" not in error.found:
                raise

    def _read(self, deadline: float) -> JsonObject:
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            attempt = f"Cannot talk to the QEMU of {self._name}"
            if left <= 0:
                raise LabError(attempt, "it did not answer in time", "run `lab down`, then `lab up`")
            self._socket.settimeout(left)
            try:
                chunk = self._socket.recv(65536)
            except TimeoutError:
                continue
            if not chunk:
                raise LabError(attempt, "it closed the connection", "look at the node's serial log")
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        message: JsonObject = json.loads(line)
        return message
