# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters of a devlink device (devlink-params.rst of the kernel), and the reload that driverinit ones wait for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Union

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Plan, Step
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.device import (
    find_handle,
    on_management,
    refuse_management,
    valid_device,
)

DRIVERINIT = "driverinit"

Value = Union[bool, int, str]


@dataclass(frozen=True)
class Want:
    """C(value) as given; what type it must have is known from the device. C(cmode) None is the only one there is."""

    device: str
    name: str
    value: Any
    cmode: str | None = None
    reload: bool = False
    allow_reload: bool = False
    allow_management: bool = False


@dataclass(frozen=True)
class Params:
    """Values by configuration mode, by name of the parameter. C(carries) are netdevs of the management connection.

    A value of driverinit is the one that the next reload brings; the kernel does not tell the one in force.
    """

    handle: str
    values: Mapping[str, Mapping[str, Value]]
    carries: tuple[str, ...] = ()


def want_from(params: Mapping[str, Any]) -> Want:
    device, name = valid_device(params["device"]), params["name"]
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise RailheadError(f"Cannot use {name!r} as the name of a devlink parameter: give one such as enable_roce.")
    if params["reload"] and "/" not in device:
        raise RailheadError(
            f"Cannot reload the device of {device}: the network device goes away during a reload, and may come back"
            " under another name; give the devlink device itself, such as pci/0000:08:00.0."
        )
    if params["reload"] and params["cmode"] not in (None, DRIVERINIT):
        raise RailheadError(
            f"Cannot use reload with cmode={params['cmode']}: only values of cmode={DRIVERINIT} wait for one; leave"
            " reload out."
        )
    return Want(
        device,
        name,
        params["value"],
        params["cmode"],
        params["reload"],
        params["allow_reload"],
        params["allow_management"],
    )


def observe_params(host: Host, device: str) -> Params:
    """Two processes, and one more when the run came in by SSH."""
    handle = find_handle(host, device)
    shown = host.read_json(["devlink", "-j", "dev", "param", "show"])
    return Params(handle, parse_params(shown["param"].get(handle, ())), on_management(host, handle))


def parse_params(shown: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Value]]:
    """The parameters of one device in C(devlink -j dev param show)."""
    return {
        str(param["name"]): {str(entry["cmode"]): entry["value"] for entry in param["values"] if "value" in entry}
        for param in shown
    }


def plan_param(have: Params, want: Want) -> Plan:
    cmode = _cmode(have, want)
    now = have.values[want.name][cmode]
    value = _typed(have, want, now)
    before, after = shown_param(have, want, cmode), {"device": have.handle, "name": want.name, cmode: value}
    # A bool is an int to Python, and never one to devlink.
    if type(value) is type(now) and value == now:
        return Plan((), before, after)
    steps: list[Step] = [_set(have.handle, want.name, value, cmode)]
    if want.reload:
        _refuse_reload(have, want, cmode)
        steps.append(_reload(have.handle))
    return Plan(tuple(steps), before, after)


def awaits_reload(plan: Plan) -> bool:
    """Whether the steps set a value that has no effect before a reload, and do not reload."""
    words = {word for step in plan.steps for word in step.shown}
    return DRIVERINIT in words and "reload" not in words


def shown_param(have: Params, want: Want, cmode: str) -> dict[str, object]:
    return {"device": have.handle, "name": want.name, cmode: have.values[want.name][cmode]}


def _cmode(have: Params, want: Want) -> str:
    attempt = f"Cannot set the parameter {want.name} of {have.handle}: "
    if want.name not in have.values:
        raise RailheadError(f"{attempt}there is none of that name; found: {', '.join(sorted(have.values)) or 'none'}.")
    modes = sorted(have.values[want.name])
    if want.cmode is None and len(modes) == 1:
        return modes[0]
    if want.cmode is None:
        raise RailheadError(
            f"{attempt}it has more than one configuration mode; give one of {', '.join(modes)} as cmode."
        )
    if want.cmode not in modes:
        raise RailheadError(f"{attempt}it has no configuration mode {want.cmode}; found: {', '.join(modes) or 'none'}.")
    return want.cmode


def _typed(have: Params, want: Want, now: Value) -> Value:
    """The wanted value in the type that the parameter has."""
    text = str(want.value)
    if isinstance(now, bool):
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        expected = "true or false"
    elif isinstance(now, int):
        if not isinstance(want.value, bool) and re.fullmatch(r"0|[1-9]\d*", text):
            return int(text)
        expected = "a number"
    else:
        if isinstance(want.value, str) and want.value:
            return want.value
        expected = "a word, in quotes"
    raise RailheadError(
        f"Cannot set the parameter {want.name} of {have.handle} to {want.value!r}: its value is {now!r} now; give"
        f" {expected}."
    )


def _refuse_reload(have: Params, want: Want, cmode: str) -> None:
    attempt = f"Cannot reload {have.handle} for its parameter {want.name}: "
    if cmode != DRIVERINIT:
        raise RailheadError(f"{attempt}values of cmode={cmode} do not wait for a reload; leave reload out.")
    if not want.allow_reload:
        raise RailheadError(
            f"{attempt}a reload removes the network and RDMA devices and makes them anew, removes the VFs and puts the"
            " e-switch back to legacy; set allow_reload=true, or leave reload out and reload at a better time."
        )
    refuse_management(attempt, have.carries, want.allow_management)


def _set(handle: str, name: str, value: Value, cmode: str) -> Command:
    word = str(value).lower() if isinstance(value, bool) else str(value)
    return Command(
        ("devlink", "dev", "param", "set", handle, "name", name, "value", word, "cmode", cmode),
        f"set the {cmode} value of the parameter {name} of {handle} to {word}",
    )


def _reload(handle: str) -> Command:
    return Command(("devlink", "dev", "reload", handle), f"reload {handle}")
