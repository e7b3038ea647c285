# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only file here that knows AnsibleModule: how a plan becomes the answer of a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.converge import converge
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Plan, Step

State = TypeVar("State")


def _nothing(_plan: Plan) -> Mapping[str, Any]:
    return {}


def _no_way_back(_done: Sequence[Step]) -> Sequence[Step]:
    return ()


@dataclass(frozen=True)
class Task(Generic[State]):
    """What a module does, made from its parameters: how to read, how to plan, and what to return of the state.

    C(returns_of_plan) gets what C(plan) returned for the state before the steps, in check mode too. C(way_back) gets
    the steps that were applied when a later one failed, and returns those that take them back; none by default, as
    most states are reached by running again.
    """

    observe: Callable[[Host], State]
    plan: Callable[[State], Plan]
    returns: Callable[[State], Mapping[str, Any]]
    returns_of_plan: Callable[[Any], Mapping[str, Any]] = _nothing
    way_back: Callable[[Sequence[Step]], Sequence[Step]] = _no_way_back


def run_task(module: AnsibleModule, build: Callable[[Mapping[str, Any]], Task[State]]) -> None:
    """Converge and exit: C(changed), C(commands), C(diff) and what the task returns of the plan and of the state."""
    host = Host()
    try:
        task = build(module.params)
        with _taken_back(host, task):
            outcome = converge(host, task.observe, task.plan, module.check_mode)
    except RailheadError as error:
        module.fail_json(msg=str(error), changed=bool(host.done), commands=_shown(host.done))
    else:
        module.exit_json(
            changed=outcome.changed,
            commands=_shown(outcome.planned.steps),
            diff={"before": dict(outcome.planned.before), "after": dict(outcome.planned.after)},
            **task.returns_of_plan(outcome.planned),
            **task.returns(outcome.state),
        )


def run_read(module: AnsibleModule, read: Callable[[Host], Mapping[str, Any]]) -> None:
    """Exit with what was read; nothing changes."""
    try:
        found = read(Host())
    except RailheadError as error:
        module.fail_json(msg=str(error))
    else:
        module.exit_json(changed=False, **found)


@contextmanager
def _taken_back(host: Host, task: Task[State]) -> Iterator[None]:
    try:
        yield
    except RailheadError as error:
        try:
            host.apply(task.way_back(tuple(host.done)))
        except RailheadError as second:
            raise RailheadError(f"{error} What was begun could not be taken back: {second}") from error
        raise


def _shown(steps: Sequence[Step]) -> list[list[str]]:
    return [step.shown for step in steps]
