# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether DaemonSets and Deployments are rolled out, from statuses as the API server returns them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.filter.kubernetes_unready import FilterModule

unready = FilterModule().filters()["kubernetes_unready"]


def daemonset(**status: int) -> dict[str, Any]:
    return {"kind": "DaemonSet", "metadata": {"name": "multus", "generation": 2}, "spec": {}, "status": status}


def deployment(replicas: int, **status: int) -> dict[str, Any]:
    metadata = {"name": "mpi-operator", "generation": 1}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": replicas}, "status": status}


@pytest.mark.parametrize(
    ("found", "sentences"),
    [
        (daemonset(observedGeneration=2, desiredNumberScheduled=2, updatedNumberScheduled=2, numberReady=2), []),
        (daemonset(observedGeneration=2, desiredNumberScheduled=0, numberReady=0), []),
        (
            daemonset(observedGeneration=2, desiredNumberScheduled=2, updatedNumberScheduled=2, numberReady=1),
            ["DaemonSet multus has 1 of 2 pods ready"],
        ),
        (
            daemonset(observedGeneration=2, desiredNumberScheduled=2, numberReady=2),
            ["DaemonSet multus has 0 of 2 pods ready"],
        ),
        (
            daemonset(observedGeneration=1, desiredNumberScheduled=2, updatedNumberScheduled=2, numberReady=2),
            ["DaemonSet multus has not been looked at by the controller manager"],
        ),
        (daemonset(), ["DaemonSet multus has not been looked at by the controller manager"]),
        (deployment(1, observedGeneration=1, updatedReplicas=1, readyReplicas=1), []),
        (deployment(1, observedGeneration=1, updatedReplicas=1), ["Deployment mpi-operator has 0 of 1 pods ready"]),
    ],
)
def test_what_is_not_rolled_out(found: dict[str, Any], sentences: list[str]) -> None:
    assert unready([found]) == sentences
