# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one sentence that every module is: read, plan, apply, read again, plan again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import NotTakenError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Plan

State = TypeVar("State")

#: Seconds that the kernel gets to finish what it does asynchronously (udev renames, namespace cleanup).
SETTLE_SECONDS = 5.0


@dataclass(frozen=True)
class Outcome(Generic[State]):
    """What was planned, and the state that was read last (before the steps in check mode, after them otherwise)."""

    planned: Plan
    state: State

    @property
    def changed(self) -> bool:
        return bool(self.planned.steps)


def converge(
    host: Host,
    observe: Callable[[Host], State],
    plan: Callable[[State], Plan],
    check_mode: bool = False,
) -> Outcome[State]:
    """Bring the host to the state that C(plan) wants; a plan that is not empty afterwards is an error that says so."""
    if check_mode:
        have = observe(host)
        return Outcome(plan(have), have)
    with host.exclusive():
        have = observe(host)
        planned = plan(have)
        host.apply(planned.steps)
        return Outcome(planned, _verified(host, observe, plan) if planned.steps else have)


def _verified(host: Host, observe: Callable[[Host], State], plan: Callable[[State], Plan]) -> State:
    latest: list[State] = []

    def settled() -> bool:
        latest[:] = [observe(host)]
        return not plan(latest[0]).steps

    if not host.wait(settled, SETTLE_SECONDS):
        left = plan(latest[0])
        raise NotTakenError(
            "All steps ran without an error, but did not take: still to do would be to "
            + "; ".join(step.does for step in left.steps)
            + f". The state as it is now: {dict(left.before)}"
        )
    return latest[0]
