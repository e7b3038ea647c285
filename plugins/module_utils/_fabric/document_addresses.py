# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and routes of the fabric document, checked. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Union

from ansible_collections.railhead.cluster.plugins.module_utils._fabric.fields import Entry, wrong
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import Route

Address = Union[IPv4Address, IPv6Address]
Interface = Union[IPv4Interface, IPv6Interface]
Network = Union[IPv4Network, IPv6Network]

_DEFAULTS = {4: "0.0.0.0/0", 6: "::/0"}
_MOST_METRIC = 2**32 - 1


def load_addresses(texts: Sequence[tuple[str, str]], taken: dict[Address, str]) -> list[Interface]:
    """The addresses of one device from (place, text). C(taken) are those of all devices, with their places."""
    found = []
    for where, text in texts:
        interface = _interface(where, text)
        if interface.ip in taken:
            raise wrong(where, f"{interface.ip} is {taken[interface.ip]} already; leave one of them out")
        taken[interface.ip] = where
        found.append(interface)
    return found


def load_routes(
    entries: Sequence[Entry], interfaces: Sequence[Interface], taken: dict[tuple[str, int | None], str]
) -> list[Route]:
    """The routes of a device with these addresses. C(taken) are (to, metric) of those of all devices."""
    found: list[Route] = []
    for where, entry in entries:
        on_link = [ip_network(route.to) for route in found if not route.via]
        via = _gateway(f"{where}.via", entry["via"], interfaces, on_link) if entry.get("via") else None
        to, metric = _destination(f"{where}.to", entry["to"], via), entry.get("metric")
        if metric is not None and not 1 <= metric <= _MOST_METRIC:
            raise wrong(f"{where}.metric", f"{metric} is no metric; give 1 to {_MOST_METRIC}, or leave it out")
        if metric is None and any(to == each.network for each in interfaces):
            raise wrong(f"{where}.to", f"{to} is a subnet of the device, and has a route by that; leave it out")
        if (str(to), metric) in taken:
            raise wrong(
                where,
                f"{taken[str(to), metric]} is a route to {to} already, and the kernel takes one of each metric; give"
                " them different metrics, or leave one out",
            )
        taken[str(to), metric] = where
        found.append(Route(str(to), str(via or ""), metric))
    return found


def _interface(where: str, text: str) -> Interface:
    try:
        found = ip_interface(text if re.search(r"/\d+$", text) else "")
    except ValueError as error:
        raise wrong(
            where,
            f"{text!r} is no address with a prefix length; give one such as 198.51.100.1/24 or 2001:db8::1/64",
        ) from error
    if found.version == 6 and found.ip.is_link_local:
        raise wrong(where, f"{found.ip} is link-local, and the kernel makes these by itself; leave it out")
    if found.ip.is_multicast or found.ip.is_loopback or found.ip.is_unspecified:
        raise wrong(where, f"{found.ip} cannot be the address of one network device; give one of its subnet")
    if _is_network_or_broadcast(found.ip, found.network):
        raise wrong(
            where,
            f"{found.ip} stands for all of {found.network}; give the address of one host in it, such as"
            f" {found.network[1]}/{found.network.prefixlen}",
        )
    return found


def _gateway(where: str, text: str, interfaces: Sequence[Interface], on_link: Sequence[Network]) -> Address:
    """C(on_link) are the networks that routes before this one reach without a router."""
    try:
        via = ip_address(text.partition("%")[0])
    except ValueError as error:
        raise wrong(
            where, f"{text!r} is no address; give one such as 198.51.100.254, without a prefix length"
        ) from error
    if any(via == each.ip for each in interfaces):
        raise wrong(where, f"{via} is an address of the device itself; give that of the router")
    if (via.version == 6 and via.is_link_local) or any(via in network for network in on_link):
        return via
    subnets = [each.network for each in interfaces if via in each.network]
    if not subnets:
        own = ", ".join(str(each.network) for each in interfaces) or "none"
        raise wrong(
            where,
            f"{via} is in no subnet of the device ({own}); give the router's address in one of them, or a route"
            f" to {via} without via before it",
        )
    if all(_is_network_or_broadcast(via, subnet) for subnet in subnets):
        raise wrong(where, f"{via} stands for all of {subnets[0]}; give the address of one router in it")
    return via


def _destination(where: str, text: str, via: Address | None) -> Network:
    if text == "default":
        if via is None:
            raise wrong(where, "without via it is not said which default is meant; give 0.0.0.0/0 or ::/0")
        text = _DEFAULTS[via.version]
    try:
        found: Network = ip_network(text if "/" in text else "", strict=False)
    except ValueError as error:
        raise wrong(where, f"{text!r} is no network; give one such as 203.0.113.0/24, or default") from error
    if ip_interface(text).ip != found.network_address:
        raise wrong(where, f"{text} has bits beyond its prefix length; give {found}")
    if via is not None and via.version != found.version:
        raise wrong(where, f"{found} cannot be reached by way of {via}; give two of one family, IPv4 or IPv6")
    return found


def _is_network_or_broadcast(address: Address, network: Network) -> bool:
    """IPv6 has no broadcast address; the first of a subnet is that of any router there (RFC 4291)."""
    if network.num_addresses <= 2:
        return False
    return address == network.network_address or (address.version == 4 and address == network.broadcast_address)
