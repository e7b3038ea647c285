# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The initramfs of the running kernel holds copies of configuration files; they grow stale when the files change."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Plan

#: Compressing it is work for one processor; on an emulated one it was seen to take minutes.
_REBUILD_SECONDS = 1800.0


@dataclass(frozen=True)
class Initramfs:
    """C(image) is None on a host that boots without one. C(newer) are the files that changed after it was built."""

    release: str
    image: str | None
    newer: tuple[str, ...] = field(default=())


def observe_initramfs(host: Host, files: Sequence[str]) -> Initramfs:
    """A file that does not exist counts as newer: in check mode, it is one that a task before this one would write."""
    release = os.uname().release
    image = f"/boot/initrd.img-{release}"
    built = host.modified(image)
    if built is None:
        return Initramfs(release, None)
    return Initramfs(release, image, tuple(path for path in files if _is_newer(host.modified(path), built)))


def _is_newer(modified: int | None, built: int) -> bool:
    return modified is None or modified > built


def plan_initramfs(have: Initramfs) -> Plan:
    if not have.newer:
        return Plan((), {"newer": []}, {"newer": []})
    step = Command(
        ("update-initramfs", "-u", "-k", have.release),
        f"rebuild {have.image}, which is older than {', '.join(have.newer)}",
        deadline=_REBUILD_SECONDS,
    )
    return Plan((step,), {"newer": list(have.newer)}, {"newer": []})


def absolute(path: str) -> str:
    if not path.startswith("/"):
        raise RailheadError(f"Cannot compare {path!r} with the initramfs: give an absolute path.")
    return path
