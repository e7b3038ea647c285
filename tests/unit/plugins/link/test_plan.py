# SPDX-License-Identifier: GPL-3.0-or-later
"""From the host in fixtures/ip/6.15.0 and a want to the commands. What is refused is in bad_input.yml."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import BOND, KINDS
from ansible_collections.railhead.cluster.plugins.module_utils._link.bond import bond_changes
from ansible_collections.railhead.cluster.plugins.module_utils._link.observe import Links, observe
from ansible_collections.railhead.cluster.plugins.module_utils._link.plan import plan_link
from ansible_collections.railhead.cluster.plugins.module_utils._link.request import Want
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import Namespace, Namespaces

from ..replay import ReplayHost
from .test_device import load

BLUE = Namespaces((Namespace("/run/netns/blue", "blue"),))
HAVE = Links({"": load("6.15.0/link.json"), "blue": load("6.15.0/link_blue.json")}, BLUE)
YES: dict[str, Any] = {"allow_disruption": True, "allow_recreate": True}


@pytest.mark.parametrize(
    ("want", "expected"),
    [
        (Want("d2"), []),
        (Want("d2", altnames=("rail2",), mtu=1500, up=True, master=""), []),
        (Want("d2", altnames=("rail2", "a", "b")), ["ip link property add dev d2 altname a altname b"]),
        (Want("bond0", kind="bond", data={"lacp_rate": "fast", "miimon": 100}), []),
        (Want("d0", address="02:00:5e:10:00:01", mtu=9000, master="bond0"), []),
        (Want("net1", kind="macvlan", parent="d2", netns="blue", data={"mode": "bridge"}), []),
        (Want("gpu0", kind="veth", peer="eth0", peer_netns="blue"), []),
        (Want("eth0", kind="veth", netns="blue", peer="gpu0", peer_netns=""), []),
        (Want("storage", kind="vlan", parent="bond0", data={"id": 120, "protocol": "802.1Q"}), []),
        # From one bond to another: the old one takes it down, the new one takes it up.
        (
            Want("d0", master="bond1", address="02:00:5e:10:00:77", **YES),
            [
                "ip link set dev d0 nomaster",
                "ip link set dev d0 address 02:00:5e:10:00:77",
                "ip link set dev d0 master bond1",
            ],
        ),
        (Want("d0", master="", up=False), ["ip link set dev d0 nomaster"]),
        (Want("d0", master=""), ["ip link set dev d0 nomaster", "ip link set dev d0 up"]),
        (Want("d0", up=False), ["ip link set dev d0 down"]),
        # Everything that needs the bond down in one time of being down; what does not is with it.
        (
            Want("bond0", kind="bond", data={"lacp_rate": "slow", "ad_select": "count", "min_links": 1}, **YES),
            [
                "ip link set dev bond0 down",
                "ip link set dev bond0 type bond min_links 1 lacp_rate slow ad_select count",
                "ip link set dev bond0 up",
            ],
        ),
        (Want("bond0", kind="bond", data={"min_links": 1}), ["ip link set dev bond0 type bond min_links 1"]),
        # The mode takes arp_validate with it, and comes first.
        (
            Want("bond1", kind="bond", data={"arp_validate": "all", "mode": "balance-xor"}),
            ["ip link set dev bond1 type bond mode balance-xor arp_validate all"],
        ),
        # What is on top is still there after a change of the mode of a macvlan, but not after another parent.
        (Want("mv0", kind="macvlan", data={"mode": "bridge"}), ["ip link set dev mv0 type macvlan mode bridge"]),
        (
            Want("mv0", kind="macvlan", parent="bond0", data={"mode": "bridge"}, **YES),
            ["ip link del dev mv0", "ip link add link bond0 name mv0 type macvlan mode bridge"],
        ),
        (
            Want("d2", netns="blue", **YES),
            ["ip link set dev d2 netns blue", "ip -n blue link set dev d2 up"],
        ),
        (
            Want("net1", kind="macvlan", netns="", mtu=1400, **YES),
            ["ip -n blue link set dev net1 netns /proc/1/ns/net", "ip link set dev net1 mtu 1400"],
        ),
        (Want("net1", kind="macvlan", present=False), []),
        (Want("net1", kind="macvlan", netns="blue", present=False), ["ip -n blue link del dev net1"]),
        (Want("ve0", kind="veth", netns="blue", peer="ve1", peer_netns=""), ["ip link set dev ve0 netns blue"]),
        (Want("x", kind="dummy", netns="gone", present=False), []),
    ],
)
def test_commands(want: Want, expected: list[str]) -> None:
    assert [" ".join(step.shown) for step in plan_link(HAVE, want).steps] == expected


@pytest.mark.parametrize("space", ["", "blue"])
def test_every_device_is_what_it_is(space: str) -> None:
    """plan(want, want) is empty, for everything that was recorded."""
    for device in HAVE.of(space):
        kind = device.kind if device.kind in KINDS else None
        data = {
            each.name: device.data[each.name]
            for each in (KINDS[kind].attributes if kind else ())
            if each.name in device.data and (not each.modes or device.data.get("mode") in each.modes)
        }
        want = Want(
            device.name,
            kind=kind,
            parent=None if kind == "veth" else device.parent,
            up=device.up,
            mtu=device.mtu,
            address=device.address,
            altnames=device.altnames,
            master=device.master or "",
            netns=space,
            data=data,
        )
        assert plan_link(HAVE, want).steps == ()


def test_before_and_after_have_the_same_words() -> None:
    want = Want("bond0", kind="bond", mtu=1500, netns="", data={"min_links": 1})
    plan = plan_link(HAVE, want)
    common = {"name": "bond0", "state": "present", "kind": "bond", "netns": ""}
    assert plan.before == {**common, "mtu": 9000, "bond": {"min_links": 0}}
    assert plan.after == {**common, "mtu": 1500, "bond": {"min_links": 1}}


@pytest.mark.parametrize(
    ("have", "want", "expected"),
    [
        ({}, {"mode": "802.3ad", "updelay": 200}, {"mode": "802.3ad", "updelay": 200}),
        ({}, {"updelay": 0}, {}),
        ({"miimon": 100, "updelay": 200}, {"miimon": 50, "updelay": 200}, {"miimon": 50, "updelay": 200}),
        ({"miimon": 100, "updelay": 200}, {"updelay": 200}, {}),
        ({"miimon": 100, "updelay": 200}, {"arp_interval": 100, "updelay": 0}, {"arp_interval": 100}),
        # An option that is not shown is set: ip, or the kernel, says so when it is too old for it.
        ({"mode": "802.3ad"}, {"coupled_control": False}, {"coupled_control": False}),
    ],
)
def test_bond_changes(have: dict[str, Any], want: dict[str, Any], expected: dict[str, Any]) -> None:
    assert bond_changes("bond0", have, want, ()) == expected


def test_the_mode_is_set_before_everything_else() -> None:
    assert BOND[0].name == "mode"


ANCESTORS = {
    "/proc/self/environ": "HOME=/root\0",
    "/proc/self/status": "Name:\tpython3\nPPid:\t30\n",
    "/proc/30/environ": "SUDO_USER=admin\0",
    "/proc/30/status": "Name:\tsudo\nPPid:\t20\n",
    "/proc/20/environ": "SSH_CONNECTION=203.0.113.9 40000 203.0.113.1 22\0USER=admin\0",
}


def test_a_link_local_address_names_its_device() -> None:
    listing = {"argv": ["ip", "-j", "-d", "link", "show"], "stdout": '[{"ifname": "d2", "ifindex": 4, "flags": []}]'}
    files = {"/proc/self/environ": "SSH_CONNECTION=fe80::9%d2 40000 fe80::1%d2 22\0"}
    assert observe(ReplayHost([listing], files), Want("d2")).management == {"d2"}


def test_nothing_is_looked_up_when_management_is_allowed() -> None:
    listing = {"argv": ["ip", "-j", "-d", "link", "show"], "stdout": ""}
    want = replace(Want("d2"), allow_management=True)
    assert observe(ReplayHost([listing], ANCESTORS), want).management == frozenset()
