# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rebuild takes, and whether it is there: tables, and a cloud that answers from a list."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._openstack.rebuild import (
    BUSY,
    FAILED,
    SETTLED,
    STOPPED,
    UNFIT,
    Call,
    Image,
    Machine,
    Patience,
    Seen,
    Work,
    carry_out,
    follow,
    plan_rebuild,
    reached,
)
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.refusals import Answer, CloudError, explain

OLD, NEW = "11111111", "22222222"
WANT = Image(NEW, "debian-b")
RUNS = Machine("s1", "gpu-07", "server", "ACTIVE", SETTLED, OLD)
THERE = dataclasses.replace(RUNS, image=NEW)
GOING = dataclasses.replace(RUNS, state="REBUILD (rebuilding)", phase=BUSY, image=NEW, rebuilding=True)
BROKEN = dataclasses.replace(RUNS, state="ERROR", phase=FAILED, image=NEW, fault="no disk left")
REBUILD = Call("rebuild", "s1", NEW)
START = Call("start", "s1")


class Steps:
    """A clock that goes on by what it is told to sleep."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def patience(deadline: float = 100.0, wait: bool = True) -> tuple[Patience, list[Seen]]:
    seen: list[Seen] = []
    return Patience(wait, deadline, 5.0, Steps(), seen.append), seen


def in_turn(*answers: Any) -> Callable[[], Any]:
    """Each answer once, the last one for ever; an exception is raised."""
    left = list(answers)

    def answer() -> Any:
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return found

    return answer


def test_a_node_that_runs_differs_in_its_image_only() -> None:
    planned = plan_rebuild(dataclasses.replace(RUNS, kind="node", state="active"), WANT)
    assert {key for key in planned.before if planned.before[key] != planned.after[key]} == {"image"}


@pytest.mark.parametrize(
    ("have", "force", "calls", "wait"),
    [
        (RUNS, False, (REBUILD,), False),
        (THERE, False, (), False),
        (THERE, True, (REBUILD,), False),
        (GOING, False, (), True),
        (BROKEN, False, (REBUILD,), False),
        (dataclasses.replace(RUNS, state="SHUTOFF", phase=STOPPED), False, (REBUILD, START), False),
        (dataclasses.replace(THERE, state="SHUTOFF", phase=STOPPED), False, (START,), False),
        (dataclasses.replace(THERE, blocked="it is locked."), False, (), False),
    ],
)
def test_plan(have: Machine, force: bool, calls: tuple[Call, ...], wait: bool) -> None:
    planned = plan_rebuild(have, WANT, force)
    assert (planned.calls, planned.wait) == (calls, wait)
    assert planned.changed == (planned.before != planned.after or force)


@pytest.mark.parametrize(
    ("have", "words"),
    [
        (dataclasses.replace(RUNS, blocked="it is locked (by the owner)."), ["gpu-07", "debian-b", "by the owner"]),
        (dataclasses.replace(GOING, image=OLD), ["another operation is going on", "REBUILD (rebuilding)"]),
        (dataclasses.replace(RUNS, state="SHELVED", phase=UNFIT), ["SHELVED", "there is no rebuild"]),
    ],
)
def test_what_must_not_be_touched_is_refused(have: Machine, words: list[str]) -> None:
    with pytest.raises(CloudError) as caught:
        plan_rebuild(have, WANT)
    assert caught.value.kind == "conflict"
    for word in words:
        assert word in str(caught.value)


def test_a_rebuild_is_over_when_the_image_runs_and_not_before() -> None:
    assert not reached(GOING, WANT, REBUILD)
    assert not reached(RUNS, WANT, REBUILD)
    assert reached(THERE, WANT, REBUILD)
    stopped = dataclasses.replace(THERE, phase=STOPPED)
    assert reached(stopped, WANT, REBUILD)
    assert not reached(stopped, WANT, START)


def test_an_error_of_the_machine_says_the_clouds_own_words() -> None:
    with pytest.raises(CloudError, match="ended in the state ERROR: no disk left") as caught:
        reached(BROKEN, WANT, REBUILD)
    assert caught.value.kind == "node_error"


def test_states_are_reported_once_and_every_fifteen_seconds() -> None:
    waits, seen = patience()
    follow(in_turn(RUNS, GOING, GOING, GOING, GOING, THERE), lambda have: have == THERE, waits)
    assert seen == [
        Seen("ACTIVE", 0.0),
        Seen("REBUILD (rebuilding)", 5.0),
        Seen("REBUILD (rebuilding)", 20.0),
        Seen("ACTIVE", 25.0),
    ]


def test_the_deadline_names_the_last_state() -> None:
    waits, _ = patience(deadline=30)
    with pytest.raises(CloudError, match="after 30 s the state is still REBUILD") as caught:
        follow(in_turn(GOING), lambda have: have == THERE, waits)
    assert caught.value.kind == "deadline"
    assert waits.clock.now() == 30


def test_an_answer_of_500_does_not_end_the_wait_and_403_does() -> None:
    waits, seen = patience()
    trouble = explain("find the server gpu-07", Answer(500, "oops"))
    assert follow(in_turn(GOING, trouble, THERE), lambda have: have == THERE, waits) == THERE
    assert [one.state for one in seen] == ["REBUILD (rebuilding)", "no answer", "ACTIVE"]
    with pytest.raises(CloudError, match="may not do this"):
        follow(in_turn(explain("find the server", Answer(403, "Policy"))), lambda _have: True, waits)


def work(observe: Callable[[], Machine], make: Callable[[], Any], asked: list[Call]) -> Work:
    def record(call: Call) -> None:
        asked.append(call)
        make()

    return Work(observe, lambda _have: WANT, record)


def carried_out(have: Machine, states: list[Any], answers: list[Any], **named: Any) -> tuple[Machine, list[Call], int]:
    """The machine at the end, the calls that were taken, and how many were asked for."""
    asked: list[Call] = []
    made: list[Call] = []
    waits, _ = patience(**named)
    last = carry_out(
        work(in_turn(*states), in_turn(*answers), asked), plan_rebuild(have, WANT), WANT, waits, made.append
    )
    return last, made, len(asked)


def test_from_one_image_to_the_other() -> None:
    assert carried_out(RUNS, [GOING, THERE], [None]) == (THERE, [REBUILD], 1)


def test_nothing_is_asked_of_a_rebuild_that_goes_on() -> None:
    assert carried_out(GOING, [GOING, THERE], [AssertionError()]) == (THERE, [], 0)


def test_nobody_looks_without_wait() -> None:
    assert carried_out(RUNS, [GOING], [None], wait=False) == (GOING, [REBUILD], 1)


def test_after_an_error_of_the_cloud_the_machine_tells_whether_it_was_taken() -> None:
    trouble = explain("rebuild", Answer(500, "oops"))
    assert carried_out(RUNS, [GOING, THERE], [trouble]) == (THERE, [REBUILD], 1)
    assert carried_out(RUNS, [RUNS, GOING, THERE], [trouble, None]) == (THERE, [REBUILD], 2)


def test_an_error_that_stays_is_said_after_three_times() -> None:
    with pytest.raises(CloudError, match="an error of the cloud's own") as caught:
        carried_out(RUNS, [RUNS], [explain("rebuild", Answer(503, "busy"))])
    assert caught.value.kind == "cloud_error"


def test_a_refusal_is_not_tried_again() -> None:
    with pytest.raises(CloudError, match="quota"):
        carried_out(RUNS, [AssertionError()], [explain("rebuild", Answer(403, "Quota exceeded for cores"))])


@pytest.mark.parametrize(
    ("status", "text", "kind", "words"),
    [
        # Composed from what the Compute API reference and Nova say in such answers, shortened.
        (409, "Instance 0f6c is locked", "conflict", "unlocked"),
        (409, "Cannot 'rebuild' instance 0f6c while it is in task_state rebuilding", "conflict", "Another operation"),
        (409, "Cannot 'rebuild' instance 0f6c while it is in vm_state shelved", "conflict", "ACTIVE, SHUTOFF or ERROR"),
        (409, "Node is busy", "conflict", "Run again later"),
        (403, "Quota exceeded for instances", "quota", "quota raised"),
        (403, "Policy doesn't allow os_compute_api:servers:rebuild", "forbidden", "policy changed"),
        (401, "The request you have made requires authentication.", "unauthorized", "Sign in again"),
        (404, "Could not recognize Fernet token", "unauthorized", "Sign in again"),
        (404, "No Server found for gpu-7", "not_found", "Compare the name"),
        (400, "Image x is unacceptable", "bad_request", "Read what the cloud says"),
        (418, "teapot", "bad_request", "answered 418"),
        (500, "Unexpected API Error.", "cloud_error", "logs of its API"),
        (0, "timed out", "no_answer", "did not answer"),
    ],
)
def test_answers_are_told_apart(status: int, text: str, kind: str, words: str) -> None:
    error = explain("rebuild the server gpu-07", Answer(status, text))
    assert error.kind == kind
    assert str(error).startswith("Cannot rebuild the server gpu-07, ")
    assert words in str(error)
    assert text in str(error)
    assert error.unknown == (status == 0 or status >= 500)
