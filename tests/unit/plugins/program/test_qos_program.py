# SPDX-License-Identifier: GPL-3.0-or-later
"""The program for QoS against a recorded host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core import converge
from ansible_collections.railhead.cluster.plugins.module_utils._program import qos

from ..replay import ReplayHost

FILE = "/etc/railhead/qos/document.json"
DOCUMENT = json.dumps({"rdma_devices": ["rxe0"], "cma_mode": "RoCE v2", "cma_tos": 106})
ROOT = "/sys/kernel/config/rdma_cm"
DEVICE = {f"{ROOT}/": "", "/sys/class/infiniband/rxe0/node_guid": ""}
KERNEL = {
    f"mkdir {ROOT}/rxe0": {
        f"{ROOT}/rxe0/ports/1/default_roce_mode": "RoCE v2\n",
        f"{ROOT}/rxe0/ports/1/default_roce_tos": "0\n",
    }
}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Any:
    def start(words: list[str], files: dict[str, Any]) -> tuple[int, ReplayHost]:
        host = ReplayHost((), files, dict(KERNEL) if f"{ROOT}/" in files else {})
        monkeypatch.setattr(qos, "Host", lambda: host)
        monkeypatch.setattr(converge, "SETTLE_SECONDS", 0.0)
        return qos.main(words), host

    return start


def test_plan_prints_what_apply_would_do(started: Any, capsys: Any) -> None:
    code, host = started(["plan"], {FILE: DOCUMENT, **DEVICE})
    assert code == qos.STEPS_TO_TAKE
    assert capsys.readouterr().out.splitlines() == [
        f"mkdir {ROOT}/rxe0  # open the RDMA-CM settings of rxe0",
        f"write {ROOT}/rxe0/ports/1/default_roce_tos 106  # set the tos that RDMA-CM uses for port 1 of rxe0 to 106",
        f"rmdir {ROOT}/rxe0  # close the RDMA-CM settings of rxe0",
    ]
    assert f"{ROOT}/rxe0/ports/1/default_roce_tos" not in host.files


def test_apply_takes_the_steps_and_then_there_is_nothing_to_do(started: Any, capsys: Any) -> None:
    code, host = started(["apply"], {FILE: DOCUMENT, **DEVICE})
    assert code == 0
    assert f"{FILE}: 3 steps taken" in capsys.readouterr().out
    assert host.kernel[f"mkdir {ROOT}/rxe0"][f"{ROOT}/rxe0/ports/1/default_roce_tos"] == "106"


def test_nothing_to_do(started: Any, capsys: Any) -> None:
    files = {
        FILE: DOCUMENT,
        f"{ROOT}/rxe0/ports/1/default_roce_mode": "RoCE v2\n",
        f"{ROOT}/rxe0/ports/1/default_roce_tos": "106\n",
    }
    code, _host = started(["plan"], files)
    assert (code, capsys.readouterr().out) == (qos.NOTHING_TO_DO, "")


def test_nothing_is_wanted_without_a_document(started: Any) -> None:
    assert started(["plan"], {})[0] == qos.NOTHING_TO_DO


def test_show_prints_what_there_is(started: Any, capsys: Any) -> None:
    code, _host = started(["show"], {FILE: DOCUMENT, **DEVICE})
    assert code == 0
    assert json.loads(capsys.readouterr().out) == {
        "ports": [],
        "rdma_devices": [
            {"device": "rxe0", "ports": [{"port": 1, "mode": "RoCE v2", "tos": 0}], "traffic_class": None}
        ],
    }


def test_apply_waits_for_what_appears_late(monkeypatch: pytest.MonkeyPatch) -> None:
    files: dict[str, Any] = {FILE: DOCUMENT}
    host = ReplayHost((), files, dict(KERNEL))
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            host.files.update(DEVICE)

    monkeypatch.setattr("time.sleep", nap)
    monkeypatch.setattr(qos, "Host", lambda: host)
    monkeypatch.setattr(converge, "SETTLE_SECONDS", 0.0)
    assert qos.main(["apply", "--wait", "60"]) == 0
    assert len(naps) == 2


@pytest.mark.parametrize("words", [["plan"], ["show"], ["apply", "--wait", "1"]])
def test_nobody_changes_anything_while_it_reads(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """To read what RDMA-CM uses takes a directory, which another process must not find and take for one that stays."""
    held: list[bool] = []

    class LockedHost(ReplayHost):
        @contextmanager
        def exclusive(self) -> Iterator[None]:
            held.append(True)
            yield
            held.pop()

        def make_directory(self, path: str) -> None:
            assert held
            super().make_directory(path)

    host = LockedHost((), {FILE: DOCUMENT, **DEVICE}, dict(KERNEL))
    monkeypatch.setattr(qos, "Host", lambda: host)
    assert qos.main(words) in (0, qos.STEPS_TO_TAKE)


def test_apply_says_what_is_missing(started: Any, capsys: Any) -> None:
    code, _host = started(["apply"], {FILE: DOCUMENT})
    assert code == qos.FAILED
    assert "railhead-qos: Cannot set what RDMA-CM uses for rxe0: there is no /sys" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "files", "says"),
    [
        (["plan"], {FILE: "{"}, f"Cannot read {FILE}: it is not JSON"),
        (["apply"], {FILE: '{"port": []}'}, f"Cannot use {FILE}: Cannot use the QoS document: unknown key 'port'"),
        (["--file", "/tmp/none", "plan"], {}, "Cannot read /tmp/none: there is no such file"),  # noqa: S108
    ],
)
def test_a_wrong_document(words: list[str], files: dict[str, Any], says: str, started: Any, capsys: Any) -> None:
    code, _host = started(words, files)
    assert code == qos.FAILED
    assert says in capsys.readouterr().err


PORT = {
    "/sys/class/net/eth0/device": {"link": "../../../0000:08:00.0"},
    "/sys/class/net/eth0/carrier": "1",
}


def test_a_link_goes_down_only_with_consent(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    requests = "".join(f"{what} show dev eth0\n" for what in ("pfc", "ets", "app", "buffer", "dcbx", "apptrust"))
    shown = '{"pfc_cap":8,"prio_pfc":[false,false,false,false,false,false,false,false]}'
    read = {
        "argv": ["dcb", "-j", "-s", "-f", "-b", "-"],
        "stdin": requests,
        "stdout": shown,
        "stderr": "".join(f"Operation not supported\nCommand failed -:{line}\n" for line in range(2, 7)),
    }
    document = json.dumps({"ports": ["eth0"], "pfc": [3]})
    host = ReplayHost([read], {FILE: document, **PORT})
    monkeypatch.setattr(qos, "Host", lambda: host)
    assert qos.main(["apply"]) == qos.FAILED
    assert "allow_port_traffic" in capsys.readouterr().err

    step = {"argv": ["dcb", "pfc", "set", "dev", "eth0", "prio-pfc", "all:off", "3:on"]}
    after = {**read, "stdout": shown.replace("false,false,false,false,f", "false,false,false,true,f", 1)}
    host.runs = [read, step, after]
    assert qos.main(["apply", "--allow-port-traffic"]) == 0
    assert host.runs == []
