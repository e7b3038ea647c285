# SPDX-License-Identifier: GPL-3.0-or-later
"""KVM where it really boots the guest's kernel, software emulation (TCG) elsewhere."""

import json
import os
import platform
import selectors
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from railhead_lab.paths import Home
from railhead_lab.progress import Progress
from railhead_lab.qemu import BINARY, Version, accel_arguments

_PROBE_SECONDS = 15.0
# The kernel says this late in its boot, when it has no root to mount.
_REACHED = b"Unable to mount root fs"


@dataclass(frozen=True)
class Accel:
    """The accelerator, `kvm` or `tcg`, and why it is this one."""

    kind: str
    reason: str


def choose(home: Home, image: Path, kernel: str, version: Version, progress: Progress) -> Accel:
    """Find out once for each QEMU, host kernel and guest kernel whether KVM works."""
    device = Path("/dev/kvm")
    if not device.exists():
        return Accel("tcg", "there is no /dev/kvm")
    if not os.access(device, os.R_OK | os.W_OK):
        return Accel("tcg", "/dev/kvm is there, but this user may not use it (join the group kvm)")
    key = f"{version}|{platform.release()}|{kernel}"
    known: dict[str, dict[str, str]] = {}
    if home.probes.exists():
        known = json.loads(home.probes.read_text(encoding="utf-8"))
    if key not in known:
        with progress.step("trying KVM"):
            known[key] = asdict(_probe(image))
        temporary = home.probes.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
        temporary.replace(home.probes)
    return Accel(**known[key])


def _probe(image: Path) -> Accel:
    argv = [BINARY, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-m", "512"]
    argv += ["-machine", "q35", *accel_arguments("kvm"), "-serial", "stdio"]
    argv += ["-kernel", str(image / "vmlinuz"), "-append", "console=ttyS0 root=none panic=-1"]
    deadline = time.monotonic() + _PROBE_SECONDS
    output = b""
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                while _REACHED not in output and selector.select(max(0.0, deadline - time.monotonic())):
                    chunk = os.read(process.stdout.fileno(), 65536)
                    if not chunk:
                        break
                    output += chunk
        finally:
            process.kill()
    if _REACHED in output:
        return Accel("kvm", "the guest's kernel boots with KVM")
    first = output.decode("utf-8", "replace").strip().splitlines()
    detail = f": {first[0].strip()[:160]}" if first else ""
    return Accel("tcg", f"/dev/kvm is there, but the guest's kernel does not boot with it{detail}")
