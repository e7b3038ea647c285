# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program C(railhead-qos) on a node: the RoCE QoS that Ansible set, again at boot and when a port is made anew."""

# A program for a terminal and for systemd, not part of a module: it prints, and ends with an exit code.
# pylint: disable=ansible-bad-function

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from functools import partial

from ansible_collections.railhead.cluster.plugins.module_utils._core.converge import converge
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.plan import Consents
from ansible_collections.railhead.cluster.plugins.module_utils._program.documents import read_document
from ansible_collections.railhead.cluster.plugins.module_utils._qos.document import QosWant, load_document
from ansible_collections.railhead.cluster.plugins.module_utils._qos.host_state import (
    missing_hardware,
    observe_qos,
    plan_qos,
    shown_qos,
)

#: The parameters of M(railhead.cluster.roce_qos); without this file, nothing is wanted.
DOCUMENT = "/etc/railhead/qos/document.json"
#: Exit codes of C(plan): as C(apply) would have nothing to do, or something.
NOTHING_TO_DO, FAILED, STEPS_TO_TAKE = 0, 1, 2


def main(words: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(words)
    try:
        return int(options.verb(options))
    except RailheadError as error:
        print(f"railhead-qos: {error}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="railhead-qos",
        description="PFC, traffic classes, DSCPs and RDMA connection defaults of this host, as a document wants them.",
    )
    parser.add_argument("--file", default=DOCUMENT, help="the document (default: %(default)s)")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    plan = verbs.add_parser("plan", help="print the steps that apply would take; exit with 2 if there are any")
    plan.set_defaults(verb=_plan)
    apply = verbs.add_parser("apply", help="take the steps")
    apply.add_argument("--allow-port-traffic", action="store_true", help="let links of ports go down for a moment")
    apply.add_argument("--allow-management", action="store_true", help="also what this SSH connection comes in over")
    apply.add_argument("--wait", type=float, default=0.0, help="seconds to wait for ports and RDMA devices to appear")
    apply.set_defaults(verb=_apply)
    show = verbs.add_parser("show", help="print what the host has of what the document names")
    show.set_defaults(verb=_show)
    return parser


def _plan(options: argparse.Namespace) -> int:
    host = Host()
    want = _wanted(host, options.file)
    with host.exclusive():
        have = observe_qos(host, want)
    steps = plan_qos(have, want, Consents(True, True)).steps
    for step in steps:
        print(f"{shlex.join(step.shown)}  # {step.does}")
    return STEPS_TO_TAKE if steps else NOTHING_TO_DO


def _apply(options: argparse.Namespace) -> int:
    host = Host()
    want = _wanted(host, options.file)
    if options.wait:
        # What is still missing in the end is for the planner to say.
        host.wait(lambda: not _missing(host, want), options.wait, interval=1.0)
    plan = partial(plan_qos, want=want, consents=Consents(options.allow_port_traffic, options.allow_management))
    steps = converge(host, partial(observe_qos, want=want), plan).planned.steps
    print(f"{options.file}: {len(steps)} steps taken")
    for step in steps:
        print(f"  {shlex.join(step.shown)}")
    return 0


def _show(options: argparse.Namespace) -> int:
    host = Host()
    want = _wanted(host, options.file)
    with host.exclusive():
        have = observe_qos(host, want)
    print(json.dumps(shown_qos(have, want), indent=2))
    return 0


def _missing(host: Host, want: QosWant) -> tuple[str, ...]:
    """Reading makes directories, which a change beside it must not rely on: udev starts this program at any time."""
    with host.exclusive():
        return missing_hardware(host, want)


def _wanted(host: Host, path: str) -> QosWant:
    text = host.read(path)
    if text is None and path != DOCUMENT:
        raise RailheadError(f"Cannot read {path}: there is no such file; give the path of a document.")
    return read_document(path, text or "{}", load_document)


if __name__ == "__main__":
    sys.exit(main())
