# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program C(railhead-fabric) on a node: the fabric that Ansible set up, set up again at boot, by the same code.

It is also what makes a change that can cut the host off: it takes the change back unless it is confirmed in time.
"""

# A program for a terminal and for systemd, not part of a module: it prints, and ends with an exit code.
# pylint: disable=ansible-bad-function

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.converge import Outcome, converge
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Step
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.document import load_document
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.observe import (
    Fabric,
    missing_hardware,
    observe_fabric,
)
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.plan import FabricPlan, plan_fabric
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.restore import document_of
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import (
    ALL_CONSENTS,
    Consents,
    FabricWant,
)
from ansible_collections.railhead.cluster.plugins.module_utils._program.documents import read_document
from ansible_collections.railhead.cluster.plugins.module_utils._program.pending import Pending

#: The parameters of M(railhead.cluster.fabric); without this file, nothing is wanted of the fabric.
DOCUMENT = "/etc/railhead/fabric.json"
#: Exit codes of C(plan): as C(apply) would have nothing to do, or something.
NOTHING_TO_DO, FAILED, STEPS_TO_TAKE = 0, 1, 2
#: Exit code of C(confirm) while it is too early to say.
NOT_YET = 3
#: Seconds for the answer of C(systemd-run) to leave the host, before the change can cut the host off.
ANSWER_SECONDS = 3.0


class DyingHost(Host):
    """Ends its own process, as the lack of memory would, after some groups of steps: for the scenario C(faults)."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self._groups = groups

    def _apply_one(self, step: Step) -> None:
        super()._apply_one(step)
        self._count()

    def _apply_batch(self, steps: Sequence[Command]) -> None:
        super()._apply_batch(steps)
        self._count()

    def _count(self) -> None:
        self._groups -= 1
        if self._groups == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main(words: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(words)
    try:
        return int(options.verb(options))
    except RailheadError as error:
        print(f"railhead-fabric: {error}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="railhead-fabric",
        description="Ports, virtual functions, bonds, bridges and addresses of this host, as a document wants them.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    file = argparse.ArgumentParser(add_help=False)
    file.add_argument("--file", default=DOCUMENT, help="the document (default: %(default)s)")
    ports_only = argparse.ArgumentParser(add_help=False)
    ports_only.add_argument(
        "--ports-only", action="store_true", help="only what comes before bonds, bridges and addresses"
    )
    wait = argparse.ArgumentParser(add_help=False)
    wait.add_argument("--wait", type=float, default=0.0, help="seconds to wait for the ports to appear")

    plan = verbs.add_parser(
        "plan", parents=[file, ports_only], help="print the steps that apply would take; exit with 2 if there are any"
    )
    plan.set_defaults(verb=_plan)
    apply = verbs.add_parser("apply", parents=[file, ports_only, wait], help="take the steps")
    apply.add_argument("--allow-vfs-in-use", action="store_true", help="take VFs away from those who use them")
    apply.add_argument("--allow-port-traffic", action="store_true", help="interrupt the traffic of ports")
    apply.add_argument("--allow-management", action="store_true", help="touch what this SSH connection comes in over")
    apply.add_argument(
        "--confirm-within",
        type=int,
        metavar="SECONDS",
        help="take the change back by a timer, unless 'confirm' comes before that; the time of the steps counts too",
    )
    apply.add_argument("--die-after", type=int, help=argparse.SUPPRESS)
    apply.set_defaults(verb=_apply)
    show = verbs.add_parser("show", parents=[file], help="print what the host has of what the document names")
    show.set_defaults(verb=_show)
    confirm = verbs.add_parser(
        "confirm", help="keep the change that was applied with --confirm-within; exit with 3 while it is being applied"
    )
    confirm.add_argument(
        "--file", help="the document that was applied: it is no error when that one is confirmed already"
    )
    confirm.set_defaults(verb=_confirm)
    rollback = verbs.add_parser("rollback", parents=[wait], help="take that change back")
    rollback.add_argument("--reason", default="somebody asked for it", help="what 'confirm' is to tell about it")
    rollback.set_defaults(verb=_rollback)
    return parser


def _plan(options: argparse.Namespace) -> int:
    host = Host()
    _text, want = _wanted(host, options.file)
    plan = partial(plan_fabric, want=want, consents=ALL_CONSENTS, ports_only=options.ports_only)
    steps = converge(host, partial(observe_fabric, want=want), plan, check_mode=True).planned.steps
    for number, step in enumerate(steps, 1):
        notes = [f"{word} {text}" for word, text in (("disrupts", step.disrupts), ("undo:", step.undo)) if text]
        remark = f" ({'; '.join(notes)})" if notes else ""
        print(f"{number}. {step.does}{remark}: {shlex.join(step.shown)}")
    return STEPS_TO_TAKE if steps else NOTHING_TO_DO


def _apply(options: argparse.Namespace) -> int:
    host = DyingHost(options.die_after) if options.die_after else Host()
    text, want = _wanted(host, options.file)
    pending = Pending(host)
    # At boot, the ports come before what is needed to take a change back.
    if pending.exists() and not options.ports_only:
        raise RailheadError(
            f"Cannot apply {options.file}: an earlier change is not confirmed yet; run 'railhead-fabric confirm' or"
            " 'railhead-fabric rollback' first."
        )
    _wait_for_hardware(host, want, options.wait)
    consents = Consents(options.allow_vfs_in_use, options.allow_port_traffic, options.allow_management)
    plan = partial(plan_fabric, want=want, consents=consents, ports_only=options.ports_only)
    observe = partial(observe_fabric, want=want)
    if options.confirm_within is None:
        _report(options.file, converge(host, observe, plan))
        return 0

    begun = False

    def plan_with_a_way_back(have: Fabric) -> FabricPlan:
        nonlocal begun
        planned = plan(have)
        if not begun:
            pending.begin(_way_back(planned.before), text, options.confirm_within)
            begun = True
            _tell_systemd()
        return planned

    try:
        outcome = converge(host, observe, plan_with_a_way_back)
    except RailheadError as error:
        if not begun:
            pending.refuse(str(error))
            raise
        try:
            _return(host, pending, f"it failed: {error}")
        except RailheadError as again:
            raise RailheadError(f"{error} The way back failed too: {again} It is tried again by a timer.") from again
        raise RailheadError(f"{error} What was done of the change is taken back.") from error
    pending.complete()
    _report(options.file, outcome)
    return 0


def _show(options: argparse.Namespace) -> int:
    host = Host()
    _text, want = _wanted(host, options.file)
    print(json.dumps(document_of(observe_fabric(host, want), want), indent=2))
    return 0


def _confirm(options: argparse.Namespace) -> int:
    host = Host()
    pending = Pending(host)
    # The answer to the first one can be lost with its connection.
    applied = host.read(options.file) if options.file else None
    if applied is not None and not pending.exists() and applied == host.read(DOCUMENT):
        print(f"The change was confirmed before: {DOCUMENT}")
        return 0
    if not pending.exists():
        found = f"{note}." if (note := pending.note()) else "no change waits for it."
        raise RailheadError(f"Cannot confirm the change: {found}")
    if pending.is_returning() or pending.is_at_work():
        print("The change is being applied, or taken back; ask again.", file=sys.stderr)
        return NOT_YET
    if not pending.is_applied():
        raise RailheadError("Cannot confirm the change: its process ended before the last step; it is taken back soon.")
    if not pending.confirm(DOCUMENT):
        print("The change is being taken back; ask again.", file=sys.stderr)
        return NOT_YET
    print(f"The change is confirmed: {DOCUMENT}")
    return 0


def _rollback(options: argparse.Namespace) -> int:
    host = Host()
    if not _return(host, Pending(host), options.reason, options.wait):
        print("No change waits to be confirmed: there is nothing to roll back.")
    return 0


def _return(host: Host, pending: Pending, reason: str, wait: float = 0.0) -> bool:
    """Bring back what was before the change; False when none is pending."""
    text = pending.take_over()
    if text is None:
        return False
    want = read_document("the way back", text, load_document)
    _wait_for_hardware(host, want, wait)
    plan = partial(plan_fabric, want=want, consents=ALL_CONSENTS)
    outcome = converge(host, partial(observe_fabric, want=want), plan)
    pending.end(reason)
    _report("the state before the change", outcome)
    return True


def _wanted(host: Host, path: str) -> tuple[str, FabricWant]:
    text = host.read(path)
    if text is None and path != DOCUMENT:
        raise RailheadError(f"Cannot read {path}: there is no such file; give the path of a document.")
    return text or "{}", read_document(path, text or "{}", load_document)


def _way_back(before: Mapping[str, Any]) -> str:
    text = json.dumps(before, indent=2)
    read_document("what the host has as the way back", text, load_document)
    return text


def _wait_for_hardware(host: Host, want: FabricWant, seconds: float) -> None:
    """What is still missing in the end is for the planner to say."""
    if seconds:
        host.wait(lambda: not missing_hardware(observe_fabric(host, want)), seconds, interval=1.0)


def _tell_systemd() -> None:
    """Under C(systemd-run --service-type=notify), that the way back is safe (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            notified.sendto(b"READY=1", address.replace("@", "\0", 1) if address.startswith("@") else address)
        time.sleep(ANSWER_SECONDS)


def _report(what: str, outcome: Outcome[Fabric]) -> None:
    print(f"{what}: {len(outcome.planned.steps)} steps taken")
    for step in outcome.planned.steps:
        print(f"  {shlex.join(step.shown)}")


if __name__ == "__main__":
    sys.exit(main())
