# SPDX-License-Identifier: GPL-3.0-or-later
"""The test runner counts what ran, and nothing that did not run is green."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tiers import __main__, lab, sanity
from tiers.process import Line, stream
from tiers.result import CannotRunError, Part, Tier, tally

LOG = """\
INFO     netns ➜ create: Executing
WARNING  netns ➜ dependency: Executed: Missing playbook (Remove from test_sequence to suppress)
INFO     netns ➜ create: Executed: Successful
\x1b[36mINFO    \x1b[0m \x1b[32mnetns\x1b[0m ➜ \x1b[33mprepare\x1b[0m: \x1b[36mExecuted: Skipped\x1b[0m
ERROR    netns ➜ idempotence: Executed: Failed

DETAILS
netns ➜ create: Executed: Successful
netns ➜ idempotence: Executed: Successful
"""


@pytest.fixture(autouse=True)
def _results_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(__main__, "RESULTS", tmp_path)


def test_each_action_in_the_log_of_molecule_counts_once() -> None:
    lines = [Line(at, text) for at, text in enumerate(LOG.splitlines())]
    assert list(lab.actions(lines)) == [
        Part("create", "passed", 1),
        Part("prepare", "skipped", 1),
        Part("idempotence", "failed", 1),
    ]


def test_every_scenario_is_listed_and_described() -> None:
    folders = {path.parent.name for path in lab.ROOT.glob("molecule/*/molecule.yml")}
    assert {row.name for row in lab.scenarios(lab.SCENARIOS.read_text(encoding="utf-8"))} == folders
    testing = (lab.ROOT / "TESTING.md").read_text(encoding="utf-8")
    assert [name for name in sorted(folders) if f"| `{name}` |" not in testing] == []


def test_no_scenario_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "scenarios", lambda _text: [lab.Scenario("netns", "debian13", in_test=False, minutes=1)])
    with pytest.raises(CannotRunError, match="no scenario"):
        lab.run(everything=False, only=None)


def test_what_the_scenarios_leave_behind_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter(
        [lab.Traces({"network device lo"}), lab.Traces({"network device lo", "process 7, qemu-system-x86_64"})]
    )
    monkeypatch.setattr(lab, "scenarios", lambda _text: [lab.Scenario("netns", "debian13", in_test=True, minutes=1)])
    monkeypatch.setattr(lab, "run_scenario", lambda _scenario: [Part("create", "passed")])
    monkeypatch.setattr(lab.Traces, "now", lambda: next(looks))
    assert lab.run(everything=False, only=None)[-1] == Part("nothing is left behind", "failed")


def test_a_tier_without_parts_has_failed() -> None:
    assert __main__.run("unit", list).count("failed") == 1


def test_a_tier_that_cannot_run_has_failed_and_says_why(tmp_path: Path) -> None:
    def runner() -> list[Part]:
        raise CannotRunError("molecule is missing")

    assert __main__.run("lab", runner).parts == (Part("cannot run: molecule is missing", "failed"),)
    assert json.loads((tmp_path / "lab.json").read_text())["failed"] == 1


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotRunError, match="no-such-program"):
        stream(["no-such-program"], cwd=tmp_path)


def test_the_last_line_sums_the_tiers_up() -> None:
    tiers = [Tier("a", 1, (Part("x", "passed"), Part("y", "skipped"))), Tier("b", 1, (Part("z", "failed"),))]
    assert tally(tiers) == "1 passed, 1 failed, 1 skipped"


def test_what_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    sleeper = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    finished = stream([sys.executable, "-c", sleeper], cwd=tmp_path, limit=0.5)
    assert finished.status != 0
    assert finished.seconds < 30


def test_time_of_a_sanity_test_ends_where_the_next_begins() -> None:
    lines = (Line(2, 'Running sanity test "compile" on Python 3.13'), Line(5, 'Running sanity test "pep8"'))
    assert sanity.durations(lines, 9) == {"compile": 3, "pep8": 4}
