# SPDX-License-Identifier: GPL-3.0-or-later
"""What tasks ask of Open vSwitch."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.plan import BridgeWant, PortWant
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.request import (
    absent_ports_from,
    bridge_from,
    config_from,
)


def config(**params: Any) -> dict[str, str | None]:
    return config_from({"hw_offload": None, "tc_policy": None, "other_config": None, **params})


def bridge(*ports: dict[str, Any], **params: Any) -> BridgeWant:
    entries = [{"tag": None, "trunks": None, **port} for port in ports]
    return bridge_from({"name": "br0", "state": "present", "ports": entries, "absent_ports": None, **params})


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"hw_offload": True, "tc_policy": "skip_hw"}, {"hw-offload": "true", "tc-policy": "skip_hw"}),
        ({"hw_offload": False}, {"hw-offload": "false"}),
        ({"other_config": {"max-idle": 60000}}, {"max-idle": "60000"}),
        ({"other_config": {"userspace-tso-enable": True}}, {"userspace-tso-enable": "true"}),
        ({"other_config": {"max-idle": None, "flow-limit": ""}}, {"max-idle": None, "flow-limit": None}),
    ],
)
def test_keys(params: dict[str, Any], wanted: dict[str, str | None]) -> None:
    assert config(**params) == wanted


@pytest.mark.parametrize(
    ("other_config", "words"),
    [
        ({"hw-offload": "true"}, "give it as hw_offload"),
        ({"tc-policy": None}, "give it as tc_policy"),
        ({"": "1"}, "Cannot use '' as a key"),
        ({"a b": "1"}, "as a key"),
        ({"a=b": "1"}, "as a key"),
        ({"--all": "1"}, "as a key"),
        ({"max-idle": [1]}, "Cannot set max-idle of Open vSwitch to \\[1\\]"),
        ({"max-idle": {}}, "give a string, a number or a boolean"),
    ],
)
def test_wrong_keys_are_refused(other_config: dict[str, Any], words: str) -> None:
    with pytest.raises(RailheadError, match=words):
        config(other_config=other_config)


def test_ports() -> None:
    want = bridge({"name": "bond0"}, {"name": "rail0_0", "tag": 100}, {"name": "rail0_1", "trunks": [20, 0, 20]})
    assert want == BridgeWant(
        "br0", True, (PortWant("bond0"), PortWant("rail0_0", 100), PortWant("rail0_1", None, (0, 20)))
    )
    assert absent_ports_from({"absent_ports": ["rail0_2"]}) == ("rail0_2",)
    assert absent_ports_from({"absent_ports": None}) == ()


@pytest.mark.parametrize(
    ("ports", "params", "words"),
    [
        ([], {"name": "a/b"}, "Cannot use 'a/b' for name"),
        ([], {"name": "br-with-a-long-name"}, "1 to 15 characters"),
        ([{"name": "--all"}], {}, "for ports\\[\\].name"),
        ([], {"absent_ports": ["a b"]}, "for absent_ports"),
        ([{"name": "br0"}], {}, "it is the bridge itself"),
        ([{"name": "p0", "tag": 1, "trunks": [2]}], {}, "give one of tag and trunks"),
        ([{"name": "p0", "tag": 0}], {}, "there is no VLAN 0; give 1 to 4094 as tag"),
        ([{"name": "p0", "tag": 4095}], {}, "there is no VLAN 4095"),
        ([{"name": "p0", "trunks": [1, 4095]}], {}, "there is no VLAN 4095; give 1 to 4094 in trunks"),
        ([{"name": "p0", "trunks": [-1]}], {}, "there is no VLAN -1"),
        ([{"name": "p0"}, {"name": "p0", "tag": 1}], {}, "its port p0 is named twice"),
        ([{"name": "p0"}], {"absent_ports": ["p0"]}, "its port p0 is named twice"),
        ([{"name": "p0"}], {"state": "absent"}, "they go with it"),
        ([], {"state": "absent", "absent_ports": ["p0"]}, "they go with it"),
    ],
)
def test_wrong_bridges_are_refused(ports: list[dict[str, Any]], params: dict[str, Any], words: str) -> None:
    with pytest.raises(RailheadError, match=words):
        bridge(*ports, **params)
