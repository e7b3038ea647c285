# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bonds of the fabric document, checked. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._devlink.eswitch import SWITCHDEV
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.fields import (
    Field,
    at,
    optional_mtu,
    read_texts,
    wrong,
)
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.names import (
    BOND,
    OTHER,
    PORT,
    Names,
    Owner,
    card_of,
)
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import BondWant, PortWant
from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import BOND as ATTRIBUTES
from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import (
    DEFAULT_BOND_MODE,
    WITH_ARP,
    WITH_PRIMARY,
    Value,
    checked,
)
from ansible_collections.railhead.cluster.plugins.module_utils._link.bond import bond_changes

#: Of the suboptions of M(ip_link), those that an entry may have.
BOND_OPTIONS = (
    "mode",
    "xmit_hash_policy",
    "lacp_rate",
    "lacp_active",
    "miimon",
    "updelay",
    "downdelay",
    "min_links",
    "ad_select",
    "primary",
)
#: Modes that cards bond in themselves (drivers/net/ethernet/mellanox/mlx5/core/lag/lag.c of the kernel).
_OFFLOADED_MODES = ("active-backup", "balance-xor", "802.3ad")

_TYPES: Mapping[str, type] = {"str": str, "int": int, "bool": bool}
BOND_FIELDS = {
    "name": Field(required=True),
    "state": Field(choices=("present", "absent")),
    "members": Field((list,)),
    "vf_lag": Field((bool,)),
    "mtu": Field((int,)),
    **{
        each.name: Field((_TYPES[each.spec["type"]],), tuple(each.spec.get("choices", ())))
        for each in ATTRIBUTES
        if each.name in BOND_OPTIONS
    },
}


def load_bond(where: str, entry: Mapping[str, Any], names: Names) -> BondWant:
    bond = Owner(BOND, entry["name"], where)
    if entry.get("state") == "absent":
        return BondWant(bond.name, present=False)
    members = []
    for place, text in read_texts(f"{where}.members", entry.get("members")):
        members.append(names.find(place, text))
        if members[-1].kind not in (PORT, OTHER):
            raise wrong(place, f"{text} is a {members[-1].kind}, and none of these can be in a bond; give ports")
        names.put_into(place, members[-1], bond)
    if not members and entry.get("members") is None:
        raise wrong(where, "members are missing; give one or more ports, or an empty list to have none")
    with at(where):
        data = checked("bond", {option: entry.get(option) for option in BOND_OPTIONS})
        # The rules of the options; that the primary is a member is checked with its names here.
        bond_changes(bond.name, {}, {option: value for option, value in data.items() if option != "primary"}, ())
    if "primary" in data:
        data["primary"] = _primary(f"{where}.primary", data, members, names)
    want = BondWant(
        bond.name,
        members=tuple(member.name for member in members),
        data=data,
        mtu=optional_mtu(where, entry),
        vf_lag=entry.get("vf_lag", False),
    )
    _check_members(where, want, members)
    _check_offload(where, want, [member.port for member in members])
    if want.vf_lag:
        _check_vf_lag(where, want, members)
    return want


def _primary(where: str, data: Mapping[str, Value], members: Sequence[Owner], names: Names) -> str:
    if data.get("mode") not in WITH_PRIMARY:
        raise wrong(where, f"only a bond in a mode of {', '.join(sorted(WITH_PRIMARY))} has one; leave it out")
    owner = names.find(where, str(data["primary"]))
    if owner not in members:
        raise wrong(where, f"{data['primary']} is not a member; give one of {_listed(members)}")
    return owner.name


def _check_members(where: str, want: BondWant, members: Sequence[Owner]) -> None:
    for member in members:
        if member.port and member.port.mtu not in (None, want.mtu):
            raise wrong(
                f"{where}.mtu",
                f"the members of a bond have its MTU, and {member.name} ({member.where}) is to have {member.port.mtu};"
                f" give the bond mtu: {member.port.mtu} too, or leave it out there",
            )


def _check_offload(where: str, want: BondWant, ports: Sequence[PortWant | None]) -> None:
    mode = want.data.get("mode", DEFAULT_BOND_MODE)
    switchdev = any(port and port.eswitch.mode == SWITCHDEV for port in ports)
    if mode not in _OFFLOADED_MODES and (switchdev or want.vf_lag):
        raise wrong(
            f"{where}.mode",
            f"cards do not bond in mode {mode}{'' if 'mode' in want.data else ', which is the default'}, and"
            f" {'vf_lag needs that they do' if want.vf_lag else 'VFs of members in switchdev mode need that they do'};"
            f" give one of {', '.join(_OFFLOADED_MODES)}",
        )


def _check_vf_lag(where: str, want: BondWant, members: Sequence[Owner]) -> None:
    """What mlx5 needs to bond in hardware, as far as the document tells (lag.c, as above)."""
    place = f"{where}.vf_lag"
    foreign = [member.name for member in members if member.port is None]
    ports = [member.port for member in members if member.port is not None]
    modes = {port.eswitch.mode == SWITCHDEV for port in ports}
    with_vfs = [port.name or port.port for port in ports if port.count]
    cards = {card for card in (card_of(port.port) for port in ports) if card}
    if foreign:
        raise wrong(place, f"{foreign[0]} is not in ports, which all members must be; add an entry for it")
    if len(ports) == 1:
        raise wrong(place, f"a card bonds all of its ports, and {members[0].name} is one; add the other one")
    if len(cards) > 1:
        raise wrong(
            place,
            f"a card bonds its own ports only, and these are of the cards {', '.join(sorted(cards))}; give the ports of"
            " one card",
        )
    if len(modes) > 1:
        raise wrong(
            place, f"all members have to be in the same e-switch mode; give {_listed(members)} the same eswitch_mode"
        )
    if with_vfs and modes == {False}:
        raise wrong(
            place, f"{with_vfs[0]} has VFs, which takes eswitch_mode: {SWITCHDEV} for all members; give them that"
        )
    # Of the modes here, only 802.3ad has a default that is not 0.
    if not want.data.get("miimon", 0 if want.data["mode"] in WITH_ARP else 1):
        raise wrong(f"{where}.miimon", "without it the bond does not notice that a link is down; give one such as 100")


def _listed(owners: Sequence[Owner]) -> str:
    return ", ".join(owner.name for owner in owners)
