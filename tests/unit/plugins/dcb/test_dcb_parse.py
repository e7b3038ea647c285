# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tools print, in several versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import CommandError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Result
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.observe import read_netdevs
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.parse import (
    parse_batch,
    parse_mlnx_qos,
    requests_for,
)
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.state import PortState, shown_port

from ..replay import ReplayHost

FIXTURES = Path(__file__).parent.parent / "fixtures"
PORTS = ("fresh0", "roce0", "full0", "trust0", "none0", "gone0")
VERSIONS = ("6.1.0", "6.15.0", "7.3.0")

ROCE_ETS = [
    {"tc": 0, "tsa": "ets", "bandwidth": 50, "priorities": [0, 1, 2, 4, 5, 7]},
    {"tc": 3, "tsa": "ets", "bandwidth": 50, "priorities": [3]},
    {"tc": 6, "tsa": "strict", "priorities": [6]},
]
#: mlx5e_ets_init() of the kernel: priorities 0 and 1 are swapped.
FRESH_ETS = [{"tc": tc, "tsa": "vendor", "priorities": [{0: 1, 1: 0}.get(tc, tc)]} for tc in range(8)]


def batch(version: str) -> dict[str, PortState]:
    answer, complaints = (
        (FIXTURES / "dcb" / version / name).read_text(encoding="utf-8") for name in ("answer.txt", "complaints.txt")
    )
    return parse_batch(Result(1, answer, complaints), PORTS)


def mlnx(name: str) -> PortState:
    return parse_mlnx_qos("ens1f0np0", (FIXTURES / "mlnx_qos" / name).read_text(encoding="utf-8"))


def test_the_batch_is_what_was_recorded() -> None:
    assert requests_for(PORTS) == (FIXTURES / "dcb" / "batch.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_port_with_roce(version: str) -> None:
    port = batch(version)["roce0"]
    assert shown_port(port) == {
        "netdev": "roce0",
        "trust": "dscp",
        "dscp_prio": {26: 3, 48: 6},
        "pfc": [3],
        "ets": ROCE_ETS,
        "buffers": {"prio_buffer": [0, 0, 0, 1, 0, 0, 0, 0], "buffer_size": [130944, 130944, 0, 0, 0, 0, 0, 0]},
        "dcbx": ["host", "cee", "ieee"],
        "global_pause": None,
    }
    assert (port.requests[3], port.indications[3], port.total_buffer) == (17, 4711, 262016)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_port_as_its_driver_makes_it(version: str) -> None:
    port = batch(version)["fresh0"]
    assert (port.trust, port.pfc, port.pfc_most, port.dcbx) == ("pcp", frozenset(), 8, ("cee", "ieee"))
    assert shown_port(port)["ets"] == FRESH_ETS


@pytest.mark.parametrize("version", VERSIONS)
def test_all_dscps_mapped(version: str) -> None:
    assert batch(version)["full0"].dscp_prio == {dscp: (dscp >> 3,) for dscp in range(64)}


def test_a_driver_that_is_told_what_to_trust() -> None:
    assert batch("7.3.0")["trust0"].order == ("dscp", "pcp")
    assert batch("6.1.0")["trust0"].order is None, "6.1 does not know apptrust"


@pytest.mark.parametrize("version", VERSIONS)
def test_ports_without_dcb(version: str) -> None:
    ports = batch(version)
    assert (ports["none0"].pfc, ports["none0"].ets, ports["none0"].buffers, ports["none0"].dcbx) == (None,) * 4
    assert ports["none0"].complaint == "Attribute read: Operation not supported"
    assert ports["gone0"].complaint == "Attribute read: No such device"


def test_several_priorities_for_one_dscp() -> None:
    app = '{"dscp_prio":[[26,3],[26,5],[48,6]]}'
    failed = "".join(f"Operation not supported\nCommand failed -:{line}\n" for line in (1, 2, 4, 5, 6))
    assert parse_batch(Result(1, app, failed), ["a"])["a"].dscp_prio == {26: (3, 5), 48: (6,)}


@pytest.mark.parametrize(
    ("stdout", "stderr", "words"),
    [
        ("usage", "", "expected JSON, found 'usage'"),
        ("{}", "", "6 requests, 1 answers and 0 errors"),
        ("", 'Object "pfc" is unknown\n', "0 answers and 0 errors: Object"),
    ],
)
def test_answers_that_make_no_sense(stdout: str, stderr: str, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        parse_batch(Result(1, stdout, stderr), ["a"])


def test_mlnx_qos_with_roce() -> None:
    port = mlnx("5.8-roce.txt")
    assert port.dscp_prio == {dscp: (dscp >> 3,) for dscp in range(64)}
    shown = shown_port(port)
    del shown["dscp_prio"]
    assert shown == {
        "netdev": "ens1f0np0",
        "trust": "dscp",
        "pfc": [3],
        "ets": ROCE_ETS,
        "buffers": {"prio_buffer": [0, 0, 0, 1, 0, 0, 0, 0], "buffer_size": [130944, 130944, 0, 0, 0, 0, 0, 0]},
        "dcbx": ["host", "ieee"],
        "global_pause": None,
    }


def test_mlnx_qos_before_it_knew_buffers() -> None:
    port = mlnx("4.2-dscp.txt")
    assert (port.pfc, port.buffers, port.trust, port.dcbx) == (frozenset({3}), None, "dscp", ("host", "ieee"))
    assert shown_port(port)["ets"] == FRESH_ETS


def test_mlnx_qos_with_trust_in_vlan_tags() -> None:
    port = mlnx("5.0-pcp.txt")
    assert (port.trust, port.dscp_prio, port.pfc) == ("pcp", {}, frozenset())
    assert port.buffers is not None
    assert port.buffers.buffer_size == (262016, 0, 0, 0, 0, 0, 0, 0)
    assert shown_port(port)["ets"] == FRESH_ETS


def test_mlnx_qos_with_the_firmware_in_charge() -> None:
    port = mlnx("5.4-firmware.txt")
    assert port.dcbx == ("ieee",)
    assert port.dscp_prio == {**dict.fromkeys(range(16), (0,)), 59: (5,)}
    assert port.ets is not None
    assert port.ets.bandwidth == {0: 50, 5: 50}


def test_mlnx_qos_without_dcb() -> None:
    with pytest.raises(CommandError, match="it shows no PFC configuration: 'Buffers commands are not supported"):
        mlnx("5.8-no-ets.txt")


def test_a_request_that_failed_is_no_lack_of_a_driver() -> None:
    answer = Result(1, '{"prio_pfc":[]}', "Attribute read: No buffer space available\nCommand failed -:2\n")
    with pytest.raises(CommandError, match="'dcb ets show dev a' failed: Attribute read: No buffer space available"):
        parse_batch(answer, ["a"])


@pytest.mark.parametrize(
    ("second", "dcbx"),
    [
        pytest.param("Attribute not found: Success", "", id="in-one-second"),
        pytest.param(
            "Attribute read: Protocol error",
            "Attribute not found: Success\nCommand failed -:5\n",
            id="over-two-seconds",
        ),
    ],
)
def test_a_batch_that_reads_stale_answers_is_asked_again_one_by_one(second: str, dcbx: str) -> None:
    """As dcb 6.1 answered on Linux 6.1: the second and fourth request read the acknowledgements of those before.

    That over two seconds was composed from its source, not recorded.
    """
    pfc = '{"pfc_cap":8,"macsec_bypass":false,"delay":0,"prio_pfc":[false,false,false,true,false,false,false,false]}\n'
    ets = {"ets_cap": 8, "tc_bw": [0] * 8, "tc_tsa": ["vendor"] * 8, "prio_tc": [0] * 8}
    stale = "Attribute not found: Success\n"
    unknown = 'Object "apptrust" is unknown\n'
    shown = ["dcb", "-j", "-s"]
    runs: list[dict[str, Any]] = [
        {
            "argv": [*shown, "-f", "-b", "-"],
            "stdin": requests_for(["enp2s0"]),
            "rc": 1,
            "stdout": f"{pfc},{{}}\n" if dcbx else f'{pfc},{{}},{{"cee":true,"ieee":true}}\n',
            "stderr": f"{second}\nCommand failed -:2\n{stale}Command failed -:4\n{dcbx}{unknown}Command failed -:6\n",
        },
        {"argv": [*shown, "pfc", "show", "dev", "enp2s0"], "stdout": pfc},
        {"argv": [*shown, "ets", "show", "dev", "enp2s0"], "stdout": json.dumps(ets)},
        {"argv": [*shown, "app", "show", "dev", "enp2s0"], "stdout": "{}\n"},
        {"argv": [*shown, "buffer", "show", "dev", "enp2s0"], "rc": 1, "stderr": f"{stale}\n"},
        {"argv": [*shown, "dcbx", "show", "dev", "enp2s0"], "stdout": '{"cee":true,"ieee":true}\n'},
        {"argv": [*shown, "apptrust", "show", "dev", "enp2s0"], "rc": 1, "stderr": f"{unknown}\n"},
    ]

    host = ReplayHost(runs)
    found = read_netdevs(host, ["enp2s0"])["enp2s0"]

    assert found.pfc == {3}
    assert found.ets is not None and found.ets.classes == 8
    assert found.buffers is None
    assert found.dcbx == ("cee", "ieee")
    assert not host.runs
