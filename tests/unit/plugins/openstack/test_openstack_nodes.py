# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of a cluster: what is called for, and all that is refused. Each refusal says what to do."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._openstack.nodes import plan_nodes
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.nodes_state import (
    CLUSTER_KEY,
    CloudSeen,
    Flavor,
    Fleet,
    NetworkSeen,
    NodeWish,
    Pair,
    PortSeen,
    PortWish,
    Quota,
    ServerSeen,
    networks_with_profile,
)
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.refusals import CloudError

CLOUD = CloudSeen(
    images={"debian-a": "i1", "i1": "i1"},
    flavors=(Flavor("f1", "node", 2, 1024, 10), Flavor("f2", "large", 8, 8192, 10)),
    networks=(NetworkSeen("n1", "mgmt", 1500), NetworkSeen("n2", "rail0", 9000)),
    keys=("ops",),
)
MGMT = PortWish("a-mgmt", "mgmt")
RAIL = PortWish("a-rail0", "rail0", "direct", switchdev=True, port_security=False, mtu=9000)
NODE = NodeWish("a", "node", "debian-a", (MGMT, RAIL), group="train")
FLEET = Fleet("train", (NODE,), {"train": "anti-affinity"})
SERVER = ServerSeen("s1", "a", "ACTIVE", "node", "i1", {CLUSTER_KEY: "train"})
PORTS = (
    PortSeen("p1", "a-mgmt", "n1", "normal", True, (), "s1"),
    PortSeen("p2", "a-rail0", "n2", "direct", False, (), "s1"),
)
THERE = dataclasses.replace(CLOUD, servers=(SERVER,), ports=PORTS, groups={"train": "g1"})


def fleet(*ports: PortWish, **changes: Any) -> Fleet:
    node = dataclasses.replace(NODE, ports=ports or NODE.ports, **changes)
    return dataclasses.replace(FLEET, nodes=(node,))


def shown(have: CloudSeen, want: Fleet) -> list[str]:
    return [" ".join(change.shown) for change in plan_nodes(have, want).changes]


def test_from_nothing_groups_come_first_and_servers_last() -> None:
    planned = plan_nodes(CLOUD, FLEET)
    assert shown(CLOUD, FLEET) == ["create group train", "create port a-mgmt", "create port a-rail0", "create server a"]
    assert planned.changes[2].body == {
        "network_id": "n2",
        "binding_vnic_type": "direct",
        "is_port_security_enabled": False,
        "binding_profile": {"capabilities": ["switchdev"]},
    }
    assert planned.changes[3].body == {
        "flavor_id": "f1",
        "image_id": "i1",
        "ports": ["a-mgmt", "a-rail0"],
        "metadata": {CLUSTER_KEY: "train"},
        "config_drive": True,
        "group": "train",
    }


def test_nothing_is_to_be_done_for_what_is_there() -> None:
    planned = plan_nodes(THERE, FLEET)
    assert planned.changes == ()
    assert planned.before == planned.after


def test_a_run_that_was_ended_goes_on() -> None:
    have = dataclasses.replace(CLOUD, ports=(dataclasses.replace(PORTS[0], server=""),), groups={"train": "g1"})
    assert shown(have, FLEET) == ["create port a-rail0", "create server a"]


def test_address_pairs_and_port_security_are_brought_up_to_date() -> None:
    want = fleet(dataclasses.replace(MGMT, pairs=(Pair("192.0.2.9"),)), dataclasses.replace(RAIL, port_security=True))
    planned = plan_nodes(THERE, want)
    assert [change.body for change in planned.changes] == [
        {"id": "p1", "allowed_address_pairs": [{"ip_address": "192.0.2.9"}]},
        {"id": "p2", "is_port_security_enabled": True},
    ]


def test_the_mac_that_neutron_adds_to_a_pair_is_no_difference() -> None:
    seen = dataclasses.replace(PORTS[0], pairs=(Pair("192.0.2.9", "fa:16:3e:00:00:01"),))
    have = dataclasses.replace(THERE, ports=(seen, PORTS[1]))
    assert shown(have, fleet(dataclasses.replace(MGMT, pairs=(Pair("192.0.2.9"),)), RAIL)) == []


def test_metadata_is_added_and_others_stay() -> None:
    planned = plan_nodes(THERE, fleet(metadata={"rack": "r7"}))
    assert [change.body for change in planned.changes] == [{"metadata": {"rack": "r7"}}]


def test_removal_takes_consent_and_takes_the_ports_along() -> None:
    want = Fleet("train", (), {}, allow_removal=True)
    assert shown(THERE, want) == ["delete server a", "delete port a-mgmt", "delete port a-rail0"]


def test_servers_of_others_are_none_of_ours() -> None:
    other = dataclasses.replace(SERVER, id="s2", name="db", metadata={})
    assert shown(dataclasses.replace(THERE, servers=(SERVER, other)), FLEET) == []


def test_rights_to_the_profile_are_asked_for_only_when_a_port_is_to_be_made() -> None:
    assert networks_with_profile(CLOUD, FLEET) == ["n2"]
    assert not networks_with_profile(THERE, FLEET)
    assert not networks_with_profile(CLOUD, fleet(MGMT))


REFUSALS = [
    ("no name of the cluster", CLOUD, dataclasses.replace(FLEET, cluster=""), "set cluster"),
    ("an unknown flavor", CLOUD, fleet(flavor="huge"), "no flavor huge. Name one of: large, node"),
    ("an unknown image", CLOUD, fleet(image="debian-z"), "no active image debian-z"),
    ("an unknown key pair", CLOUD, fleet(key="root"), "no key pair root. Name one of: ops"),
    ("an unknown server group", CLOUD, fleet(group="nosuch"), "no server group nosuch. List it in server_groups"),
    ("an unknown network", CLOUD, fleet(PortWish("x", "rail9")), "no network rail9. Name one of: mgmt, rail0"),
    ("a network with a small MTU", CLOUD, fleet(PortWish("x", "mgmt", mtu=9000)), "carries 1500 bytes"),
    ("switchdev on a normal port", CLOUD, fleet(PortWish("x", "rail0", switchdev=True)), "Set type to direct"),
    (
        "pairs without port security",
        CLOUD,
        fleet(PortWish("x", "mgmt", port_security=False, pairs=(Pair("192.0.2.9"),))),
        "every address is allowed already",
    ),
    ("two nodes of one name", CLOUD, dataclasses.replace(FLEET, nodes=(NODE, NODE)), "2 nodes named a"),
    ("two ports of one name", CLOUD, fleet(MGMT, MGMT), "2 ports named a-mgmt"),
    ("another size", THERE, fleet(flavor="large"), "size of a from node to large"),
    ("a port for a server that is there", THERE, fleet(MGMT, RAIL, PortWish("x", "mgmt")), "when it is created only"),
    (
        "a port that another server has",
        dataclasses.replace(CLOUD, ports=(dataclasses.replace(PORTS[0], server="s9"),)),
        FLEET,
        "another server has it",
    ),
    (
        "a port of that name on another network",
        dataclasses.replace(CLOUD, ports=(dataclasses.replace(PORTS[0], server="", network="n2"),)),
        FLEET,
        "on another network or of the type normal",
    ),
    (
        "a server of another cluster",
        dataclasses.replace(THERE, servers=(dataclasses.replace(SERVER, metadata={CLUSTER_KEY: "infer"}),)),
        FLEET,
        "belongs to the cluster infer",
    ),
    (
        "a server that nobody made for a cluster",
        dataclasses.replace(THERE, servers=(dataclasses.replace(SERVER, metadata={}),)),
        FLEET,
        "was not made for a cluster",
    ),
    (
        "a server in ERROR",
        dataclasses.replace(THERE, servers=(dataclasses.replace(SERVER, status="ERROR"),)),
        FLEET,
        "railhead.cluster.reimage",
    ),
    ("removal without consent", THERE, Fleet("train", (), {}), "Set allow_removal"),
    (
        "no rights to the profile",
        dataclasses.replace(CLOUD, profile_allowed=False),
        FLEET,
        "create_port:binding:profile",
    ),
    ("no server left in the quota", dataclasses.replace(CLOUD, quota=Quota(0, 9, 9999)), FLEET, "has 0 servers left"),
    ("no core left in the quota", dataclasses.replace(CLOUD, quota=Quota(9, 1, 9999)), FLEET, "has 1 cores left"),
    ("no memory left in the quota", dataclasses.replace(CLOUD, quota=Quota(9, 9, 512)), FLEET, "has 512 MiB of memory"),
]


@pytest.mark.parametrize(("have", "want", "words"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_refused(have: CloudSeen, want: Fleet, words: str) -> None:
    with pytest.raises(CloudError) as caught:
        plan_nodes(have, want)
    assert words in str(caught.value)
    assert str(caught.value).startswith("Cannot ")


@pytest.mark.parametrize(
    ("have", "want", "kind"),
    [
        (CLOUD, fleet(flavor="huge"), "not_found"),
        (CLOUD, fleet(PortWish("quota", "rail9")), "not_found"),
        (THERE, Fleet("train", (), {}), "refused"),
        (dataclasses.replace(CLOUD, profile_allowed=False), FLEET, "forbidden"),
        (dataclasses.replace(CLOUD, quota=Quota(0, 9, 9999)), FLEET, "quota"),
        (CLOUD, fleet(flavor="huge", image="debian-z"), "bad_request"),
    ],
)
def test_kind_of_a_refusal(have: CloudSeen, want: Fleet, kind: str) -> None:
    with pytest.raises(CloudError) as caught:
        plan_nodes(have, want)
    assert caught.value.kind == kind


def test_everything_is_said_at_once() -> None:
    with pytest.raises(CloudError) as caught:
        plan_nodes(CLOUD, fleet(flavor="huge", image="debian-z"))
    assert "flavor huge" in str(caught.value)
    assert "image debian-z" in str(caught.value)
