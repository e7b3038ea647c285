# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to what is wanted of a port, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.plan import Consents, with_settings
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.request import Settings, settings_from
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.state import PortState
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.tools import Dcb, MlnxQos, Tool

from .model import applied
from .test_dcb_parse import ROCE_ETS, batch, mlnx

ALL = Consents(True, True)
FRESH, ROCE, FULL, TOLD = (batch("7.3.0")[name] for name in ("fresh0", "roce0", "full0", "trust0"))
EVERYTHING = settings_from(
    {
        "trust": "dscp",
        "dscp_prio": {26: 3, 48: 6},
        "pfc": [3],
        "ets": ROCE_ETS,
        "buffers": {"prio_buffer": [0, 0, 0, 1, 0, 0, 0, 0], "buffer_size": [130944, 130944, 0, 0, 0, 0, 0, 0]},
        "host_dcbx": True,
        "global_pause": False,
    }
)


def want(**given: Any) -> Settings:
    return settings_from(given)


def commands(have: PortState, settings: Settings, tool: Tool | None = None) -> list[str]:
    steps, _after = with_settings(have, settings, tool or Dcb(), ALL)
    return [" ".join(step.shown) for step in steps]


def test_all_of_it_with_dcb() -> None:
    """PFC comes last, after the buffers that it needs and after the pause that excludes it."""
    assert commands(replace(FRESH, pause=(True, True)), EVERYTHING) == [
        "dcb dcbx set dev fresh0 host cee ieee",
        "dcb ets set dev fresh0 prio-tc 0:0 1:0 2:0 4:0 5:0 7:0 3:3 6:6 tc-tsa all:strict 0:ets 3:ets 6:strict"
        " tc-bw all:0 0:50 3:50",
        "dcb app replace dev fresh0 dscp-prio 26:3 48:6",
        "ethtool -A fresh0 rx off tx off",
        "dcb buffer set dev fresh0 prio-buffer 0:0 1:0 2:0 3:1 4:0 5:0 6:0 7:0"
        " buffer-size 0:130944 1:130944 2:0 3:0 4:0 5:0 6:0 7:0",
        "dcb pfc set dev fresh0 prio-pfc all:off 3:on",
    ]


def test_all_of_it_with_mlnx_qos() -> None:
    have = replace(mlnx("5.0-pcp.txt"), dcbx=(), pause=(False, True))
    assert commands(have, EVERYTHING, MlnxQos()) == [
        "mlnx_qos -i ens1f0np0 --dcbx os",
        "mlnx_qos -i ens1f0np0 --prio_tc 0,0,0,3,0,0,6,0"
        " --tsa ets,strict,strict,ets,strict,strict,strict,strict --tcbw 50,0,0,50,0,0,0,0",
        "mlnx_qos -i ens1f0np0 --trust dscp",
        "mlnx_qos -i ens1f0np0 --dscp2prio set,26,3",
        "mlnx_qos -i ens1f0np0 --dscp2prio set,48,6",
        "ethtool -A ens1f0np0 rx off tx off",
        "mlnx_qos -i ens1f0np0 --prio2buffer 0,0,0,1,0,0,0,0 --buffer_size 130944,130944,0,0,0,0,0,0",
        "mlnx_qos -i ens1f0np0 --pfc 0,0,0,1,0,0,0,0",
    ]


@pytest.mark.parametrize("port", [ROCE, replace(ROCE, pause=(False, False))])
def test_nothing_is_left_to_do(port: PortState) -> None:
    assert commands(port, EVERYTHING) == []


def test_nothing_is_left_to_do_with_mlnx_qos() -> None:
    assert commands(mlnx("5.8-roce.txt"), EVERYTHING, MlnxQos()) == []


@pytest.mark.parametrize(
    ("have", "settings", "expected"),
    [
        (FULL, want(trust="dscp", dscp_prio={26: 3}), []),
        (FULL, want(trust="dscp", dscp_prio={26: 4, 27: 3}), ["dcb app replace dev full0 dscp-prio 26:4"]),
        (
            replace(ROCE, dscp_prio={26: (3, 5)}),
            want(trust="dscp", dscp_prio={26: 3}),
            ["dcb app replace dev roce0 dscp-prio 26:3"],
        ),
        (ROCE, want(trust="dscp"), []),
        (ROCE, want(trust="pcp"), ["dcb app flush dev roce0 dscp-prio"]),
        (FRESH, want(trust="pcp"), []),
        (TOLD, want(trust="dscp"), []),
        (TOLD, want(trust="pcp"), ["dcb apptrust set dev trust0 order pcp"]),
        (replace(TOLD, order=("pcp",)), want(trust="dscp"), ["dcb apptrust set dev trust0 order dscp pcp"]),
        (replace(TOLD, order=()), want(trust="pcp"), ["dcb apptrust set dev trust0 order pcp"]),
        (ROCE, want(pfc=[]), ["dcb pfc set dev roce0 prio-pfc all:off"]),
        (ROCE, want(pfc=[3, 4]), ["dcb pfc set dev roce0 prio-pfc all:off 3:on 4:on"]),
        (
            replace(ROCE, pause=(False, False)),
            want(pfc=[], global_pause=True),
            ["dcb pfc set dev roce0 prio-pfc all:off", "ethtool -A roce0 rx on tx on"],
        ),
        (replace(FRESH, pause=(True, False)), want(global_pause=False), ["ethtool -A fresh0 rx off tx off"]),
        (FRESH, want(global_pause=False), []),
        (
            replace(FRESH, dcbx=("lld_managed",)),
            want(host_dcbx=True),
            ["dcb dcbx set dev fresh0 host ieee"],
        ),
        (
            FRESH,
            want(ets=[{"tc": 2, "tsa": "strict", "priorities": list(range(8))}]),
            ["dcb ets set dev fresh0 prio-tc 0:2 1:2 2:2 3:2 4:2 5:2 6:2 7:2 tc-tsa all:strict 2:strict tc-bw all:0"],
        ),
    ],
)
def test_single_changes(have: PortState, settings: Settings, expected: list[str]) -> None:
    assert commands(have, settings) == expected


def test_a_class_that_is_not_wanted_gives_up_its_share() -> None:
    assert ROCE.ets is not None
    stray = replace(ROCE, ets=replace(ROCE.ets, tsa={**ROCE.ets.tsa, 5: "ets"}))
    assert commands(stray, want(ets=ROCE_ETS))[0].startswith("dcb ets set")


@pytest.mark.parametrize(
    ("have", "settings", "words"),
    [
        (batch("7.3.0")["none0"], want(pfc=[3]), r"none0: it has no DCB \('Attribute read: Operation not supported'\)"),
        (FRESH, want(trust="dscp"), "as soon as a DSCP is mapped, and none is; give at least one in dscp_prio"),
        (replace(FRESH, pause=(True, False)), want(pfc=[3]), "its global pause is on.*set global_pause=false"),
        (replace(ROCE, pause=(False, False)), want(global_pause=True), "Cannot have PFC on priority 3 of roce0"),
        (replace(FRESH, ets=None), want(ets=ROCE_ETS), "its driver does not implement ETS; leave it out"),
        (replace(FRESH, dcbx=None), want(host_dcbx=True), "does not implement DCBX"),
        (replace(FRESH, buffers=None), EVERYTHING, "does not implement receive buffers"),
        (FRESH, want(global_pause=True), "does not implement global pause"),
        (replace(FRESH, pfc_most=2), want(pfc=[1, 2, 3]), "PFC on 2 priorities at a time, and 3 are wanted"),
        (replace(FRESH, total_buffer=1000), EVERYTHING, "1000 bytes together, and 261888 are wanted"),
        (replace(FRESH, overwritten=True), want(pfc=[]), "lldpad is running.*systemctl disable --now lldpad"),
    ],
)
def test_refusals(have: PortState, settings: Settings, words: str) -> None:
    with pytest.raises(RailheadError, match=words):
        with_settings(have, settings, Dcb(), ALL)


def test_a_port_with_fewer_classes() -> None:
    assert FRESH.ets is not None
    with pytest.raises(RailheadError, match="it has the traffic classes 0 to 3; 6 is wanted"):
        with_settings(replace(FRESH, ets=replace(FRESH.ets, classes=4)), want(ets=ROCE_ETS), Dcb(), ALL)


@pytest.mark.parametrize(
    ("have", "consents", "words"),
    [
        (
            replace(FRESH, carrier=True),
            Consents(),
            "Cannot set PFC of fresh0: this can take its link down.*in use.*allow_port",
        ),
        (
            replace(FRESH, carrier=True, carries_management=True),
            Consents(port_traffic=True),
            "the SSH connection of this run comes in over it.*allow_management=true",
        ),
        (replace(FRESH, carrier=True, carries_management=True), ALL, None),
        (replace(FRESH, carrier=True), Consents(port_traffic=True), None),
        (FRESH, Consents(), None),
    ],
)
def test_consent_to_a_link_that_goes_down(have: PortState, consents: Consents, words: str | None) -> None:
    if words is None:
        assert with_settings(have, want(pfc=[3]), Dcb(), consents)[0]
        return
    with pytest.raises(RailheadError, match=words):
        with_settings(have, want(pfc=[3]), Dcb(), consents)
    assert with_settings(have, want(trust="dscp", dscp_prio={26: 3}, ets=ROCE_ETS), Dcb(), Consents())[0]


@pytest.mark.parametrize(
    ("have", "tool"),
    [(replace(FRESH, pause=(True, True)), Dcb()), (FULL, Dcb()), (mlnx("5.4-firmware.txt"), MlnxQos())],
)
def test_the_model_gets_there(have: PortState, tool: Tool) -> None:
    steps, after = with_settings(have, EVERYTHING, tool, ALL)
    assert with_settings(applied(have, steps), EVERYTHING, tool, ALL)[0] == ()
    assert with_settings(after, EVERYTHING, tool, ALL)[0] == ()
