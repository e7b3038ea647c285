# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, addresses, MACs and cables: everything that follows from a node's number.

Node 1 is cabled to node 2, port by port; node 3 to node 4; and so on. The last node of an odd number
has ports without a peer. In a lab with hubs all first ports are in one network, and all second ports in another.
"""

from dataclasses import dataclass

MAX_NODES = 16
PORTS = (1, 2)


@dataclass(frozen=True)
class Cable:
    """One end of a cable: a Unix socket, which the odd node serves and the even node connects to."""

    socket: str
    server: bool


@dataclass(frozen=True)
class Hub:
    """What all ports of one number hang on: a multicast group and a UDP port on the host's loopback device."""

    group: str
    udp_port: int


@dataclass(frozen=True)
class Port:
    """A data port of a node."""

    number: int
    mac: str
    address: str
    prefix: int
    cable: Cable | Hub
    peer_host: str | None
    peer_address: str | None


def node_name(index: int) -> str:
    """Return the name of the node with this number, counted from 1."""
    return f"node{index}"


def mgmt_mac(index: int) -> str:
    """Return the MAC of a node's management NIC."""
    return f"52:54:00:aa:{index:02x}:00"


def port_mac(index: int, port: int) -> str:
    """Return the permanent MAC of a data port."""
    return f"52:54:00:bb:{index:02x}:{port:02x}"


def port_address(index: int, port: int) -> str:
    """Return a data port's address; port 1 lies in 198.51.100.0/25, port 2 in 198.51.100.128/25."""
    return f"198.51.100.{128 * (port - 1) + index}"


def peer_of(index: int, nodes: int, hub: bool = False) -> int | None:
    """Return the number of the node at the other end of the cables, or None. On a hub it is the next one."""
    if hub:
        return index % nodes + 1 if nodes > 1 else None
    peer = index + 1 if index % 2 else index - 1
    return peer if peer <= nodes else None


def ports_of(index: int, nodes: int, hub: int | None = None) -> tuple[Port, ...]:
    """Return the data ports of node `index` in a lab of `nodes`; `hub` is the UDP port of its hubs, if it has them."""
    peer = peer_of(index, nodes, hub is not None)
    odd = index if index % 2 else index - 1
    return tuple(
        Port(
            number=port,
            mac=port_mac(index, port),
            address=port_address(index, port),
            prefix=25,
            cable=Cable(f"cable-{node_name(odd)}-{node_name(odd + 1)}-{port}.sock", server=bool(index % 2))
            if hub is None
            else Hub(f"239.255.0.{port}", hub),
            peer_host=None if peer is None else node_name(peer),
            peer_address=None if peer is None else port_address(peer, port),
        )
        for port in PORTS
    )
