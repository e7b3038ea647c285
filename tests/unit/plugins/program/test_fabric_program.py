# SPDX-License-Identifier: GPL-3.0-or-later
"""The program for the fabric of a host: what it prints, and how an unconfirmed change is taken back."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core import converge
from ansible_collections.railhead.cluster.plugins.module_utils._program import fabric, pending
from ansible_collections.railhead.cluster.plugins.module_utils._program.zipapp import pack
from ansible_collections.railhead.cluster.plugins.modules.node_program import source_of

from ..replay import ReplayHost

OLD, NEW = "198.51.100.2/24", "203.0.113.2/24"
TIMER = [
    *("systemd-run", "--unit=railhead-fabric-rollback", "--collect", "--on-active=30"),
    *("--timer-property=AccuracySec=1s", "--property=Restart=on-failure", "--property=RestartSec=10"),
    *("/usr/local/sbin/railhead-fabric", "rollback", "--reason", "it was not confirmed within 30 s"),
]
ARM = {"argv": TIMER}
DISARM = {"argv": ["systemctl", "stop", "railhead-fabric-rollback.timer"]}
ROUTES = [{"argv": ["ip", "-j", family, "route", "show"]} for family in ("-4", "-6")]


def document(*addresses: str) -> str:
    return json.dumps({"addresses": [{"device": "eth0", "addresses": list(addresses)}]})


def seen(*addresses: str) -> list[dict[str, Any]]:
    """One look at a host with these addresses."""
    shown = [
        {"family": "inet", "local": address.split("/")[0], "prefixlen": int(address.split("/")[1]), "scope": "global"}
        for address in addresses
    ]
    link = {"ifindex": 2, "ifname": "eth0", "flags": ["UP"], "mtu": 1500, "link_type": "ether", "addr_info": shown}
    return [{"argv": ["ip", "-j", "-d", "address", "show"], "stdout": json.dumps([link])}, *ROUTES]


def moved(old: str, new: str, rc: int = 0) -> dict[str, Any]:
    lines = f"address del {old} dev eth0\naddress replace {new} dev eth0\n"
    return {"argv": ["ip", "-batch", "-"], "stdin": lines, "rc": rc, "stderr": "Command failed -:2" if rc else ""}


class DiskHost(ReplayHost):
    """Files below C(disk) and processes are real."""

    disk = ""

    def read(self, path: str) -> str | None:
        real = path.startswith((self.disk, "/proc/")) and path not in self.files and "self" not in path
        return (
            Path(path).read_text(encoding="utf-8").rstrip("\n") if real and Path(path).exists() else super().read(path)
        )


Start = Callable[..., tuple[int, DiskHost]]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(pending, "DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setattr(fabric, "DOCUMENT", str(tmp_path / "fabric.json"))
    monkeypatch.setattr(DiskHost, "disk", str(tmp_path))
    monkeypatch.setattr(converge, "SETTLE_SECONDS", 0.0)
    return tmp_path / "state"


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    def started(words: list[str], runs: list[dict[str, Any]]) -> tuple[int, DiskHost]:
        host = DiskHost(runs)
        monkeypatch.setattr(fabric, "Host", lambda: host)
        return fabric.main(words), host

    return started


@pytest.fixture
def candidate(tmp_path: Path) -> str:
    path = tmp_path / "candidate.json"
    path.write_text(document(NEW) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture
def change(start: Start, candidate: str) -> Callable[[], None]:
    """From OLD to NEW, not confirmed."""

    def applied() -> None:
        runs = [*seen(OLD), ARM, moved(OLD, NEW), *seen(NEW)]
        code, host = start(["apply", "--file", candidate, "--confirm-within", "30"], runs)
        assert (code, host.runs) == (0, [])

    return applied


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that looks like a run of this program, with one child, and hangs."""
    script = "import subprocess, sys; subprocess.run(['sleep', '60'])"
    with subprocess.Popen([sys.executable, "-c", script, "railhead-fabric"], stdout=subprocess.PIPE) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not children.read_text(encoding="utf-8"):
            pass
        yield process
        process.kill()


def test_plan_prints_one_line_a_step(start: Start, candidate: str, capsys: Any) -> None:
    code, host = start(["plan", "--file", candidate], seen(OLD))
    assert (code, host.runs) == (fabric.STEPS_TO_TAKE, [])
    assert capsys.readouterr().out == (
        f"1. remove the address {OLD} from eth0: ip address del {OLD} dev eth0\n"
        f"2. give eth0 the address {NEW}: ip address replace {NEW} dev eth0\n"
    )


def test_plan_prints_nothing_when_nothing_is_to_do(start: Start, candidate: str, capsys: Any) -> None:
    assert start(["plan", "--file", candidate], seen(NEW))[0] == fabric.NOTHING_TO_DO
    assert capsys.readouterr().out == ""


def test_plan_says_what_a_step_disrupts(start: Start, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "down.json"
    path.write_text('{"bonds": [{"name": "bond0", "state": "absent"}]}', encoding="utf-8")
    bond = {"ifname": "bond0", "flags": [], "link_type": "ether", "linkinfo": {"info_kind": "bond", "info_data": {}}}
    runs = [{"argv": ["ip", "-j", "-d", "address", "show"], "stdout": json.dumps([bond])}, *ROUTES]
    assert start(["plan", "--file", str(path)], runs)[0] == fabric.STEPS_TO_TAKE
    assert capsys.readouterr().out == (
        "1. delete the bond bond0 (disrupts the traffic of bond0; undo: create it again): ip link del dev bond0\n"
    )


def test_without_a_document_nothing_is_wanted(start: Start) -> None:
    runs = [{"argv": ["ip", "-j", "-d", "address", "show"], "stdout": "[]"}]
    assert start(["plan"], runs)[0] == fabric.NOTHING_TO_DO


def test_a_document_that_is_named_must_be_there(start: Start, capsys: Any) -> None:
    assert start(["apply", "--file", "/nosuch.json"], [])[0] == fabric.FAILED
    assert "Cannot read /nosuch.json: there is no such file" in capsys.readouterr().err


def test_ports_only_leaves_the_rest(start: Start, candidate: str) -> None:
    assert start(["plan", "--ports-only", "--file", candidate], seen(OLD))[0] == fabric.NOTHING_TO_DO


def test_apply_takes_the_steps(start: Start, candidate: str, state: Path) -> None:
    code, host = start(["apply", "--file", candidate], [*seen(OLD), moved(OLD, NEW), *seen(NEW)])
    assert (code, host.runs) == (0, [])
    assert not state.exists()


def test_apply_waits_for_ports_that_appear_late(start: Start, tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "port.json"
    path.write_text('{"ports": [{"port": "0000:08:00.0"}]}', encoding="utf-8")
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    looks = [("port 0000:08:00.0",), ()]
    monkeypatch.setattr(fabric, "observe_fabric", lambda *_words, **_more: fabric.Fabric(missing=("it",)))
    monkeypatch.setattr(fabric, "missing_hardware", lambda _have: looks.pop(0))
    start(["apply", "--file", str(path), "--wait", "60"], [])
    assert slept == [1.0]


def test_show_prints_what_the_host_has(start: Start, candidate: str, capsys: Any) -> None:
    assert start(["show", "--file", candidate], seen(OLD))[0] == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["addresses"] == [{"device": "eth0", "addresses": [OLD], "routes": []}]


def test_a_confirmed_change_stays(start: Start, change: Any, state: Path, candidate: str, tmp_path: Path) -> None:
    change()
    code, host = start(["confirm"], [DISARM])
    assert (code, host.runs) == (0, [])
    assert (tmp_path / "fabric.json").read_bytes() == Path(candidate).read_bytes()
    assert list(state.iterdir()) == []


def test_a_change_can_be_confirmed_twice(start: Start, change: Any, candidate: str) -> None:
    change()
    assert start(["confirm"], [DISARM])[0] == 0
    assert start(["confirm", "--file", candidate], [])[0] == 0
    assert start(["confirm"], [])[0] == fabric.FAILED


def test_a_change_that_is_not_confirmed_is_taken_back(
    start: Start, change: Any, state: Path, tmp_path: Path, capsys: Any
) -> None:
    change()
    runs = [*seen(NEW), moved(NEW, OLD), *seen(OLD), DISARM]
    code, host = start(["rollback", "--reason", "it was not confirmed within 30 s"], runs)
    assert (code, host.runs) == (0, [])
    assert [path.name for path in state.iterdir()] == ["note"]
    assert not (tmp_path / "fabric.json").exists()
    capsys.readouterr()
    assert start(["confirm"], [])[0] == fabric.FAILED
    said = capsys.readouterr().err
    assert "Cannot confirm the change: it was rolled back at 2" in said
    assert said.endswith("UTC, as it was not confirmed within 30 s.\n")


def test_the_way_back_is_there_before_the_first_step(candidate: str, state: Path) -> None:
    class Killed(BaseException):
        pass

    def killed(host: DiskHost) -> None:
        assert not host.runs
        before = json.loads((state / "before.json").read_text(encoding="utf-8"))
        assert before == {"addresses": [{"device": "eth0", "addresses": [OLD], "routes": []}]}
        raise Killed

    host = DiskHost([*seen(OLD), ARM])
    host.apply = lambda _steps: killed(host)  # type: ignore[method-assign, assignment]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(fabric, "Host", lambda: host)
        fabric.main(["apply", "--file", candidate, "--confirm-within", "30"])
    assert (state / "process").exists()


def test_a_change_that_fails_is_taken_back_at_once(start: Start, candidate: str, state: Path, capsys: Any) -> None:
    runs = [*seen(OLD), ARM, moved(OLD, NEW, rc=1), *seen(), moved_back(), *seen(OLD), DISARM]
    code, host = start(["apply", "--file", candidate, "--confirm-within", "30"], runs)
    assert (code, host.runs) == (fabric.FAILED, [])
    assert "What was done of the change is taken back" in capsys.readouterr().err
    assert "as it failed: Cannot give eth0 the address" in (state / "note").read_text(encoding="utf-8")
    assert not (state / "before.json").exists()


def moved_back() -> dict[str, Any]:
    return {"argv": ["ip", "address", "replace", OLD, "dev", "eth0"]}


def test_a_way_back_that_fails_is_left_to_the_timer(start: Start, candidate: str, state: Path, capsys: Any) -> None:
    runs = [*seen(OLD), ARM, moved(OLD, NEW, rc=1), *seen(), {**moved_back(), "rc": 2, "stderr": "No"}]
    assert start(["apply", "--file", candidate, "--confirm-within", "30"], runs)[0] == fabric.FAILED
    assert "It is tried again by a timer" in capsys.readouterr().err
    code, host = start(["rollback"], [*seen(), moved_back(), *seen(OLD), DISARM])
    assert (code, host.runs, [path.name for path in state.iterdir()]) == (0, [], ["note"])


def test_a_refused_change_leaves_a_note_and_nothing_else(
    start: Start, tmp_path: Path, state: Path, capsys: Any
) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(document(NEW).replace("eth0", "nosuch0"), encoding="utf-8")
    assert start(["apply", "--file", str(path), "--confirm-within", "30"], seen(OLD))[0] == fabric.FAILED
    assert [entry.name for entry in state.iterdir()] == ["note"]
    capsys.readouterr()
    assert start(["confirm"], [])[0] == fabric.FAILED
    assert "it was refused at" in capsys.readouterr().err


def test_without_a_timer_nothing_is_changed(start: Start, candidate: str, state: Path, capsys: Any) -> None:
    refused = {**ARM, "rc": 1, "stderr": "Failed to connect to bus"}
    code, host = start(["apply", "--file", candidate, "--confirm-within", "30"], [*seen(OLD), refused])
    assert (code, host.runs) == (fabric.FAILED, [])
    assert "Cannot have a timer take the change back" in capsys.readouterr().err
    assert [path.name for path in state.iterdir()] == ["note"]


def test_a_second_change_waits_for_the_first(start: Start, change: Any, candidate: str, capsys: Any) -> None:
    change()
    assert start(["apply", "--file", candidate], [])[0] == fabric.FAILED
    assert "an earlier change is not confirmed yet" in capsys.readouterr().err


def test_the_ports_of_a_boot_do_not_wait_for_it(start: Start, change: Any, candidate: str) -> None:
    change()
    assert start(["apply", "--ports-only", "--file", candidate], seen(OLD))[0] == 0


@pytest.mark.parametrize("verb", ["confirm", "rollback"])
def test_without_a_change_there_is_nothing_to_confirm(start: Start, verb: str, capsys: Any) -> None:
    assert start([verb], [])[0] == (fabric.FAILED if verb == "confirm" else 0)
    assert "no change waits" in "".join(capsys.readouterr()).lower()


def test_confirm_is_too_early_while_a_process_applies(start: Start, change: Any, state: Path, other: Any) -> None:
    change()
    (state / "process").write_text(f"{other.pid}\n", encoding="utf-8")
    assert start(["confirm"], [])[0] == fabric.NOT_YET
    assert (state / "before.json").exists()


def test_confirm_is_too_late_while_it_is_taken_back(start: Start, change: Any, state: Path) -> None:
    change()
    (state / "before.json").rename(state / "returning.json")
    assert start(["confirm"], [])[0] == fabric.NOT_YET


def test_half_a_change_is_not_confirmed(start: Start, change: Any, state: Path, capsys: Any) -> None:
    change()
    (state / "process").write_text("999999999\n", encoding="utf-8")
    assert start(["confirm"], [])[0] == fabric.FAILED
    assert "its process ended before the last step" in capsys.readouterr().err


def test_the_way_back_ends_a_process_that_hangs(start: Start, change: Any, state: Path, other: Any) -> None:
    change()
    (state / "process").write_text(f"{other.pid}\n", encoding="utf-8")
    child = os.pidfd_open(int(Path(f"/proc/{other.pid}/task/{other.pid}/children").read_text(encoding="utf-8")))
    assert start(["rollback"], [*seen(NEW), moved(NEW, OLD), *seen(OLD), DISARM])[0] == 0
    assert other.wait(timeout=10) == -9
    # Readable when the process has ended (pidfd_open(2)).
    assert select.select([child], [], [], 10)[0] == [child]
    os.close(child)


def test_a_process_that_only_has_the_number_lives_on(start: Start, change: Any, state: Path) -> None:
    change()
    with subprocess.Popen(["sleep", "60"]) as innocent:
        (state / "process").write_text(f"{innocent.pid}\n", encoding="utf-8")
        assert start(["rollback"], [*seen(NEW), moved(NEW, OLD), *seen(OLD), DISARM])[0] == 0
        assert innocent.poll() is None
        innocent.kill()


def test_systemd_is_told_when_the_way_back_is_safe(change: Any, tmp_path: Path, monkeypatch: Any) -> None:
    slept: list[float] = []
    monkeypatch.setattr(fabric.time, "sleep", slept.append)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        change()
        assert listening.recv(64) == b"READY=1"
    assert slept == [fabric.ANSWER_SECONDS]


def test_the_test_aid_dies_after_a_group_of_steps(tmp_path: Path) -> None:
    script = """
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import MakeDirectory
from ansible_collections.railhead.cluster.plugins.module_utils._program.fabric import DyingHost
import sys
DyingHost(2).apply([MakeDirectory(f"{sys.argv[1]}/{name}", "make it") for name in "abc"])
"""
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert ended.returncode == -9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_it_runs_outside_ansible(tmp_path: Path) -> None:
    program, wrong = tmp_path / "railhead-fabric", tmp_path / "wrong.json"
    program.write_bytes(pack(fabric.__name__, source_of))
    wrong.write_text('{"ports": [', encoding="utf-8")
    command = [sys.executable, "-I", str(program), "plan", "--file", str(wrong)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == fabric.FAILED
    assert f"Cannot read {wrong}: it is not JSON" in ended.stderr
