# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab: molecule's scenarios on virtual machines. Each action of a scenario counts."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from tiers.process import Line, stream
from tiers.result import CannotRunError, Outcome, Part
from tiers.workspace import BIN, RESULTS, ROOT

SCENARIOS = ROOT / "tests" / "tiers" / "lab.toml"

# Molecule's log: `INFO     netns ➜ converge: Executed: Successful`. Its report at the end, which has no level in front,
# can call a failed idempotence successful.
ACTION = re.compile(r"^[A-Z]+ +\S+ (?:>|→|➜) (?P<action>\w+): Executed: (?P<state>\w+)")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A row of lab.toml."""

    name: str
    image: str
    in_test: bool
    minutes: int

    @property
    def label(self) -> str:
        """As `--only` names it."""
        return f"{self.name}@{self.image}"


def run(*, everything: bool, only: str | None) -> list[Part]:
    """Run the scenarios of `make test`, every one, or `only` NAME@IMAGE; then look for what they left behind."""
    rows = scenarios(SCENARIOS.read_text(encoding="utf-8"))
    chosen = [row for row in rows if (row.label == only if only else everything or row.in_test)]
    if not chosen:
        known = ", ".join(row.label for row in rows) or "none"
        raise CannotRunError(f"{SCENARIOS.relative_to(ROOT)} lists no scenario to run; it has: {known}")
    before = Traces.now()
    parts = [part for scenario in chosen for part in run_scenario(scenario)]
    left = Traces.now() - before
    for trace in left:
        print(f"left behind: {trace}")
    return [*parts, Part("nothing is left behind", "failed" if left else "passed")]


def scenarios(text: str) -> list[Scenario]:
    """Read lab.toml."""
    return [Scenario(**row) for row in tomllib.loads(text).get("scenario", [])]


def run_scenario(scenario: Scenario) -> list[Part]:
    """Run one scenario and count its actions."""
    name = f"{scenario.name} on {scenario.image}"
    print(f"-- {name}", flush=True)
    finished = stream(
        [BIN / "molecule", "test", "--scenario-name", scenario.name],
        cwd=ROOT,
        env={
            "LAB_IMAGE": scenario.image,
            "MITOGEN_STRATEGY": str(mitogen_strategy()),
            # There is no inventory before create and after destroy.
            "MOLECULE_ANSIBLE_ARGS_STRICT_MODE": "1",
        },
        log=RESULTS / "lab" / f"{scenario.name}-{scenario.image}.log",
        limit=scenario.minutes * 60,
    )
    parts = [dataclasses.replace(part, name=f"{name}: {part.name}") for part in actions(finished.lines)]
    if finished.status != 0 and all(part.outcome != "failed" for part in parts):
        parts.append(Part(f"{name}: molecule ended with status {finished.status}", "failed"))
    return parts or [Part(f"{name}: molecule reported no action", "failed")]


def mitogen_strategy() -> Path:
    """Return the folder of the strategy plugins with which the scenarios' playbooks run."""
    package = importlib.util.find_spec("ansible_mitogen")
    if package is None or package.origin is None:
        raise CannotRunError("mitogen is missing; run `make venv`")
    return Path(package.origin).parent / "plugins" / "strategy"


def actions(lines: Iterable[Line]) -> Iterator[Part]:
    """Read molecule's log. Actions for which the scenario has no playbook are no parts."""
    outcomes: dict[str, Outcome] = {"Successful": "passed", "Failed": "failed", "Skipped": "skipped"}
    start = 0.0
    for line in lines:
        match = ACTION.match(ANSI.sub("", line.text))
        if match is None:
            continue
        if match["state"] not in {"Missing", "Disabled"}:
            yield Part(match["action"], outcomes.get(match["state"], "failed"), line.at - start)
        start = line.at


class Traces(frozenset[str]):
    """What the lab's machines can leave on this one: processes of QEMU and network devices."""

    @classmethod
    def now(cls) -> Traces:
        """Look."""
        devices = (f"network device {path.name}" for path in Path("/sys/class/net").iterdir())
        return cls({*devices, *_machines()})


def _machines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            argv = path.read_bytes().split(b"\0")
        except OSError:  # ended meanwhile
            continue
        if Path(argv[0].decode(errors="replace")).name.startswith("qemu-system"):
            yield f"process {path.parent.name}, {b' '.join(argv).decode(errors='replace')}"
