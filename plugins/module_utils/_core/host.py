# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that starts programs and touches files under /sys, /proc and /run."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import CommandError, RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.ethtool import (
    pci_netdevs,
    read_feature,
    read_pause,
)
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import (
    ADDRESS_OF,
    NETDEV_OF,
    Command,
    MakeDirectory,
    RemoveDirectory,
    Step,
    Wait,
    Write,
)

if TYPE_CHECKING:
    from concurrent.futures import Executor

#: Where the tools lie on the supported distributions; MLNX_OFED and DOCA-OFED bring an iproute2 of their own, last.
SEARCH_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/opt/mellanox/iproute2/sbin"
#: Seconds after which a program that reads counts as hung.
READ_DEADLINE = 120.0
#: Held while the state is changed, so that Ansible runs and the boot unit of one host take turns.
LOCK_FILE = "/run/railhead.lock"
LOCK_DEADLINE = 120.0
#: Seconds that a driver gets to make the network device of a function that it was bound to.
NETDEV_DEADLINE = 60.0
_POLL_INTERVAL = 0.05

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_NOT_INSTALLED = f"Cannot run '{{}}': it is not installed (searched {SEARCH_PATH})."


@dataclass(frozen=True)
class Result:
    """What a program answered."""

    rc: int
    stdout: str = ""
    stderr: str = ""


class Host:
    """Runs programs with C(LC_ALL=C) and without a shell, and reads and writes kernel files.

    C(done) holds the steps that were applied, in order, also when a later one failed.
    """

    def __init__(self) -> None:
        self.done: list[Step] = []

    # Programs

    def run(self, argv: Sequence[str], stdin: str | None = None, deadline: float = READ_DEADLINE) -> Result:
        """Start a program and wait for it. A return code other than 0 is the caller's to judge."""
        environment = {"PATH": SEARCH_PATH, "LC_ALL": "C"}
        try:
            # The same code runs at boot, where there is no AnsibleModule with a run_command().
            ended = subprocess.run(  # pylint: disable=ansible-bad-function
                list(argv),
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                text=True,
                errors="replace",
                env=environment,
                timeout=deadline,
                check=False,
            )
        except FileNotFoundError as error:
            raise RailheadError(_NOT_INSTALLED.format(argv[0])) from error
        except subprocess.TimeoutExpired as error:
            raise CommandError(
                f"Cannot finish '{' '.join(argv)}': no answer after {deadline:.0f} s; "
                "look at the kernel log (dmesg) for a driver that hangs."
            ) from error
        return Result(ended.returncode, ended.stdout, ended.stderr)

    def is_installed(self, program: str) -> bool:
        return shutil.which(program, path=SEARCH_PATH) is not None

    def read_output(self, argv: Sequence[str]) -> str:
        """Standard output of a program that only reads; an error is an error of ours."""
        result = self.run(argv)
        if _is_refusal(result):
            raise CommandError(f"Cannot read the state with '{' '.join(argv)}': {complaint(result)}")
        return result.stdout

    def read_json(self, argv: Sequence[str]) -> Any:
        """Parsed standard output; nothing at all counts as an empty list, as iproute2 means it."""
        text = self.read_output(argv).strip()
        try:
            return json.loads(text) if text else []
        except ValueError as error:
            raise CommandError(f"Cannot understand '{' '.join(argv)}': expected JSON, found {text[:80]!r}.") from error

    def tool_version(self, tool: str) -> str:
        """Version of a tool of iproute2 (C(rdma -V) prints C(rdma utility, iproute2-6.15.0))."""
        text = self.run([tool, "-V"]).stdout
        match = re.search(r"iproute2-([0-9][0-9.]*)", text)
        return match.group(1) if match else "unknown"

    def beside(self, work: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
        """C(work) on all items at the same time, each in a thread; the answers in the order of the items.

        For programs that take seconds because they wait for one device each.
        """
        with _threads(max(1, len(items))) as threads:
            return list(threads.map(work, items))

    # Files

    def read(self, path: str) -> str | None:
        """Content without the last newline; None when there is no such file, or the kernel refuses the read."""
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read().rstrip("\n")
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV, errno.ESRCH):
                return None
            raise RailheadError(f"Cannot read {path}: {error.strerror}.") from error

    def read_bytes(self, path: str) -> bytes:
        """Content of a binary file such as the configuration space of a PCI device; empty when there is none."""
        try:
            with open(path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def read_program(self, path: str) -> bytes | None:
        """Content of an executable file; None when there is none, or it may not be executed."""
        if not os.access(path, os.X_OK):
            return None
        with open(path, "rb") as file:
            return file.read()

    def list_directory(self, path: str) -> list[str]:
        """Sorted names; empty when there is no such directory."""
        try:
            return sorted(os.listdir(path))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def is_directory(self, path: str) -> bool:
        return os.path.isdir(path)

    def link_target(self, path: str) -> str | None:
        """Where a symbolic link points, as written; None when there is none, or it may not be read."""
        try:
            return os.readlink(path)
        except OSError:
            return None

    def modified(self, path: str) -> int | None:
        """When a file was last changed, in nanoseconds since 1970; None when there is none."""
        try:
            return os.stat(path).st_mtime_ns
        except OSError:
            return None

    def identity(self, path: str) -> tuple[int, int] | None:
        """Device and inode: two paths with one identity are one object. None when there is nothing."""
        try:
            found = os.stat(path)
        except OSError:
            return None
        return (found.st_dev, found.st_ino)

    def resolve(self, path: str) -> str:
        """Canonical path with all links followed (sysfs shows the PCI tree this way)."""
        return os.path.realpath(path)

    def pci_netdevs(self, namespace: str) -> dict[str, str]:
        """Network devices by PCI address in the namespace that a file such as /run/netns/NAME opens.

        A thread enters it and asks there, so that no process is started however many namespaces there are.
        """
        with _threads(1) as thread:
            found = thread.submit(pci_netdevs, namespace)
        try:
            return found.result()
        except OSError as error:
            raise RailheadError(
                f"Cannot look into the network namespace {namespace}: {error.strerror}; run as root (become: true)."
            ) from error

    def read_feature(self, netdev: str, feature: str) -> bool | None:
        """A feature of C(ethtool -k), such as hw-tc-offload; None when it cannot be switched, or there is none."""
        return read_feature(netdev, feature)

    def read_pause(self, netdev: str) -> tuple[bool, bool] | None:
        """Whether pause frames of the whole link are (received, sent), as C(ethtool -a); None when it has none."""
        return read_pause(netdev)

    # Changes

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """One change at a time on this host. It also keeps the first two C(ip netns add) from racing for /run/netns."""
        try:
            lock = os.open(LOCK_FILE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RailheadError(
                f"Cannot change anything on this host: {LOCK_FILE}: {error.strerror}; run it as root (become: true)."
            ) from error
        try:
            if not self.wait(lambda: _try_lock(lock), LOCK_DEADLINE):
                raise RailheadError(
                    f"Cannot change anything on this host: another run has held {LOCK_FILE} for {LOCK_DEADLINE:.0f} s; "
                    f"find it with 'fuser {LOCK_FILE}'."
                )
            yield
        finally:
            os.close(lock)

    def apply(self, steps: Iterable[Step]) -> None:
        """Apply steps in order and stop at the first error. Neighbouring C(ip) commands share one process, those with
        lanes run beside each other.

        Nothing is begun when a program is missing that a later step needs.
        """
        steps = tuple(steps)
        for program in dict.fromkeys(step.argv[0] for step in steps if isinstance(step, Command)):
            if not self.is_installed(program):
                raise RailheadError(_NOT_INSTALLED.format(program))
        for group in _batches(steps):
            commands = [step for step in group if isinstance(step, Command)]
            if len(group) > 1 and commands[0].lane:
                self._apply_lanes(commands)
            elif len(group) > 1:
                self._apply_batch(commands)
            else:
                self._apply_one(group[0])
                self.done.append(group[0])

    def wait(self, condition: Callable[[], bool], seconds: float, interval: float = _POLL_INTERVAL) -> bool:
        """Poll a condition that has no event to wait on; False when it did not come true in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(interval)
        return True

    def _apply_one(self, step: Step) -> None:
        if isinstance(step, Command):
            self._apply_command(replace(step, argv=self._with_netdevs(step.argv)))
            return
        if isinstance(step, Wait):
            self._await(step)
            return
        try:
            if isinstance(step, Write):
                self.write(step.path, self._with_address(step.value))
            elif isinstance(step, MakeDirectory):
                self.make_directory(step.path)
            elif isinstance(step, RemoveDirectory):
                self.remove_directory(step.path)
            else:
                self.install(step.path, step.content, step.mode)
        except OSError as error:
            raise CommandError(
                f"Cannot {step.does}: '{' '.join(step.shown)}' answered: {error.strerror} (errno {error.errno})"
            ) from error

    def _apply_command(self, step: Command) -> None:
        result = self.run(step.argv, deadline=step.deadline)

        def succeeds_now() -> bool:
            nonlocal result
            result = self.run(step.argv, deadline=step.deadline)
            return not _is_refusal(result)

        if result.rc != 0 and step.patience:
            self.wait(succeeds_now, step.patience)
        if _is_refusal(result):
            raise CommandError(self._refusal(step, result))

    def _await(self, step: Wait) -> None:
        def outstanding() -> list[str]:
            return [path for path in step.paths if not self._says(path, step.pattern)]

        if self.wait(lambda: not outstanding(), step.seconds):
            return
        left = outstanding()
        path = left[0]
        found = self.read(path) if step.pattern else None
        raise CommandError(
            f"Cannot {step.does}: after {step.seconds:.0f} s {path} "
            + ("is not there" if found is None else f"says {found!r}")
            + (f", nor are {len(left) - 1} more" if len(left) > 1 else "")
            + (f". {step.advice}" if step.advice else ".")
        )

    def _says(self, path: str, pattern: str) -> bool:
        if not pattern:
            return self.identity(path) is not None
        return re.fullmatch(pattern, self.read(path) or "") is not None

    def _with_netdevs(self, argv: Sequence[str]) -> tuple[str, ...]:
        return tuple(self._netdev(word) if word.startswith(NETDEV_OF) else word for word in argv)

    def _with_address(self, value: str) -> str:
        if not value.startswith(ADDRESS_OF):
            return value
        return os.path.basename(self.resolve(value[len(ADDRESS_OF) :]))

    def _netdev(self, word: str) -> str:
        directory = word[len(NETDEV_OF) :]
        if not self.wait(lambda: bool(self.list_directory(f"{directory}/net")), NETDEV_DEADLINE):
            raise CommandError(
                f"Cannot find the network device of {directory}: there is none after {NETDEV_DEADLINE:.0f} s; look at"
                " the kernel log (dmesg) for what its driver says."
            )
        return self.list_directory(f"{directory}/net")[0]

    def write(self, path: str, value: str) -> None:
        """One write(2): the kernel takes one record a call in its control files."""
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)

    def make_directory(self, path: str) -> None:
        os.mkdir(path, 0o755)

    def remove_directory(self, path: str) -> None:
        os.rmdir(path)

    def install(self, path: str, content: bytes, mode: int = 0o755) -> None:
        """Write beside the place and rename: whoever runs the file sees the old one or the new one."""
        beside = f"{path}.new"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)

    def _apply_lanes(self, steps: Sequence[Command]) -> None:
        lanes: dict[str, list[Command]] = {}
        for step in steps:
            lanes.setdefault(step.lane, []).append(step)
        ended = self.beside(self._apply_lane, list(lanes.values()))
        self.done.extend(step for done, _error in ended for step in done)
        errors = [str(error) for _done, error in ended if error]
        if errors:
            raise CommandError(" ".join(errors))

    def _apply_lane(self, steps: Sequence[Command]) -> tuple[Sequence[Command], RailheadError | None]:
        """The steps that were done, and what ended them before the last one."""
        for position, step in enumerate(steps):
            try:
                self._apply_one(step)
            except RailheadError as error:
                return steps[:position], error
        return steps, None

    def _apply_batch(self, steps: Sequence[Command]) -> None:
        options, _words = _split_ip(steps[0].argv)
        lines = "".join(
            " ".join(_quote(word) for word in _split_ip(self._with_netdevs(step.argv))[1]) + "\n" for step in steps
        )
        result = self.run(["ip", *options, "-batch", "-"], stdin=lines)
        if result.rc == 0:
            self.done.extend(steps)
            return
        # A batch is no transaction: the lines before the failed one have taken effect.
        failed = re.search(r"Command failed -:(\d+)", result.stderr)
        if failed is None:
            # ip ends at once when it does not understand the value of a word, and does not say in which line.
            self.done.extend(steps)
            raise CommandError(
                "Cannot "
                + ", or ".join(step.does for step in steps)
                + f": one of these steps answered: {complaint(result)}. Those before it have taken effect; which one "
                "it is was not said. The next run goes on from the state that it finds."
            )
        position = min(int(failed.group(1)), len(steps)) - 1
        self.done.extend(steps[:position])
        raise CommandError(self._refusal(steps[position], result))

    def _refusal(self, step: Command, result: Result) -> str:
        text = f"Cannot {step.does}: '{' '.join(step.argv)}' answered: {complaint(result)}"
        notes = [note for note in (step.advice, self._too_old(step)) if note]
        return f"{text}. {' '.join(notes)}" if notes else text

    def _too_old(self, step: Command) -> str:
        version = self.tool_version(step.argv[0]) if step.since else "unknown"
        if version == "unknown" or _numbers(version) >= _numbers(step.since):
            return ""
        return f"This needs iproute2 {step.since} or newer, and this host has {version}."


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _batches(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """Runs of C(ip) commands for the same namespace and of one program with lanes stay together, the rest is alone."""
    for _key, group in groupby(enumerate(steps), key=lambda item: _batch_key(item[1]) or item[0]):
        yield [step for _position, step in group]


def _batch_key(step: Step) -> tuple[str, ...] | None:
    if isinstance(step, Command) and step.lane:
        return ("lanes", step.argv[0])
    if not isinstance(step, Command) or step.argv[0] != "ip":
        return None
    options, words = _split_ip(step.argv)
    return None if words[0] == "netns" else ("ip", *options)


def _split_ip(argv: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """('ip', '-n', 'blue', 'link', 'set', ...) -> (('-n', 'blue'), ('link', 'set', ...))"""
    return (tuple(argv[1:3]), tuple(argv[3:])) if argv[1] == "-n" else ((), tuple(argv[1:]))


def _quote(word: str) -> str:
    """Batch files of iproute2 know double quotes and no escapes."""
    return f'"{word}"' if not word or re.search(r"\s|#", word) else word


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".") if number]


def _threads(number: int) -> Executor:
    """Imported when there is need for threads, as all runs would wait for that."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    return ThreadPoolExecutor(max_workers=number)


def _is_refusal(result: Result) -> bool:
    """rdma of iproute2 answers unknown words with a message on stderr and 0."""
    return result.rc != 0 or result.stderr.startswith("Unknown ")


def complaint(result: Result) -> str:
    """What a program says of its failure, in one line."""
    # mstflint's tools mark it, on standard output among all that they print otherwise.
    marked = [line[4:] for line in result.stdout.splitlines() if line.startswith("-E- ")]
    if marked:
        return f"{'; '.join(marked)} (return code {result.rc})"
    # What comes after the complaint is the manual: iproute2 prints all words that it knows.
    lines = (result.stderr.strip() or result.stdout.strip()).split("\nUsage:")[0].splitlines()
    text = "; ".join(line for line in lines if line.strip())
    return f"{text or 'nothing'} (return code {result.rc})"
