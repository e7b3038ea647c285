# SPDX-License-Identifier: GPL-3.0-or-later
"""How a plan becomes the answer of a module: a run that fails takes back what its task says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from ansible_collections.railhead.cluster.plugins.module_utils._core import module
from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Plan, Step, Write

from ..replay import ReplayHost

STEPS = (Write("/first", "on", "switch the first on"), Write("/second", "on", "switch the second on"))


def off(done: Sequence[Step]) -> Sequence[Step]:
    return [Write(step.shown[1], "off", "switch it off") for step in done]


def also_the_second(_done: Sequence[Step]) -> Sequence[Step]:
    return [Write("/second", "off", "switch the second off")]


def answer(host: ReplayHost, monkeypatch: pytest.MonkeyPatch, capsys: Any, **task: Any) -> dict[str, Any]:
    monkeypatch.setattr(module, "Host", lambda: host)
    with patch_module_args({}), pytest.raises(SystemExit):
        run_task(
            AnsibleModule(argument_spec={}),
            lambda _params: Task(lambda _host: "", lambda _have: Plan(STEPS), lambda _have: {}, **task),
        )
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def test_a_failed_run_leaves_what_it_did_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    host = ReplayHost(files={"/first": "off", "/second": {"refuses": "EBUSY"}})
    said = answer(host, monkeypatch, capsys)
    assert host.files["/first"] == "on"
    assert said["commands"] == [["write", "/first", "on"]]
    assert "Cannot switch the second on" in said["msg"] and said["changed"]


def test_a_failed_run_takes_back_what_its_task_says(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    host = ReplayHost(files={"/first": "off", "/second": {"refuses": "EBUSY"}})
    said = answer(host, monkeypatch, capsys, way_back=off)
    assert host.files["/first"] == "off"
    assert said["commands"] == [["write", "/first", "on"], ["write", "/first", "off"]]
    assert "Cannot switch the second on" in said["msg"]


def test_when_that_fails_too_both_are_said(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    host = ReplayHost(files={"/first": "off", "/second": {"refuses": "EBUSY"}})
    said = answer(host, monkeypatch, capsys, way_back=also_the_second)
    assert "Cannot switch the second on" in said["msg"]
    assert "could not be taken back: Cannot switch the second off" in said["msg"]
