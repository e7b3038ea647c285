# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program C(railhead-rdma) on a node: what Ansible applied, applied again at boot, by the same code."""

# A program for a terminal and for systemd, not part of a module: it prints, and ends with an exit code.
# pylint: disable=ansible-bad-function

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from functools import partial

from ansible_collections.railhead.cluster.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._program.documents import read_document
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.host_state import (
    HostState,
    HostWant,
    load_document,
    missing_hardware,
    observe_host,
    plan_host,
)

#: One document a file, applied in the order of their names (the parameters of M(railhead.cluster.rdma_host)).
DIRECTORY = "/etc/railhead/rdma.d"
#: Exit codes of C(plan): as C(apply) would have nothing to do, or something.
NOTHING_TO_DO, FAILED, STEPS_TO_TAKE = 0, 1, 2


def main(words: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(words)
    try:
        return int(options.verb(options))
    except RailheadError as error:
        print(f"railhead-rdma: {error}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="railhead-rdma",
        description="RDMA links, namespaces, device placement and cgroup limits of this host, as documents want them.",
    )
    parser.add_argument("--directory", default=DIRECTORY, help="where the documents lie (default: %(default)s)")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    plan = verbs.add_parser("plan", help="print the steps that apply would take; exit with 2 if there are any")
    plan.set_defaults(verb=_plan)
    apply = verbs.add_parser("apply", help="take the steps")
    apply.add_argument("--allow-disruption", action="store_true", help="move devices that are in use too")
    apply.add_argument("--wait", type=float, default=0.0, help="seconds to wait for network and RDMA devices to appear")
    apply.set_defaults(verb=_apply)
    return parser


def _plan(options: argparse.Namespace) -> int:
    outcomes = _converged(Host(), options.directory, 0.0, check_mode=True, allow_disruption=True)
    steps = [step for _path, outcome in outcomes for step in outcome.planned.steps]
    for step in steps:
        print(f"{shlex.join(step.shown)}  # {step.does}")
    return STEPS_TO_TAKE if steps else NOTHING_TO_DO


def _apply(options: argparse.Namespace) -> int:
    outcomes = _converged(Host(), options.directory, options.wait, False, options.allow_disruption)
    for path, outcome in outcomes:
        print(f"{path}: {len(outcome.planned.steps)} steps taken")
        for step in outcome.planned.steps:
            print(f"  {shlex.join(step.shown)}")
    return 0


def _converged(
    host: Host, directory: str, wait: float, check_mode: bool, allow_disruption: bool
) -> Iterator[tuple[str, Outcome[HostState]]]:
    for path, want in _documents(host, directory):
        _wait_for_hardware(host, want, wait)
        observe = partial(observe_host, want=want)
        plan = partial(plan_host, want=want, allow_disruption=allow_disruption)
        try:
            yield path, converge(host, observe, plan, check_mode)
        except RailheadError as error:
            raise RailheadError(f"{path}: {error}") from error


def _documents(host: Host, directory: str) -> list[tuple[str, HostWant]]:
    """All documents are read and checked before the first of them is applied."""
    paths = [os.path.join(directory, name) for name in host.list_directory(directory) if name.endswith(".json")]
    return [(path, read_document(path, host.read(path) or "", load_document)) for path in paths]


def _wait_for_hardware(host: Host, want: HostWant, seconds: float) -> None:
    """What is still missing in the end is for the planner to say."""
    if seconds:
        host.wait(lambda: not missing_hardware(observe_host(host, want), want), seconds, interval=1.0)


if __name__ == "__main__":
    sys.exit(main())
