# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH to the nodes: the lab's key pair, strict host keys, and waiting until a node answers."""

import os
import shlex
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from railhead_lab.commands import describe_failure, run
from railhead_lab.errors import LabError
from railhead_lab.machine import Machine
from railhead_lab.paths import Home


@dataclass(frozen=True)
class Target:
    """A node as SSH sees it."""

    name: str
    port: int
    key: Path
    known_hosts: Path


def ensure_key(home: Home) -> str:
    """Return the public key of all labs; make the pair when there is none."""
    public = home.key.with_suffix(".pub")
    if not public.exists():
        home.root.mkdir(parents=True, exist_ok=True)
        home.key.unlink(missing_ok=True)
        run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "railhead-lab", "-f", str(home.key)],
            attempt="Cannot make the lab's SSH key",
        )
    return public.read_text(encoding="ascii").strip()


def known_hosts(host_key: str, ports: Sequence[int]) -> str:
    """Return the text of a known_hosts file: the one `host_key` (`type base64`) on each of the ports."""
    return "".join(f"[127.0.0.1]:{port} {host_key}\n" for port in ports)


def options(target: Target) -> list[str]:
    """Return the SSH options that trust exactly this node's key and offer exactly the lab's."""
    pairs = {
        "IdentityFile": str(target.key),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(target.known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "LogLevel": "ERROR",
    }
    return [word for name, value in pairs.items() for word in ("-o", f"{name}={value}")]


def arguments(target: Target, command: Sequence[str] = ()) -> list[str]:
    """Return the argv of an SSH client on the node, as root."""
    return ["ssh", "-F", "none", *options(target), "-p", str(target.port), "root@127.0.0.1", *command]


def call(target: Target, command: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run a shell command on the node, without a terminal; return how it ended (255: SSH failed)."""
    argv = arguments(target, ["--", command])
    argv[1:1] = ["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30"]
    environ = {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(
            argv,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            env=environ,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, 255, "", f"no answer within {timeout:.0f} s")


def check_output(target: Target, command: str, timeout: float = 120.0) -> str:
    """Run a shell command on the node and return its stdout; LabError when it fails."""
    done = call(target, command, timeout)
    if done.returncode != 0:
        raise LabError(
            f"Cannot run {shlex.quote(command)} on {target.name}",
            describe_failure(["ssh"], done.returncode, done.stderr or done.stdout),
            f"look at `lab console {target.name}`",
        )
    return done.stdout


def wait(target: Target, machine: Machine, deadline: float, not_boot: str = "") -> str:
    """Wait until the node answers over SSH with another boot id than `not_boot`; return its boot id.

    `deadline` is a time of time.monotonic(). A machine that ends meanwhile is an error at once.
    """
    trouble = "nothing answered"
    while True:
        if _banner(target.port):
            done = call(target, f"date -u -s @{time.time():.3f} >/dev/null; cat /proc/sys/kernel/random/boot_id", 60)
            if done.returncode == 0 and done.stdout.strip() != not_boot:
                return done.stdout.strip()
            trouble = done.stderr.strip() or "it has not rebooted"
        attempt = f"Cannot reach {target.name} over SSH"
        if machine.wait_end(0.3):
            raise LabError(attempt, machine.last_words("its QEMU has ended"))
        if time.monotonic() > deadline:
            raise LabError(
                attempt,
                machine.last_words(f"{trouble} in the time allowed"),
                f"look at `lab console {target.name}`",
            )


def _banner(port: int) -> bool:
    """Tell whether an SSH server speaks at this port. QEMU accepts connections before the guest does."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
