# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: overlapping_networks
short_description: Which networks have addresses in common
version_added: 0.1.0
description:
  - Compares networks by what they are for, and names each pair that has addresses in common.
author: The railhead.cluster maintainers (@railhead)
positional: _input
options:
  _input:
    description:
      - Lists of networks by what they are for. A network is written with its prefix length; an address is a network of
        one.
      - Networks of the same list may overlap.
    type: dict
    required: true
"""

EXAMPLES = r"""
# => ["10.244.0.0/16 (pods) and 10.244.7.0/24 (nodes)"]
conflicts: >-
  {{ {'pods': ['10.244.0.0/16'], 'services': ['10.96.0.0/12'], 'nodes': ['10.244.7.0/24']}
     | railhead.cluster.overlapping_networks }}
"""

RETURN = r"""
_value:
  description: A line for each pair, empty where no two have an address in common.
  type: list
  elements: str
  sample: [10.244.0.0/16 (pods) and 10.244.7.0/24 (nodes)]
"""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import combinations
from typing import Union

from ansible.errors import AnsibleFilterError

Network = Union[IPv4Network, IPv6Network]


def overlapping_networks(networks: Mapping[str, Sequence[str]]) -> list[str]:
    known = [(use, _network(use, text)) for use, texts in networks.items() for text in texts]
    found = [
        f"{one} ({use}) and {two} ({other})"
        for (use, one), (other, two) in combinations(known, 2)
        if use != other and one.version == two.version and one.overlaps(two)
    ]
    return list(dict.fromkeys(found))


def _network(use: str, text: object) -> Network:
    try:
        return ip_network(str(text).strip(), strict=False)
    except ValueError as error:
        raise AnsibleFilterError(
            f"Cannot compare the networks of {use}: {error}; write a network with its prefix length, as 10.244.0.0/16."
        ) from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"overlapping_networks": overlapping_networks}
