# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that answers from a recording: the programs must be started exactly as recorded, in order."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host, Result

#: Inode that stands for the namespace of the host itself; namespaces are on device 4, as nsfs has one of its own.
HOST_NAMESPACE = (4, 1)


Item = TypeVar("Item")
Answer = TypeVar("Answer")


class ReplayHost(Host):
    """C(runs) are dicts {argv, rc, stdout, stderr, stdin, files}; C(files) maps paths to contents.

    A directory is what lies above a file (or has the content None below it). A value {identity: N} makes a file that
    opens namespace number N; {link: TARGET} a symbolic link. C(files) of a run is what the kernel changes when that
    program has run: a content, or null for a file that goes away.
    {modified: NANOSECONDS} is a file with that time of change, {bytes: {OFFSET: HEX}} a binary one of 4 KiB.
    A file whose content is {refuses: ERRNO} cannot be written.
    "pause NETDEV" is [received, sent] of a network device with global pause.
    C(kernel) is what the kernel changes at a write or mkdir ("write PATH VALUE", "mkdir PATH"), as C(files) of a run.
    C(missing) are programs that are not installed. What runs at the same time is recorded in the order of its items.
    """

    def __init__(
        self,
        runs: Sequence[dict[str, Any]] = (),
        files: dict[str, Any] | None = None,
        kernel: dict[str, dict[str, Any]] | None = None,
        missing: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.missing = missing
        self.runs = list(runs)
        self.kernel = kernel or {}
        self.files: dict[str, Any] = {"/proc/1/ns/net": {"identity": HOST_NAMESPACE[1]}, **(files or {})}

    def run(self, argv: Sequence[str], stdin: str | None = None, **_deadline: float) -> Result:
        assert self.runs, f"started after the recording ended: {list(argv)}"
        recorded = self.runs.pop(0)
        assert list(argv) == recorded["argv"]
        assert stdin == recorded.get("stdin")
        self._change(recorded.get("files", {}))
        return Result(recorded.get("rc", 0), recorded.get("stdout", ""), recorded.get("stderr", ""))

    def is_installed(self, program: str) -> bool:
        return program not in self.missing

    def beside(self, work: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
        return [work(item) for item in items]

    def read(self, path: str) -> str | None:
        content = self.files.get(path)
        return content.rstrip("\n") if isinstance(content, str) else None

    def read_bytes(self, path: str) -> bytes:
        content = self.files.get(path)
        if not isinstance(content, dict):
            return b""
        found = bytearray(4096)
        for offset, text in content["bytes"].items():
            found[offset : offset + len(text) // 2] = bytes.fromhex(text)
        return bytes(found)

    def list_directory(self, path: str) -> list[str]:
        below = path.rstrip("/") + "/"
        return sorted({name[len(below) :].split("/")[0] for name in self.files if name.startswith(below)} - {""})

    def is_directory(self, path: str) -> bool:
        below = path.rstrip("/") + "/"
        return any(name.startswith(below) for name in self.files)

    def link_target(self, path: str) -> str | None:
        content = self.files.get(path)
        return content.get("link") if isinstance(content, dict) else None

    def resolve(self, path: str) -> str:
        return self.link_target(path) or path

    def modified(self, path: str) -> int | None:
        content = self.files.get(path)
        return content["modified"] if isinstance(content, dict) else None

    def identity(self, path: str) -> tuple[int, int] | None:
        content = self.files.get(path)
        if isinstance(content, dict) and "identity" in content:
            return (HOST_NAMESPACE[0], content["identity"])
        return None if content is None else (99, hash(path))

    def write(self, path: str, value: str) -> None:
        content = self.files.get(path)
        if isinstance(content, dict) and "refuses" in content:
            number = getattr(errno, content["refuses"])
            raise OSError(number, content["refuses"])
        if path not in self.files:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        self._change(self.kernel.get(f"write {path} {value}", {path: value}))

    def make_directory(self, path: str) -> None:
        self._change({path + "/": "", **self.kernel.get(f"mkdir {path}", {})})

    def remove_directory(self, path: str) -> None:
        """As configfs does: what is in it comes back as it was when the directory is made again."""
        below = {name: content for name, content in self.files.items() if name.startswith(f"{path}/")}
        assert below, f"no such directory: {path}"
        self._change(dict.fromkeys(below))
        self.kernel = {**self.kernel, f"mkdir {path}": below}

    def read_pause(self, netdev: str) -> tuple[bool, bool] | None:
        received_and_sent = self.files.get(f"pause {netdev}")
        return (received_and_sent[0], received_and_sent[1]) if received_and_sent else None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        yield

    def _change(self, files: dict[str, Any]) -> None:
        for path, content in files.items():
            if content is None:
                self.files.pop(path, None)
            else:
                self.files[path] = content


class SealedHost(ReplayHost):
    """Installs files into the recording too, and not on the machine that runs the tests."""

    def install(self, path: str, content: bytes, mode: int = 0o755) -> None:  # noqa: ARG002
        self.files[path] = content.decode()
