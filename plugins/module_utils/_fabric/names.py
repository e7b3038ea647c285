# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the names in the fabric document mean: a port by each of its names, a bond, a bridge, a representor. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ansible_collections.railhead.cluster.plugins.module_utils._fabric.fields import wrong
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import PortWant
from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import mac_address
from ansible_collections.railhead.cluster.plugins.module_utils._link.request import valid_netdev_name

PORT, BOND, BRIDGE, REPRESENTOR, OTHER = "port", "bond", "bridge", "representor", "network device"
_PCI = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")
_MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")
_LONGEST_NAME = 15


@dataclass(frozen=True)
class Owner:
    """What a name is that of. C(name) is its best one: for a port its C(name), or C(port) when it has none.

    C(where) is its entry, and empty for a network device that the document does not know.
    """

    kind: str
    name: str
    where: str = ""
    present: bool = True
    port: PortWant | None = None


@dataclass(frozen=True)
class Names:
    """C(owners) are by name, with the place of the name. C(uppers) say what has a thing as member or uplink."""

    owners: dict[str, tuple[str, Owner]] = field(default_factory=dict)
    uppers: dict[str, Owner] = field(default_factory=dict)

    def add_port(self, where: str, port: PortWant) -> None:
        owner = Owner(PORT, port.name or port.port, where, port=port)
        self.add(f"{where}.port", port.port, owner)
        if port.name is not None:
            self.add(f"{where}.name", port.name, owner)
        for number, altname in enumerate(port.altnames):
            self.add(f"{where}.altnames[{number}]", altname, owner)

    def add_representor(self, where: str, port: PortWant, vf: int) -> Owner:
        """It is named after its port; the name that the host gives a port is not known here."""
        owner = Owner(REPRESENTOR, f"{port.name or port.port}_{vf}", f"representor of VF {vf} of {port.name}")
        if port.name is None:
            return owner
        if len(owner.name) > _LONGEST_NAME:
            raise wrong(
                where,
                f"the representor of VF {vf} would be named {owner.name}, which is longer than the {_LONGEST_NAME}"
                f" characters of a network device; give a name of at most {_LONGEST_NAME - len(f'_{vf}')}",
            )
        self.add(where, owner.name, owner)
        return owner

    def add(self, where: str, name: str, owner: Owner) -> None:
        place, other = self.owners.get(name, (where, owner))
        if other != owner:
            taken = f"the name of the {other.where}" if other.kind == REPRESENTOR else place
            raise wrong(where, f"{name!r} is {taken} already; give each network device names of its own")
        self.owners.setdefault(name, (where, owner))

    def find(self, where: str, text: str) -> Owner:
        name = normal(text)
        if name in self.owners:
            return self.owners[name][1]
        if _is_address(name):
            raise wrong(where, f"no entry of ports is {text}; add one, or give the name of a network device")
        return Owner(OTHER, valid_netdev_name(where, text))

    def put_into(self, where: str, owner: Owner, upper: Owner) -> None:
        """Makes it a member or an uplink, which a network device is of one other only."""
        if not owner.present:
            raise wrong(where, f"{owner.name} is to be absent ({owner.where}); leave it out, or let it be present")
        other = self.uppers.get(owner.name)
        if other == upper:
            raise wrong(where, f"{owner.name} is in {upper.name} already; leave one of the two out")
        if other is not None and other.kind == BOND and upper.kind == BRIDGE:
            raise wrong(where, f"{owner.name} is a member of {other.name}; give the bond instead, not its members")
        if other is not None:
            raise wrong(where, f"{owner.name} is in {other.name} ({other.where}) already; it can be in one only")
        self.uppers[owner.name] = upper

    def top(self, owner: Owner) -> Owner:
        """What carries the addresses: the bridge of the bond of a member."""
        while owner.name in self.uppers:
            owner = self.uppers[owner.name]
        return owner


def normal(text: str) -> str:
    """PCI and MAC addresses as the kernel writes them, any other name as it is."""
    lower = text.strip().lower()
    if _PCI.fullmatch(lower):
        return lower
    try:
        return mac_address(lower)
    except ValueError:
        return text


def valid_port(where: str, text: str) -> str:
    found = normal(text)
    # Without quotes, YAML reads a PCI address as a number.
    if _is_address(found) or (":" not in text and not re.fullmatch(r"\d+(\.\d+)?", text)):
        return found if _is_address(found) else valid_netdev_name(where, text)
    raise wrong(
        where,
        f"{text!r} is no port; give a PCI address with its domain and in quotes, such as '0000:08:00.0', the name of a"
        " network device, or a permanent MAC address",
    )


def card_of(port: str) -> str | None:
    """The part of a PCI address that the ports of one card have in common; None when it is another name."""
    return port.rpartition(".")[0] if _PCI.fullmatch(port) else None


def _is_address(name: str) -> bool:
    return bool(_PCI.fullmatch(name) or _MAC.fullmatch(name))
