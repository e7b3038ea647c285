# SPDX-License-Identifier: GPL-3.0-or-later
"""What a document means, once its ranges and templates are expanded."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import event, given, settings
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.eswitch import Settings
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.document import load_document
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import (
    AddressesWant,
    BondWant,
    BridgeWant,
    FabricWant,
    PortWant,
    RepresentorWant,
    Route,
    VfWant,
)
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.request import Attributes, address_of, guid_of

GOOD = yaml.safe_load((Path(__file__).parent / "bad_documents.yml").read_text(encoding="utf-8"))["good"]
PCI = "0000:08:00.0"
XOR = {"mode": "balance-xor"}
many = settings(max_examples=200, derandomize=True, deadline=None)


def port(**entry: Any) -> PortWant:
    return load_document({"ports": [{"port": PCI, **entry}]}).ports[0]


def tagged(vlan: int, **more: Any) -> Attributes:
    return Attributes(**{"vlan": vlan, "qos": 0, "vlan_proto": "802.1Q", **more})


@pytest.mark.parametrize("document", [{}, {"ports": None}, {"ports": [], "bonds": [], "open_vswitch": {}}])
def test_nothing_is_asked(document: dict[str, Any]) -> None:
    assert load_document(document) == FabricWant()


@pytest.mark.parametrize(
    ("entry", "want"),
    [
        ({}, PortWant(PCI)),
        ({"port": "0000:3B:00.1"}, PortWant("0000:3b:00.1")),
        ({"port": "02-00-5E-10-00-99"}, PortWant("02:00:5e:10:00:99")),
        ({"port": "netdevsim10"}, PortWant("netdevsim10")),
        (
            {"port": "ens1f0np0", "name": "rail0", "altnames": ["ens1f0np0"]},
            PortWant("ens1f0np0", "rail0", ("ens1f0np0",)),
        ),
        ({"port": "rail0", "name": "rail0"}, PortWant("rail0", "rail0")),
        ({"altnames": ["leaf1", "leaf1"]}, PortWant(PCI, altnames=("leaf1",))),
        ({"admin_state": "up"}, PortWant(PCI)),
        ({"admin_state": "down", "mtu": 9000, "count": 0}, PortWant(PCI, up=False, mtu=9000, count=0)),
        (
            {"eswitch_mode": "switchdev", "inline_mode": "transport", "encap_mode": "none"},
            PortWant(PCI, eswitch=Settings("switchdev", "transport", "none")),
        ),
        ({"steering_mode": "hmfs", "hw_tc_offload": False}, PortWant(PCI, steering_mode="hmfs", hw_tc_offload=False)),
    ],
)
def test_ports(entry: dict[str, Any], want: PortWant) -> None:
    assert port(**entry) == want


def test_the_longest_name_with_room_for_its_representors() -> None:
    assert port(name="rail-leaf-001", eswitch_mode="switchdev", count=10).count == 10
    assert port(name="rail-of-leaf-01", count=10).count == 10


@pytest.mark.parametrize(
    ("entries", "vfs"),
    [
        ([], {}),
        ([{"vf": 3, "trust": True}], {3: VfWant(Attributes(trust=True))}),
        ([{"vf": "3", "trust": False}], {3: VfWant(Attributes(trust=False))}),
        ([{"vf": "1-2", "mac": "auto"}], {1: VfWant(Attributes(mac="auto")), 2: VfWant(Attributes(mac="auto"))}),
        ([{"vf": "1-2", "vlan": 9}], {1: VfWant(tagged(9)), 2: VfWant(tagged(9))}),
        ([{"vf": "1-2", "vlan": "9"}], {1: VfWant(tagged(9)), 2: VfWant(tagged(9))}),
        ([{"vf": "1-2", "vlan": "9-10"}], {1: VfWant(tagged(9)), 2: VfWant(tagged(10))}),
        ([{"vf": 1, "vlan": "4094-4094"}], {1: VfWant(tagged(4094))}),
        ([{"vf": "1-2", "vlan": 0}], {1: VfWant(tagged(0)), 2: VfWant(tagged(0))}),
        (
            [{"vf": 0, "vlan": 9, "qos": 3, "vlan_proto": "802.1ad"}],
            {0: VfWant(tagged(9, qos=3, vlan_proto="802.1ad"))},
        ),
        ([{"vf": "1-2", "netns": "pod{vf}"}], {1: VfWant(netns="pod1"), 2: VfWant(netns="pod2")}),
        ([{"vf": "1-2", "netns": "jobs"}], {1: VfWant(netns="jobs"), 2: VfWant(netns="jobs")}),
        ([{"vf": 1, "netns": ""}], {1: VfWant(netns="")}),
        ([{"vf": 1, "netns": "", "driver": "vfio-pci"}], {1: VfWant(driver="vfio-pci", netns="")}),
        ([{"vf": 1, "driver": "none"}], {1: VfWant(driver="none")}),
        (
            [{"vf": 1, "node_guid": "AUTO", "port_guid": "00:11:22:33:44:55:66:7A"}],
            {1: VfWant(Attributes(node_guid="auto", port_guid="00:11:22:33:44:55:66:7a"))},
        ),
        (
            [{"vf": "0-1", "trust": True, "driver": "none"}, {"vf": 1, "vlan": 5}, {"vf": 1, "link_state": "enable"}],
            {
                0: VfWant(Attributes(trust=True), "none"),
                1: VfWant(tagged(5, trust=True, link_state="enable"), "none"),
            },
        ),
        (
            [{"vf": 0, "min_tx_rate": 5}, {"vf": 0, "max_tx_rate": 0}],
            {0: VfWant(Attributes(min_tx_rate=5, max_tx_rate=0))},
        ),
        (
            [{"vf": 0, "mac": "00:00:00:00:00:00"}, {"vf": 1, "mac": "00:00:00:00:00:00"}],
            {index: VfWant(Attributes(mac="00:00:00:00:00:00")) for index in (0, 1)},
        ),
    ],
)
def test_vfs(entries: list[dict[str, Any]], vfs: dict[int, VfWant]) -> None:
    assert port(count=4, vfs=entries).vfs == vfs


def test_vfs_of_a_port_whose_number_of_them_is_left_alone() -> None:
    assert port(vfs=[{"vf": 127, "netns": "jobs"}]) == PortWant(PCI, vfs={127: VfWant(netns="jobs")})


def two_ports(**more: Any) -> dict[str, Any]:
    switchdev = {"eswitch_mode": "switchdev", "altnames": ["a"]}
    return {"ports": [{"port": PCI, "name": "rail0", **switchdev}, {"port": "0000:08:00.1"}], **more}


@pytest.mark.parametrize(
    ("entry", "want"),
    [
        ({"name": "b", "members": ["0000:08:00.1"]}, BondWant("b", members=("0000:08:00.1",))),
        ({"name": "b", "members": [PCI, "eno1"], **XOR}, BondWant("b", members=("rail0", "eno1"), data=XOR)),
        ({"name": "b", "members": ["eno1", "a"], **XOR}, BondWant("b", members=("eno1", "rail0"), data=XOR)),
        (
            {"name": "b", "members": [PCI], "mode": "active-backup", "primary": "a", "mtu": 9000},
            BondWant("b", members=("rail0",), data={"mode": "active-backup", "primary": "rail0"}, mtu=9000),
        ),
        ({"name": "b", "state": "absent", "members": ["rail0"]}, BondWant("b", present=False)),
        (
            {
                "name": "b",
                "members": ["eno1"],
                "mode": "802.3ad",
                "lacp_rate": "fast",
                "miimon": 0,
                "lacp_active": False,
            },
            BondWant(
                "b",
                members=("eno1",),
                data={"mode": "802.3ad", "lacp_rate": "fast", "miimon": 0, "lacp_active": False},
            ),
        ),
    ],
)
def test_bonds(entry: dict[str, Any], want: BondWant) -> None:
    assert load_document(two_ports(bonds=[entry])).bonds == (want,)


def test_a_bond_that_is_to_be_absent_leaves_its_members_to_another() -> None:
    bonds = [{"name": "old", "state": "absent", "members": ["eno1"]}, {"name": "new", "members": ["eno1"]}]
    assert [bond.present for bond in load_document({"bonds": bonds}).bonds] == [False, True]


@pytest.mark.parametrize(
    ("given_", "config"),
    [
        ({"hw_offload": True}, {"hw-offload": "true"}),
        ({"hw_offload": False, "tc_policy": "skip_hw"}, {"hw-offload": "false", "tc-policy": "skip_hw"}),
    ],
)
def test_open_vswitch(given_: dict[str, Any], config: dict[str, str]) -> None:
    assert load_document({"open_vswitch": given_}).ovs_config == config


@pytest.mark.parametrize(
    ("entry", "want"),
    [
        ({"name": "br0"}, BridgeWant("br0")),
        ({"name": "br0", "state": "absent", "uplinks": ["eno1"]}, BridgeWant("br0", present=False)),
        ({"name": "br0", "uplinks": [PCI, "eno1"]}, BridgeWant("br0", uplinks=("rail0", "eno1"))),
        (
            {"name": "br0", "representors": [{"port": PCI, "vf": "2-3", "tag": "7-8"}, {"port": "a", "vf": 1}]},
            BridgeWant(
                "br0",
                representors=(
                    RepresentorWant("rail0", 2, 7),
                    RepresentorWant("rail0", 3, 8),
                    RepresentorWant("rail0", 1),
                ),
            ),
        ),
        (
            {"name": "br0", "representors": [{"port": "rail0", "vf": "0-1", "tag": 4094}]},
            BridgeWant("br0", representors=(RepresentorWant("rail0", 0, 4094), RepresentorWant("rail0", 1, 4094))),
        ),
    ],
)
def test_bridges(entry: dict[str, Any], want: BridgeWant) -> None:
    assert load_document(two_ports(bridges=[entry])).bridges == (want,)


@pytest.mark.parametrize(
    ("entry", "want"),
    [
        ({"device": "eno1"}, AddressesWant("eno1")),
        ({"device": "e", "addresses": ["169.254.0.1/16"]}, AddressesWant("e", ("169.254.0.1/16",))),
        ({"device": PCI, "addresses": ["192.0.2.7/24"]}, AddressesWant("rail0", ("192.0.2.7/24",))),
        (
            {"device": "e", "addresses": ["192.0.2.0/31", "2001:DB8::/127"]},
            AddressesWant("e", ("192.0.2.0/31", "2001:db8::/127")),
        ),
        (
            {"device": "e", "addresses": ["192.0.2.9/32", "192.0.2.10/24"]},
            AddressesWant("e", ("192.0.2.9/32", "192.0.2.10/24")),
        ),
        (
            {"device": "e", "addresses": ["2001:db8::ffff:ffff:ffff:ffff/64"]},
            AddressesWant("e", ("2001:db8::ffff:ffff:ffff:ffff/64",)),
        ),
        ({"device": "e", "routes": [{"to": "203.0.113.0/24"}]}, AddressesWant("e", routes=(Route("203.0.113.0/24"),))),
        (
            {"device": "e", "routes": [{"to": "default", "via": "FE80::1", "metric": 5}]},
            AddressesWant("e", routes=(Route("::/0", "fe80::1", 5),)),
        ),
        (
            {
                "device": "e",
                "addresses": ["192.0.2.7/24"],
                "routes": [
                    {"to": "default", "via": "192.0.2.1"},
                    {"to": "0.0.0.0/0", "via": "192.0.2.2", "metric": 9},
                    {"to": "192.0.2.0/24", "metric": 9},
                ],
            },
            AddressesWant(
                "e",
                ("192.0.2.7/24",),
                (Route("0.0.0.0/0", "192.0.2.1"), Route("0.0.0.0/0", "192.0.2.2", 9), Route("192.0.2.0/24", "", 9)),
            ),
        ),
    ],
)
def test_addresses(entry: dict[str, Any], want: AddressesWant) -> None:
    assert load_document(two_ports(addresses=[entry])).addresses == (want,)


def test_subnets_may_overlap() -> None:
    load_document({"addresses": [{"device": name, "addresses": [f"192.0.2.{name[1]}/24"]} for name in ("e1", "e2")]})


def test_the_document_of_the_guide() -> None:
    """All at once, with 128 VFs a port."""
    vfs = [{"vf": "0-127", "mac": "auto", "vlan": "100-227", "netns": "pod{vf}"}]
    ports = [
        {"port": f"0000:08:00.{number}", "name": f"rail{number}", "count": 128, "vfs": vfs, "eswitch_mode": "switchdev"}
        for number in (0, 1)
    ]
    representors = [{"port": f"rail{number}", "vf": "0-127", "tag": "100-227"} for number in (0, 1)]
    want = load_document(
        {
            "ports": ports,
            "bonds": [{"name": "bond0", "members": ["rail0", "rail1"], "vf_lag": True, "mode": "802.3ad"}],
            "bridges": [{"name": "br0", "uplinks": ["bond0"], "representors": representors}],
        }
    )
    assert want.ports[1].vfs == {
        index: VfWant(tagged(100 + index, mac="auto"), netns=f"pod{index}") for index in range(128)
    }
    assert want.bridges[0].representors == tuple(
        RepresentorWant(f"rail{number}", index, 100 + index) for number in (0, 1) for index in range(128)
    )


def with_nulls(value: Any) -> Any:
    """As the parameters of a module: what was not given is there as null."""
    if isinstance(value, dict):
        nulls = {"mtu": None, "count": None} if "port" in value and "vf" not in value else {}
        return {**nulls, **{key: with_nulls(item) for key, item in value.items()}}
    return [with_nulls(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("reading", [copy.deepcopy, with_nulls, lambda document: json.loads(json.dumps(document))])
def test_the_same_document_is_the_same_want(reading: Any) -> None:
    before = copy.deepcopy(GOOD)
    assert load_document(reading(GOOD)) == load_document(GOOD)
    assert before == GOOD


@many
@given(st.integers(0, 40), st.integers(1, 60), st.integers(1, 4034), st.randoms())
def test_each_vf_gets_its_own(first: int, number: int, vlan: int, order: Any) -> None:
    last = first + number - 1
    entries = [
        {"vf": f"{first}-{last}", "mac": "auto", "vlan": f"{vlan}-{vlan + number - 1}"},
        {"vf": f"{first}-{last}", "port_guid": "auto", "netns": "pod{vf}"},
        {"vf": last, "trust": True},
    ]
    vfs = port(count=last + 1, vfs=entries).vfs
    assert list(vfs) == list(range(first, last + 1))
    assert [vf.attributes.vlan for vf in vfs.values()] == list(range(vlan, vlan + number))
    assert len({vf.netns for vf in vfs.values()}) == number
    assert {vf.attributes.mac for vf in vfs.values()} == {vf.attributes.port_guid for vf in vfs.values()} == {"auto"}
    assert len({address_of("02:00:5e:10:00:01", index) for index in vfs}) == number
    assert len({guid_of("00:11:22:33:44:55:66:77", index) for index in vfs}) == number
    order.shuffle(entries)
    assert port(count=last + 1, vfs=entries).vfs == vfs


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all values of a document, the document itself not among them."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way for key, item in items for way in ((*path, key), *leaves(item, (*path, key)))]


WORDS = st.sampled_from(
    ["", "auto", "none", "0-3", "rail0", "rail0_1", "bond0", "br0", "lo", PCI, "default", "{vf}", "é%"]
)
SCALARS = st.none() | st.booleans() | st.integers(-1, 70000) | st.floats() | WORDS | st.text(max_size=20)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3))


@many
@given(st.sampled_from(leaves(GOOD)), VALUES)
def test_anything_is_read_or_refused_with_words(path: tuple[Any, ...], value: Any) -> None:
    document = copy.deepcopy(GOOD)
    at = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    try:
        want = load_document(document)
    except RailheadError as error:
        event("refused")
        assert str(error).startswith("Cannot use ")
    else:
        event("read")
        assert load_document(document) == want


def test_a_router_behind_a_route_without_one() -> None:
    routes = [{"to": "198.51.100.1/32"}, {"to": "0.0.0.0/0", "via": "198.51.100.1"}]
    document = {"addresses": [{"device": "eth0", "addresses": ["203.0.113.5/32"], "routes": routes}]}
    assert [route.via for route in load_document(document).addresses[0].routes] == ["", "198.51.100.1"]
    with pytest.raises(RailheadError, match=r"198\.51\.100\.1 is in no subnet of the device"):
        load_document({"addresses": [{**document["addresses"][0], "routes": routes[::-1]}]})
