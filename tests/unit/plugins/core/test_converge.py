# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, plan, apply, read again, plan again."""

from __future__ import annotations

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core import converge as converge_module
from ansible_collections.railhead.cluster.plugins.module_utils._core.converge import converge
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import NotTakenError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Plan, Write

from ..replay import ReplayHost

WANT = "on"


def observe(host: Host) -> str:
    return host.read("/switch") or "off"


def plan(have: str) -> Plan:
    steps = () if have == WANT else (Write("/switch", WANT, "switch it on"),)
    return Plan(steps, {"switch": have}, {"switch": WANT})


def test_a_change_is_read_back() -> None:
    outcome = converge(ReplayHost(files={"/switch": "off"}), observe, plan)
    assert (outcome.changed, outcome.state) == (True, "on")


def test_check_mode_plans_the_same_and_writes_nothing() -> None:
    host = ReplayHost(files={"/switch": "off"})
    outcome = converge(host, observe, plan, check_mode=True)
    assert (outcome.changed, outcome.state, host.files["/switch"]) == (True, "off", "off")
    assert outcome.planned == converge(host, observe, plan).planned


def test_nothing_to_do_is_no_change() -> None:
    outcome = converge(ReplayHost(files={"/switch": "on"}), observe, plan)
    assert not outcome.changed


def test_a_step_without_effect_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converge_module, "SETTLE_SECONDS", 0.0)
    host = ReplayHost(files={"/switch": "off"})
    monkeypatch.setattr(host, "write", lambda _path, _value: None)
    with pytest.raises(NotTakenError, match=r"switch it on.*'switch': 'off'"):
        converge(host, observe, plan)


def test_a_late_effect_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    host = ReplayHost(files={"/switch": "off"})
    answers = iter(["off", "off", "on"])
    monkeypatch.setattr(host, "read", lambda _path: next(answers))
    assert converge(host, observe, plan).state == "on"
