# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tier reports."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Literal

Outcome = Literal["passed", "failed", "skipped"]


class CannotRunError(Exception):
    """A tier cannot run at all; the text says what is missing and what to do."""


@dataclasses.dataclass(frozen=True)
class Part:
    """The smallest thing that is counted: a test case, a linter, an action of a scenario."""

    name: str
    outcome: Outcome
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Tier:
    """All parts of one tier."""

    name: str
    seconds: float
    parts: tuple[Part, ...]

    def count(self, outcome: Outcome) -> int:
        """Return how many parts had this outcome."""
        return sum(part.outcome == outcome for part in self.parts)

    def write(self, directory: Path) -> None:
        """Write `<directory>/<tier>.json`."""
        document = {
            "tier": self.name,
            "passed": self.count("passed"),
            "failed": self.count("failed"),
            "skipped": self.count("skipped"),
            "seconds": round(self.seconds, 1),
            "parts": [dataclasses.asdict(part) | {"seconds": round(part.seconds, 2)} for part in self.parts],
        }
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{self.name}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def tally(tiers: list[Tier]) -> str:
    """Return the last line of every run: `N passed, N failed, N skipped`."""
    outcomes: tuple[Outcome, ...] = ("passed", "failed", "skipped")
    return ", ".join(f"{sum(tier.count(outcome) for tier in tiers)} {outcome}" for outcome in outcomes)
