# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents that somebody wrote by hand: what is wrong is named, with its place."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._ipoib.interfaces import load_document


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "give a mapping with a list of interfaces"),
        ({"interfaces": {"name": "ib0"}}, "give a mapping with a list of interfaces"),
        ({"ports": []}, "unknown key 'ports'"),
        ({"interfaces": ["ib0"]}, r"interfaces\[0\]: expected a mapping, found 'ib0'"),
        ({"interfaces": [{"mtu": 2044}]}, r"interfaces\[0\]: 'name' is missing"),
        ({"interfaces": [{"name": "ib0", "netns": "gpu0"}]}, r"interfaces\[0\]: unknown key 'netns'"),
        ({"interfaces": [{"name": 0}]}, r"interfaces\[0\].name: expected str, found 0"),
        ({"interfaces": [{"name": "ib0", "mtu": True}]}, r"interfaces\[0\].mtu: expected int, found True"),
        ({"interfaces": [{"name": "ib0", "umcast": 1}]}, r"interfaces\[0\].umcast: expected bool, found 1"),
        ({"interfaces": [{"name": "ib0", "addresses": "203.0.113.1/24"}]}, r"interfaces\[0\].addresses: expected list"),
        ({"interfaces": [{"name": "ib0", "addresses": ["fe80::1/64"]}]}, "fe80::1 is no address to be given"),
    ],
)
def test_what_is_wrong_is_named(document: Any, says: str) -> None:
    with pytest.raises(RailheadError, match=f"^Cannot use the IPoIB document: .*{says}"):
        load_document(document)


def test_null_is_the_same_as_nothing() -> None:
    given = {"name": "ib0", "parent": None, "pkey": None, "mtu": None, "umcast": False, "addresses": None}
    assert load_document({"interfaces": [given]}) == load_document({"interfaces": [{"name": "ib0", "umcast": False}]})
    assert load_document({"interfaces": None}) == ()
