# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program C(railhead-ipoib) on a node: the IPoIB interfaces that Ansible made, made again at boot."""

# A program for a terminal and for systemd, not part of a module: it prints, and ends with an exit code.
# pylint: disable=ansible-bad-function

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from functools import partial

from ansible_collections.railhead.cluster.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._ipoib.interfaces import (
    Consents,
    Interface,
    Ipoib,
    load_document,
    missing_hardware,
    observe_ipoib,
    plan_ipoib,
)
from ansible_collections.railhead.cluster.plugins.module_utils._program.documents import read_document

#: The parameters of M(railhead.cluster.ipoib); without this file, no interface is wanted.
DOCUMENT = "/etc/railhead/ipoib/document.json"
#: Exit codes of C(plan): as C(apply) would have nothing to do, or something.
NOTHING_TO_DO, FAILED, STEPS_TO_TAKE = 0, 1, 2


def main(words: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(words)
    try:
        return int(options.verb(options))
    except RailheadError as error:
        print(f"railhead-ipoib: {error}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="railhead-ipoib",
        description="IPoIB interfaces of this host and their addresses, as a document wants them.",
    )
    parser.add_argument("--file", default=DOCUMENT, help="the document (default: %(default)s)")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    plan = verbs.add_parser("plan", help="print the steps that apply would take; exit with 2 if there are any")
    plan.set_defaults(verb=_plan)
    apply = verbs.add_parser("apply", help="take the steps")
    apply.add_argument("--allow-disruption", action="store_true", help="also those that interrupt traffic")
    apply.add_argument("--wait", type=float, default=0.0, help="seconds to wait for the ports to appear")
    apply.set_defaults(verb=_apply)
    return parser


def _plan(options: argparse.Namespace) -> int:
    steps = _converged(options.file, Consents(True, True, True), check_mode=True).planned.steps
    for step in steps:
        print(f"{shlex.join(step.shown)}  # {step.does}")
    return STEPS_TO_TAKE if steps else NOTHING_TO_DO


def _apply(options: argparse.Namespace) -> int:
    consents = Consents(disruption=options.allow_disruption, recreate=options.allow_disruption)
    outcome = _converged(options.file, consents, wait=options.wait)
    print(f"{options.file}: {len(outcome.planned.steps)} steps taken")
    for step in outcome.planned.steps:
        print(f"  {shlex.join(step.shown)}")
    return 0


def _converged(path: str, consents: Consents, check_mode: bool = False, wait: float = 0.0) -> Outcome[Ipoib]:
    host = Host()
    want = _wanted(host, path)
    if wait:
        # What is still missing in the end is for the planner to say.
        host.wait(lambda: not missing_hardware(observe_ipoib(host, want), want), wait, interval=1.0)
    plan = partial(plan_ipoib, want=want, consents=consents)
    return converge(host, partial(observe_ipoib, want=want), plan, check_mode)


def _wanted(host: Host, path: str) -> tuple[Interface, ...]:
    return read_document(path, host.read(path) or "{}", load_document)


if __name__ == "__main__":
    sys.exit(main())
