# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses, MACs and cables follow from the nodes' numbers."""

import ipaddress

import pytest

from railhead_lab import topology


@pytest.mark.parametrize(
    ("index", "nodes", "peer"),
    [(1, 2, 2), (2, 2, 1), (3, 4, 4), (4, 4, 3), (1, 1, None), (3, 3, None), (2, 3, 1)],
)
def test_neighbours_are_cabled_in_pairs(index, nodes, peer):
    assert topology.peer_of(index, nodes) == peer


@pytest.mark.parametrize("nodes", [2, 3, 4, 16])
def test_each_cable_has_one_serving_end_and_at_most_one_other(nodes):
    ends = {}
    for index in range(1, nodes + 1):
        for port in topology.ports_of(index, nodes):
            ends.setdefault(port.cable.socket, []).append((port.number, port.cable.server))
    for held in ends.values():
        assert [server for _, server in held] in ([True], [True, False])
        assert len({number for number, _ in held}) == 1
    assert sum(len(held) == 1 for held in ends.values()) == 2 * (nodes % 2)


@pytest.mark.parametrize(("index", "nodes", "peer"), [(1, 3, 2), (3, 3, 1), (1, 1, None)])
def test_on_a_hub_the_next_one_is_the_neighbour(index, nodes, peer):
    assert topology.peer_of(index, nodes, hub=True) == peer


def test_a_hub_has_all_ports_of_one_number():
    ports = [port for index in (1, 2, 3) for port in topology.ports_of(index, 3, 2201)]
    assert {(port.number, port.cable) for port in ports} == {
        (1, topology.Hub("239.255.0.1", 2201)),
        (2, topology.Hub("239.255.0.2", 2201)),
    }


def test_ports_of_a_node():
    first, second = topology.ports_of(2, 2)
    assert (first.address, first.prefix, first.mac) == ("198.51.100.2", 25, "52:54:00:bb:02:01")
    assert (second.address, second.mac) == ("198.51.100.130", "52:54:00:bb:02:02")
    assert (first.peer_host, first.peer_address) == ("node1", "198.51.100.1")
    assert second.peer_address == "198.51.100.129"
    assert first.cable == topology.Cable("cable-node1-node2-1.sock", server=False)


def test_all_addresses_and_macs_are_unique_and_peers_share_a_subnet():
    nodes = topology.MAX_NODES
    ports = [port for index in range(1, nodes + 1) for port in topology.ports_of(index, nodes)]
    macs = [port.mac for port in ports] + [topology.mgmt_mac(index) for index in range(1, nodes + 1)]
    assert len({port.address for port in ports}) == len(ports)
    assert len(set(macs)) == len(macs)
    for port in ports:
        here = ipaddress.ip_interface(f"{port.address}/{port.prefix}").network
        assert ipaddress.ip_address(port.peer_address) in here
        assert here.subnet_of(ipaddress.ip_network("198.51.100.0/24"))
