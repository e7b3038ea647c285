# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of Nova: what their states mean (Compute API guide, Server concepts), and what speaks against a rebuild."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._openstack.rebuild import (
    BUSY,
    FAILED,
    SETTLED,
    STOPPED,
    UNFIT,
    Image,
    Machine,
)
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.refusals import CloudError

#: From these Nova rebuilds; any other (SHELVED, PAUSED, VERIFY_RESIZE) needs somebody's hand first.
_PHASES = {"ACTIVE": SETTLED, "SHUTOFF": STOPPED, "ERROR": FAILED, "BUILD": BUSY, "REBUILD": BUSY}


def server_from(data: Mapping[str, Any]) -> Machine:
    """Read a server as the SDK returns it, with details.

    A server that boots from a volume has no image of its own; nobody but the volume service knows what is on it.
    """
    task = data.get("task_state") or ""
    status = str(data.get("status") or "UNKNOWN")
    image = data.get("image") or {}
    locked = data.get("is_locked") or False
    reason = data.get("locked_reason")
    return Machine(
        id=str(data["id"]),
        name=str(data["name"]),
        kind="server",
        state=f"{status} ({task})" if task else status,
        phase=BUSY if task else _PHASES.get(status, UNFIT),
        image=str(image.get("id") or ""),
        rebuilding=status == "REBUILD" or task.startswith("rebuild"),
        blocked=""
        if not locked
        else f"it is locked{f' ({reason})' if reason else ''}. Have it unlocked by who did that.",
        fault=str((data.get("fault") or {}).get("message") or ""),
    )


def image_from(data: Mapping[str, Any], asked: str) -> Image:
    """Read an image; one that cannot be booted from is refused."""
    status = str(data.get("status") or "unknown")
    if status != "active":
        raise CloudError(
            f"Cannot use the image {asked}, its status is {status}. Upload it again, or name one that is active.",
            "not_found",
        )
    return Image(str(data["id"]), str(data.get("name") or asked))


def fitting(server: Machine, image: Mapping[str, Any], disk: int, memory: int) -> None:
    """Refuse an image that needs more than the server's size has: C(disk) in GiB, C(memory) in MiB."""
    for need, has, unit in (("min_disk", disk, "GiB of disk"), ("min_ram", memory, "MiB of memory")):
        wanted = int(image.get(need) or 0)
        if wanted > has:
            raise CloudError(
                f"Cannot rebuild {server.label} with the image {image.get('name')}, that needs {wanted} {unit}, and "
                f"the server's size has {has}. Use a smaller image, or a server of another size.",
                "bad_request",
            )


def rebuildable(server: Machine) -> None:
    """Refuse a server whose image cannot be known."""
    if not server.image:
        raise CloudError(
            f"Cannot rebuild {server.label}, it boots from a volume, and the cloud does not tell what image that was "
            "made from. Replace the volume by the cloud's own means, or create the server anew from an image.",
            "refused",
        )
