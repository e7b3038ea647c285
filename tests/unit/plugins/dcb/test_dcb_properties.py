# SPDX-License-Identifier: GPL-3.0-or-later
"""Any settings on any port: refused, or reached by steps that tool and driver take, and then nothing is left to do."""

from __future__ import annotations

from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.plan import Consents, with_settings
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.request import Buffers, Settings, settings_from
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.state import Ets, PortState
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.tools import Dcb, MlnxQos, Tool

from .model import applied

ALL = Consents(True, True)
PRIORITIES = st.integers(0, 7)
EIGHT = st.lists(PRIORITIES, min_size=8, max_size=8)
DSCPS = st.dictionaries(st.sampled_from([0, 26, 27, 48]), PRIORITIES, max_size=3)
SIZES = st.lists(st.sampled_from([1280, 64000, 128000]), min_size=8, max_size=8)


@st.composite
def classes(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Any partition of the priorities, with any shares of 100."""
    of_priority = draw(st.lists(st.sampled_from([0, 3, 6]), min_size=8, max_size=8))
    tcs = sorted(set(of_priority))
    ets = [tc for tc in tcs if draw(st.booleans())]
    cuts = sorted(draw(st.sets(st.integers(1, 99), min_size=max(0, len(ets) - 1), max_size=max(0, len(ets) - 1))))
    shares = [high - low for low, high in zip([0, *cuts], [*cuts, 100], strict=True)]
    found = []
    for tc in tcs:
        members = [priority for priority, its_tc in enumerate(of_priority) if its_tc == tc]
        share = {"tsa": "ets", "bandwidth": shares[ets.index(tc)]} if tc in ets else {"tsa": "strict"}
        found.append({"tc": tc, "priorities": members, **share})
    return found


@st.composite
def settings(draw: st.DrawFn) -> Settings:
    given_keys = {
        "trust": st.sampled_from(["dscp", "dscp", "pcp"]),
        "dscp_prio": DSCPS,
        "pfc": st.lists(PRIORITIES, max_size=3),
        "ets": classes(),
        "buffers": st.fixed_dictionaries({"prio_buffer": EIGHT, "buffer_size": SIZES}),
        "host_dcbx": st.booleans(),
        "global_pause": st.booleans(),
    }
    chosen = {key: draw(values) for key, values in given_keys.items() if draw(st.booleans())}
    try:
        return settings_from(chosen)
    except RailheadError:
        return Settings()


@st.composite
def states(draw: st.DrawFn, told: bool) -> PortState:
    prio_tc = tuple(draw(EIGHT))
    share = draw(classes())
    by_class = {entry["tc"]: entry for entry in share}
    tcs = range(8) if not told else sorted(set(prio_tc))
    tsa = {tc: by_class[tc]["tsa"] if tc in by_class else draw(st.sampled_from(["strict", "vendor"])) for tc in tcs}
    pfc = frozenset(draw(st.lists(PRIORITIES, max_size=2)))
    pauses = st.tuples(st.booleans(), st.booleans())
    trust = draw(st.sampled_from(["dscp", "pcp"]))
    mapping = {dscp: (priority,) for dscp, priority in draw(DSCPS).items()}
    return PortState(
        "p0",
        pfc=pfc,
        ets=Ets(prio_tc, tsa, {tc: by_class.get(tc, {}).get("bandwidth", 0) for tc in tcs}),
        dscp_prio=({} if trust == "pcp" else {dscp: (dscp >> 3,) for dscp in range(64)} | mapping) if told else mapping,
        order=None if told else draw(st.sampled_from([None, (), ("pcp",), ("dscp", "pcp")])),
        told_trust=trust if told else None,
        buffers=Buffers(tuple(draw(EIGHT)), tuple(draw(SIZES))),
        total_buffer=None if told else 1_000_000,
        dcbx=draw(st.sampled_from([None, ("ieee",), ("host", "ieee")] + ([] if told else [(), ("cee", "ieee")]))),
        pause=(False, False) if pfc else draw(st.none() | pauses),
    )


CASES = st.tuples(states(False), st.just(Dcb())) | st.tuples(states(True), st.just(MlnxQos()))


@given(CASES, settings())
def test_reached_or_refused(case: tuple[PortState, Tool], want: Settings) -> None:
    have, tool = case
    try:
        steps, after = with_settings(have, want, tool, ALL)
    except RailheadError as refused:
        event("refused")
        assert str(refused).startswith("Cannot ")
        return
    event(f"{len(steps)} steps")
    reached = applied(have, steps)
    assert with_settings(reached, want, tool, ALL)[0] == ()
    assert (reached.trust, reached.pfc, reached.pause, reached.dcbx, reached.buffers) == (
        after.trust,
        after.pfc,
        after.pause,
        after.dcbx,
        after.buffers,
    )
    if want.dscp_prio:
        assert {dscp: reached.dscp_prio[dscp] for dscp in want.dscp_prio} == {
            dscp: (priority,) for dscp, priority in want.dscp_prio.items()
        }


@given(CASES, settings(), st.integers(0, 8))
def test_a_run_that_was_cut_short_is_finished_by_the_next(
    case: tuple[PortState, Tool], want: Settings, killed_after: int
) -> None:
    have, tool = case
    try:
        steps, _after = with_settings(have, want, tool, ALL)
    except RailheadError:
        return
    half = applied(have, steps[:killed_after])
    rest, _after = with_settings(half, want, tool, ALL)
    assert with_settings(applied(half, rest), want, tool, ALL)[0] == ()


@given(CASES, settings())
def test_consent_is_needed_only_where_the_link_goes_down(case: tuple[PortState, Tool], want: Settings) -> None:
    have, tool = case
    used = PortState(**{**vars(have), "carrier": True})
    try:
        steps, _after = with_settings(have, want, tool, ALL)
    except RailheadError:
        return
    disrupts = any("pfc" in " ".join(step.shown) or step.shown[0] == "ethtool" for step in steps)
    try:
        with_settings(used, want, tool, Consents())
    except RailheadError as refused:
        assert disrupts
        assert "allow_port_traffic" in str(refused)
    else:
        assert not disrupts
