# SPDX-License-Identifier: GPL-3.0-or-later
"""The document: what it means, and what is wrong with it before any host is looked at."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._qos.document import KEYS, QosWant, load_document
from ansible_collections.railhead.cluster.plugins.module_utils._rdma_cm.defaults import Want

PORT = "0000:08:00.0"
#: The defaults of the role, for one port and one device.
DOCUMENT: dict[str, Any] = {
    "provider": "dcb",
    "ports": [PORT],
    "trust": "dscp",
    "dscp_prio": {"26": 3, "48": 6},
    "pfc": [3],
    "ets": [
        {"tc": 0, "tsa": "ets", "bandwidth": 50, "priorities": [0, 1, 2, 4, 5, 7]},
        {"tc": 3, "tsa": "ets", "bandwidth": 50, "priorities": [3]},
        {"tc": 6, "tsa": "strict", "priorities": [6]},
    ],
    "cnp_dscp": 48,
    "cnp_priority": 6,
    "rdma_devices": ["mlx5_0"],
    "cma_mode": "RoCE v2",
    "cma_tos": 106,
}


def test_the_defaults_of_the_role() -> None:
    want = load_document(DOCUMENT)
    assert (want.provider, want.ports, want.ecn, want.traffic_class) == ("dcb", (PORT,), None, None)
    assert want.devices == (Want("mlx5_0", "RoCE v2", 106),)
    assert (want.settings.pfc, want.settings.global_pause) == (frozenset({3}), False)


@pytest.mark.parametrize("data", [{}, dict.fromkeys(KEYS)])
def test_nothing(data: dict[str, Any]) -> None:
    assert load_document(data) == QosWant()


def test_the_global_pause_is_left_alone_without_pfc() -> None:
    assert load_document({**DOCUMENT, "pfc": []}).settings.global_pause is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"trusted": True}, "unknown key 'trusted'; known are: provider, ports, trust"),
        ({"provider": "mlnx"}, "Cannot use 'mlnx' for provider: give dcb or mlnx_qos"),
        ({"ports": "eth0"}, "Cannot use 'eth0' for ports: give a list"),
        ({"ports": [8.0]}, "Cannot use 8.0 for ports: give names, in quotes"),
        ({"ports": [PORT, PORT]}, f"ports: {PORT} is listed twice"),
        ({"ports": ["a/b"]}, "Cannot use 'a/b' for ports"),
        ({"rdma_devices": ["a", "a"]}, "rdma_devices: a is listed twice"),
        ({"rdma_devices": ["a b"]}, "as the name of an RDMA device"),
        ({"pfc": [9]}, "Cannot use 9 for pfc"),
        ({"ecn": [3]}, "Cannot use ecn with provider=dcb: .*ROCE_CC_PRIO_MASK_P1.*leave ecn out"),
        ({"ecn": [8], "provider": "mlnx_qos"}, "Cannot use 8 for ecn"),
        ({"ecn": 3, "provider": "mlnx_qos"}, "Cannot use 3 for ecn: give a list"),
        ({"traffic_class": 106}, "Cannot use traffic_class with provider=dcb"),
        ({"cnp_dscp": 64}, "Cannot use 64 for cnp_dscp: give a number from 0 to 63"),
        ({"cnp_priority": 8}, "Cannot use 8 for cnp_priority"),
        ({"cnp_priority": 3}, "Cannot use 3 for cnp_priority: PFC is wanted on it"),
        (
            {"cnp_priority": 5},
            r"Cannot use 5 for cnp_priority: cnp_dscp 48 is priority 6; map it with dscp_prio, \{48: 5\}",
        ),
        ({"dscp_prio": {26: 3, 48: 7}}, "cnp_dscp 48 is priority 7"),
        ({"cma_mode": "v2"}, "Cannot use 'v2' as the mode of mlx5_0"),
        ({"cma_tos": 107}, "Cannot use 107 for tos"),
        ({"cma_tos": "106"}, "Cannot use '106' for tos"),
        ({"cma_tos": 96}, r"Cannot use 96 for cma_tos: it is DSCP 24, .*priority 4"),
        (
            {"cma_tos": 186},
            r"Cannot use 186 for cma_tos: it is DSCP 46, so priority 5, which has no PFC \(pfc: \[3\]\)",
        ),
        ({"traffic_class": 2, "provider": "mlnx_qos"}, "Cannot use 2 for traffic_class: it is DSCP 0, so priority 0"),
        ({"traffic_class": 3, "provider": "mlnx_qos"}, "Cannot use 3 for traffic_class: its two lowest bits are 3"),
    ],
)
def test_mistakes(changed: dict[str, Any], words: str) -> None:
    document = {**DOCUMENT, **changed}
    if changed.get("cma_tos") == 96:
        document["dscp_prio"] = {24: 4, 26: 3}
    with pytest.raises(RailheadError, match=f"Cannot use the QoS document: .*{words}"):
        load_document(document)


def test_not_even_a_mapping() -> None:
    with pytest.raises(RailheadError, match=r"Cannot use \[\] for the document: give a mapping"):
        load_document([])


@pytest.mark.parametrize(
    "changed",
    [
        {"cma_tos": 0},
        {"pfc": [], "cma_tos": 186},
        {"ports": [], "cma_tos": 186, "cnp_priority": 3},
        {"trust": "pcp", "dscp_prio": {}, "cma_tos": 186},
        {"cma_tos": 98},
        {"rdma_devices": [], "cma_tos": 186},
    ],
)
def test_what_is_no_mistake(changed: dict[str, Any]) -> None:
    """A ToS of 0 marks nothing, DSCP 24 is priority 3 by its upper bits, and without PFC nothing is lossless."""
    load_document({**DOCUMENT, **changed})
