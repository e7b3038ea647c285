# SPDX-License-Identifier: GPL-3.0-or-later
"""What apt-get would do, from its own words, by version of APT."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._apt.simulation import Simulation, parse_simulation
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError

FIXTURES = Path(__file__).parent.parent / "fixtures" / "apt"
OFED = {"mlnx-ofed-kernel-dkms": "25.07.OFED.25.07.0.9.7.1-1", "rdma-core": "2507mlnx58-1.2507097"}


def read(name: str) -> Simulation:
    return parse_simulation((FIXTURES / name).read_text(encoding="utf-8"))


def test_new_packages() -> None:
    assert read("2.6.1/install.txt") == Simulation({"doca-ofed": "3.1.0-091513", **OFED})


def test_removals_and_downgrades() -> None:
    assert read("2.6.1/all.txt") == Simulation(
        {"doca-ofed": "3.2.0-125000", "gnupg-killer": "1.0", **OFED},
        {"mmdebstrap": ("1.3.5-7", "0.9")},
        {"gnupg": "2.2.40-1.1+deb12u2", "jq": "1.6-2.1+deb12u1", "strace": "6.1-0.1", "yq": "3.1.0-3"},
        ("mmdebstrap",),
    )


def test_the_same_of_another_version() -> None:
    assert read("3.0.4/all.txt") == Simulation(
        {"new-thing": "1.0"},
        {"doca-ofed": ("3.2.0-125000", "3.1.0-091513"), "mlnx-ofed-kernel-dkms": ("25.07", "25.10")},
        {"old-thing": "1"},
        ("doca-ofed",),
    )


def test_many_downgrades_take_more_than_a_line() -> None:
    text = "The following packages will be DOWNGRADED:\n  a b\n  c\n0 upgraded, 3 downgraded.\n"
    assert parse_simulation(text).downgraded == ("a", "b", "c")


def test_an_unknown_line_is_no_silence() -> None:
    with pytest.raises(RailheadError, match="found 'Inst '"):
        parse_simulation("Inst \n")
