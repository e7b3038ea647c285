# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task asks of the VFs of a port, checked as far as that is possible without looking at the host."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError

#: How a task asks for an address that is made of the port's.
AUTO = "auto"
NO_ADDRESS = "00:00:00:00:00:00"
DEFAULT_PROTOCOL = "802.1Q"
#: A 32-bit number of Mbit/s (struct ifla_vf_rate).
_MOST_RATE = 2**32 - 1
MOST_VFS = 2**16 - 1

Value = Optional[Union[bool, int, str]]


@dataclass(frozen=True)
class Attributes:
    """Of one VF. None is 'leave as it is' in what is wanted, and 'the driver does not report it' in what is there.

    Rates are Mbit/s, 0 for no limit. VLAN 0 is none.
    """

    mac: str | None = None
    vlan: int | None = None
    qos: int | None = None
    vlan_proto: str | None = None
    spoofchk: bool | None = None
    trust: bool | None = None
    link_state: str | None = None
    min_tx_rate: int | None = None
    max_tx_rate: int | None = None
    node_guid: str | None = None
    port_guid: str | None = None

    @property
    def given(self) -> dict[str, Value]:
        return {key: value for key, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Want:
    """C(vfs) are by index. None is 'leave as it is'."""

    port: str
    count: int | None = None
    drivers_autoprobe: bool | None = None
    vfs: Mapping[int, Attributes] = field(default_factory=dict)
    allow_resize_in_use: bool = False
    allow_management: bool = False


def want_from(params: Mapping[str, Any]) -> Want:
    """The request in the parameters of the module; the first mistake in them is an error."""
    port, count = params["port"], params["count"]
    if not re.fullmatch(r"[^\s/]+", port) or port in (".", ".."):
        raise RailheadError(
            f"Cannot use {port!r} as a port: give the name of a network device or a PCI address such as 0000:08:00.0."
        )
    if count is not None and not 0 <= count <= MOST_VFS:
        raise RailheadError(f"Cannot give {port} {count} VFs: give a number from 0 to {MOST_VFS} as count.")
    vfs = _by_index(port, params["vfs"] or ())
    if vfs and count is not None and max(vfs) >= count:
        raise RailheadError(
            f"Cannot configure VF {max(vfs)} of {port}: with count={count} there are "
            f"{f'the VFs 0 to {count - 1}' if count else 'none'}; raise count, or leave the VF out."
        )
    return Want(
        port, count, params["drivers_autoprobe"], vfs, params["allow_resize_in_use"], params["allow_management"]
    )


def parse_indexes(text: str, option: str = "vf") -> range:
    """'3' and '0-3' (both ends belong to it)."""
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text.strip())
    found = range(int(match.group(1)), int(match.group(2) or match.group(1)) + 1) if match else range(0)
    if not found:
        raise RailheadError(f"Cannot use {text!r} as {option}: give a number such as 3, or a range such as 0-3.")
    return found


def address_of(port: str, index: int) -> str:
    """A unicast, locally administered address made of the port's own (six octets) and the VF's index.

    The last three octets are the port's, the middle two the index. The first stands for the vendor's part of the
    port's address, so no two VFs behind ports of one vendor prefix can have the same.
    """
    octets = [int(part, 16) for part in port.split(":")]
    first = ((octets[0] ^ octets[1] ^ octets[2]) & 0xFC) | 0x02
    return ":".join(f"{octet:02x}" for octet in (first, index >> 8, index & 0xFF, *octets[3:]))


def guid_of(port_guid: str, index: int) -> str:
    """A GUID (eight octets) made of the port's own and the VF's index.

    The index takes the place of the two middle octets, which are the same on all ports that made their GUID of a MAC
    address (EUI-64). The local bit is the other way round, so that no VF can have the GUID of its port.
    """
    octets = [int(part, 16) for part in port_guid.split(":")]
    found = (octets[0] ^ 0x02, *octets[1:3], index >> 8, index & 0xFF, *octets[5:])
    return ":".join(f"{octet:02x}" for octet in found)


def _by_index(port: str, entries: Any) -> dict[int, Attributes]:
    found: dict[int, dict[str, Value]] = {}
    for entry in entries:
        indexes = parse_indexes(entry["vf"])
        attempt = f"Cannot configure VF {entry['vf']} of {port}: "
        given = checked(attempt, entry, len(indexes))
        if not given:
            raise RailheadError(
                f"{attempt}the entry of vfs gives nothing to configure; add an attribute, or leave it out."
            )
        for index in indexes:
            twice = sorted(set(given) & set(found.get(index, {})))
            if twice:
                raise RailheadError(
                    f"Cannot configure VF {index} of {port}: two entries of vfs give its {twice[0]}; keep one of them."
                )
            found.setdefault(index, {}).update(given)
    vfs = {index: Attributes(**found[index]) for index in sorted(found)}  # type: ignore[arg-type]
    for index, attributes in vfs.items():
        check_rates(f"Cannot configure VF {index} of {port}: ", attributes)
    for key in ("mac", "node_guid", "port_guid"):
        _refuse_duplicates(port, key, vfs)
    return vfs


def checked(attempt: str, entry: Mapping[str, Any], many: int) -> dict[str, Value]:
    """The attributes that an entry gives C(many) VFs; C(attempt) begins the message about one that is wrong."""
    given = {key: entry[key] for key in Attributes.__dataclass_fields__ if entry.get(key) is not None}
    for key in ("mac", "node_guid", "port_guid"):
        if key in given:
            given[key] = _address(attempt, key, given[key], many)
    if "vlan" in given:
        if not 0 <= given["vlan"] <= 4094:
            raise RailheadError(f"{attempt}there is no VLAN {given['vlan']}; give 1 to 4094, or 0 for none.")
        given = {"qos": 0, "vlan_proto": DEFAULT_PROTOCOL, **given}
    if not given.get("vlan") and (given.get("qos") or given.get("vlan_proto", DEFAULT_PROTOCOL) != DEFAULT_PROTOCOL):
        raise RailheadError(f"{attempt}qos and vlan_proto are those of a VLAN; give vlan=1 to 4094 beside them.")
    if not 0 <= given.get("qos", 0) <= 7:
        raise RailheadError(f"{attempt}there is no qos {given['qos']}; give a priority from 0 to 7.")
    if "vlan" not in given:
        given = {key: value for key, value in given.items() if key not in ("qos", "vlan_proto")}
    for key in ("min_tx_rate", "max_tx_rate"):
        if not 0 <= given.get(key, 0) <= _MOST_RATE:
            raise RailheadError(f"{attempt}{key}={given[key]} is no rate; give Mbit/s, or 0 for no limit.")
    return given


def _address(attempt: str, key: str, text: str, many: int) -> str:
    found = text.strip().lower()
    if found == AUTO:
        return AUTO
    if many > 1:
        raise RailheadError(f"{attempt}one {key} cannot be that of {many} VFs; give each its own, or auto.")
    if key != "mac":
        if re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){7}", found):
            return found
        raise RailheadError(
            f"{attempt}{text!r} is no {key}; give eight octets such as 00:11:22:33:44:55:66:77, or auto."
        )
    found = found.replace("-", ":")
    if not re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", found) or int(found[:2], 16) & 1:
        raise RailheadError(
            f"{attempt}{text!r} is no unicast MAC address; give one such as 02:00:5e:10:00:01, or auto."
        )
    return found


def check_rates(attempt: str, attributes: Attributes) -> None:
    low, high = attributes.min_tx_rate, attributes.max_tx_rate
    if low is not None and high is not None and 0 < high < low:
        raise RailheadError(
            f"{attempt}min_tx_rate={low} is more than max_tx_rate={high}; "
            "lower the one or raise the other (0 is no limit)."
        )


def _refuse_duplicates(port: str, key: str, vfs: Mapping[int, Attributes]) -> None:
    seen: dict[str, int] = {}
    for index, address in _addresses(key, vfs):
        if address in seen:
            raise RailheadError(
                f"Cannot configure VF {index} of {port}: VF {seen[address]} has the {key} {address} already; "
                "give each its own."
            )
        seen[address] = index


def _addresses(key: str, vfs: Mapping[int, Attributes]) -> Iterator[tuple[int, str]]:
    for index, attributes in vfs.items():
        address = attributes.given.get(key)
        if isinstance(address, str) and address not in (AUTO, NO_ADDRESS):
            yield index, address
