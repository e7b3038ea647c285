# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and static routes of a network device: reading what C(ip) shows, and the steps to others. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Step
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import AddressesWant, Route

#: Who made a route (rtnetlink(7)): a person by C(ip route) without more, or one who says that it is to stay.
_STATIC = ("static", "boot")
_DEFAULT = {4: "0.0.0.0/0", 6: "::/0"}
#: What the kernel gives an IPv6 route without a metric.
_METRIC_6 = 1024


@dataclass(frozen=True)
class Addressing:
    """C(addresses) have prefix lengths, those of the link itself are left out. C(routes) are the static ones.

    C(leased) are addresses that DHCP, router advertisements or another program gave, and would give again.
    """

    addresses: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    leased: tuple[str, ...] = ()

    def holds(self, address: str) -> bool:
        return any(found.partition("/")[0] == address for found in (*self.addresses, *self.leased))


def parse_addresses(shown: Iterable[Mapping[str, Any]]) -> dict[str, Addressing]:
    """C(ip -j -d address show), by network device."""
    return {
        str(link["ifname"]): Addressing(_addresses(link, leased=False), leased=_addresses(link, leased=True))
        for link in shown
        if link.get("ifname")
    }


def _addresses(link: Mapping[str, Any], leased: bool) -> tuple[str, ...]:
    return tuple(
        f"{entry['local']}/{entry['prefixlen']}"
        for entry in link.get("addr_info", ())
        if entry.get("scope") != "link" and "local" in entry and _is_leased(entry) == leased
    )


def _is_leased(entry: Mapping[str, Any]) -> bool:
    """A protocol is the mark of a program, such as keepalived's for virtual addresses (ip-address(8), Linux 5.18)."""
    return bool(entry.get("dynamic") or entry.get("protocol"))


def parse_routes(addressing: Addressing, netdev: str, shown: Iterable[Mapping[str, Any]]) -> Addressing:
    """With the routes over a device in C(ip -j route show) of both families: "default" has a family only by its via."""
    return replace(
        addressing,
        routes=tuple(
            _route(route) for route in shown if route.get("dev") == netdev and route.get("protocol") in _STATIC
        ),
    )


def with_addresses(have: Addressing, want: AddressesWant) -> tuple[tuple[Step, ...], tuple[Step, ...], Addressing]:
    """Steps that take away what is not wanted, those that give what is missing, and what there is after both."""
    device = want.device
    routes = tuple(_normal(route) for route in want.routes)
    lost = [route for route in have.routes if route not in routes]
    # The kernel lists the first address of a subnet before those that go with it: the last one goes first.
    gone = [address for address in reversed(have.addresses) if address not in want.addresses]
    # What goes can take others with it: addresses of its subnet, and the routes whose next hop it made reachable.
    subnets = {ipaddress.ip_interface(address).network for address in gone}
    kept = set(have.addresses) - set(gone)
    losing = [
        *(_change_route("del", route, device, f"remove the route to {route.to} over {device}") for route in lost),
        *(_change_address("del", address, device, f"remove the address {address} from {device}") for address in gone),
    ]
    gaining = [
        *(
            _change_address("replace", address, device, f"give {device} the address {address}")
            for address in want.addresses
            if address not in kept or ipaddress.ip_interface(address).network in subnets
        ),
        *(
            _change_route("replace", route, device, f"route {route.to} over {device}")
            for route in routes
            if gone or route not in have.routes
        ),
    ]
    return tuple(losing), tuple(gaining), replace(have, addresses=want.addresses, routes=routes)


def _change_address(verb: str, address: str, device: str, does: str) -> Command:
    return Command(("ip", "address", verb, address, "dev", device), does)


def _change_route(verb: str, route: Route, device: str, does: str) -> Command:
    via = ("via", route.via) if route.via else ()
    metric = ("metric", str(route.metric)) if route.metric is not None else ()
    protocol = ("proto", "static") if verb == "replace" else ()
    return Command(("ip", "route", verb, route.to, *via, "dev", device, *protocol, *metric), does)


def _route(shown: Mapping[str, Any]) -> Route:
    via, to = str(shown.get("gateway", "")), str(shown["dst"])
    if to == "default":
        to = _DEFAULT[6 if ":" in via else 4]
    return _normal(Route(to, via, shown.get("metric")))


def _normal(route: Route) -> Route:
    """The kernel shows no metric 0 of IPv4, and gives IPv6 one."""
    network = ipaddress.ip_network(route.to)
    metric = route.metric if network.version == 4 or route.metric else _METRIC_6
    return Route(str(network), route.via, metric or None)
