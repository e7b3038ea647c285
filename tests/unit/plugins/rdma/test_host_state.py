# SPDX-License-Identifier: GPL-3.0-or-later
"""What a boot program asks of a document, and what the kernel cleans up by itself."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._cgroup.rdma import Cgroup, Cgroups
from ansible_collections.railhead.cluster.plugins.module_utils._core.converge import converge
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import CommandError, RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._rdma import system
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.host_state import (
    HostState,
    load_document,
    missing_hardware,
    plan_host,
)
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.state import Device, Rdma
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.system import observe_subsystem, plan_system

from ..replay import ReplayHost


@pytest.mark.parametrize(
    ("document", "missing"),
    [
        ({}, ()),
        ({"devices": [{"device": "mlx5_0", "name": "rail0"}]}, ()),
        ({"devices": [{"device": "mlx5_0", "name": "rail1"}]}, ("RDMA device mlx5_0",)),
        ({"devices": [{"device": "mlx5_1", "adaptive_moderation": True}]}, ("RDMA device mlx5_1",)),
        ({"links": [{"name": "siw1", "type": "siw", "netdev": "eth0"}]}, ()),
        ({"links": [{"name": "siw1", "type": "siw", "netdev": "eth9"}]}, ("network device eth9",)),
        ({"links": [{"name": "siw0", "type": "siw", "netdev": "eth9"}]}, ()),
        ({"cgroups": [{"cgroup": "a", "device": "rail0", "hca_handle": 1}]}, ()),
        ({"cgroups": [{"cgroup": "a", "device": "mlx5_1", "hca_handle": 1}]}, ("RDMA device mlx5_1",)),
        (
            {
                "links": [{"name": "siw1", "type": "siw", "netdev": "eth9"}],
                "devices": [{"device": "siw1", "netns": ""}, {"device": "mlx5_1", "name": "rail1"}],
                "cgroups": [{"cgroup": "a", "device": name, "hca_handle": 1} for name in ("siw1", "rail1")],
            },
            ("RDMA device mlx5_1", "network device eth9"),
        ),
    ],
)
def test_missing_hardware(document: dict[str, Any], missing: tuple[str, ...]) -> None:
    devices = (Device("rail0", "gpu0"), Device("siw0", "gpu0", "siw"))
    have = HostState(Rdma("exclusive", devices=devices, netdevs={"eth0": ""}))
    assert missing_hardware(have, load_document(document)) == missing


def test_a_link_on_a_network_device_that_is_still_to_come() -> None:
    want = load_document({"links": [{"name": "rxe0", "type": "rxe", "netdev": "br0"}]})
    have = HostState(Rdma("shared", netdevs={"eth0": ""}))
    with pytest.raises(RailheadError, match="no such network device"):
        plan_host(have, want)
    steps = plan_host(have, want, expected_netdevs=["br0"]).steps
    assert [step.shown[:3] for step in steps][-1] == ["rdma", "link", "add"]


def test_a_device_that_is_still_to_come() -> None:
    document = {
        "links": [{"name": "siw0", "type": "siw", "netdev": "eth0"}],
        "namespaces": ["gpu0"],
        "devices": [{"device": "mlx5_0", "name": "rail0"}, {"device": "mlx5_2", "netns": "gpu0"}],
        "cgroups": [
            {"cgroup": "jobs.slice", "device": name, "hca_handle": 1} for name in ("rail0", "mlx5_2", "mlx5_3")
        ],
    }
    cgroups = Cgroups("/sys/fs/cgroup", True, {"": Cgroup(True, True), "jobs.slice": Cgroup(True, limits={})})
    have = HostState(Rdma("exclusive", devices=(Device("rail0"),), netdevs={"eth0": ""}), cgroups)
    with pytest.raises(RailheadError, match="mlx5_2: no namespace has it"):
        plan_host(have, load_document(document))
    steps = plan_host(have, load_document(document), expected_devices=["mlx5_0", "mlx5_2", "mlx5_3", "siw0"]).steps
    assert [step.shown[-1] for step in steps][-4:] == [
        "gpu0",
        "rail0 hca_handle=1",
        "mlx5_2 hca_handle=1",
        "mlx5_3 hca_handle=1",
    ]


def test_a_namespace_that_nobody_can_see_and_that_does_not_go_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "CLEANUP_SECONDS", 0.01)
    show = {"argv": ["rdma", "system", "show"], "stdout": "netns shared privileged-qkey off"}
    busy = {
        "argv": ["rdma", "system", "set", "netns", "exclusive"],
        "rc": 1,
        "stderr": "error: Device or resource busy",
    }
    host = ReplayHost([show, *[busy] * 3])
    with pytest.raises(CommandError, match=r"resource busy.*mountinfo"):
        converge(host, observe_subsystem, lambda have: plan_system(have, netns="exclusive"))
    assert host.done == []
