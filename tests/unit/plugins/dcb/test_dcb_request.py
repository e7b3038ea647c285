# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be asked of a port."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.request import (
    Buffers,
    Settings,
    TrafficClass,
    settings_from,
)

ALL = list(range(8))


def ets(**changed: Any) -> dict[str, Any]:
    return {"tc": 0, "tsa": "ets", "bandwidth": 100, "priorities": ALL, **changed}


def test_everything() -> None:
    assert settings_from(
        {
            "trust": "dscp",
            "dscp_prio": {"26": 3, 48: "6"},
            "pfc": [3, 3],
            "ets": [
                ets(priorities=[7, 0, 1, 2, 4, 5], bandwidth=50),
                ets(tc=3, priorities=[3], bandwidth=50),
                {"tc": 6, "tsa": "strict", "priorities": [6], "bandwidth": None},
            ],
            "buffers": {"prio_buffer": [0, 0, 0, 1, 0, 0, 0, 0], "buffer_size": [64, 64, 0, 0, 0, 0, 0, 0]},
            "global_pause": False,
        }
    ) == Settings(
        "dscp",
        {26: 3, 48: 6},
        frozenset({3}),
        (
            TrafficClass(0, "ets", (0, 1, 2, 4, 5, 7), 50),
            TrafficClass(3, "ets", (3,), 50),
            TrafficClass(6, "strict", (6,)),
        ),
        Buffers((0, 0, 0, 1, 0, 0, 0, 0), (64, 64, 0, 0, 0, 0, 0, 0)),
        False,
        False,
    )


def test_nothing_and_no_pfc_are_not_the_same() -> None:
    assert settings_from({}) == Settings()
    assert settings_from({"pfc": []}) == Settings(pfc=frozenset())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"trust": "tos"}, "Cannot use 'tos' for trust: give dscp or pcp"),
        (
            {"trust": "pcp", "dscp_prio": {26: 3}},
            "Cannot use dscp_prio with trust=pcp: DSCPs count only with trust=dscp",
        ),
        ({"dscp_prio": {26: 3}}, "Cannot use dscp_prio with trust=as it is"),
        ({"dscp_prio": {64: 3}}, "Cannot use 64 for a DSCP in dscp_prio: give a number from 0 to 63"),
        ({"dscp_prio": {26: 8}}, r"Cannot use 8 for dscp_prio\[26\]: give a number from 0 to 7"),
        ({"dscp_prio": {26: True}}, r"Cannot use True for dscp_prio\[26\]"),
        ({"dscp_prio": {"af31": 3}}, "Cannot use 'af31' for a DSCP"),
        ({"dscp_prio": {"²": 3}}, "Cannot use '²' for a DSCP"),
        ({"dscp_prio": [26, 3]}, "give a mapping of DSCPs to priorities"),
        ({"pfc": [8]}, "Cannot use 8 for pfc: give a number from 0 to 7"),
        ({"pfc": [-1]}, "Cannot use -1 for pfc"),
        ({"pfc": 3}, "Cannot use 3 for pfc: give a list"),
        ({"pfc": [3], "global_pause": True}, "pauses either the whole link or single priorities"),
        ({"ets": {}}, None),
        ({"ets": "all"}, "Cannot use 'all' for ets: give a list of traffic classes"),
        ({"ets": [ets(name="x")]}, r"for ets\[0\]: give a mapping with tc, tsa, priorities, bandwidth"),
        ({"ets": [ets(tsa="vendor")]}, r"Cannot use 'vendor' for ets\[0\].tsa: give ets or strict"),
        ({"ets": [ets(tsa="strict")]}, r"ets\[0\].bandwidth with tsa=strict"),
        ({"ets": [ets(bandwidth=None)]}, r"Cannot use None for ets\[0\].bandwidth"),
        ({"ets": [ets(bandwidth=0)]}, r"Cannot use 0 for ets\[0\].bandwidth: give a percentage from 1 to 100"),
        ({"ets": [ets(bandwidth=101)]}, "give a number from 0 to 100"),
        ({"ets": [ets(tc=8)]}, r"Cannot use 8 for ets\[0\].tc"),
        ({"ets": [ets(priorities=[0, 1, 2, 3, 4, 5, 6])]}, "no traffic class has priority 7"),
        ({"ets": [ets(priorities=[*ALL, 3])]}, "priority 3 is listed twice"),
        ({"ets": [ets(), ets(priorities=[])]}, "traffic class 0 is listed twice"),
        (
            {"ets": [ets(priorities=ALL[:4], bandwidth=50), ets(tc=1, priorities=ALL[4:], bandwidth=40)]},
            r"are 50 \+ 40 = 90; .* make them 100",
        ),
        ({"buffers": {"prio_buffer": ALL}}, "a mapping with prio_buffer and buffer_size"),
        ({"buffers": {"prio_buffer": [0], "buffer_size": [1] * 8}}, "prio_buffer: give 8 numbers"),
        ({"buffers": {"prio_buffer": [0] * 8, "buffer_size": [0] + [1] * 7}}, "priority 0 is in buffer 0"),
        ({"buffers": {"prio_buffer": [8] * 8, "buffer_size": [1] * 8}}, "Cannot use 8 for buffers.prio_buffer"),
    ],
)
def test_mistakes(given: dict[str, Any], words: str | None) -> None:
    if words is None:
        assert settings_from(given) == Settings()
        return
    with pytest.raises(RailheadError, match=words):
        settings_from(given)


def test_cards_map_by_the_upper_bits_what_nobody_mapped() -> None:
    settings = settings_from({"trust": "dscp", "dscp_prio": {26: 5}})
    assert [settings.priority_of(dscp) for dscp in (26, 27, 48, 63)] == [5, 3, 6, 7]
