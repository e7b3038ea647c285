# SPDX-License-Identifier: GPL-3.0-or-later
"""What ip printed (fixtures/ip), as objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._link.device import (
    Devices,
    carriers,
    describe,
    find,
    members,
    parse_links,
    stacked,
    without,
)

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ip"
VERSIONS = ("6.1.0", "6.15.0", "7.3.0")


def load(name: str) -> Devices:
    return parse_links(json.loads((FIXTURES / name).read_text(encoding="utf-8")))


@pytest.fixture(params=VERSIONS)
def devices(request: Any) -> Devices:
    return load(f"{request.param}/link.json")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lo", {"kind": None, "link_type": "loopback", "up": False, "mtu": 65536, "parent": None, "removable": False}),
        (
            "d2",
            {"kind": "dummy", "up": True, "altnames": ("rail2",), "address": "02:00:5e:10:00:03", "removable": True},
        ),
        ("d0", {"master": "bond0", "address": "02:00:5e:10:00:0b", "perm_address": "02:00:5e:10:00:01", "mtu": 9000}),
        ("bond0", {"kind": "bond", "up": True, "mtu": 9000, "max_mtu": 65535}),
        ("storage", {"parent": "bond0", "data": {"protocol": "802.1Q", "id": 120}}),
        ("mv0", {"parent": "d2", "data": {"mode": "private"}, "parent_elsewhere": False}),
        ("ve0", {"kind": "veth", "parent": "ve1"}),
        ("gpu0", {"kind": "veth", "parent": None, "parent_elsewhere": True}),
    ],
)
def test_device(devices: Devices, name: str, expected: dict[str, Any]) -> None:
    device = find(devices, name)
    assert {key: getattr(device, key) for key in expected} == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "bond0",
            {
                "mode": "802.3ad",
                "xmit_hash_policy": "layer3+4",
                "miimon": 100,
                "updelay": 200,
                "lacp_rate": "fast",
                "lacp_active": True,
                "arp_validate": "none",
                "arp_ip_target": (),
                "num_grat_arp": 1,
                "all_slaves_active": False,
                "tlb_dynamic_lb": True,
            },
        ),
        (
            "bond1",
            {
                "mode": "active-backup",
                "arp_interval": 100,
                "arp_validate": "all",
                "arp_ip_target": ("198.51.100.1", "198.51.100.2"),
                "fail_over_mac": "none",
            },
        ),
    ],
)
def test_bond_options(devices: Devices, name: str, expected: dict[str, Any]) -> None:
    device = find(devices, name)
    assert device is not None
    assert {key: device.data.get(key) for key in expected} == expected


def test_an_old_ip_does_not_show_what_it_does_not_know() -> None:
    shown = {version: find(load(f"{version}/link.json"), "bond0") for version in VERSIONS}
    assert "coupled_control" not in shown["6.1.0"].data  # type: ignore[union-attr]
    assert shown["6.15.0"].data["coupled_control"] is True  # type: ignore[union-attr]


def test_members_with_their_lacp_state(devices: Devices) -> None:
    described = describe(devices[[device.name for device in devices].index("bond0")], devices, "")
    assert described["lacp"]["partner_address"] == "00:00:00:00:00:00"
    assert [(member["name"], member["perm_address"]) for member in described["members"]] == [
        ("d0", "02:00:5e:10:00:01"),
        ("d1", "02:00:5e:10:00:02"),
    ]
    first = described["members"][0]  # still in its updelay
    assert (first["state"], first["mii_status"], first["partner_state"]) == ("backup", "down", [])
    assert "aggregating" in first["actor_state"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_veth_knows_its_other_end_in_another_namespace(version: str) -> None:
    here, there = find(load(f"{version}/link.json"), "gpu0"), find(load(f"{version}/link_blue.json"), "eth0")
    assert here is not None
    assert there is not None
    assert (here.parent_index, there.parent_index) == (there.index, here.index)


def test_ipoib() -> None:
    devices = load("composed/link_ipoib.json")
    port, child = devices[0], devices[1]
    assert (port.removable, port.parent, port.data["pkey"]) == (False, None, "0xffff")
    assert (child.removable, child.parent) == (True, "ib0")
    assert child.data == {"pkey": "0x8042", "mode": "datagram", "umcast": False}
    assert devices[2].data == {"pkey": "0x8043", "mode": "connected", "umcast": True}


def test_relations(devices: Devices) -> None:
    assert find(devices, "rail2") == find(devices, "d2")
    assert [device.name for device in members(devices, "bond0")] == ["d0", "d1"]
    assert stacked(devices, "bond0") == ("storage",)
    assert {"bond0", "storage"}.isdisjoint(device.name for device in without(devices, "bond0"))
    assert carriers(devices, ["storage"]) == {"storage", "bond0", "d0", "d1"}
    assert carriers(devices, ["rail2"]) == {"d2"}
    assert carriers(devices, ["nothing"]) == frozenset()
