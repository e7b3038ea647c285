# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All IPoIB interfaces of a host as one document: those of ports, their children by P_Key, and addresses on both."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Plan, Step
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.addressing import (
    Addressing,
    parse_addresses,
    with_addresses,
)
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import AddressesWant
from ansible_collections.railhead.cluster.plugins.module_utils._link.device import (
    Device,
    carriers,
    find,
    parse_links,
)
from ansible_collections.railhead.cluster.plugins.module_utils._link.observe import Links
from ansible_collections.railhead.cluster.plugins.module_utils._link.plan import plan_link
from ansible_collections.railhead.cluster.plugins.module_utils._link.request import Want as LinkWant
from ansible_collections.railhead.cluster.plugins.module_utils._link.request import want_from
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import HOST_NAMESPACE
from ansible_collections.railhead.cluster.plugins.module_utils._node.management import holders, ssh_address

SECTIONS = ("interfaces",)
_NET = "/sys/class/net"
#: Keys of an entry and what they are in JSON; all but the name may be left out.
_KEYS: Mapping[str, type] = {
    "name": str,
    "parent": str,
    "pkey": str,
    "mode": str,
    "mtu": int,
    "umcast": bool,
    "addresses": list,
}
#: The bit of a P_Key that says full member; both kinds are one partition.
_FULL = 0x8000


@dataclass(frozen=True)
class Interface:
    """C(addresses) None leaves them as they are."""

    link: LinkWant
    addresses: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Consents:
    """What the person who asks agrees to lose; see M(railhead.cluster.ip_link)."""

    disruption: bool = False
    recreate: bool = False
    management: bool = False


@dataclass(frozen=True)
class Ipoib:
    """C(partitions) are the P_Keys that the subnet manager has given the port of an interface, without the bit for full
    members, by the name of the interface.
    """

    links: Links
    addressing: Mapping[str, Addressing] = field(default_factory=dict)
    partitions: Mapping[str, frozenset[int]] = field(default_factory=dict)


def load_document(data: object) -> tuple[Interface, ...]:
    """The document from parsed JSON or from module parameters; null is the same as a key that is not there."""
    if not isinstance(data, Mapping) or not isinstance(data.get("interfaces") or [], (list, tuple)):
        raise _wrong("", "give a mapping with a list of interfaces")
    for key in data:
        if key not in SECTIONS:
            raise _wrong("", f"unknown key {key!r}; known is: interfaces")
    entries = data.get("interfaces") or ()
    found = tuple(_load(f"interfaces[{number}]", entry) for number, entry in enumerate(entries))
    names = [interface.link.name for interface in found]
    taken: dict[str, str] = {}
    for number, interface in enumerate(found):
        if interface.link.name in names[:number]:
            raise _wrong(f"interfaces[{number}]", f"{interface.link.name} is listed twice; say all of it in one entry")
        for address in interface.addresses or ():
            plain = address.partition("/")[0]
            if plain in taken:
                raise _wrong(f"interfaces[{number}]", f"{plain} is an address of {taken[plain]} already")
            taken[plain] = interface.link.name
    return found


def _load(where: str, entry: object) -> Interface:
    if not isinstance(entry, Mapping):
        raise _wrong(where, f"expected a mapping, found {entry!r}")
    for key, value in entry.items():
        if key not in _KEYS:
            raise _wrong(where, f"unknown key {key!r}; known are: {', '.join(_KEYS)}")
        kind = _KEYS[key]
        # To Python a bool is an int too.
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool) != (kind is bool)):
            raise _wrong(f"{where}.{key}", f"expected {kind.__name__}, found {value!r}")
    if entry.get("name") is None:
        raise _wrong(where, "'name' is missing")
    if (entry.get("parent") is None) != (entry.get("pkey") is None):
        raise _wrong(where, "a child has a parent and a pkey, and the interface of a port itself neither; give both")
    try:
        link = want_from(_link_params(entry))
    except RailheadError as error:
        raise _wrong(where, str(error).rstrip(".")) from error
    addresses = entry.get("addresses")
    return Interface(link, None if addresses is None else tuple(_address(where, text) for text in addresses))


def _link_params(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The same for M(railhead.cluster.ip_link)."""
    options = {"pkey": entry.get("pkey"), "mode": entry.get("mode"), "umcast": entry.get("umcast")}
    left_out = ("address", "altnames", "master", "netns")
    consents = ("allow_disruption", "allow_recreate", "allow_management")
    return {
        "name": entry["name"],
        "state": "present",
        "kind": "ipoib",
        "parent": entry.get("parent"),
        "admin_state": "up",
        "mtu": entry.get("mtu"),
        "ipoib": options,
        **dict.fromkeys(left_out),
        **dict.fromkeys(consents, False),
    }


def _address(where: str, text: object) -> str:
    try:
        address = ipaddress.ip_interface(text if re.search(r"/\d+$", str(text)) else "")  # type: ignore[arg-type]
    except ValueError as error:
        raise _wrong(
            f"{where}.addresses", f"{text!r} is no address with a prefix length; give one such as 198.51.100.1/24"
        ) from error
    if address.ip.is_link_local or address.ip.is_multicast or address.ip.is_unspecified:
        raise _wrong(f"{where}.addresses", f"{address.ip} is no address to be given; leave it out")
    return str(address)


def _wrong(where: str, found: str) -> RailheadError:
    return RailheadError(f"Cannot use the IPoIB document: {where + ': ' if where else ''}{found}.")


def observe_ipoib(host: Host, want: Sequence[Interface]) -> Ipoib:
    """One process, and another when the run came in by SSH; nothing at all when nothing is wanted."""
    if not want:
        return Ipoib(Links())
    shown = host.read_json(["ip", "-j", "-d", "address", "show"])
    devices = parse_links(shown)
    address = ssh_address(host)
    management = carriers(devices, holders(host, address)) if address else frozenset()
    names = {interface.link.parent or interface.link.name for interface in want}
    return Ipoib(
        Links({HOST_NAMESPACE: devices}, management=management),
        parse_addresses(shown),
        {name: _partitions(host, name) for name in sorted(names)},
    )


def _partitions(host: Host, netdev: str) -> frozenset[int]:
    """The table of the port (sysfs-class-infiniband); IPoIB counts ports from 0 in dev_port, RDMA from 1."""
    devices = host.list_directory(f"{_NET}/{netdev}/device/infiniband")
    port = int(host.read(f"{_NET}/{netdev}/dev_port") or 0) + 1
    table = f"{_NET}/{netdev}/device/infiniband/{devices[0]}/ports/{port}/pkeys" if devices else ""
    keys = (int(host.read(f"{table}/{name}") or "0", 16) & ~_FULL for name in host.list_directory(table or "/nowhere"))
    return frozenset(key for key in keys if key)


def plan_ipoib(have: Ipoib, want: Sequence[Interface], consents: Consents, expected_ports: bool = False) -> Plan:
    """Each interface as M(railhead.cluster.ip_link) plans it, then its addresses.

    C(expected_ports) says that somebody else makes the interfaces of ports before the steps are taken. It counts as
    long as there are none.
    """
    devices = have.links.of(HOST_NAMESPACE)
    if expected_ports and all(device.kind != "ipoib" for device in devices):
        ports = (Device(name, kind="ipoib", link_type="infiniband") for name in missing_hardware(have, want))
        have = replace(have, links=replace(have.links, spaces={HOST_NAMESPACE: (*devices, *ports)}))
    steps: list[Step] = []
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    partitions = {
        device.name: (device.parent, str(device.data.get("pkey")))
        for device in have.links.of(HOST_NAMESPACE)
        if device.kind == "ipoib" and device.parent is not None
    }
    for interface in want:
        name = interface.link.name
        link = replace(
            interface.link,
            allow_disruption=consents.disruption,
            allow_recreate=consents.recreate,
            allow_management=consents.management,
        )
        _check_port(have, link)
        _check_partition(partitions, link)
        planned = plan_link(have.links, link)
        if link.parent is not None:
            partitions[name] = (link.parent, str(link.data["pkey"]))
        steps += planned.steps
        made_anew = any("del" in step.shown for step in planned.steps)
        addressing = Addressing() if made_anew else have.addressing.get(name, Addressing())
        before[name], after[name] = dict(planned.before), dict(planned.after)
        if interface.addresses is not None:
            losing, gaining, _after = with_addresses(
                replace(addressing, routes=()), AddressesWant(name, interface.addresses)
            )
            _check_management(have, name, losing, consents)
            steps += (*losing, *gaining)
            before[name]["addresses"] = list(have.addressing.get(name, Addressing()).addresses)
            after[name]["addresses"] = list(interface.addresses)
    return Plan(tuple(steps), before, after)


def missing_hardware(have: Ipoib, want: Sequence[Interface]) -> tuple[str, ...]:
    """Interfaces of ports that the document needs; at boot they can still appear."""
    needed = dict.fromkeys(interface.link.parent or interface.link.name for interface in want)
    return tuple(name for name in needed if find(have.links.of(HOST_NAMESPACE), name) is None)


def shown_ipoib(have: Ipoib, want: Sequence[Interface]) -> dict[str, Any]:
    """What a module returns: the interfaces that the subnet manager has not given their partition."""
    return {
        "without_partition": [
            interface.link.name
            for interface in want
            if interface.link.parent and _key(interface) not in have.partitions.get(interface.link.parent, frozenset())
        ]
    }


def _key(interface: Interface) -> int:
    return int(str(interface.link.data["pkey"]), 16) & ~_FULL


def _check_port(have: Ipoib, link: LinkWant) -> None:
    devices = have.links.of(HOST_NAMESPACE)
    if link.parent is None and find(devices, link.name) is None:
        found = ", ".join(device.name for device in devices if device.kind == "ipoib") or "none"
        raise RailheadError(
            f"Cannot set up the IPoIB interface {link.name}: there is no port's interface of that name, found: {found};"
            " load the module ib_ipoib (rdma_stack_modules), or give parent and pkey to have a child made."
        )


def _check_partition(partitions: Mapping[str, tuple[str, str]], link: LinkWant) -> None:
    """C(partitions) are parent and P_Key of all children, as they are when this one's turn comes."""
    for name, place in partitions.items():
        if name != link.name and place == (link.parent, link.data.get("pkey")):
            raise RailheadError(
                f"Cannot make {link.name}, the partition {place[1]} of {link.parent}: that is {name} already, and the"
                " kernel takes a partition once; use that name, or delete it first."
            )


def _check_management(have: Ipoib, name: str, losing: Sequence[Step], consents: Consents) -> None:
    if losing and name in have.links.management and not consents.management:
        raise RailheadError(
            f"Cannot {losing[0].does}: the SSH connection of this run comes in by {name}, and would end; list that"
            " address too, or allow it with allow_management=true."
        )
