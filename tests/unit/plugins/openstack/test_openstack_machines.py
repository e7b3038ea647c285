# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers, nodes and consoles as the cloud shows them. The dictionaries have the keys of openstacksdk 4.22."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._openstack.baremetal import node_from, patch_for
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.console import BEGIN, END, host_keys
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.rebuild import (
    BUSY,
    FAILED,
    SETTLED,
    STOPPED,
    UNFIT,
    Image,
)
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.refusals import CloudError
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.servers import (
    fitting,
    image_from,
    rebuildable,
    server_from,
)


def server(**changes: Any) -> dict[str, Any]:
    return {"id": "s1", "name": "gpu-07", "status": "ACTIVE", "task_state": None, "image": {"id": "i1"}, **changes}


@pytest.mark.parametrize(
    ("changes", "phase", "state", "rebuilding"),
    [
        ({}, SETTLED, "ACTIVE", False),
        ({"status": "SHUTOFF"}, STOPPED, "SHUTOFF", False),
        ({"status": "ERROR"}, FAILED, "ERROR", False),
        ({"status": "REBUILD", "task_state": "rebuild_spawning"}, BUSY, "REBUILD (rebuild_spawning)", True),
        ({"task_state": "powering-off"}, BUSY, "ACTIVE (powering-off)", False),
        ({"status": "BUILD", "task_state": "spawning"}, BUSY, "BUILD (spawning)", False),
        ({"status": "SHELVED_OFFLOADED"}, UNFIT, "SHELVED_OFFLOADED", False),
    ],
)
def test_states_of_a_server(changes: dict[str, Any], phase: str, state: str, rebuilding: bool) -> None:
    found = server_from(server(**changes))
    assert (found.phase, found.state, found.rebuilding) == (phase, state, rebuilding)


def test_a_lock_is_said_with_its_reason() -> None:
    assert "locked (burn-in)" in server_from(server(is_locked=True, locked_reason="burn-in")).blocked
    assert server_from(server(is_locked=False)).blocked == ""


def test_a_server_that_boots_from_a_volume_is_refused() -> None:
    with pytest.raises(CloudError, match="boots from a volume"):
        rebuildable(server_from(server(image=None)))
    rebuildable(server_from(server()))


def test_an_image_that_is_not_active_is_refused() -> None:
    assert image_from({"id": "i2", "name": "debian-b", "status": "active"}, "debian-b") == Image("i2", "debian-b")
    with pytest.raises(CloudError, match="its status is queued"):
        image_from({"id": "i2", "name": "debian-b", "status": "queued"}, "debian-b")


@pytest.mark.parametrize(
    ("image", "words"), [({"min_disk": 20}, "20 GiB of disk"), ({"min_ram": 4096}, "4096 MiB of memory")]
)
def test_an_image_that_does_not_fit_is_refused(image: dict[str, int], words: str) -> None:
    with pytest.raises(CloudError, match=words):
        fitting(server_from(server()), {"name": "big", **image}, disk=10, memory=2048)
    fitting(server_from(server()), {"name": "big", **image}, disk=20, memory=4096)


def node(**changes: Any) -> dict[str, Any]:
    """As a standalone Ironic 39 shows one."""
    return {
        "id": "n1",
        "name": "gpu-07",
        "provision_state": "active",
        "target_provision_state": None,
        "power_state": "power on",
        "is_maintenance": False,
        "instance_info": {"image_source": "http://images.example/a"},
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "phase", "rebuilding"),
    [
        ({}, SETTLED, False),
        ({"power_state": "power off"}, STOPPED, False),
        ({"power_state": "power on", "target_power_state": "power off"}, STOPPED, False),
        ({"provision_state": "deploying", "target_provision_state": "active"}, BUSY, True),
        ({"provision_state": "wait call-back", "target_provision_state": "active"}, BUSY, True),
        ({"provision_state": "deploy failed", "target_provision_state": "active"}, FAILED, False),
        ({"provision_state": "deleting", "target_provision_state": "available"}, BUSY, False),
        ({"provision_state": "available"}, UNFIT, False),
    ],
)
def test_states_of_a_node(changes: dict[str, Any], phase: str, rebuilding: bool) -> None:
    found = node_from(node(**changes))
    assert (found.phase, found.rebuilding) == (phase, rebuilding)


def test_a_node_in_maintenance_is_not_touched() -> None:
    assert "maintenance (bad DIMM)" in node_from(node(is_maintenance=True, maintenance_reason="bad DIMM")).blocked


def test_a_node_that_a_conductor_looks_at_is_no_reason_to_refuse() -> None:
    assert node_from(node(reservation="c1")).blocked == ""


def test_the_checksum_of_the_image_before_goes_with_it() -> None:
    want = Image("http://images.example/b", "b")
    before = node(instance_info={"image_source": "http://images.example/a", "image_checksum": "1"})
    assert [change["op"] for change in patch_for(before, want, None)] == ["add", "remove"]
    assert [change["path"] for change in patch_for(before, want, "2")] == [
        "/instance_info/image_source",
        "/instance_info/image_checksum",
    ]
    assert len(patch_for(node(), want, None)) == 1


def key(kind: str, letter: str) -> str:
    blob = len(kind).to_bytes(4, "big") + kind.encode() + (letter * 40).encode()
    return f"{kind} {base64.b64encode(blob).decode()}"


ONE, TWO = key("ssh-ed25519", "a"), key("ssh-ed25519", "b")


@pytest.mark.parametrize(
    ("console", "keys"),
    [
        ("", ()),
        (f"{BEGIN}\n{ONE}\n{END}\n", (ONE,)),
        (f"[   12.0] audit: x\n{BEGIN}\n[   13.0] {ONE} root@gpu-07\r\n{END}\nlogin:", (ONE,)),
        (f"{BEGIN}\n{ONE}\n{END}\nboot again\n{BEGIN}\n{TWO}\n{END}\n", (TWO,)),
        (f"{BEGIN}\n{ONE}\n", ()),
        (f"{ONE}\n{END}\n", ()),
        (f"{BEGIN}\n{ONE[:-20]}\n{TWO}\n{END}\n", (TWO,)),
        (f"{BEGIN}\nssh-rsa {ONE.split()[1]}\n{END}\n", ()),
    ],
    ids=["empty", "plain", "among other lines", "the last boot", "torn end", "torn begin", "torn key", "another kind"],
)
def test_host_keys_of_a_console(console: str, keys: tuple[str, ...]) -> None:
    assert host_keys(console) == keys
