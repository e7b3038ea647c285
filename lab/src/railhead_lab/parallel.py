# SPDX-License-Identifier: GPL-3.0-or-later
"""The same for every node, at once; nothing is left running when it goes wrong."""

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

from railhead_lab.machine import Machine

Item = TypeVar("Item")
Result = TypeVar("Result")


def for_each(
    function: Callable[[Item], Result], items: Iterable[Item], kill_on_failure: Iterable[Machine] = ()
) -> list[Result]:
    """Call `function` for all items in threads and return the results in order.

    At the first failure, or when interrupted, `kill_on_failure` are killed, which ends the threads
    that wait for them, and the failure is raised.
    """
    work = list(items)
    machines = list(kill_on_failure)
    with ThreadPoolExecutor(max_workers=max(1, len(work))) as pool:
        futures = [pool.submit(function, item) for item in work]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            pending = set(futures)
            while pending:
                for machine in machines:
                    machine.kill()
                pending = wait(pending, timeout=0.2).not_done if machines else set()
            raise
        return [future.result() for future in futures]
