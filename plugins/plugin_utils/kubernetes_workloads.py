# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What DaemonSets and Deployments lack, from their status. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def unready(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each object whose pods are not all of its last state, and ready. Absent numbers are 0."""
    return [sentence for each in objects for sentence in _unready(each)]


def _unready(found: Mapping[str, Any]) -> list[str]:
    name = f"{found['kind']} {found['metadata']['name']}"
    status = found.get("status") or {}
    if int(status.get("observedGeneration", 0)) < int(found["metadata"].get("generation", 0)):
        return [f"{name} has not been looked at by the controller manager"]
    if found["kind"] == "DaemonSet":
        wanted = int(status.get("desiredNumberScheduled", 0))
        updated = int(status.get("updatedNumberScheduled", 0))
        ready = int(status.get("numberReady", 0))
    else:
        wanted = int(found["spec"].get("replicas", 1))
        updated = int(status.get("updatedReplicas", 0))
        ready = int(status.get("readyReplicas", 0))
    have = min(updated, ready)
    return [] if have >= wanted else [f"{name} has {have} of {wanted} pods ready"]
