# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters: exact comparison of values, and the reload that driverinit ones wait for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.params import (
    Params,
    Want,
    awaits_reload,
    parse_params,
    plan_param,
    want_from,
)

FIXTURES = Path(__file__).parent.parent / "fixtures" / "devlink" / "6.15.0"
PF = "pci/0000:08:00.0"
HAVE = Params(
    PF,
    {
        "enable_roce": {"driverinit": True},
        "max_macs": {"driverinit": 128},
        "flow_steering_mode": {"runtime": "dmfs"},
        "total_vfs": {"driverinit": 8, "permanent": 16},
        "one": {"runtime": 1},
    },
)


def ask(name: str, value: Any, cmode: str | None = None, **more: Any) -> Want:
    return Want(PF, name, value, cmode, **more)


def as_params(**more: Any) -> dict[str, Any]:
    defaults = {"cmode": None, "reload": False, "allow_reload": False, "allow_management": False}
    return {"device": PF, "name": "max_macs", "value": 1, **defaults, **more}


@pytest.mark.parametrize(
    ("want", "words"),
    [
        (ask("enable_roce", True), None),
        (ask("enable_roce", "True"), None),
        (ask("enable_roce", "false"), "enable_roce value false cmode driverinit"),
        (ask("enable_roce", False, "driverinit"), "enable_roce value false cmode driverinit"),
        (ask("max_macs", 128), None),
        (ask("max_macs", "128"), None),
        (ask("max_macs", 12), "max_macs value 12 cmode driverinit"),
        (ask("max_macs", 0), "max_macs value 0 cmode driverinit"),
        (ask("flow_steering_mode", "dmfs"), None),
        (ask("flow_steering_mode", "smfs", "runtime"), "flow_steering_mode value smfs cmode runtime"),
        (ask("total_vfs", 16, "permanent"), None),
        (ask("total_vfs", 8, "permanent"), "total_vfs value 8 cmode permanent"),
        (ask("enable_roce", True, reload=True), None),
    ],
)
def test_plan(want: Want, words: str | None) -> None:
    expected = [] if words is None else [["devlink", "dev", "param", "set", PF, "name", *words.split()]]
    assert [step.shown for step in plan_param(HAVE, want).steps] == expected


@pytest.mark.parametrize(
    ("want", "words"),
    [
        (ask("nosuch", 1), "none of that name; found: enable_roce, flow_steering_mode, max_macs, one, total_vfs"),
        (ask("max_macs", 1, "runtime"), "no configuration mode runtime; found: driverinit"),
        (ask("total_vfs", 1), "give one of driverinit, permanent as cmode"),
        (ask("enable_roce", 1), "to 1: its value is True now; give true or false"),
        (ask("enable_roce", "yes"), "give true or false"),
        (ask("enable_roce", None), "give true or false"),
        (ask("max_macs", True), "give a number"),
        (ask("max_macs", -1), "give a number"),
        (ask("max_macs", "0x10"), "give a number"),
        (ask("max_macs", 1.5), "give a number"),
        (ask("max_macs", [1]), "give a number"),
        (ask("one", True), "give a number"),
        (ask("flow_steering_mode", 1), "give a word"),
        (ask("flow_steering_mode", ""), "give a word"),
        (ask("flow_steering_mode", {"a": 1}), "give a word"),
        (ask("enable_roce", False, reload=True), "removes the network and RDMA devices.*allow_reload=true"),
        (ask("one", 2, reload=True, allow_reload=True), "values of cmode=runtime do not wait for a reload"),
    ],
)
def test_refusals(want: Want, words: str) -> None:
    with pytest.raises(RailheadError, match=words):
        plan_param(HAVE, want)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"name": "a b"}, "as the name of a devlink parameter"),
        ({"name": ""}, "as the name of a devlink parameter"),
        ({"device": "pci/"}, "as a devlink device"),
        ({"device": "pf0", "reload": True}, "Cannot reload the device of pf0.*give the devlink device itself"),
        ({"reload": True, "cmode": "runtime"}, "leave reload out"),
    ],
)
def test_wrong_input(params: dict[str, Any], words: str) -> None:
    with pytest.raises(RailheadError, match=words):
        want_from(as_params(**params))


def test_a_driverinit_value_awaits_a_reload() -> None:
    """T11: show tells the new value at once, so only the steps of the run that set it can tell."""
    assert awaits_reload(plan_param(HAVE, ask("max_macs", 64)))
    assert not awaits_reload(plan_param(HAVE, ask("max_macs", 128)))
    assert not awaits_reload(plan_param(HAVE, ask("one", 2)))


def test_a_reload_is_a_step_of_its_own() -> None:
    plan = plan_param(HAVE, ask("max_macs", 64, reload=True, allow_reload=True))
    assert plan.steps[-1].shown == ["devlink", "dev", "reload", PF]
    assert not awaits_reload(plan)


def test_a_reload_under_the_management_connection_is_refused() -> None:
    have = replace(HAVE, carries=("pf0",))
    with pytest.raises(RailheadError, match=r"comes in over pf0.*allow_management=true"):
        plan_param(have, ask("max_macs", 64, reload=True, allow_reload=True))
    assert plan_param(have, ask("max_macs", 64)).steps
    assert plan_param(have, ask("max_macs", 64, reload=True, allow_reload=True, allow_management=True)).steps


def test_params_of_netdevsim() -> None:
    shown = json.loads((FIXTURES / "params.json").read_text(encoding="utf-8"))["param"]["netdevsim/netdevsim10"]
    assert parse_params(shown) == {"max_macs": {"driverinit": 32}, "test1": {"driverinit": True}}


values = st.booleans() | st.integers(0, 2**32 - 1) | st.from_regex(r"[a-z_]{1,8}", fullmatch=True)


@given(values, st.data())
def test_a_value_of_the_same_type_is_reached(before: Any, data: st.DataObject) -> None:
    after = data.draw(values.filter(lambda value: type(value) is type(before)))
    plan = plan_param(Params(PF, {"p": {"runtime": before}}), ask("p", after))
    assert bool(plan.steps) == (before != after)
    assert plan.after["runtime"] == after
    assert plan_param(Params(PF, {"p": {"runtime": after}}), ask("p", after)).steps == ()
