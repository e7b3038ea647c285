# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that have addresses in common, by what they are for."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.railhead.cluster.plugins.filter.overlapping_networks import FilterModule

overlapping_networks = FilterModule().filters()["overlapping_networks"]


@pytest.mark.parametrize(
    ("networks", "found"),
    [
        ({"pods": ["10.244.0.0/16"], "services": ["10.96.0.0/12"], "nodes": ["192.0.2.0/24"]}, []),
        (
            {"pods": ["10.244.0.0/16"], "nodes": ["10.244.7.0/24", "192.0.2.0/24"]},
            ["10.244.0.0/16 (pods) and 10.244.7.0/24 (nodes)"],
        ),
        ({"pods": ["10.244.0.0/16"], "nodes": ["10.244.7.1"]}, ["10.244.0.0/16 (pods) and 10.244.7.1/32 (nodes)"]),
        ({"nodes": ["192.0.2.0/24", "192.0.2.1"]}, []),
        ({"pods": ["0.0.0.0/0"], "nodes": ["2001:db8::/64"]}, []),
        ({"pods": [" fd00::/56"], "services": ["fd00::/112"]}, ["fd00::/56 (pods) and fd00::/112 (services)"]),
    ],
)
def test_pairs_that_overlap_are_named(networks: dict[str, list[str]], found: list[str]) -> None:
    assert overlapping_networks(networks) == found


def test_what_is_no_network_is_refused_with_its_use() -> None:
    with pytest.raises(AnsibleFilterError, match=r"networks of pods: .*10\.244\.0\.0/99"):
        overlapping_networks({"pods": ["10.244.0.0/99"]})
