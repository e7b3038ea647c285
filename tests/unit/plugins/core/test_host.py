# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner, with real programs and files where that is possible, and recorded answers where it is not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core import host as host_module
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import CommandError, RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host, Result
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import (
    ADDRESS_OF,
    NETDEV_OF,
    Command,
    InstallFile,
    MakeDirectory,
    Wait,
    Write,
)


class ScriptedHost(Host):
    """Answers every program with one result and keeps what was started."""

    def __init__(self, *answers: Result) -> None:
        super().__init__()
        self.answers = list(answers)
        self.started: list[tuple[list[str], str | None]] = []

    def run(self, argv: Sequence[str], stdin: str | None = None, **_deadline: float) -> Result:
        self.started.append((list(argv), stdin))
        return self.answers.pop(0) if self.answers else Result(0)


def ip(*words: str) -> Command:
    return Command(("ip", *words), " ".join(words))


def test_programs_run_without_a_shell_in_the_c_locale() -> None:
    assert Host().run(["printf", "%s", "$HOME;*"]).stdout == "$HOME;*"
    assert "LC_ALL=C\n" in Host().run(["env"]).stdout


def test_a_missing_program_is_named() -> None:
    with pytest.raises(RailheadError, match="'no-such-tool': it is not installed"):
        Host().run(["no-such-tool"])


def test_a_program_that_hangs_is_ended() -> None:
    with pytest.raises(CommandError, match="Cannot finish 'sleep 60': no answer"):
        Host().apply([Command(("sleep", "60"), "wait", deadline=0.1)])


def test_neighbouring_ip_commands_share_a_process() -> None:
    host = ScriptedHost()
    steps = [
        ip("link", "add", "d0", "type", "dummy"),
        ip("link", "set", "d0", "up"),
        Command(("rdma", "link", "add", "rxe0", "type", "rxe", "netdev", "d0"), "add rxe0"),
        ip("-n", "blue", "link", "set", "d1", "alias", "two words"),
        ip("-n", "blue", "link", "set", "d1", "up"),
        ip("netns", "add", "red"),
    ]
    host.apply(steps)
    assert host.started == [
        (["ip", "-batch", "-"], "link add d0 type dummy\nlink set d0 up\n"),
        (["rdma", "link", "add", "rxe0", "type", "rxe", "netdev", "d0"], None),
        (["ip", "-n", "blue", "-batch", "-"], 'link set d1 alias "two words"\nlink set d1 up\n'),
        (["ip", "netns", "add", "red"], None),
    ]
    assert host.done == steps


def test_a_batch_is_no_transaction() -> None:
    # As iproute2 6.15.0 answers when the second of three lines fails: the first has taken effect, the third never ran.
    host = ScriptedHost(Result(1, "", "RTNETLINK answers: File exists\nCommand failed -:2\n"))
    steps = [
        ip("link", "set", "d0", "up"),
        ip("link", "add", "d0", "type", "dummy"),
        ip("link", "set", "d0", "mtu", "9000"),
    ]
    with pytest.raises(CommandError, match=r"Cannot link add d0 type dummy: .*File exists"):
        host.apply(steps)
    assert host.done == steps[:1]


@pytest.mark.parametrize("stderr", ["Unknown parameter 'foo'.\n", "Unknown object 'system'.\n"])
def test_rdma_answers_unknown_words_with_success(stderr: str) -> None:
    # rdma -V of iproute2 6.15.0, `rdma system set foo bar`: message on stderr, return code 0
    with pytest.raises(CommandError, match="Unknown"):
        ScriptedHost(Result(0, "", stderr)).apply([Command(("rdma", "system", "set", "foo", "bar"), "set foo")])
    with pytest.raises(CommandError, match="Cannot read the state"):
        ScriptedHost(Result(0, "", stderr)).read_json(["rdma", "-j", "foo", "show"])


def test_json_of_nothing_is_an_empty_list() -> None:
    assert ScriptedHost(Result(0, "\n")).read_json(["ip", "-j", "netns", "list"]) == []
    with pytest.raises(CommandError, match="expected JSON, found 'netns shared'"):
        ScriptedHost(Result(0, "netns shared\n")).read_json(["rdma", "-j", "system", "show"])


def test_the_version_of_a_tool() -> None:
    assert ScriptedHost(Result(0, "rdma utility, iproute2-6.15.0\n")).tool_version("rdma") == "6.15.0"
    assert ScriptedHost(Result(0, "ip utility, iproute2-6.1.0, libbpf 1.1.0\n")).tool_version("ip") == "6.1.0"
    assert ScriptedHost(Result(0, "busybox\n")).tool_version("ip") == "unknown"


def test_files_are_written_in_one_call_and_errors_name_the_file(tmp_path: Path) -> None:
    target = tmp_path / "rdma.max"
    target.write_text("", encoding="utf-8")
    host = Host()
    host.apply([Write(str(target), "rxe0 hca_handle=2", "limit"), MakeDirectory(str(tmp_path / "a"), "make a")])
    assert target.read_text(encoding="utf-8") == "rxe0 hca_handle=2"
    assert host.is_directory(str(tmp_path / "a"))
    with pytest.raises(CommandError, match=r"Cannot limit rxe0: 'write .*/none x' answered: No such file or directory"):
        host.apply([Write(str(tmp_path / "none"), "x", "limit rxe0")])


def test_an_installed_file_is_executable_and_whole(tmp_path: Path) -> None:
    target = tmp_path / "program"
    host = Host()
    assert host.read_program(str(target)) is None
    host.apply([InstallFile(str(target), b"#!/bin/sh\n", "00", "install it")])
    assert host.read_program(str(target)) == b"#!/bin/sh\n"
    assert target.stat().st_mode & 0o777 == 0o755
    assert sorted(tmp_path.iterdir()) == [target]
    target.chmod(0o644)
    assert host.read_program(str(target)) is None


def test_nothing_is_begun_when_a_program_is_missing(tmp_path: Path) -> None:
    target = tmp_path / "file"
    steps = [InstallFile(str(target), b"", "00", "install it"), Command(("no-such-program", "x"), "do the rest")]
    with pytest.raises(RailheadError, match="Cannot run 'no-such-program': it is not installed"):
        Host().apply(steps)
    assert not target.exists()


def test_a_file_of_configuration_is_not_executable(tmp_path: Path) -> None:
    target = tmp_path / "rules"
    Host().apply([InstallFile(str(target), b"x\n", "00", "install it", mode=0o644)])
    assert target.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("content", "pattern", "words"),
    [
        (None, "", "is not there"),
        ("disabled", "active", "says 'disabled'"),
        ("inactive", "active", "says 'inactive'"),
        ("active", "active", None),
        ("", "", None),
    ],
)
def test_waiting_for_a_file(tmp_path: Path, content: str | None, pattern: str, words: str | None) -> None:
    target = tmp_path / "state"
    if content is not None:
        target.write_text(content + "\n", encoding="utf-8")
    step = Wait((str(tmp_path), str(target)) if not pattern else (str(target),), "wait for it", pattern, 0.1, "Look.")
    if words is None:
        Host().apply([step])
        return
    with pytest.raises(CommandError, match=f"Cannot wait for it: after 0 s {target} {words}. Look."):
        Host().apply([step])


def test_names_of_the_hardware_are_looked_up_when_the_step_is_taken(tmp_path: Path) -> None:
    (tmp_path / "0000:01:10.0" / "net" / "eth7").mkdir(parents=True)
    (tmp_path / "virtfn0").symlink_to("0000:01:10.0")
    (tmp_path / "bind").touch()
    vf, host = f"{tmp_path}/virtfn0", ScriptedHost()
    move = Command(("ip", "link", "set", "dev", NETDEV_OF + vf, "netns", "blue"), "move it")
    host.apply([Write(f"{tmp_path}/bind", ADDRESS_OF + vf, "bind it"), move, move])
    assert (tmp_path / "bind").read_text(encoding="utf-8") == "0000:01:10.0"
    assert host.started == [(["ip", "-batch", "-"], "link set dev eth7 netns blue\n" * 2)]


def test_hardware_without_a_network_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_module, "NETDEV_DEADLINE", 0.1)
    with pytest.raises(CommandError, match=f"Cannot find the network device of {tmp_path}"):
        ScriptedHost().apply([Command(("ip", "link", "set", "dev", f"{NETDEV_OF}{tmp_path}", "up"), "take it up")])


def test_features_are_asked_of_the_kernel() -> None:
    host = Host()
    assert host.read_feature("lo", "rx-gro") in (True, False)
    assert host.read_feature("lo", "loopback") is None  # fixed
    assert host.read_feature("lo", "no-such-feature") is None
    assert host.read_feature("no-such-netdev", "rx-gro") is None


def test_only_one_change_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_module, "LOCK_FILE", str(tmp_path / "lock"))
    monkeypatch.setattr(host_module, "LOCK_DEADLINE", 0.1)
    with Host().exclusive(), pytest.raises(RailheadError, match="another run has held"), Host().exclusive():
        pass
    with Host().exclusive():
        pass


def test_an_ordinary_user_is_told_to_become_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_module, "LOCK_FILE", "/proc/no/lock")
    with pytest.raises(RailheadError, match=r"become: true"), Host().exclusive():
        pass


def test_what_is_not_there_reads_as_nothing(tmp_path: Path) -> None:
    host = Host()
    assert host.read(str(tmp_path / "none")) is None
    assert host.list_directory(str(tmp_path / "none")) == []
    assert host.link_target(str(tmp_path)) is None
    assert host.identity(str(tmp_path / "none")) is None
    assert host.identity("/proc/self/ns/net") == host.identity(f"/proc/{os.getpid()}/ns/net")


def test_lanes_run_beside_each_other_and_their_steps_in_order(tmp_path: Path) -> None:
    # Each lane waits for the other one: one after the other would end in the deadline.
    def step(lane: str, makes: str, awaits: str) -> Command:
        script = f"touch {tmp_path}/{makes}; while [ ! -e {tmp_path}/{awaits} ]; do sleep 0.01; done"
        return Command(("sh", "-c", script), makes, deadline=10.0, lane=lane)

    host = Host()
    steps = [step("a", "a1", "b1"), step("b", "b1", "a2"), step("a", "a2", "a1")]
    host.apply(steps)
    assert host.done == [steps[0], steps[2], steps[1]]


def test_a_lane_ends_with_its_first_error_and_the_others_do_not() -> None:
    def step(lane: str, program: str) -> Command:
        return Command(("sh", "-c", program), f"do {program} in {lane}", lane=lane)

    host = Host()
    steps = [step("a", "exit 3"), step("a", "exit 0"), step("b", "true"), step("c", "exit 4")]
    with pytest.raises(CommandError, match=r"Cannot do exit 3 in a: .*3\) Cannot do exit 4 in c: .*4\)"):
        host.apply([*steps, Command(("true",), "go on", lane="b")])
    assert host.done == [steps[2]]


def test_a_complaint_that_is_marked_among_other_output() -> None:
    # mstconfig of mstflint 4.21.0, its manual shortened
    said = "-E- Invalid Configuration argument SRIOV_EN\n    NAME:\n        mstconfig\n"
    assert host_module.complaint(Result(3, said)) == "Invalid Configuration argument SRIOV_EN (return code 3)"
