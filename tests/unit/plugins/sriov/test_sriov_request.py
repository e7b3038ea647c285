# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said of a request without looking at the host."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.request import (
    Attributes,
    Want,
    address_of,
    guid_of,
    parse_indexes,
    want_from,
)

MAC = "02:00:5e:10:00:01"
GUID = "00:11:22:33:44:55:66:77"


def wanted(**params: Any) -> Want:
    defaults = {
        "port": "ens1f0np0",
        "count": None,
        "drivers_autoprobe": None,
        "vfs": None,
        "allow_resize_in_use": False,
        "allow_management": False,
    }
    return want_from({**defaults, **params})


def one(**entry: Any) -> dict[str, Any]:
    return {"vfs": [{"vf": "0", **entry}]}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"port": ""}, "Cannot use '' as a port"),
        ({"port": "a b"}, "PCI address such as"),
        ({"port": "../../etc"}, "as a port"),
        ({"port": ".."}, "as a port"),
        ({"count": -1}, "0 to 65535"),
        ({"count": 65536}, "0 to 65535"),
        ({"vfs": [{"vf": "", "trust": True}]}, "Cannot use '' as vf"),
        ({"vfs": [{"vf": "x", "trust": True}]}, "a range such as 0-3"),
        ({"vfs": [{"vf": "-1", "trust": True}]}, "as vf"),
        ({"vfs": [{"vf": "3-1", "trust": True}]}, "Cannot use '3-1' as vf"),
        ({"vfs": [{"vf": "0,1", "trust": True}]}, "as vf"),
        ({"vfs": [{"vf": "0"}]}, "gives nothing to configure"),
        ({"vfs": [{"vf": "0-3", "trust": True}], "count": 3}, "Cannot configure VF 3.*the VFs 0 to 2.*raise count"),
        ({"vfs": [{"vf": "0", "trust": True}], "count": 0}, "there are none"),
        ({"vfs": [{"vf": "0-1", "trust": True}, {"vf": "1", "trust": False}]}, "two entries of vfs give its trust"),
        (one(mac="01:00:5e:00:00:01"), "no unicast MAC address"),
        (one(mac="02:00:5e:10:00"), "no unicast MAC address"),
        (one(mac="none"), "such as 02:00:5e:10:00:01, or auto"),
        (one(mac="02:00:5e:10:00:01:02:03"), "no unicast MAC address"),
        ({"vfs": [{"vf": "0-1", "mac": MAC}]}, "one mac cannot be that of 2 VFs.*or auto"),
        ({"vfs": [{"vf": "0", "mac": MAC}, {"vf": "1", "mac": MAC.upper()}]}, "VF 0 has the mac"),
        (one(vlan=4095), "no VLAN 4095"),
        (one(vlan=-1), "no VLAN -1"),
        (one(qos=3), "those of a VLAN"),
        (one(vlan=0, qos=3), "those of a VLAN"),
        (one(vlan_proto="802.1ad"), "those of a VLAN"),
        (one(vlan=5, qos=8), "no qos 8"),
        (one(vlan=5, qos=-1), "no qos -1"),
        (one(min_tx_rate=-1), "min_tx_rate=-1 is no rate"),
        (one(max_tx_rate=2**32), "is no rate"),
        (one(min_tx_rate=200, max_tx_rate=100), "min_tx_rate=200 is more than max_tx_rate=100"),
        (one(node_guid="00:11"), "eight octets"),
        (one(port_guid="automatic"), "no port_guid.*or auto"),
        ({"vfs": [{"vf": "0-1", "node_guid": GUID}]}, "one node_guid cannot be that of 2 VFs.*or auto"),
        ({"vfs": [{"vf": "0", "node_guid": GUID}, {"vf": "1", "node_guid": GUID}]}, "VF 0 has the node_guid"),
    ],
)
def test_wrong_input_is_refused(params: dict[str, Any], words: str) -> None:
    with pytest.raises(RailheadError, match=words):
        wanted(**params)


@pytest.mark.parametrize(
    ("entry", "attributes"),
    [
        ({"mac": "02-00-5E-10-00-01"}, Attributes(mac=MAC)),
        ({"mac": "AUTO"}, Attributes(mac="auto")),
        ({"mac": "00:00:00:00:00:00"}, Attributes(mac="00:00:00:00:00:00")),
        ({"vlan": 100}, Attributes(vlan=100, qos=0, vlan_proto="802.1Q")),
        ({"vlan": 0}, Attributes(vlan=0, qos=0, vlan_proto="802.1Q")),
        ({"vlan": 9, "qos": 3, "vlan_proto": "802.1ad"}, Attributes(vlan=9, qos=3, vlan_proto="802.1ad")),
        ({"min_tx_rate": 5, "max_tx_rate": 0}, Attributes(min_tx_rate=5, max_tx_rate=0)),
        ({"node_guid": "AUTO", "port_guid": "auto"}, Attributes(node_guid="auto", port_guid="auto")),
        ({"node_guid": GUID, "trust": False}, Attributes(node_guid=GUID, trust=False)),
    ],
)
def test_attributes(entry: dict[str, Any], attributes: Attributes) -> None:
    assert wanted(**one(**entry)).vfs == {0: attributes}


def test_entries_of_one_vf_come_together() -> None:
    want = wanted(vfs=[{"vf": "1-2", "trust": True}, {"vf": "2", "vlan": 5}])
    assert want.vfs == {1: Attributes(trust=True), 2: Attributes(trust=True, vlan=5, qos=0, vlan_proto="802.1Q")}


def test_ranges_include_both_ends() -> None:
    assert [list(parse_indexes(text)) for text in ("3", "0-2", "4-4")] == [[3], [0, 1, 2], [4]]


def test_an_automatic_address_stays_the_same() -> None:
    assert address_of("b8:59:9f:c3:10:2a", 0) == "7e:00:00:c3:10:2a"
    assert address_of("b8:59:9f:c3:10:2a", 258) == "7e:01:02:c3:10:2a"


def test_an_automatic_guid_stays_the_same() -> None:
    assert guid_of("b8:59:9f:03:00:c3:10:2a", 0) == "ba:59:9f:00:00:c3:10:2a"
    assert guid_of("b8:59:9f:03:00:c3:10:2a", 258) == "ba:59:9f:01:02:c3:10:2a"


octets = st.binary(min_size=6, max_size=6).map(lambda raw: ":".join(f"{octet:02x}" for octet in raw))


@given(octets, st.integers(0, 65535), st.integers(0, 65535))
def test_automatic_addresses_are_local_unicast_and_differ(port: str, one_vf: int, other_vf: int) -> None:
    address = address_of(port, one_vf)
    assert int(address[:2], 16) & 3 == 2
    assert (address == address_of(port, other_vf)) == (one_vf == other_vf)
    neighbour = f"{port[:15]}{int(port[15:], 16) ^ 1:02x}"
    assert address != address_of(neighbour, other_vf)


guids = st.binary(min_size=8, max_size=8).map(lambda raw: ":".join(f"{octet:02x}" for octet in raw))


@given(guids, st.integers(0, 65535), st.integers(0, 65535))
def test_automatic_guids_differ(port: str, one_vf: int, other_vf: int) -> None:
    guid = guid_of(port, one_vf)
    assert guid != port
    assert (guid == guid_of(port, other_vf)) == (one_vf == other_vf)
    neighbour = f"{port[:21]}{int(port[21:], 16) ^ 1:02x}"
    assert guid not in (neighbour, guid_of(neighbour, other_vf))
