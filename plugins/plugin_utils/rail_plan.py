# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of one host on all its rails, from one network. Pure; runs on the controller and needs netaddr.

Rail r has the r-th block of the supernet, and host h the h-th place in it. A block is as large as the capacity asks, so
an address depends on the capacity, never on the other hosts or on the number of rails.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError

try:
    from netaddr import INET_PTON, AddrFormatError, IPAddress, IPNetwork, cidr_exclude
except ImportError as error:
    NETADDR_MISSING: ImportError | None = error
else:
    NETADDR_MISSING = None

SHARED = "shared"
P2P = "p2p"
LAYOUTS = (SHARED, P2P)

RAIL = "rail"
SUPERNET = "supernet"
REACHES = (RAIL, SUPERNET)

MOST_RAILS = 256
#: Keeps the numbers within the lower 64 bits of an IPv6 address, and a typing error from becoming a plan.
MOST_HOSTS = 2**20
MOST_RESERVED = 2**16

#: IPv6 addresses that routers share (RFC 4291, 2.6.1) and that hosts of a kind share (RFC 2526). Links have to keep
#: away from them as well (RFC 6164, 6).
_ANYCAST_FIRST = 1
_ANYCAST_LAST = 128


@dataclass(frozen=True)
class Frame:
    """How the network of a rail is filled, in addresses: kept free, taken by each host in turn, kept free."""

    front: int
    step: int
    back: int

    def needs(self, hosts: int) -> int:
        return self.front + self.step * hosts + self.back

    @property
    def kept(self) -> int:
        return self.front + self.back


@dataclass(frozen=True)
class Want:
    """What is asked for, checked: each value by itself is possible."""

    supernet: IPNetwork
    host: int
    rails: int
    hosts: int
    layout: str
    prefix: int | None
    reserve: int
    gateway: bool
    reach: str
    exclude: tuple[IPNetwork, ...]

    def __str__(self) -> str:
        return f"{_count(self.rails, 'rail')} of {_count(self.hosts, 'host')} in {self.supernet}"

    @property
    def width(self) -> int:
        """Bits of an address."""
        return 32 if self.supernet.version == 4 else 128

    @property
    def frame(self) -> Frame:
        if self.layout == P2P:
            # RFC 3021 leaves no address of a /31 unused.
            return Frame(0, 2, 0) if self.supernet.version == 4 else Frame(2 * _ANYCAST_FIRST, 2, _ANYCAST_LAST)
        # Network and broadcast address, or anycast
        return Frame(1 + self.reserve, 1, 1 if self.supernet.version == 4 else _ANYCAST_LAST)


@dataclass(frozen=True)
class Route:
    to: IPNetwork
    via: IPAddress


@dataclass(frozen=True)
class Rail:
    """One host on one rail."""

    rail: int
    subnet: IPNetwork
    address: IPNetwork
    gateway: IPAddress | None
    routes: tuple[Route, ...]

    def shown(self) -> dict[str, object]:
        return {
            "rail": self.rail,
            "subnet": str(self.subnet),
            "address": str(self.address),
            "gateway": None if self.gateway is None else str(self.gateway),
            "routes": [{"to": str(route.to), "via": str(route.via)} for route in self.routes],
        }


def want_from(
    supernet: object,
    *,
    host: object,
    rails: object,
    hosts: object,
    layout: object = SHARED,
    prefix: object = None,
    reserve: object = None,
    gateway: object = None,
    reach: object = SUPERNET,
    exclude: object = (),
) -> Want:
    """Check values that come from a template. Raises RailheadError with the name of the first that cannot be."""
    network = _network("the supernet", supernet)
    capacity = _number("hosts", hosts, 1, MOST_HOSTS)
    kind = _choice("layout", layout, LAYOUTS)
    want = Want(
        supernet=network,
        host=_host(host, capacity),
        rails=_number("rails", rails, 1, MOST_RAILS),
        hosts=capacity,
        layout=kind,
        prefix=None if prefix is None else _number("prefix", prefix, 0, 32 if network.version == 4 else 128),
        reserve=(1 if kind == SHARED else 0) if reserve is None else _number("reserve", reserve, 0, MOST_RESERVED),
        gateway=kind == P2P if gateway is None else _switch("gateway", gateway),
        reach=_choice("reach", reach, REACHES),
        exclude=_networks("exclude", exclude),
    )
    _refuse_combinations(want)
    return want


def plan_rails(want: Want) -> tuple[Rail, ...]:
    """Return the rails of the host, in order. Raises RailheadError when the supernet cannot hold the plan."""
    prefix = _rail_prefix(want)
    _refuse_overlap(want, prefix)
    return tuple(_rail(want, rail, prefix) for rail in range(want.rails))


def _rail(want: Want, rail: int, prefix: int) -> Rail:
    network = _at(want, rail << (want.width - prefix), prefix)
    start = network.first - want.supernet.first
    place = start + want.frame.front + want.frame.step * want.host
    if want.layout == P2P:
        length = want.width - 1
        subnet, address, gateway = _at(want, place, length), _at(want, place + 1, length), _at(want, place, length).ip
    else:
        subnet, address, gateway = network, _at(want, place, prefix), _at(want, start + 1, prefix).ip
    if not want.gateway:
        return Rail(rail, subnet, address, None, ())
    beyond = [network, want.supernet] if want.reach == SUPERNET else [network]
    # One network can be the next one too: a single rail may fill the supernet, and a single link its rail.
    routes = tuple(Route(to, gateway) for to in dict.fromkeys(beyond) if to != subnet)
    return Rail(rail, subnet, address, gateway, routes)


def _rail_prefix(want: Want) -> int:
    """Return the prefix length of each rail's network."""
    needs = want.frame.needs(want.hosts)
    longest = want.width - _bits(needs)
    prefix = longest if want.prefix is None else want.prefix
    size = _power(want.width - prefix)
    filled = f"{_count(want.hosts, 'host')} with {want.frame.kept} kept free need {needs}"
    if prefix > longest:
        raise RailheadError(
            f"Cannot plan {want}: the /{prefix} of each rail has {size} addresses, and {filled};"
            f" use prefix={longest} or less."
        )
    has = 2 ** (prefix - want.supernet.prefixlen) if prefix >= want.supernet.prefixlen else 0
    if has >= want.rails:
        return prefix
    raise RailheadError(
        f"Cannot plan {want}: that needs {_count(want.rails, 'subnet')} of {size} addresses (/{prefix}; {filled}),"
        f" the supernet has {has}, with {_power(want.width - want.supernet.prefixlen)} addresses;"
        f" {_room(want, prefix, longest)}."
    )


def _room(want: Want, prefix: int, longest: int) -> str:
    """Return what would make room for all rails."""
    bits = _bits(want.rails)
    shortest = want.supernet.prefixlen + bits
    if shortest == longest:
        return f"use prefix={longest}"
    if shortest < longest:
        return f"use a prefix from {shortest} to {longest}"
    if prefix >= bits:
        return f"use a /{prefix - bits} as the supernet"
    return f"use a /{longest - bits} as the supernet, with prefix={longest}"


def _refuse_combinations(want: Want) -> None:
    if want.layout == P2P and want.reserve:
        raise RailheadError(
            f"Cannot keep reserve={want.reserve} addresses free with layout={P2P}: a /{want.width - 1} has 2, one for"
            f" the host and one for the switch; leave reserve out, or use layout={SHARED}."
        )
    if want.layout == P2P and not want.gateway:
        raise RailheadError(
            f"Cannot leave out the gateway with layout={P2P}: it is the other end of the link, and the only way to"
            f" other hosts; leave gateway out, or use layout={SHARED}."
        )
    if want.gateway and want.layout == SHARED and not want.reserve:
        raise RailheadError("Cannot give each rail a gateway with reserve=0: it is the first reserved; use reserve=1.")
    for network in want.exclude:
        if network.version != want.supernet.version:
            raise RailheadError(
                f"Cannot keep the supernet {want.supernet} apart from {network}: one is IPv{want.supernet.version}, the"
                f" other IPv{network.version}; list only IPv{want.supernet.version} networks in exclude."
            )


def _refuse_overlap(want: Want, prefix: int) -> None:
    """The whole supernet is compared: its routes cover all of it, and rails that are added later take more of it."""
    overlap = [network for network in want.exclude if network in want.supernet or want.supernet in network]
    if not overlap:
        return
    needed = prefix - _bits(want.rails)
    free = [network for network in _without(want.supernet, overlap) if network.prefixlen <= needed]
    advice = (
        f"use {min(free, key=lambda network: network.prefixlen)} of it"
        if free
        else f"use another supernet, a /{needed} at least"
    )
    raise RailheadError(
        f"Cannot plan {want}: {want.supernet} overlaps {', '.join(map(str, overlap))} of exclude; {advice}."
    )


def _without(network: IPNetwork, holes: Iterable[IPNetwork]) -> list[IPNetwork]:
    parts = [network]
    for hole in holes:
        parts = [rest for part in parts for rest in cidr_exclude(part, hole)]
    return parts


def _at(want: Want, offset: int, prefix: int) -> IPNetwork:
    """Return the address so far into the supernet, with a prefix length."""
    return IPNetwork(f"{IPAddress(want.supernet.first + offset, want.supernet.version)}/{prefix}")


def _network(name: str, value: object) -> IPNetwork:
    if not isinstance(value, str):
        raise RailheadError(f"Cannot use {value!r} as {name}: it is {_kind(value)}; write it as '10.0.0.0/16'.")
    address, _slash, length = value.partition("/")
    if not (length.isascii() and length.isdecimal()):
        raise RailheadError(f"Cannot use {value!r} as {name}: it has no prefix length; write it as '10.0.0.0/16'.")
    try:
        network = IPNetwork(f"{IPAddress(address, flags=INET_PTON)}/{int(length)}")
    except (AddrFormatError, ValueError) as error:
        raise RailheadError(f"Cannot use {value!r} as {name}: it is no IPv4 or IPv6 network.") from error
    if network.ip != network.cidr.ip:
        raise RailheadError(f"Cannot use {value!r} as {name}: it has host bits set; use {network.cidr}.")
    return network


def _networks(name: str, value: object) -> tuple[IPNetwork, ...]:
    if not isinstance(value, (list, tuple)):
        raise RailheadError(f"Cannot use {name}={value!r}: it is {_kind(value)}; write a list of networks.")
    return tuple(_network(f"a network of {name}", each) for each in value)


def _host(value: object, capacity: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and not 0 <= value < capacity:
        raise RailheadError(
            f"Cannot place host={value}: with hosts={capacity} the hosts are 0 to {capacity - 1}; count from 0, or plan"
            " for more hosts, which can move addresses unless prefix is given and has room."
        )
    return _number("host", value, 0, capacity - 1)


def _number(name: str, value: object, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise RailheadError(
            f"Cannot use {name}={value!r}: it is {_kind(value)}; write a whole number, or use the filter int."
        )
    if not least <= value <= most:
        raise RailheadError(f"Cannot use {name}={value}: it must be from {least} to {most}.")
    return int(value)


def _switch(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise RailheadError(f"Cannot use {name}={value!r}: it is {_kind(value)}; write true or false.")
    return value


def _choice(name: str, value: object, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise RailheadError(f"Cannot use {name}={value!r}: it must be {' or '.join(choices)}.")
    return str(value)


def _kind(value: object) -> str:
    """Return the type of a value in the words of YAML."""
    if value is None:
        return "null"
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a string", dict: "a mapping", list: "a list"}
    return next((name for kind, name in kinds.items() if isinstance(value, kind)), f"a {type(value).__name__}")


def _bits(count: int) -> int:
    """Return how many bits tell so many things apart."""
    return (count - 1).bit_length()


def _power(bits: int) -> str:
    return str(2**bits) if bits < 32 else f"2^{bits}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
