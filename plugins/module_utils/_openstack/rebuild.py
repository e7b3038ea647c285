# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of a cloud on its way to another image: what to do, and whether it is there. The way is the same for
servers of Nova and for nodes of Ironic; what their states mean is told by tables. Pure, but for C(follow).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.railhead.cluster.plugins.module_utils._openstack.refusals import CloudError

#: What a machine's state means for a rebuild.
SETTLED, STOPPED, BUSY, FAILED, UNFIT = "settled", "stopped", "busy", "failed", "unfit"
#: Times that a rebuild is asked for when the cloud answers with an error of its own, or not at all.
ATTEMPTS = 3
_REPORT_SECONDS = 15.0


@dataclass(frozen=True)
class Machine:
    """A server or a node as the cloud shows it.

    C(phase) is what its C(state) means: SETTLED runs, STOPPED is off, BUSY is on its way to a state, FAILED ended in an
    error, UNFIT can only be rebuilt after somebody has done something. C(image) is empty where the cloud does not tell.
    C(blocked) is why it must not be touched, empty when it may.
    """

    id: str
    name: str
    kind: str
    state: str
    phase: str
    image: str
    rebuilding: bool = False
    blocked: str = ""
    fault: str = ""

    @property
    def label(self) -> str:
        return f"the {self.kind} {self.name}"


@dataclass(frozen=True)
class Image:
    """An image, by its id or its address; C(name) is what it was asked for by."""

    id: str
    name: str


@dataclass(frozen=True)
class Call:
    """One request that changes something."""

    verb: str
    machine: str
    detail: str = ""

    @property
    def shown(self) -> list[str]:
        return [word for word in (self.verb, self.machine, self.detail) if word]


@dataclass(frozen=True)
class RebuildPlan:
    """The calls still to be made. C(wait) tells that the machine is on its way already, asked for by somebody else."""

    calls: tuple[Call, ...] = ()
    wait: bool = False
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return bool(self.calls) or self.wait


def plan_rebuild(have: Machine, want: Image, force: bool = False) -> RebuildPlan:
    """Plan from what the cloud shows. A machine that runs the image is left alone, unless C(force)."""
    before = {"image": have.image, "phase": have.phase}
    after = {"image": want.id, "phase": SETTLED}
    there = have.image == want.id
    if have.rebuilding and there:
        return RebuildPlan((), True, before, after)
    if have.phase == SETTLED and there and not force:
        return RebuildPlan((), False, before, before)
    attempt = f"rebuild {have.label} with the image {want.name}"
    if have.blocked:
        raise CloudError(f"Cannot {attempt}, {have.blocked}", "conflict")
    if have.phase == BUSY:
        raise CloudError(
            f"Cannot {attempt}, it is in the state {have.state}: another operation is going on. Wait for its end, and "
            "run again.",
            "conflict",
        )
    if have.phase == UNFIT:
        raise CloudError(
            f"Cannot {attempt}, it is in the state {have.state}, from which there is no rebuild. Bring it back to a "
            "state from which there is one.",
            "conflict",
        )
    start = (Call("start", have.id),) if have.phase == STOPPED else ()
    if there and not force and have.phase == STOPPED:
        return RebuildPlan(start, False, before, after)
    return RebuildPlan((Call("rebuild", have.id, want.id), *start), False, before, after)


def reached(have: Machine, want: Image, call: Call) -> bool:
    """Tell whether a call has done its work; a machine that ended in an error is an error that says so."""
    if have.phase == FAILED:
        raise CloudError(
            f"Cannot {call.verb} {have.label} with the image {want.name}, it ended in the state {have.state}: "
            f"{have.fault or 'the cloud does not say why'}. Look at the logs of the host that it is on; run again to "
            "rebuild it once more.",
            "node_error",
        )
    if call.verb == "start":
        return have.phase == SETTLED
    return have.phase in (SETTLED, STOPPED) and have.image == want.id


class Clock(Protocol):
    """Time, so that tests need none of it."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class Seen:
    """A state, and the seconds after which it was first seen."""

    state: str
    seconds: float


@dataclass(frozen=True)
class Patience:
    """How long to wait for each call, and how often to look, in seconds; without C(wait) nobody looks.

    C(report) hears of each state when it is first seen, and at least every 15 seconds.
    """

    wait: bool
    deadline: float
    poll: float
    clock: Clock
    report: Callable[[Seen], None]


def follow(observe: Callable[[], Machine], done: Callable[[Machine], bool], patience: Patience) -> Machine:
    """Look until C(done), and return what was seen last.

    An error of the cloud's own does not end it, the deadline does.
    """
    clock, begin = patience.clock, patience.clock.now()
    shown, last = "", begin
    while True:
        have, trouble = None, ""
        try:
            have = observe()
        except CloudError as error:
            if not error.unknown:
                raise
            trouble = f" The cloud's last answer: {error}"
        state = have.state if have else "no answer"
        now = clock.now()
        if state != shown or now - last >= _REPORT_SECONDS:
            patience.report(Seen(state, round(now - begin, 1)))
            shown, last = state, now
        if have and done(have):
            return have
        if now - begin >= patience.deadline:
            raise CloudError(
                f"Cannot wait any longer: after {patience.deadline:.0f} s the state is still {state}.{trouble} The "
                "cloud goes on with what it was asked for, if it can, and a later run goes on waiting. Raise the "
                "timeout where machines take longer.",
                "deadline",
            )
        clock.sleep(patience.poll)


@dataclass(frozen=True)
class Work:
    """How one kind of machine is read and told. C(image) gets the machine, to refuse an image that does not fit it."""

    observe: Callable[[], Machine]
    image: Callable[[Machine], Image]
    make: Callable[[Call], None]


def carry_out(
    work: Work, planned: RebuildPlan, image: Image, patience: Patience, made: Callable[[Call], None]
) -> Machine:
    """Make the calls and wait for each; return the machine as seen last. C(made) hears of each call that was taken."""

    def until(call: Call) -> Machine:
        return follow(work.observe, lambda have: reached(have, image, call), patience)

    if planned.wait and patience.wait:
        until(Call("rebuild", "", image.id))
    for call in planned.calls:
        _ask(work, call, patience)
        made(call)
        if not patience.wait:
            break
        until(call)
    last = work.observe()
    if patience.wait and plan_rebuild(last, image).changed:
        raise CloudError(
            f"Cannot finish {last.label}: all calls were made, and yet its image is {last.image or 'none'} and its "
            f"state {last.state}.",
            "node_error",
        )
    return last


def _ask(work: Work, call: Call, patience: Patience) -> None:
    """Make one call. After an error of the cloud's own, what the machine does tells whether it was taken."""
    for attempt in range(ATTEMPTS):
        try:
            work.make(call)
        except CloudError as error:
            if not error.unknown:
                raise
            patience.clock.sleep(patience.poll)
            have = work.observe()
            if have.phase == BUSY or (call.verb == "start" and have.phase == SETTLED):
                return
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return
