# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch is no transaction (T16): what is said of one that stops halfway."""

from __future__ import annotations

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import CommandError
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command

from ..replay import ReplayHost

STEPS = tuple(
    Command(("ip", "link", "set", "dev", "d0", *words), f"set {words[0]}") for words in (("mtu", "x"), ("up",))
)
BATCH = {"argv": ["ip", "-batch", "-"], "stdin": "link set dev d0 mtu x\nlink set dev d0 up\n"}


def test_the_line_that_failed_is_named_and_those_before_it_are_done() -> None:
    host = ReplayHost([{**BATCH, "rc": 1, "stderr": 'Cannot find device "d0"\nCommand failed -:2\n'}])
    with pytest.raises(CommandError, match="Cannot set up: 'ip link set dev d0 up' answered: Cannot find device"):
        host.apply(STEPS)
    assert host.done == list(STEPS[:1])


def test_a_line_that_is_not_named_is_not_guessed() -> None:
    """As recorded with 6.1.0: ip ends at once when it does not understand a value, without the number of the line."""
    error = 'Error: argument "x" is wrong: Invalid "mtu" value\n\n'
    host = ReplayHost([{**BATCH, "rc": 255, "stderr": error}])
    with pytest.raises(
        CommandError, match=r"Cannot set mtu, or set up: one of these steps answered: .* which one it is"
    ):
        host.apply(STEPS)
    assert host.done == list(STEPS)


@pytest.mark.parametrize(("version", "said"), [("6.1.0", True), ("6.9.0", False), ("6.15.0", False)])
def test_a_tool_that_is_too_old_is_named_after_an_error_only(version: str, said: bool) -> None:
    step = Command(("ip", "link", "set", "dev", "b", "type", "bond", "coupled_control", "off"), "set it", since="6.9")
    answer = {
        "argv": list(step.argv),
        "rc": 255,
        "stderr": 'bond: unknown command "coupled_control"?\nUsage: all words\n',
    }
    asked = {"argv": ["ip", "-V"], "stdout": f"ip utility, iproute2-{version}, libbpf 1.1.2\n"}
    with pytest.raises(CommandError) as caught:
        ReplayHost([answer, asked]).apply([step])
    assert ("needs iproute2 6.9 or newer, and this host has 6.1.0" in str(caught.value)) is said
    assert "Usage" not in str(caught.value)
