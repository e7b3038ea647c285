# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot program of IPoIB against a recorded host. The host is composed: no lab has InfiniBand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core import converge
from ansible_collections.railhead.cluster.plugins.module_utils._program import ipoib

from ..replay import ReplayHost

CHILD = {"name": "ib0.8042", "parent": "ib0", "pkey": "0x8042"}
FILES = {ipoib.DOCUMENT: json.dumps({"interfaces": [CHILD]})}
SHOW = ["ip", "-j", "-d", "address", "show"]


def link(name: str, pkey: str, **changes: Any) -> dict[str, Any]:
    info = {"info_kind": "ipoib", "info_data": {"key": pkey, "mode": "datagram", "umcast": "0000"}}
    return {"ifname": name, "flags": ["UP"], "mtu": 2044, "link_type": "infiniband", "linkinfo": info, **changes}


BARE = {"argv": SHOW, "stdout": json.dumps([link("ib0", "0xffff", ifindex=5)])}
MADE = {
    "argv": SHOW,
    "stdout": json.dumps([link("ib0", "0xffff", ifindex=5), link("ib0.8042", "0x8042", ifindex=9, link="ib0")]),
}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Any:
    def start(words: list[str], runs: list[dict[str, Any]], files: dict[str, Any]) -> tuple[int, ReplayHost]:
        host = ReplayHost(runs, files)
        monkeypatch.setattr(ipoib, "Host", lambda: host)
        monkeypatch.setattr(converge, "SETTLE_SECONDS", 0.0)
        return ipoib.main(words), host

    return start


def test_plan_prints_what_apply_would_do(started: Any, capsys: Any) -> None:
    code, host = started(["plan"], [BARE], FILES)
    assert code == ipoib.STEPS_TO_TAKE
    assert capsys.readouterr().out.splitlines()[0] == (
        "ip link add link ib0 name ib0.8042 type ipoib pkey 0x8042  # create the ipoib ib0.8042"
    )
    assert not host.runs


def test_plan_prints_nothing_when_there_is_nothing_to_do(started: Any, capsys: Any) -> None:
    assert started(["plan"], [MADE], FILES)[0] == ipoib.NOTHING_TO_DO
    assert capsys.readouterr().out == ""


def test_without_a_document_nothing_is_done(started: Any) -> None:
    assert started(["apply"], [], {})[0] == 0


def test_apply_waits_for_the_port(started: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    batch = {
        "argv": ["ip", "-batch", "-"],
        "stdin": "link add link ib0 name ib0.8042 type ipoib pkey 0x8042\nlink set dev ib0.8042 up\n",
    }
    code, host = started(["apply", "--wait", "9"], [{"argv": SHOW, "stdout": "[]"}, BARE, BARE, batch, MADE], FILES)
    assert (code, host.runs) == (0, [])
    assert capsys.readouterr().out.startswith(f"{ipoib.DOCUMENT}: 2 steps taken\n")


def test_a_port_that_never_appears_is_named(started: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ReplayHost, "wait", lambda _host, _condition, _seconds, **_interval: False)
    code, _host = started(["apply", "--wait", "1"], [{"argv": SHOW, "stdout": "[]"}], FILES)
    assert code == ipoib.FAILED
    assert "its parent ib0 is not in the host's own network namespace" in capsys.readouterr().err


def test_a_document_that_is_no_json_is_named(started: Any, capsys: Any) -> None:
    assert started(["apply"], [], {ipoib.DOCUMENT: "{"})[0] == ipoib.FAILED
    assert f"Cannot read {ipoib.DOCUMENT}: it is not JSON" in capsys.readouterr().err
