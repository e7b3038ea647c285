# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kinds of devices there are, and the attributes of each: one table for the argument spec, reading and setting.

Sources: ip-link(8), Documentation/networking/bonding.rst, and the option flags in drivers/net/bonding/bond_options.c.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Union

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError

Value = Union[str, int, bool, tuple[str, ...]]

# When the kernel lets an attribute of a device that exists be changed.
ANY_TIME = "at any time"
BOND_DOWN = "while the bond is down"
NO_MEMBERS = "while the bond has no members"
DOWN_AND_EMPTY = "while the bond is down and has no members"
AT_CREATION = "when the device is created"

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True)
class Attribute:
    """One attribute: C(name) is ours, C(keyword) what C(ip link) sets it by, C(key) what C(ip -j -d link) shows it as.

    C(spec) is its argument spec; C(check) turns a parameter into a value or raises ValueError with what is expected;
    C(read) turns what was shown into a value; C(modes) are the bond modes it is valid in, None means all; C(since) is
    the first iproute2 that can set it; C(unset) is its value when it is not shown, None when that means unknown.
    """

    name: str
    keyword: str
    key: str
    spec: Mapping[str, Any]
    check: Callable[[Any], Value]
    read: Callable[[Any], Value]
    write: Callable[[Any], str] = str
    when: str = ANY_TIME
    modes: frozenset[str] | None = None
    since: str = ""
    unset: Value | None = None


def mac_address(text: str) -> str:
    """A MAC address of one device, in lower case with colons."""
    found = text.strip().lower().replace("-", ":")
    if not _MAC.fullmatch(found) or int(found[:2], 16) & 1 or found == "00:00:00:00:00:00":
        raise ValueError("a unicast MAC address such as 02:00:5e:10:00:01")
    return found


def _choice(name: str, choices: tuple[str, ...], keyword: str = "", key: str = "", **more: Any) -> Attribute:
    return Attribute(
        name,
        keyword or name,
        key or name,
        {"type": "str", "choices": list(choices)},
        check=str,
        read=lambda shown: choices[0] if shown is None else str(shown),
        **more,
    )


def _number(name: str, low: int, high: int, key: str = "", **more: Any) -> Attribute:
    def check(value: Any) -> Value:
        if not low <= int(value) <= high:
            raise ValueError(f"a number from {low} to {high}")
        return int(value)

    return Attribute(name, name, key or name, {"type": "int"}, check, read=int, **more)


def _switch(name: str, off: str = "off", on: str = "on", key: str = "", **more: Any) -> Attribute:
    return Attribute(
        name,
        name,
        key or name,
        {"type": "bool"},
        check=bool,
        read=lambda shown: shown in (True, "on", "0001", "1"),
        write=lambda value: on if value else off,
        **more,
    )


def _addresses(name: str, version: int, most: int = 16, **more: Any) -> Attribute:
    def check(value: Any) -> Value:
        expected = f"at most {most} different IPv{version} addresses"
        try:
            found = tuple(str(ipaddress.ip_address(str(item).strip())) for item in value)
        except ValueError as error:
            raise ValueError(expected) from error
        if len(found) > most or len(set(found)) < len(found):
            raise ValueError(expected)
        if any(ipaddress.ip_address(item).version != version for item in found):
            raise ValueError(expected)
        return found

    return Attribute(
        name, name, name, {"type": "list", "elements": "str"}, check, read=tuple, write=",".join, unset=(), **more
    )


def _text(name: str, check: Callable[[Any], Value], read: Callable[[Any], Value] = str, **more: Any) -> Attribute:
    return Attribute(name, name, more.pop("key", name), {"type": "str"}, check, read, **more)


def _partition_key(value: Any) -> Value:
    expected = "a partition key from 0x8001 to 0xffff (or the same without the bit 0x8000, which is added)"
    try:
        number = int(str(value), 0)
    except ValueError as error:
        raise ValueError(expected) from error
    if not 0x0001 <= number <= 0xFFFF or number == 0x8000:
        raise ValueError(expected)
    return f"0x{number | 0x8000:04x}"


LACP = frozenset({"802.3ad"})
WITH_PRIMARY = frozenset({"active-backup", "balance-tlb", "balance-alb"})
WITH_ARP = frozenset({"balance-rr", "active-backup", "balance-xor", "broadcast"})
WITH_TLB = frozenset({"balance-tlb", "balance-alb"})
BOND_MODES = ("balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb")
DEFAULT_BOND_MODE = "balance-rr"

BOND: tuple[Attribute, ...] = (
    _choice("mode", BOND_MODES, when=DOWN_AND_EMPTY),
    _choice("xmit_hash_policy", ("layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4", "vlan+srcmac")),
    _number("miimon", 0, 2**31 - 1),
    _number("updelay", 0, 2**31 - 1),
    _number("downdelay", 0, 2**31 - 1),
    _number("peer_notify_delay", 0, 300000),
    _number("min_links", 0, 2**31 - 1),
    _choice("lacp_rate", ("slow", "fast"), key="ad_lacp_rate", when=BOND_DOWN, modes=LACP),
    _switch("lacp_active", key="ad_lacp_active", when=BOND_DOWN, modes=LACP, since="5.15"),
    _switch("coupled_control", when=BOND_DOWN, modes=LACP, since="6.9"),
    _choice("ad_select", ("stable", "bandwidth", "count"), when=BOND_DOWN),
    _number("ad_actor_sys_prio", 1, 65535, modes=LACP),
    _text("ad_actor_system", mac_address, modes=LACP),
    _number("ad_user_port_key", 0, 1023, when=BOND_DOWN, modes=LACP),
    _text("primary", str, modes=WITH_PRIMARY),
    _text("active_slave", str, modes=WITH_PRIMARY),
    _choice("primary_reselect", ("always", "better", "failure")),
    _choice("fail_over_mac", ("none", "active", "follow"), when=NO_MEMBERS),
    _number("arp_interval", 0, 2**31 - 1, modes=WITH_ARP),
    _choice(
        "arp_validate",
        ("none", "active", "backup", "all", "filter", "filter_active", "filter_backup"),
        modes=WITH_ARP,
    ),
    _choice("arp_all_targets", ("any", "all")),
    _addresses("arp_ip_target", 4),
    _addresses("ns_ip6_target", 6, since="5.18"),
    _number("arp_missed_max", 1, 255, modes=WITH_ARP, since="5.17"),
    _switch("all_slaves_active", "0", "1"),
    _number("num_grat_arp", 0, 255, key="num_peer_notif"),
    _number("resend_igmp", 0, 255),
    _number("lp_interval", 1, 2**31 - 1),
    _number("packets_per_slave", 0, 65535, modes=frozenset({"balance-rr"})),
    _switch("tlb_dynamic_lb", "0", "1", when=BOND_DOWN, modes=WITH_TLB),
)
#: Bond delays are kept by the kernel in ticks of miimon: they need it, are multiples of it, and scale with it.
DELAYS = ("updelay", "downdelay", "peer_notify_delay")

VLAN: tuple[Attribute, ...] = (
    _choice("protocol", ("802.1Q", "802.1ad"), when=AT_CREATION),
    _number("id", 1, 4094, when=AT_CREATION),
)
MACVLAN: tuple[Attribute, ...] = (_choice("mode", ("private", "vepa", "bridge", "passthru", "source")),)
IPOIB: tuple[Attribute, ...] = (
    _text("pkey", _partition_key, key="key", read=lambda shown: f"0x{int(str(shown), 16):04x}", when=AT_CREATION),
    _choice("mode", ("datagram", "connected")),
    _switch("umcast", "0", "1"),
)


@dataclass(frozen=True)
class Kind:
    """C(required) are the attributes without which none can be created; C(attributes) are the suboptions."""

    attributes: tuple[Attribute, ...] = ()
    required: tuple[str, ...] = ()
    has_parent: bool = False


KINDS: Mapping[str, Kind] = {
    "bond": Kind(BOND),
    "dummy": Kind(),
    "ipoib": Kind(IPOIB, ("pkey",), has_parent=True),
    "macvlan": Kind(MACVLAN, (), has_parent=True),
    "veth": Kind(required=("peer",)),
    "vlan": Kind(VLAN, ("id",), has_parent=True),
}


def argument_spec(attributes: tuple[Attribute, ...]) -> dict[str, Any]:
    """The suboptions of one kind. A pkey is a partition, ad_user_port_key a number: none of them is a secret."""
    return {
        "type": "dict",
        "options": {attribute.name: {"no_log": False, **attribute.spec} for attribute in attributes},
    }


def checked(kind: str, given: Mapping[str, Any]) -> dict[str, Value]:
    """Values of the suboptions that were given; an error names the option, the value and what is expected."""
    values: dict[str, Value] = {}
    for attribute in KINDS[kind].attributes:
        value = given.get(attribute.name)
        if value is None:
            continue
        try:
            values[attribute.name] = attribute.check(value)
        except ValueError as error:
            raise RailheadError(f"Cannot use {value!r} for {kind}.{attribute.name}: give {error}.") from error
    return values


def read(kind: str | None, shown: Mapping[str, Any]) -> dict[str, Value]:
    """C(info_data) of C(ip -j -d link) under our names; what an old tool or kernel does not show is left out."""
    attributes = KINDS[kind].attributes if kind is not None and kind in KINDS else ()
    found = ((each.name, each.read(shown[each.key]) if each.key in shown else each.unset) for each in attributes)
    return {name: value for name, value in found if value is not None}


def words(kind: str, values: Mapping[str, Value]) -> tuple[str, ...]:
    """Keywords and values as C(ip link ... type KIND) takes them, in the order of the table: the bond mode is first."""
    pairs = ((each.keyword, each.write(values[each.name])) for each in KINDS[kind].attributes if each.name in values)
    return tuple(word for pair in pairs for word in pair)


def since(kind: str, values: Mapping[str, Value]) -> str:
    """The newest of the versions of iproute2 that the values need."""
    needed = [each.since for each in KINDS[kind].attributes if each.name in values and each.since]
    return max(needed, key=lambda version: [int(part) for part in version.split(".")], default="")
