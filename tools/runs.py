# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of playbooks on the lab's machines, each with a log and a row of what it did."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tiers.lab import mitogen_strategy

ROOT = Path(__file__).resolve().parent.parent


class ScenarioError(Exception):
    """What did not go as promised."""


def expect(condition: bool, complaint: str) -> None:
    """Raise the complaint where the condition does not hold."""
    if not condition:
        raise ScenarioError(complaint)


class Runs:
    """The runs of a scenario: their logs lie in `out`, and `rows` has {name, changed, exit, seconds} of each."""

    def __init__(self, out: Path, inventories: Sequence[Path]) -> None:
        self.out = out
        self.inventories = [word for path in inventories for word in ("-i", str(path))]
        self.rows: list[dict[str, Any]] = []
        out.mkdir(parents=True, exist_ok=True)

    def play(self, playbook: str, name: str, expected: int = 0, **variables: Any) -> dict[str, Any]:
        """Run a playbook; ScenarioError where it does not end with `expected`."""
        print(f"\n== {playbook} ({name})", flush=True)
        log, report = self.out / f"{name}.log", self.out / f"{name}.json"
        report.unlink(missing_ok=True)
        environment = {
            **os.environ,
            "RAILHEAD_RUN_LOG": str(report),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_TIMEOUT": "120",
            # As the other scenarios of the lab: emulated machines are slow to start an interpreter for each task.
            "ANSIBLE_STRATEGY": "mitogen_linear",
            "ANSIBLE_STRATEGY_PLUGINS": str(mitogen_strategy()),
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tools" / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "run_log",
        }
        command = ["ansible-playbook", *self.inventories, "-e", json.dumps(variables), playbook]
        begin = time.monotonic()
        with log.open("w", encoding="utf-8") as file:
            code = subprocess.run(command, env=environment, cwd=ROOT, stdout=file, stderr=file, check=False).returncode
        seconds = round(time.monotonic() - begin, 1)
        if code != expected:
            raise ScenarioError(
                f"the run '{name}' ended with {code} instead of {expected}; see {log.relative_to(ROOT)}"
            )
        hosts = json.loads(report.read_text(encoding="utf-8"))["stats"].values()
        row = {"name": name, "changed": sum(host["changed"] for host in hosts), "exit": code, "seconds": seconds}
        print(f"  exit {code}, {row['changed']} changed, {seconds} s", flush=True)
        self.rows.append(row)
        return row
