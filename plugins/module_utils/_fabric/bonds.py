# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phase of a plan that is about bonds, also those that the card does itself (VF-LAG). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Wait
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.eswitch import SWITCHDEV
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.observe import LAG_ACTIVE, LAG_STATE
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.planning import Planning, refuse
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.ports import count_of, mode_of
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.vfs import unbind
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import BondWant, PortWant
from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import (
    BOND,
    DOWN_AND_EMPTY,
    NO_MEMBERS,
    Value,
    words,
)
from ansible_collections.railhead.cluster.plugins.module_utils._link.bond import bond_changes, needs_down
from ansible_collections.railhead.cluster.plugins.module_utils._link.device import Device, members

_DEFAULT_MTU = 1500


def check_bond(planning: Planning, bond: BondWant) -> None:
    """What cannot become a bond, or not one that the card does itself, refused before the first step."""
    if not bond.present:
        return
    found = [planning.resolve(member) for member in bond.members]
    if len(set(found)) < len(found):
        refuse(f"make the bond {bond.name}", f"two of its members are one port ({', '.join(found)})", "drop one")
    for member in found:
        device = planning.link(member)
        if device.link_type not in ("ether", ""):
            refuse(f"enslave {member} to {bond.name}", f"it is of type {device.link_type}", "use Ethernet ports")
        if bond.mtu is not None and device.max_mtu and bond.mtu > device.max_mtu:
            refuse(
                f"set the MTU of {bond.name} to {bond.mtu}", f"{device.name} takes at most {device.max_mtu}", "lower it"
            )
        owner = planning.now.link(device.master) if device.master else None
        ours = {other.name for other in planning.want.bonds}
        if owner is not None and owner.kind == "bond" and owner.name not in ours:
            refuse(
                f"enslave {member} to {bond.name}",
                f"it is in {owner.name}, which is not in the document",
                f"release it there, or list {owner.name} under bonds (with state: absent to delete it)",
            )
    if bond.vf_lag:
        _check_lag(planning, bond)


def _check_lag(planning: Planning, bond: BondWant) -> None:
    """Preconditions of mlx5_lag_check_prereq (drivers/net/ethernet/mellanox/mlx5/core/lag/lag.c)."""
    attempt, ports = f"have the card bond {bond.name} (vf_lag)", _ports(planning, bond)
    if len(ports) < len(bond.members):
        refuse(attempt, "not all of its members are in ports", "list each member under ports, or leave vf_lag out")
    states = [planning.state(port) for port in ports]
    without = [port.port for port, state in zip(ports, states) if state.lag is None]
    if without:
        refuse(
            attempt,
            f"{', '.join(without)} tells nothing of a LAG ({LAG_STATE.format('ADDRESS')}): the driver has none, or"
            " debugfs is not mounted",
            "leave vf_lag out for this card",
        )
    cards = {state.card for state in states}
    if len(cards) > 1:
        refuse(
            attempt, f"its members are on different cards ({', '.join(sorted(cards))})", "bond the ports of one card"
        )
    modes = {mode_of(state, port) for port, state in zip(ports, states)}
    if len(modes) > 1:
        refuse(attempt, "its members are to be in different e-switch modes", "give all the same eswitch_mode")
    if modes != {SWITCHDEV} and any(count_of(state, port) for port, state in zip(ports, states)):
        refuse(attempt, "its members have VFs and are in legacy mode", "give them eswitch_mode: switchdev")


def delete_bond(planning: Planning, bond: BondWant) -> None:
    device = planning.now.link(bond.name)
    if device is None:
        return
    if device.kind != "bond":
        refuse(f"delete the bond {bond.name}", "the device of that name is no bond", "give the name of one")
    doing = f"delete the bond {bond.name}"
    planning.touch(bond.name, doing)
    planning.leave_bridges(bond.name)
    for member in members(planning.now.links, bond.name):
        planning.touch_management(member.name, doing)
        planning.left_bond(member.name)
    planning.ip(doing, "link", "del", "dev", bond.name, disrupts=f"the traffic of {bond.name}", undo="create it again")
    planning.drop_links(bond.name)
    planning.forget_addresses(bond.name)


def make_bond(planning: Planning, bond: BondWant) -> None:
    wanted = [planning.resolve(member) for member in bond.members]
    data = {key: value for key, value in bond.data.items() if key != "primary"}
    if planning.now.link(bond.name) is None:
        _create(planning, bond, data)
    else:
        _change(planning, bond, data, wanted)
    _make_room_for_lag(planning, bond)
    mtu = bond.mtu
    if mtu not in (None, planning.link(bond.name).mtu):
        undo = f"set it to {planning.link(bond.name).mtu}"
        planning.ip(f"set the MTU of {bond.name} to {mtu}", "link", "set", "dev", bond.name, "mtu", str(mtu), undo=undo)
        planning.set_link(bond.name, mtu=mtu)
    for member in wanted:
        _enslave(planning, bond, member)
    primary = bond.data.get("primary")
    if primary is not None:
        _set_primary(planning, bond, planning.resolve(str(primary)))
    planning.bring_up(bond.name)
    _await_lag(planning, bond)


def _ports(planning: Planning, bond: BondWant) -> list[PortWant]:
    return [port for port in planning.want.ports if {port.port, port.name} & set(bond.members)]


def _make_room_for_lag(planning: Planning, bond: BondWant) -> None:
    """A card begins to bond only while no VF has a driver (LP#1988018)."""
    for port in _ports(planning, bond) if bond.vf_lag else ():
        if planning.state(port).lag != LAG_ACTIVE:
            planning.touch_vfs(port, f"have the card bond {bond.name}")
            unbind(planning, port, "the card begins to bond only without drivers on the VFs")


def _await_lag(planning: Planning, bond: BondWant) -> None:
    ports = [port for port in _ports(planning, bond) if bond.vf_lag and planning.state(port).lag != LAG_ACTIVE]
    if ports:
        planning.steps.append(
            Wait(
                tuple(LAG_STATE.format(planning.state(port).function) for port in ports),
                f"wait until the card bonds {bond.name} by itself",
                pattern=LAG_ACTIVE,
                advice="See dmesg: all ports of the card, and only they, must be in the bond, all in switchdev mode,"
                " with the same RoCE setting.",
            )
        )
    for port in ports:
        planning.set_port(port, lag=LAG_ACTIVE)


def _create(planning: Planning, bond: BondWant, data: Mapping[str, Value]) -> None:
    if not planning.now.has_bonding:
        # Without this, old settings of the module make a bond0 of their own.
        planning.steps.append(Command(("modprobe", "bonding", "max_bonds=0"), "load the bonding driver"))
    changes = bond_changes(bond.name, {}, data, ())
    planning.ip(
        f"create the bond {bond.name}",
        *("link", "add", "name", bond.name, "type", "bond", *words("bond", changes)),
        undo=f"delete {bond.name}",
    )
    planning.add_link(Device(bond.name, kind="bond", link_type="ether", mtu=_DEFAULT_MTU, data=dict(data)))
    planning.forget_addresses(bond.name)


def _change(planning: Planning, bond: BondWant, data: Mapping[str, Value], wanted: list[str]) -> None:
    device = planning.link(bond.name)
    if device.kind != "bond":
        refuse(f"make the bond {bond.name}", "a device of that name is there, and is no bond", "use another name")
    changes = bond_changes(bond.name, device.data, data, ())
    only_empty = [each.name for each in BOND if each.name in changes and each.when in (NO_MEMBERS, DOWN_AND_EMPTY)]
    for member in members(planning.now.links, bond.name):
        if only_empty or member.name not in wanted:
            planning.touch(bond.name, f"change {', '.join(only_empty) or 'the members'} of the bond {bond.name}")
            planning.leave_bond(member.name)
    if not changes:
        return
    doing = f"set {', '.join(changes)} of the bond {bond.name}"
    if needs_down(changes) and device.up:
        planning.touch(bond.name, doing)
        for member in members(planning.now.links, bond.name):
            planning.touch_management(member.name, doing)
        planning.take_down(bond.name)
    undo = "set " + ", ".join(f"{key} {device.data.get(key)}" for key in changes)
    planning.ip(doing, "link", "set", "dev", bond.name, "type", "bond", *words("bond", changes), undo=undo)
    planning.set_link(bond.name, data={**device.data, **changes})


def _enslave(planning: Planning, bond: BondWant, member: str) -> None:
    device = planning.link(member)
    if device.master == bond.name:
        planning.flush(member)
        return
    doing = f"enslave {member} to {bond.name}"
    planning.touch(member, doing)
    planning.leave_bridges(member)
    owner = planning.now.link(device.master) if device.master else None
    if owner is not None and owner.kind == "bond":
        planning.leave_bond(member)
    planning.flush(member)
    planning.take_down(member)
    planning.ip(doing, "link", "set", "dev", member, "master", bond.name, undo=f"release {member}")
    planning.set_link(member, master=bond.name, up=True, mtu=planning.link(bond.name).mtu)


def _set_primary(planning: Planning, bond: BondWant, primary: str) -> None:
    device = planning.link(bond.name)
    if device.data.get("primary") != primary:
        does = f"make {primary} the primary of {bond.name}"
        planning.ip(does, "link", "set", "dev", bond.name, "type", "bond", *words("bond", {"primary": primary}))
        planning.set_link(bond.name, data={**device.data, "primary": primary})
