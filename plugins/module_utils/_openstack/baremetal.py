# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of Ironic: what their provision states mean (Bare Metal API guide, State machine), what speaks against a
rebuild, and how one is told its image.
"""

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

#: From these a rebuild is possible.
_PHASES = {"active": SETTLED, "deploy failed": FAILED, "error": FAILED}
#: In these nothing goes on, and somebody's hand is needed first. Any other state is on its way to one of all these.
_IDLE = (
    "enroll",
    "manageable",
    "available",
    "rescue",
    "inspect failed",
    "clean failed",
    "service failed",
    "unrescue failed",
)


def node_from(data: Mapping[str, Any]) -> Machine:
    """Read a node as the SDK returns it. Its image is what it was told last, by address or by id."""
    state = str(data.get("provision_state") or "unknown")
    target = str(data.get("target_provision_state") or "")
    step = (data.get("deploy_step") or {}).get("step") or ""
    phase = _PHASES.get(state, UNFIT if state in _IDLE else BUSY)
    if state == "active" and (data.get("target_power_state") or data.get("power_state")) == "power off":
        phase = STOPPED
    maintenance = data.get("maintenance_reason") or "no reason is given"
    blocked = ""
    if data.get("is_maintenance"):
        blocked = f"it is in maintenance ({maintenance}). End that first: openstack baremetal node maintenance unset."
    words = [word for word in (step, target and f"to {target}") if word]
    return Machine(
        id=str(data["id"]),
        name=str(data.get("name") or data["id"]),
        kind="node",
        state=f"{state} ({', '.join(words)})" if words else state,
        phase=phase,
        image=str((data.get("instance_info") or {}).get("image_source") or ""),
        rebuilding=phase == BUSY and target == "active",
        blocked=blocked,
        fault=str(data.get("last_error") or ""),
    )


def patch_for(have: Mapping[str, Any], image: Image, checksum: str | None) -> list[dict[str, Any]]:
    """The JSON patch that tells a node its image; a checksum of the image before is taken away."""
    info = have.get("instance_info") or {}
    patch = [{"op": "add", "path": "/instance_info/image_source", "value": image.id}]
    if checksum is not None:
        patch.append({"op": "add", "path": "/instance_info/image_checksum", "value": checksum})
    elif "image_checksum" in info and info.get("image_source") != image.id:
        patch.append({"op": "remove", "path": "/instance_info/image_checksum"})
    return patch
