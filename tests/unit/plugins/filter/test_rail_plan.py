# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of hosts on rails: tables of plans and refusals, and what holds for every plan."""

from __future__ import annotations

import builtins
import importlib.util
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.filter import rail_plan as filter_module
from ansible_collections.railhead.cluster.plugins.plugin_utils import rail_plan as planner

rail_plan = filter_module.FilterModule().filters()["rail_plan"]

Network = IPv4Network | IPv6Network


def rows(supernet: str, **options: Any) -> list[tuple[object, ...]]:
    """Return what a test compares: subnet, address, gateway, and the destinations of the routes."""
    plan = rail_plan(supernet, **options)
    assert [each["rail"] for each in plan] == list(range(options["rails"]))
    for each in plan:
        assert list(each) == ["rail", "subnet", "address", "gateway", "routes"]
        assert all(route["via"] == each["gateway"] for route in each["routes"])
    return [(each["subnet"], each["address"], each["gateway"], [to["to"] for to in each["routes"]]) for each in plan]


PLANS: list[tuple[str, dict[str, Any], list[tuple[object, ...]]]] = [
    (
        "192.0.2.0/28",
        {"host": 1, "rails": 2, "hosts": 4, "layout": "p2p"},
        [
            ("192.0.2.2/31", "192.0.2.3/31", "192.0.2.2", ["192.0.2.0/29", "192.0.2.0/28"]),
            ("192.0.2.10/31", "192.0.2.11/31", "192.0.2.10", ["192.0.2.8/29", "192.0.2.0/28"]),
        ],
    ),
    (
        "192.0.2.0/28",
        {"host": 3, "rails": 2, "hosts": 4, "layout": "p2p", "reach": "rail"},
        [
            ("192.0.2.6/31", "192.0.2.7/31", "192.0.2.6", ["192.0.2.0/29"]),
            ("192.0.2.14/31", "192.0.2.15/31", "192.0.2.14", ["192.0.2.8/29"]),
        ],
    ),
    # Addresses as in RFC 6164, 6: not the first of a /64, not its last 128
    (
        "2001:db8::/48",
        {"host": 0, "rails": 2, "hosts": 4, "layout": "p2p", "prefix": 64},
        [
            ("2001:db8::2/127", "2001:db8::3/127", "2001:db8::2", ["2001:db8::/64", "2001:db8::/48"]),
            ("2001:db8:0:1::2/127", "2001:db8:0:1::3/127", "2001:db8:0:1::2", ["2001:db8:0:1::/64", "2001:db8::/48"]),
        ],
    ),
    (
        "2001:db8::/64",
        {"host": 3, "rails": 2, "hosts": 4, "layout": "p2p"},
        [
            ("2001:db8::8/127", "2001:db8::9/127", "2001:db8::8", ["2001:db8::/120", "2001:db8::/64"]),
            ("2001:db8::108/127", "2001:db8::109/127", "2001:db8::108", ["2001:db8::100/120", "2001:db8::/64"]),
        ],
    ),
    (
        "10.0.0.0/16",
        {"host": 63, "rails": 2, "hosts": 64},
        [("10.0.0.0/25", "10.0.0.65/25", None, []), ("10.0.0.128/25", "10.0.0.193/25", None, [])],
    ),
    (
        "10.0.0.0/16",
        {"host": 0, "rails": 2, "hosts": 64, "prefix": 24, "gateway": True, "exclude": ["10.1.0.0/16"]},
        [
            ("10.0.0.0/24", "10.0.0.2/24", "10.0.0.1", ["10.0.0.0/16"]),
            ("10.0.1.0/24", "10.0.1.2/24", "10.0.1.1", ["10.0.0.0/16"]),
        ],
    ),
    (
        "10.0.0.0/16",
        {"host": 0, "rails": 1, "hosts": 64, "gateway": True, "reach": "rail", "reserve": 10},
        [("10.0.0.0/25", "10.0.0.11/25", "10.0.0.1", [])],
    ),
    (
        "2001:db8::/60",
        {"host": 1, "rails": 2, "hosts": 4, "prefix": 64, "gateway": True},
        [
            ("2001:db8::/64", "2001:db8::3/64", "2001:db8::1", ["2001:db8::/60"]),
            ("2001:db8:0:1::/64", "2001:db8:0:1::3/64", "2001:db8:0:1::1", ["2001:db8::/60"]),
        ],
    ),
    # Full to the last address
    ("192.0.2.0/30", {"host": 1, "rails": 1, "hosts": 2, "reserve": 0}, [("192.0.2.0/30", "192.0.2.2/30", None, [])]),
    # No route to what is on the link already, and none twice
    (
        "192.0.2.0/31",
        {"host": 0, "rails": 1, "hosts": 1, "layout": "p2p"},
        [("192.0.2.0/31", "192.0.2.1/31", "192.0.2.0", [])],
    ),
    (
        "192.0.2.0/30",
        {"host": 1, "rails": 1, "hosts": 2, "layout": "p2p"},
        [("192.0.2.2/31", "192.0.2.3/31", "192.0.2.2", ["192.0.2.0/30"])],
    ),
    (
        "192.0.2.0/29",
        {"host": 0, "rails": 1, "hosts": 5, "gateway": True},
        [("192.0.2.0/29", "192.0.2.2/29", "192.0.2.1", [])],
    ),
]


@pytest.mark.parametrize(("supernet", "options", "expected"), PLANS)
def test_plans(supernet: str, options: dict[str, Any], expected: list[tuple[object, ...]]) -> None:
    assert rows(supernet, **options) == expected


SHAPE: dict[str, Any] = {"host": 3, "rails": 8, "hosts": 64}
TEN = "10.0.0.0/16"

REFUSALS: list[tuple[object, dict[str, Any], str]] = [
    # Too small: what is needed, what is there, what to use
    (
        "192.0.2.0/24",
        {},
        "Cannot plan 8 rails of 64 hosts in 192.0.2.0/24: that needs 8 subnets of 128 addresses (/25; 64 hosts with 3"
        " kept free need 67), the supernet has 2, with 256 addresses; use a /22 as the supernet.",
    ),
    ("192.0.2.0/26", {"rails": 1}, "has 0, with 64 addresses; use a /25 as the supernet."),
    ("192.0.2.0/24", {"layout": "p2p"}, "needs 8 subnets of 128 addresses (/25; 64 hosts with 0 kept free need 128)"),
    ("2001:db8::/62", {"prefix": 64}, "needs 8 subnets of 2^64 addresses"),
    ("2001:db8::/62", {"prefix": 64}, "has 4, with 2^66 addresses; use a prefix from 65 to 120."),
    ("2001:db8::/118", {}, "needs 8 subnets of 256 addresses (/120; 64 hosts with 130 kept free need 194)"),
    ("2001:db8::/118", {}, "has 4, with 1024 addresses; use a /117 as the supernet."),
    (TEN, {"prefix": 15}, "has 0, with 65536 addresses; use a prefix from 19 to 25."),
    ("10.0.0.0/22", {"prefix": 24}, "has 4, with 1024 addresses; use prefix=25."),
    ("10.0.0.0/23", {"prefix": 24}, "has 2, with 512 addresses; use a /21 as the supernet."),
    ("10.0.0.0/23", {"prefix": 1}, "use a /22 as the supernet, with prefix=25."),
    (
        TEN,
        {"prefix": 26},
        "Cannot plan 8 rails of 64 hosts in 10.0.0.0/16: the /26 of each rail has 64 addresses, and 64 hosts with 3"
        " kept free need 67; use prefix=25 or less.",
    ),
    (TEN, {"prefix": 33}, "Cannot use prefix=33: it must be from 0 to 32."),
    # Host and counts
    (TEN, {"host": 64}, "Cannot place host=64: with hosts=64 the hosts are 0 to 63; count from 0"),
    (TEN, {"host": -1}, "Cannot place host=-1: with hosts=64 the hosts are 0 to 63"),
    (TEN, {"hosts": 0}, "Cannot use hosts=0: it must be from 1 to 1048576."),
    (TEN, {"rails": 0}, "Cannot use rails=0: it must be from 1 to 256."),
    (TEN, {"reserve": -1}, "Cannot use reserve=-1: it must be from 0 to 65536."),
    # In use already
    (
        TEN,
        {"exclude": ["10.0.4.0/24"]},
        "10.0.0.0/16 overlaps 10.0.4.0/24 of exclude; use 10.0.128.0/17 of it.",
    ),
    (
        TEN,
        {"exclude": ["10.0.4.0/24", "172.16.0.0/12", "10.0.192.0/18", "10.0.128.0/17"]},
        "overlaps 10.0.4.0/24, 10.0.192.0/18, 10.0.128.0/17 of exclude; use 10.0.64.0/18 of it.",
    ),
    (TEN, {"exclude": ["10.0.0.0/8"]}, "overlaps 10.0.0.0/8 of exclude; use another supernet, a /22 at least."),
    ("10.0.0.0/22", {"exclude": ["10.0.3.0/24"]}, "use another supernet, a /22 at least."),
    (
        TEN,
        {"exclude": ["2001:db8::/32"]},
        "Cannot keep the supernet 10.0.0.0/16 apart from 2001:db8::/32: one is IPv4, the other IPv6; list only IPv4",
    ),
    # No networks
    ("10.0.0.1/16", {}, "Cannot use '10.0.0.1/16' as the supernet: it has host bits set; use 10.0.0.0/16."),
    ("2001:db8::1/64", {}, "it has host bits set; use 2001:db8::/64."),
    (TEN, {"exclude": ["10.1.2.3/24"]}, "Cannot use '10.1.2.3/24' as a network of exclude: it has host bits set"),
    ("10.0.0.0", {}, "Cannot use '10.0.0.0' as the supernet: it has no prefix length; write it as '10.0.0.0/16'."),
    ("10.0.0.0/255.255.0.0", {}, "has no prefix length"),
    ("10.0.0.0/-1", {}, "has no prefix length"),
    ("10.0.0.0/33", {}, "Cannot use '10.0.0.0/33' as the supernet: it is no IPv4 or IPv6 network."),
    ("10/8", {}, "is no IPv4 or IPv6 network"),
    ("010.0.0.0/8", {}, "is no IPv4 or IPv6 network"),
    ("fe80::%eth0/64", {}, "is no IPv4 or IPv6 network"),
    ("/16", {}, "is no IPv4 or IPv6 network"),
    # Wrong types
    (None, {}, "Cannot use None as the supernet: it is null; write it as '10.0.0.0/16'."),
    (10, {}, "Cannot use 10 as the supernet: it is a number"),
    ([TEN], {}, "as the supernet: it is a list"),
    (TEN, {"host": "3"}, "Cannot use host='3': it is a string; write a whole number, or use the filter int."),
    (TEN, {"host": True}, "Cannot use host=True: it is a boolean"),
    (TEN, {"rails": 8.0}, "Cannot use rails=8.0: it is a number; write a whole number"),
    (TEN, {"hosts": None}, "Cannot use hosts=None: it is null"),
    (TEN, {"prefix": "/24"}, "Cannot use prefix='/24': it is a string"),
    (TEN, {"gateway": "yes"}, "Cannot use gateway='yes': it is a string; write true or false."),
    (TEN, {"exclude": "10.1.0.0/16"}, "Cannot use exclude='10.1.0.0/16': it is a string; write a list of networks."),
    (TEN, {"exclude": {"a": 1}}, "it is a mapping; write a list of networks."),
    (TEN, {"exclude": {1}}, "it is a set; write a list of networks."),
    (TEN, {"exclude": [7]}, "Cannot use 7 as a network of exclude: it is a number"),
    (TEN, {"layout": "ptp"}, "Cannot use layout='ptp': it must be shared or p2p."),
    (TEN, {"reach": []}, "Cannot use reach=[]: it must be rail or supernet."),
    (TEN, {"hosst": 1}, "Cannot read the options of rail_plan: got an unexpected keyword argument 'hosst'"),
    # What does not go together
    (TEN, {"layout": "p2p", "reserve": 1}, "Cannot keep reserve=1 addresses free with layout=p2p: a /31 has 2"),
    ("2001:db8::/48", {"layout": "p2p", "reserve": 1}, "a /127 has 2"),
    (TEN, {"layout": "p2p", "gateway": False}, "Cannot leave out the gateway with layout=p2p"),
    (TEN, {"gateway": True, "reserve": 0}, "Cannot give each rail a gateway with reserve=0"),
]


@pytest.mark.parametrize(("supernet", "options", "says"), REFUSALS)
def test_refusals(supernet: object, options: dict[str, Any], says: str) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        rail_plan(supernet, **SHAPE | options)
    assert says in str(refused.value)
    assert str(refused.value).count("Cannot") == 1


def test_a_missing_option_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="missing a required argument: 'hosts'"):
        rail_plan(TEN, host=0, rails=8)


def test_what_is_reserved_or_nothing_at_all_may_be_said_outright() -> None:
    defaults = {
        "layout": "shared",
        "prefix": None,
        "reserve": None,
        "gateway": None,
        "reach": "supernet",
        "exclude": [],
    }
    assert rail_plan(TEN, **SHAPE, **defaults) == rail_plan(TEN, **SHAPE)
    assert rail_plan(TEN, **SHAPE, reserve=0, layout="p2p") == rail_plan(TEN, **SHAPE, layout="p2p")


def test_a_gateway_that_is_added_later_moves_no_host() -> None:
    without = rows(TEN, **SHAPE)
    routed = rows(TEN, **SHAPE, gateway=True)
    assert [row[:2] for row in without] == [row[:2] for row in routed]


def test_without_netaddr_the_filter_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_module, "NETADDR_MISSING", without_netaddr(monkeypatch).NETADDR_MISSING)
    with pytest.raises(AnsibleFilterError, match=r"netaddr is missing on the controller; install it .* -m pip install"):
        rail_plan(TEN, **SHAPE)


def without_netaddr(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the planner once more, as on a controller that does not have the library."""
    really = builtins.__import__

    def refuse(name: str, *details: Any, **more: Any) -> Any:
        if name == "netaddr":
            raise ModuleNotFoundError("No module named 'netaddr'")
        return really(name, *details, **more)

    assert planner.__file__ is not None
    spec = importlib.util.spec_from_file_location(planner.__name__, Path(planner.__file__))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", refuse)
        # Dataclasses look for their module while they are made.
        patch.setitem(__import__("sys").modules, planner.__name__, module)
        spec.loader.exec_module(module)
    return module


# Properties: hosts x rails of random plans that fit


@st.composite
def plans(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A supernet and all options but the host; the supernet has room for twice the rails at least."""
    layout = draw(st.sampled_from(["shared", "p2p"]))
    options: dict[str, Any] = {
        "layout": layout,
        "rails": draw(st.integers(1, 9)),
        "hosts": draw(st.integers(1, 20)),
        "reach": draw(st.sampled_from(["supernet", "rail"])),
    }
    if layout == "shared":
        options["reserve"] = draw(st.integers(0, 40))
        options["gateway"] = options["reserve"] > 0 and draw(st.booleans())
    family, width = draw(st.sampled_from([(IPv4Network, 32), (IPv6Network, 128)]))
    # 20 hosts with 40 reserved fit into a /26, with all that IPv6 keeps free into a /120.
    longest = 26 if width == 32 else 120
    options["prefix"] = draw(st.one_of(st.none(), st.integers(longest - (12 if width == 32 else 80), longest)))
    # IPv6 from 2000::/3, what is routed
    length = draw(st.integers(0 if width == 32 else 3, (options["prefix"] or longest) - 5))
    least, most = (0, 2**length - 1) if width == 32 else (2 ** (length - 3), 2 ** (length - 2) - 1)
    start = draw(st.integers(least, most)) << (width - length)
    return str(family((start, length))), options


def everyone(supernet: str, options: dict[str, Any]) -> list[list[dict[str, Any]]]:
    return [rail_plan(supernet, host=host, **options) for host in range(options["hosts"])]


def overlap(one: Network, other: Network) -> bool:
    return one[0] <= other[-1] and other[0] <= one[-1]  # type: ignore[operator]


@settings(deadline=None)
@given(plans())
def test_all_addresses_are_distinct_and_in_their_subnets(plan: tuple[str, dict[str, Any]]) -> None:
    supernet, options = plan
    cells = [rail for host in everyone(supernet, options) for rail in host]
    addresses = [ip_interface(cell["address"]) for cell in cells]
    assert len(addresses) == options["hosts"] * options["rails"]
    taken = {address.ip for address in addresses} | {ip_address(cell["gateway"]) for cell in cells if cell["gateway"]}
    gateways = {cell["gateway"] for cell in cells} - {None}
    assert len(taken) == len(addresses) + len(gateways), "no address is given twice, nor to a host and a gateway"
    for cell, address in zip(cells, addresses, strict=True):
        subnet = ip_network(cell["subnet"])
        assert address.network == subnet
        assert overlap(subnet, ip_network(supernet))
        assert subnet.prefixlen >= ip_network(supernet).prefixlen
        if subnet.version == 4 and subnet.prefixlen < 31:
            assert address.ip not in (subnet.network_address, subnet.broadcast_address)
        if options["layout"] == "p2p":
            assert subnet.prefixlen == subnet.max_prefixlen - 1
        if cell["gateway"]:
            assert ip_address(cell["gateway"]) in subnet
    if ip_network(supernet).version == 6:
        # RFC 4291, RFC 2526 and RFC 6164, 6
        assert all(0 < int(address) % 2**64 < 2**64 - 128 for address in taken)


@settings(deadline=None)
@given(plans())
def test_rails_are_disjoint(plan: tuple[str, dict[str, Any]]) -> None:
    supernet, options = plan
    hosts = everyone(supernet, options)
    rails = [{ip_network(host[rail]["subnet"]) for host in hosts} for rail in range(options["rails"])]
    assert all(len(subnets) == (options["hosts"] if options["layout"] == "p2p" else 1) for subnets in rails)
    every = [subnet for subnets in rails for subnet in subnets]
    assert not any(overlap(one, other) for one, other in combinations(every, 2))


@settings(deadline=None)
@given(plans())
def test_routes_lead_to_all_others_and_never_to_what_is_on_the_link(plan: tuple[str, dict[str, Any]]) -> None:
    supernet, options = plan
    hosts = everyone(supernet, options)
    for cell in hosts[-1]:
        routes = [ip_network(route["to"]) for route in cell["routes"]]
        assert ip_network(cell["subnet"]) not in routes
        assert len(routes) == len(set(routes))
        if cell["gateway"] is None:
            assert routes == []
            continue
        reached = [*routes, ip_network(cell["subnet"])]
        for other in (other for host in hosts for other in host):
            address = ip_interface(other["address"]).ip
            same_rail = other["rail"] == cell["rail"]
            assert any(address in network for network in reached) == (same_rail or options["reach"] == "supernet")


@settings(deadline=None)
@given(plans())
def test_with_reach_rail_one_routing_table_is_enough(plan: tuple[str, dict[str, Any]]) -> None:
    supernet, options = plan
    cells = rail_plan(supernet, host=0, **options | {"reach": "rail"})
    routes = [route["to"] for cell in cells for route in cell["routes"]]
    assert len(routes) == len(set(routes))


@settings(deadline=None)
@given(plans(), st.integers(1, 7))
def test_more_rails_change_no_rail(plan: tuple[str, dict[str, Any]], more: int) -> None:
    supernet, options = plan
    before = rail_plan(supernet, host=0, **options)
    after = rail_plan(supernet, host=0, **options | {"rails": options["rails"] + more})
    assert after[: options["rails"]] == before


@settings(deadline=None)
@given(plans(), st.integers(1, 40))
def test_a_larger_capacity_within_a_given_prefix_changes_no_host(plan: tuple[str, dict[str, Any]], more: int) -> None:
    supernet, options = plan
    assume(options["prefix"] is not None)
    last = options["hosts"] - 1
    before = rail_plan(supernet, host=last, **options)
    try:
        after = rail_plan(supernet, host=last, **options | {"hosts": options["hosts"] + more})
    except AnsibleFilterError as refused:
        assert "or less" in str(refused)
    else:
        assert after == before


@settings(deadline=None)
@given(plans(), st.data())
def test_a_plan_fits_for_every_host_or_for_none(plan: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    supernet, options = plan
    options |= {"rails": 256, "prefix": None, "hosts": data.draw(st.integers(1, 300))}
    answers = set()
    for host in {0, options["hosts"] - 1}:
        try:
            rail_plan(supernet, host=host, **options)
        except AnsibleFilterError as refused:
            answers.add(str(refused))
        else:
            answers.add("fits")
    assert len(answers) == 1


@settings(deadline=None)
@given(plans(), st.integers(1, 256), st.integers(1, 2**20))
def test_what_a_refusal_advises_works(plan: tuple[str, dict[str, Any]], rails: int, hosts: int) -> None:
    supernet, options = plan
    options |= {"rails": rails, "hosts": hosts, "host": hosts - 1}
    network: Network = ip_network(supernet)
    for _attempt in range(3):
        try:
            rail_plan(str(network), **options)
        except AnsibleFilterError as refused:
            advice = str(refused).rsplit(";", 1)[1]
        else:
            return
        words = advice.replace("=", " ").replace(",", " ").rstrip(".").split()
        if "supernet" in words:
            network = network.supernet(new_prefix=int(words[words.index("a") + 1].removeprefix("/")))
        if "prefix" in words:
            number = words[words.index("prefix") + 1]
            options["prefix"] = int(words[words.index("from") + 1] if number == "from" else number)
    pytest.fail(f"the advice does not help: {advice}")


@settings(deadline=None)
@given(plans(), st.data())
def test_no_plan_touches_what_is_excluded(plan: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    supernet, options = plan
    network: Network = ip_network(supernet)
    length = data.draw(st.integers(0, network.max_prefixlen))
    start = data.draw(st.integers(0, 2**length - 1)) << (network.max_prefixlen - length)
    near = data.draw(st.sampled_from([start, int(network.network_address)]))
    excluded = type(network)((near, length), strict=False)
    options |= {"host": 0, "exclude": [str(excluded)]}
    if not overlap(network, excluded):
        rail_plan(supernet, **options)
        return
    with pytest.raises(AnsibleFilterError) as refused:
        rail_plan(supernet, **options)
    says = str(refused.value)
    assert f"{supernet} overlaps {excluded} of exclude" in says
    if says.endswith(" of it."):
        free = says.rsplit("use ", 1)[1].removesuffix(" of it.")
        assert rail_plan(free, **options)
