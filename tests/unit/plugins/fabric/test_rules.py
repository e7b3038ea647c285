# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that udev gives by the rules, as udev reads them."""

from __future__ import annotations

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._fabric.rules import Named, render_rules

from .model import udev_name

P0, P1 = "0000:08:00.0", "0000:08:00.1"
RULES = render_rules(
    [
        Named(P0, "rail0", tuple(f"rail0_{index}" for index in range(12))),
        Named(P1, None, ("enp8s0f1_0",)),
        Named("0000:01:00.0", "mgmt0"),
    ]
)


@pytest.mark.parametrize(
    ("parent", "phys_port_name", "name"),
    [
        (P0, "p0", "rail0"),
        # In legacy mode it cannot be read.
        (P0, "", "rail0"),
        (P0, "pf0vf1", "rail0_1"),
        (P0, "pf0vf11", "rail0_11"),
        # More VFs than the document knows, and other functions, keep the names that others give them.
        (P0, "pf0vf12", None),
        (P0, "pf0sf88", None),
        (P0, "pf0", None),
        (P1, "p1", None),
        (P1, "pf1vf0", "enp8s0f1_0"),
        ("0000:01:00.0", "", "mgmt0"),
        ("0000:02:00.0", "", None),
        ("0000:08:02.0", "", None),
    ],
)
def test_names(parent: str, phys_port_name: str, name: str | None) -> None:
    assert udev_name(RULES or "", parent, phys_port_name) == name


def test_other_devices_and_events_are_not_looked_at() -> None:
    assert (RULES or "").splitlines()[1:3] == [
        'SUBSYSTEM!="net", GOTO="railhead_end"',
        'ACTION!="add", GOTO="railhead_end"',
    ]


def test_nobody_else_manages_what_is_named() -> None:
    named = [line for line in (RULES or "").splitlines() if "NAME=" in line]
    assert len(named) == 15
    assert all('ENV{NM_UNMANAGED}="1", ENV{ID_NET_MANAGED_BY}="railhead"' in line for line in named)


@pytest.mark.parametrize("ports", [[], [Named(P0, None)]])
def test_without_names_there_is_no_file(ports: list[Named]) -> None:
    assert render_rules(ports) is None
