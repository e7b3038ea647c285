# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel modules on disk and in memory: which file a kernel would load, where it comes from, and what is loaded now."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._kernel.dkms import observe_dkms

_MODULES = "/lib/modules"


def observe_modules(host: Host, names: Sequence[str]) -> dict[str, Any]:
    """The return values of M(railhead.cluster.kernel_module_info); a process for each module of each kernel."""
    names = [valid_name(name) for name in names]
    running = os.uname().release
    kernels = find_kernels(host, running)
    following = newest(kernels)
    return {
        "running": running,
        "next": following,
        "machine": os.uname().machine,
        "kernels": [
            {
                "release": release,
                "headers": host.identity(f"{_MODULES}/{release}/build/Makefile") is not None,
                "modules": {name: _module(host, release, name) for name in names},
            }
            for release in kernels
        ],
        "loaded": {name: _loaded(host, running, name) for name in names},
        "dkms": [
            {"module": one.module, "version": one.version, "kernel": one.kernel, "state": one.state}
            for one in observe_dkms(host)
        ],
    }


def find_kernels(host: Host, running: str) -> list[str]:
    """Releases that could boot, sorted: an image in /boot or beside their modules; and the running one."""
    images = {name[len("vmlinuz-") :] for name in host.list_directory("/boot") if name.startswith("vmlinuz-")}
    images |= {
        name for name in host.list_directory(_MODULES) if host.identity(f"{_MODULES}/{name}/vmlinuz") is not None
    }
    return sorted({*images, running}, key=release_key)


def newest(releases: Iterable[str]) -> str:
    """What GRUB and systemd-boot start unless told otherwise: the newest of the installed kernels."""
    return max(releases, key=release_key)


def release_key(release: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts 6.12.9 before 6.12.57, and a release candidate before the release."""
    parts = re.findall(r"\d+|[^\d]+", release.replace("-rc", "~rc"))
    key = [(2, int(part), "") if part.isdigit() else (0 if part.startswith("~") else 3, 0, part) for part in parts]
    return (*key, (1, 0, ""))


def origin_of(path: str) -> str:
    """C(inbox) for a module of the kernel's own package, C(external) for one that was put before it.

    DKMS and vendors use updates/ (Debian: updates/dkms/), extra/ and weak-updates/ (depmod.d(5)).
    """
    return "inbox" if re.match(r"(/usr)?/lib/modules/[^/]+/kernel/", path) else "external"


def parse_modinfo(text: str) -> dict[str, str]:
    """The first value of each field of modinfo(8)."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and name not in found:
            found[name] = value.strip()
    return found


def valid_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise RailheadError(f"Cannot look for the kernel module {name!r}: give a name such as mlx5_core.")
    return name.replace("-", "_")


def is_current(loaded: Mapping[str, str], on_disk: Mapping[str, str]) -> bool:
    """Whether a loaded module is the one on disk, from the files of /sys/module/NAME and the fields of modinfo.

    srcversion is a checksum over the sources. The kernels of Debian have none for modules of their own, so it also
    counts whether the module is one of the kernel (taint O and the field intree, Documentation/admin-guide/
    tainted-kernels.rst).
    """
    return (
        loaded["srcversion"] == on_disk.get("srcversion", "")
        and loaded["version"] == on_disk.get("version", "")
        and ("O" in loaded["taint"]) == ("intree" not in on_disk)
    )


def _modinfo(host: Host, release: str, name: str) -> dict[str, str]:
    result = host.run(["modinfo", "-k", release, name])
    return parse_modinfo(result.stdout) if result.rc == 0 else {}


def _module(host: Host, release: str, name: str) -> dict[str, Any] | None:
    fields = _modinfo(host, release, name)
    path = fields.get("filename", "")
    if not path:
        return None
    built_in = path == "(builtin)"
    return {
        "path": "" if built_in else path,
        "origin": "inbox" if built_in else origin_of(path),
        "version": fields.get("version", ""),
        "srcversion": fields.get("srcversion", ""),
    }


def _loaded(host: Host, running: str, name: str) -> dict[str, Any] | None:
    """None when it is not loaded, or part of the kernel."""
    directory = f"/sys/module/{name}"
    if host.identity(f"{directory}/initstate") is None:
        return None
    found = {file: host.read(f"{directory}/{file}") or "" for file in ("version", "srcversion", "taint")}
    return {**found, "current": is_current(found, _modinfo(host, running, name))}
