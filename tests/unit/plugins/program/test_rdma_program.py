# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot program against a recorded host."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core import converge
from ansible_collections.railhead.cluster.plugins.module_utils._program import rdma

from ..replay import ReplayHost

DIRECTORY = "/etc/railhead/rdma.d"
DOCUMENT = {"links": [{"name": "rxe0", "type": "rxe", "netdev": "eth0"}]}
NETDEV = {"/sys/class/net/eth0/uevent": "INTERFACE=eth0\n"}
BARE = [
    {"argv": ["rdma", "system", "show"], "stdout": "netns shared\n"},
    {"argv": ["rdma", "-j", "-d", "dev", "show"], "stdout": "[]"},
    {"argv": ["rdma", "-j", "link", "show"], "stdout": "[]"},
    {"argv": ["rdma", "-j", "resource", "show", "ctx"], "stdout": "[]"},
]
LINK = '[{"ifindex":0,"ifname":"rxe0","port":1,"state":"ACTIVE","physical_state":"LINK_UP","netdev":"eth0"}]'
LINKED = [
    BARE[0],
    {**BARE[1], "stdout": '[{"ifindex":0,"ifname":"rxe0","node_type":"ca","protocol":"roce"}]'},
    {**BARE[2], "stdout": LINK},
    BARE[3],
]
ADD = ["rdma", "link", "add", "rxe0", "type", "rxe", "netdev", "eth0"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Any:
    def start(words: list[str], runs: list[dict[str, Any]], files: dict[str, Any]) -> tuple[int, ReplayHost]:
        host = ReplayHost(runs, files)
        monkeypatch.setattr(rdma, "Host", lambda: host)
        monkeypatch.setattr(converge, "SETTLE_SECONDS", 0.0)
        return rdma.main(words), host

    return start


def test_plan_prints_what_apply_would_do(started: Any, capsys: Any) -> None:
    files = {f"{DIRECTORY}/50-isolation.json": json.dumps(DOCUMENT), **NETDEV}
    code, host = started(["plan"], [*BARE], files)
    assert code == rdma.STEPS_TO_TAKE
    assert capsys.readouterr().out == f"{' '.join(ADD)}  # create the rxe device rxe0 on eth0\n"
    assert not host.runs


def test_plan_prints_nothing_when_there_is_nothing_to_do(started: Any, capsys: Any) -> None:
    files = {f"{DIRECTORY}/50-isolation.json": json.dumps(DOCUMENT), **NETDEV}
    code, _host = started(["plan"], [*LINKED], files)
    assert (code, capsys.readouterr().out) == (rdma.NOTHING_TO_DO, "")


def test_apply_takes_the_steps_and_reads_them_back(started: Any, capsys: Any) -> None:
    files = {f"{DIRECTORY}/50-isolation.json": json.dumps(DOCUMENT), **NETDEV}
    code, host = started(["apply"], [*BARE, {"argv": ADD}, *LINKED], files)
    assert (code, host.runs) == (0, [])
    assert "50-isolation.json: 1 steps taken" in capsys.readouterr().out


def test_apply_says_what_is_missing(started: Any, capsys: Any) -> None:
    code, _host = started(["apply"], [*BARE], {f"{DIRECTORY}/50-isolation.json": json.dumps(DOCUMENT)})
    assert code == rdma.FAILED
    assert "50-isolation.json: Cannot create the rxe device rxe0 on eth0: there is no such" in capsys.readouterr().err


def test_apply_waits_for_what_appears_late(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {f"{DIRECTORY}/50-isolation.json": json.dumps(DOCUMENT)}
    appears = {**BARE[3], "files": NETDEV}
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    runs = [*BARE, *BARE[:3], appears, *BARE, {"argv": ADD}, *LINKED]
    code, host = started(["apply", "--wait", "60"], runs, document)
    assert (code, host.runs) == (0, [])


def test_a_wrong_document_stops_it_before_the_first_of_all(started: Any, capsys: Any) -> None:
    files = {f"{DIRECTORY}/10-a.json": json.dumps(DOCUMENT), f"{DIRECTORY}/20-b.json": '{"link": []}', **NETDEV}
    code, _host = started(["apply"], [], files)
    assert code == rdma.FAILED
    assert "20-b.json: Cannot use the RDMA document: unknown key 'link'" in capsys.readouterr().err


def test_other_files_are_left_alone(started: Any) -> None:
    code, _host = started(["plan"], [], {f"{DIRECTORY}/README": "not a document"})
    assert code == rdma.NOTHING_TO_DO
