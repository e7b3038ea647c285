# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for Open vSwitch: exact commands, refusals, and that each plan leads to what is wanted, also when cut short."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import NotTakenError, RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Step
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.observe import Bridge, Ovs, OvsPort
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.observe import Switch as Have
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.plan import (
    BridgeWant,
    PortWant,
    plan_bridge,
    shown_ovs,
    with_bridges,
    with_config,
    without_ports,
)

from .model import RefusedError, Switch

EMPTY = Ovs(True, {})
OFFLOAD = Ovs(True, {"hw-offload": "true"})
BR0 = Bridge("br0", (OvsPort("bond0"), OvsPort("rail0_0", 100)))
USED = Ovs(True, {}, (BR0,))
STOPPED = Ovs(False, {}, (BR0,))
UNKNOWN = Ovs(False, {}, service="openvswitch", known=False)


def shown(steps: Sequence[Step]) -> list[str]:
    return [" ".join(step.shown).replace("ovs-vsctl --timeout=60", "V") for step in steps]


STOP, DATABASE = "systemctl stop ovs-vswitchd", "systemctl start ovsdb-server"
START, START_RHEL = "systemctl start ovs-vswitchd openvswitch-switch", "systemctl start ovs-vswitchd openvswitch"
SET = "V set Open_vSwitch . other_config:"
SET_NOW = "V --no-wait set Open_vSwitch . other_config:"
REMOVE = "V remove Open_vSwitch . other_config "


@pytest.mark.parametrize(
    ("have", "wanted", "steps"),
    [
        (EMPTY, {}, []),
        (EMPTY, {"max-idle": "1"}, [SET + "max-idle=1"]),
        (EMPTY, {"max-idle": None}, []),
        (Ovs(True, {"max-idle": "1"}), {"max-idle": "1"}, []),
        (
            Ovs(True, {"max-idle": "1", "x": "1"}),
            {"max-idle": None, "flow-limit": "2", "x": None},
            [SET + "flow-limit=2 -- remove Open_vSwitch . other_config max-idle x"],
        ),
        (EMPTY, {"x": '"'}, [SET + 'x="\\""']),
        # Read at the start only
        (EMPTY, {"hw-offload": "true"}, [STOP, DATABASE, SET_NOW + "hw-offload=true", START]),
        (OFFLOAD, {"hw-offload": None}, [STOP, DATABASE, REMOVE.replace("V ", "V --no-wait ") + "hw-offload", START]),
        (OFFLOAD, {"tc-policy": "skip_hw"}, [STOP, DATABASE, SET_NOW + "tc-policy=skip_hw", START]),
        (EMPTY, {"dpdk-extra": "-a"}, [STOP, DATABASE, SET_NOW + "dpdk-extra=-a", START]),
        (EMPTY, {"userspace-tso-enable": "true"}, [STOP, DATABASE, SET_NOW + "userspace-tso-enable=true", START]),
        # What a missing key means, and what says nothing while there is no offload, need no restart
        (EMPTY, {"hw-offload": "false"}, [SET + "hw-offload=false"]),
        (OFFLOAD, {"tc-policy": "none"}, [SET + "tc-policy=none"]),
        (EMPTY, {"tc-policy": "skip_hw"}, [SET + "tc-policy=skip_hw"]),
        # Not running
        (Ovs(False, {"x": "1"}), {"x": "1"}, [DATABASE, START]),
        (Ovs(False, {"x": "1"}), {}, []),
        (STOPPED, {"hw-offload": "true"}, [DATABASE, SET_NOW + "hw-offload=true", START]),
        (
            UNKNOWN,
            {"x": "1", "y": None},
            [DATABASE, SET_NOW + "x=1 -- remove Open_vSwitch . other_config y", START_RHEL],
        ),
    ],
)
def test_configuration(have: Ovs, wanted: Mapping[str, str | None], steps: list[str]) -> None:
    found, after = with_config(have, wanted, False)
    assert shown(found) == steps
    assert {key: after.config.get(key) for key in wanted} == wanted
    assert after.running == (have.running or bool(wanted))


def test_a_restart_that_cuts_traffic_takes_consent() -> None:
    with pytest.raises(
        RailheadError, match=re.escape("Cannot change hw-offload of Open vSwitch: ") + ".*allow_restart"
    ):
        with_config(USED, {"hw-offload": "true"}, False)
    steps, _after = with_config(USED, {"hw-offload": "true"}, True)
    assert shown(steps)[0] == STOP
    assert steps[0].disrupts.startswith("the traffic of br0 (bond0, rail0_0)")
    with_config(replace(USED, bridges=(Bridge("br0"),)), {"hw-offload": "true"}, False)
    with_config(USED, {"max-idle": "1"}, False)


KEYS = ("hw-offload", "tc-policy", "max-idle", "dpdk-init")
VALUES = st.sampled_from(["true", "false", "none"])


@given(
    st.dictionaries(st.sampled_from(KEYS), VALUES),
    st.dictionaries(st.sampled_from(KEYS), st.none() | VALUES, min_size=1),
    st.booleans(),
    st.booleans(),
    st.integers(0, 4),
)
def test_a_run_that_ends_early_is_completed_by_the_next(
    config: dict[str, str], wanted: dict[str, str | None], running: bool, database: bool, applied: int
) -> None:
    switch = Switch(config, running, database)
    for step in with_config(switch.seen(), wanted, True)[0][:applied]:
        switch.apply(step)
    for step in with_config(switch.seen(), wanted, True)[0]:
        switch.apply(step)
    assert with_config(switch.seen(), wanted, True)[0] == ()
    assert {key: switch.config.get(key) for key in wanted} == wanted
    # What counts is what ovs-vswitchd started with.
    loaded, stored = switch.loaded, switch.config
    assert loaded is not None
    assert loaded.get("hw-offload", "false") == stored.get("hw-offload", "false")
    assert loaded.get("dpdk-init") == stored.get("dpdk-init")
    if stored.get("hw-offload") == "true":
        assert loaded.get("tc-policy", "none") == stored.get("tc-policy", "none")


ADD = "--may-exist add-port br0 "


@pytest.mark.parametrize(
    ("have", "wanted", "steps"),
    [
        (EMPTY, [], []),
        (EMPTY, [BridgeWant("br0")], ["V --may-exist add-br br0"]),
        (
            EMPTY,
            [BridgeWant("br0", ports=(PortWant("bond0"), PortWant("r0", 7), PortWant("r1", None, (20, 10))))],
            [
                f"V --may-exist add-br br0 -- {ADD}bond0 -- {ADD}r0 -- set Port r0 tag=7 trunks=[]"
                f" -- {ADD}r1 -- set Port r1 tag=[] trunks=10,20"
            ],
        ),
        (USED, [BridgeWant("br0")], []),
        (USED, [BridgeWant("br0", ports=(PortWant("rail0_0", 100), PortWant("bond0")))], []),
        (USED, [BridgeWant("br0", ports=(PortWant("rail0_0"),))], ["V set Port rail0_0 tag=[] trunks=[]"]),
        (USED, [BridgeWant("br0", ports=(PortWant("bond0", 5),))], ["V set Port bond0 tag=5 trunks=[]"]),
        (USED, [BridgeWant("br0", ports=(PortWant("p"),)), BridgeWant("br1")], [f"V {ADD}p -- --may-exist add-br br1"]),
        (USED, [BridgeWant("br0", False)], ["V --if-exists del-br br0"]),
        (USED, [BridgeWant("br1", False)], []),
        (
            USED,
            [BridgeWant("br1", ports=(PortWant("bond0"),)), BridgeWant("br0", False)],
            ["V --if-exists del-br br0 -- --may-exist add-br br1 -- --may-exist add-port br1 bond0"],
        ),
        # Not running
        (STOPPED, [BridgeWant("br0")], [START]),
        (STOPPED, [BridgeWant("br1", False)], []),
        (STOPPED, [BridgeWant("br0", False)], [START, "V --if-exists del-br br0"]),
        (UNKNOWN, [BridgeWant("br0", False)], [START_RHEL, "V --if-exists del-br br0"]),
        (
            UNKNOWN,
            [BridgeWant("br0", ports=(PortWant("p"),))],
            [START_RHEL, f"V --may-exist add-br br0 -- {ADD}p -- set Port p tag=[] trunks=[]"],
        ),
    ],
)
def test_bridges(have: Ovs, wanted: list[BridgeWant], steps: list[str]) -> None:
    found, after = with_bridges(have, wanted)
    assert shown(found) == steps
    if after.known:
        assert with_bridges(after, wanted)[0] == ()


def test_a_step_says_all_that_it_does() -> None:
    ports = (PortWant("p"), PortWant("q", 5), PortWant("rail0_0"))
    (step,), _after = with_bridges(USED, [BridgeWant("br0", ports=ports), BridgeWant("br1"), BridgeWant("br2", False)])
    assert step.does == "give rail0_0 no tag and put p, q into br0 and create the bridge br1"


def test_a_port_of_another_bridge_is_refused() -> None:
    with pytest.raises(RailheadError, match="Cannot put bond0 into the bridge br1: it is in the bridge br0"):
        with_bridges(USED, [BridgeWant("br1", ports=(PortWant("bond0"),))])


def test_the_error_of_a_port_stays_until_it_is_read_again() -> None:
    have = Ovs(True, {}, (Bridge("br0", (OvsPort("p", error="No such device"),)),))
    _steps, after = with_bridges(have, [BridgeWant("br0", ports=(PortWant("p", 5), PortWant("q")))])
    assert after.bridges == (Bridge("br0", (OvsPort("p", 5, (), "No such device"), OvsPort("q"))),)


@pytest.mark.parametrize(
    ("have", "names", "steps"),
    [
        (USED, [], []),
        (USED, ["nosuch", "br0"], []),
        (USED, ["bond0", "nosuch", "rail0_0"], ["V --if-exists del-port bond0 -- --if-exists del-port rail0_0"]),
        (STOPPED, ["nosuch"], []),
        (STOPPED, ["bond0"], [START, "V --if-exists del-port bond0"]),
        (UNKNOWN, ["bond0"], []),
    ],
)
def test_ports_that_leave(have: Ovs, names: list[str], steps: list[str]) -> None:
    found, after = without_ports(have, names)
    assert shown(found) == steps
    assert not any(after.bridge_of(name) for name in names)


names = st.sampled_from(["p", "q", "r"])
ports = st.builds(PortWant, names, st.none() | st.integers(1, 3)) | st.builds(
    PortWant, names, st.none(), st.sets(st.integers(0, 3)).map(tuple)
)
bridges = st.builds(
    BridgeWant, st.sampled_from(["br0", "br1"]), st.just(True), st.lists(ports, unique_by=lambda p: p.name).map(tuple)
) | st.builds(BridgeWant, st.sampled_from(["br0", "br1"]), st.just(False))
wants = st.lists(st.lists(bridges, unique_by=lambda b: b.name) | st.lists(names).map(tuple), max_size=5)


@given(wants, st.booleans())
def test_each_plan_leads_to_what_it_says(wanted: list[Sequence[BridgeWant] | Sequence[str]], running: bool) -> None:
    switch = Switch({}, running)
    for want in wanted:
        have = switch.seen()
        leaving = [each for each in want if isinstance(each, str)]
        coming = [each for each in want if isinstance(each, BridgeWant)]
        try:
            steps, after = without_ports(have, leaving) if leaving else with_bridges(have, coming)
        except RailheadError:
            continue
        for step in steps:
            switch.apply(step)
        assert switch.seen() == after
        assert (without_ports(after, leaving) if leaving else with_bridges(after, coming))[0] == ()


def test_the_model_refuses_what_open_vswitch_refuses() -> None:
    switch = Switch({}, running=False)
    (step,), _after = with_bridges(EMPTY, [BridgeWant("br0")])
    with pytest.raises(RefusedError):
        switch.apply(step)


NETDEVS = ("mgmt0", "bond0", "p", "lo")
ON_BR0 = Have(USED, NETDEVS, ("br0",))
ON_MGMT0 = Have(USED, NETDEVS, ("mgmt0",))


@pytest.mark.parametrize(
    ("have", "want", "absent", "words"),
    [
        (ON_MGMT0, BridgeWant("br0", ports=(PortWant("p"), PortWant("x"))), (), "Cannot put x into the bridge br0"),
        (ON_MGMT0, BridgeWant("bond0"), (), "a network device of that name already"),
        (ON_MGMT0, BridgeWant("br0", ports=(PortWant("mgmt0"),)), (), "comes in over mgmt0.*allow_management=true"),
        (ON_BR0, BridgeWant("br0", False), (), "comes in over br0"),
        (ON_BR0, BridgeWant("br0", ports=(PortWant("bond0", 5),)), (), "comes in over br0"),
        (ON_BR0, BridgeWant("br0"), ("bond0",), "comes in over br0"),
        (Have(UNKNOWN, NETDEVS, ("br0",)), BridgeWant("br0", False), (), "comes in over br0"),
    ],
)
def test_what_the_host_refuses(have: Have, want: BridgeWant, absent: tuple[str, ...], words: str) -> None:
    with pytest.raises(RailheadError, match=words):
        plan_bridge(have, want, absent)
    if "comes in" in words:
        assert plan_bridge(have, want, absent, allow_management=True).steps


@pytest.mark.parametrize(
    ("have", "want", "absent", "steps"),
    [
        (ON_BR0, BridgeWant("br0", ports=(PortWant("p"),)), (), ["V --may-exist add-port br0 p"]),
        (ON_BR0, BridgeWant("br0", ports=(PortWant("bond0"), PortWant("rail0_0", 100))), ("nosuch",), []),
        (ON_MGMT0, BridgeWant("br0", False), (), ["V --if-exists del-br br0"]),
        (
            ON_MGMT0,
            BridgeWant("br0", ports=(PortWant("p"),)),
            ("bond0",),
            ["V --if-exists del-port bond0", "V --may-exist add-port br0 p"],
        ),
        # A port of another bridge is absent from this one
        (ON_MGMT0, BridgeWant("br1"), ("bond0",), ["V --may-exist add-br br1"]),
        # The kernel keeps the devices of bridges while Open vSwitch is down
        (Have(STOPPED, (*NETDEVS, "br9")), BridgeWant("br9"), (), [START, "V --may-exist add-br br9"]),
        (
            Have(UNKNOWN, ()),
            BridgeWant("br0", ports=(PortWant("p", 1),)),
            (),
            [START_RHEL, "V --may-exist add-br br0 -- --may-exist add-port br0 p -- set Port p tag=1 trunks=[]"],
        ),
    ],
)
def test_one_bridge(have: Have, want: BridgeWant, absent: tuple[str, ...], steps: list[str]) -> None:
    assert shown(plan_bridge(have, want, absent).steps) == steps


def test_a_port_that_open_vswitch_cannot_use_is_a_failure() -> None:
    bad = OvsPort("p", error="could not open network device p (No such device)")
    have = Have(Ovs(True, {}, (Bridge("br0", (bad,)),)))
    with pytest.raises(NotTakenError, match=re.escape("p (could not open network device p (No such device))")):
        plan_bridge(have, BridgeWant("br0", ports=(PortWant("p"),)))
    assert plan_bridge(have, BridgeWant("br0")).steps == ()
    # What is written there is old while Open vSwitch does not run
    stopped = replace(have, ovs=replace(have.ovs, running=False))
    assert plan_bridge(stopped, BridgeWant("br0", ports=(PortWant("p"),))).steps


def test_what_is_shown() -> None:
    assert shown_ovs(replace(USED, config={"tc-policy": "none", "hw-offload": "true"})) == {
        "running": True,
        "other_config": {"hw-offload": "true", "tc-policy": "none"},
        "bridges": [
            {
                "name": "br0",
                "state": "present",
                "ports": [
                    {"name": "bond0", "tag": None, "trunks": [], "error": ""},
                    {"name": "rail0_0", "tag": 100, "trunks": [], "error": ""},
                ],
            }
        ],
    }
