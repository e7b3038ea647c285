# SPDX-License-Identifier: GPL-3.0-or-later
"""Run tiers one after the other, go on after a failure, and say how it went."""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Callable

from tiers import lab, lint, sanity, unit
from tiers.result import CannotRunError, Part, Tier, tally
from tiers.workspace import RESULTS


def main() -> int:
    """Return 0 when nothing failed."""
    parser = argparse.ArgumentParser(prog="tiers", description=__doc__)
    parser.add_argument("--all", action="store_true", help="run every scenario of the lab")
    parser.add_argument("--only", metavar="NAME@IMAGE", help="run one scenario of the lab")
    parser.add_argument("tier", nargs="+", choices=["unit", "lint", "sanity", "lab"])
    chosen = parser.parse_args()
    runners: dict[str, Callable[[], list[Part]]] = {
        "unit": unit.run,
        "lint": lint.run,
        "sanity": sanity.run,
        "lab": functools.partial(lab.run, everything=chosen.all, only=chosen.only),
    }
    tiers = [run(name, runners[name]) for name in chosen.tier]
    print()
    for tier in tiers:
        print(f"{tier.name:8} {tally([tier])} in {tier.seconds:.0f} s")
        for part in tier.parts:
            if part.outcome != "passed":
                print(f"  {part.outcome}: {part.name}")
    print(tally(tiers))
    return 1 if any(tier.count("failed") for tier in tiers) else 0


def run(name: str, runner: Callable[[], list[Part]]) -> Tier:
    """Run one tier. One that cannot run, or that found nothing to run, has failed."""
    print(f"\n== {name}", flush=True)
    start = time.monotonic()
    try:
        parts = runner() or [Part("found nothing to run", "failed")]
    except CannotRunError as error:
        parts = [Part(f"cannot run: {error}", "failed")]
    tier = Tier(name, time.monotonic() - start, tuple(parts))
    tier.write(RESULTS)
    return tier


if __name__ == "__main__":
    sys.exit(main())
