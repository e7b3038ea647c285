# SPDX-License-Identifier: GPL-3.0-or-later
"""All of devlink in one answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import CommandError
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.info import parse_batch, read_info

from ..replay import ReplayHost

FIXTURES = Path(__file__).parent.parent / "fixtures" / "devlink" / "6.15.0"


def fixture(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ('{"dev":{}}\n', [{"dev": {}}]),
        ('{"dev":{}},{"dev":{"a":1}}\n', [{"dev": {}}, {"dev": {"a": 1}}]),
        ('{"dev":{}}\n{"dev":{}}', [{"dev": {}}, {"dev": {}}]),
    ],
)
def test_batches(text: str, found: list[Any]) -> None:
    assert parse_batch(text) == found


def test_a_batch_that_is_no_json() -> None:
    with pytest.raises(CommandError, match="expected JSON, found 'netdevsim"):
        parse_batch("netdevsim/netdevsim10: mode legacy")


def test_a_device_that_is_silent_in_a_batch() -> None:
    assert parse_batch(fixture("eswitch-batch.txt"))[1] == {"dev": {}}


def test_the_number_of_processes_does_not_grow() -> None:
    handles = [f"netdevsim/netdevsim{number}" for number in range(40)]
    nothing = {"info": {}, "param": {}, "port": {}, "health": {}}
    runs = [
        {"argv": ["devlink", "-j", "dev", "show"], "stdout": json.dumps({"dev": {key: {} for key in handles}})},
        {"argv": ["devlink", "-j", "dev", "info"], "stdout": json.dumps(nothing)},
        {"argv": ["devlink", "-j", "dev", "param", "show"], "stdout": json.dumps(nothing)},
        {"argv": ["devlink", "-j", "port", "show"], "stdout": json.dumps(nothing)},
        {"argv": ["devlink", "-j", "health", "show"], "stdout": json.dumps(nothing)},
        {
            "argv": ["devlink", "-j", "-f", "-b", "-"],
            "stdin": "".join(f"dev eswitch show {handle}\n" for handle in handles),
            "rc": 1,
            "stderr": "kernel answers: Operation not supported\n",
        },
    ]
    devices = read_info(ReplayHost(runs))["devices"]
    assert [(device["device"], device["eswitch"]) for device in devices] == [(handle, None) for handle in handles]


@pytest.mark.parametrize(("ports", "flavours"), [("legacy", ["physical"]), ("switchdev", ["physical"] + ["pcivf"] * 3)])
def test_a_simulated_card(ports: str, flavours: list[str]) -> None:
    handle = "netdevsim/netdevsim10"
    runs: list[dict[str, Any]] = [
        {"argv": ["devlink", "-j", "dev", "show"], "stdout": json.dumps({"dev": {handle: {}}})},
        {"argv": ["devlink", "-j", "dev", "info"], "stdout": fixture("info.json")},
        {"argv": ["devlink", "-j", "dev", "param", "show"], "stdout": fixture("params.json")},
        {"argv": ["devlink", "-j", "port", "show"], "stdout": fixture(f"ports-{ports}.json")},
        {"argv": ["devlink", "-j", "health", "show"], "stdout": fixture("health.json")},
        {
            "argv": ["devlink", "-j", "-f", "-b", "-"],
            "stdin": f"dev eswitch show {handle}\n",
            "stdout": fixture("eswitch-batch.txt"),
            "rc": 1,
        },
    ]
    (card,) = read_info(ReplayHost(runs))["devices"]
    assert card["info"]["versions"]["stored"] == {"fw.mgmt": "10.20.30"}
    assert card["eswitch"] == {"mode": "legacy", "inline_mode": None, "encap_mode": None}
    assert card["params"] == {"max_macs": {"driverinit": 32}, "test1": {"driverinit": True}}
    assert [port["flavour"] for port in card["ports"]] == flavours
    assert [reporter["reporter"] for reporter in card["health"]] == ["empty", "dummy"]
