# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans against a model of the kernel: it never refuses a step, and what was wanted is there afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Step
from ansible_collections.railhead.cluster.plugins.module_utils._link.plan import plan_link
from ansible_collections.railhead.cluster.plugins.module_utils._link.request import Want

from .model import Kernel, RefusedError

ALLOWED = {"allow_disruption": True, "allow_recreate": True}
SPACES = st.sampled_from((None, "", "blue", "red"))
BONDS = ("bond0", "bond1")
MACS = tuple(f"02:00:5e:10:00:0{number}" for number in range(1, 5))

bond_options = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(("balance-rr", "active-backup", "802.3ad", "balance-alb")),
        "miimon": st.sampled_from((0, 50, 100)),
        "updelay": st.sampled_from((0, 100, 200)),
        "arp_interval": st.sampled_from((0, 100)),
        "arp_validate": st.sampled_from(("none", "all")),
        "lacp_rate": st.sampled_from(("slow", "fast")),
        "ad_select": st.sampled_from(("stable", "count")),
        "xmit_hash_policy": st.sampled_from(("layer2", "layer3+4")),
        "fail_over_mac": st.sampled_from(("none", "active")),
        "tlb_dynamic_lb": st.booleans(),
    },
)
common: dict[str, st.SearchStrategy[Any]] = {
    "up": st.sampled_from((None, True, False)),
    "mtu": st.sampled_from((None, 1400, 1500, 9000)),
    "address": st.sampled_from((None, *MACS)),
    "altnames": st.sampled_from(((), ("rail0",), ("rail1", "rail2"))),
    "netns": SPACES,
}
parents = st.sampled_from((None, "p0", "d0", "bond0"))


def _wants(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Want]:
    return st.builds(Want, **{**common, **fields}, **{name: st.just(value) for name, value in ALLOWED.items()})


wants = st.one_of(
    _wants(name=st.sampled_from(("p0", "p1", "d0")), master=st.sampled_from((None, "", *BONDS))),
    _wants(
        name=st.just("d0"), kind=st.just("dummy"), master=st.sampled_from((None, "", *BONDS)), present=st.booleans()
    ),
    _wants(name=st.sampled_from(BONDS), kind=st.just("bond"), data=bond_options, present=st.integers(0, 9).map(bool)),
    _wants(
        name=st.sampled_from(("v0", "d0")),
        kind=st.just("vlan"),
        parent=parents,
        data=st.fixed_dictionaries({"id": st.sampled_from((5, 6))}),
        present=st.booleans(),
    ),
    _wants(
        name=st.just("m0"),
        kind=st.just("macvlan"),
        parent=parents,
        data=st.fixed_dictionaries({"mode": st.sampled_from(("vepa", "bridge", "private"))}),
    ),
    _wants(
        name=st.sampled_from(("ve0", "ve1")),
        kind=st.just("veth"),
        peer=st.sampled_from(("ve1", "ve2")),
        peer_netns=SPACES,
    ).filter(lambda want: want.name != want.peer),
)


def _sensible(want: Want) -> bool:
    """What want_from() refuses is not planned."""
    return want.parent != want.name and not (want.data.get("miimon") and want.data.get("arp_interval"))


def _apply(kernel: Kernel, steps: Sequence[Step], want: Want) -> bool:
    """False when the kernel refused what cannot be known before: the state of a parent elsewhere that was not named."""
    devices = (device for found in kernel.spaces.values() for device in found.values() if device.name == want.name)
    unknown = want.parent is None and any(device.parent_elsewhere for device in devices)
    try:
        for step in steps:
            assert isinstance(step, Command)
            kernel.apply(step)
    except RefusedError:
        if not unknown:
            raise
        return False
    return True


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(wants.filter(_sensible), min_size=1, max_size=10))
def test_any_wants_in_any_order_converge(sequence: list[Want]) -> None:
    kernel = Kernel(("blue", "red"), ("p0", "p1"))
    for want in sequence:
        try:
            plan = plan_link(kernel.links(), want)
        except RailheadError as error:
            event("refused: " + str(error).split(":", maxsplit=1)[0].split()[1])
            continue
        if not _apply(kernel, plan.steps, want):
            continue
        left = plan_link(kernel.links(), want)
        assert not left.steps, (plan, left)
        assert left.before == left.after
        event("converged" if plan.steps else "nothing to do")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(wants.filter(_sensible), min_size=1, max_size=6), st.data())
def test_a_plan_that_stops_anywhere_is_taken_up_again(sequence: list[Want], data: st.DataObject) -> None:
    kernel = Kernel(("blue", "red"), ("p0", "p1"))
    for want in sequence:
        try:
            plan = plan_link(kernel.links(), want)
            done = data.draw(st.integers(0, len(plan.steps)))
            if not _apply(kernel, plan.steps[:done], want):
                continue
            rest = plan_link(kernel.links(), want) if plan.steps else plan
        except RailheadError:
            continue
        if _apply(kernel, rest.steps, want):
            assert not plan_link(kernel.links(), want).steps
