# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the virtual functions that a port has to those that are wanted. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Plan, Step, Write
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.observe import Port, Vf
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.request import (
    AUTO,
    DEFAULT_PROTOCOL,
    Attributes,
    Value,
    Want,
    address_of,
    guid_of,
)

#: What the drivers of cards give a VF that has just been made. A simulated port keeps what its VFs had before.
FRESH = Attributes(
    vlan=0, qos=0, vlan_proto=DEFAULT_PROTOCOL, trust=False, link_state="auto", min_tx_rate=0, max_tx_rate=0
)
#: Attributes that one command sets together: the kernel knows no VLAN without qos, and no rate without the other.
_TOGETHER: tuple[tuple[str, ...], ...] = (
    ("mac",),
    ("vlan", "qos", "vlan_proto"),
    ("spoofchk",),
    ("trust",),
    ("link_state",),
    ("min_tx_rate", "max_tx_rate"),
    ("node_guid",),
    ("port_guid",),
)
_WORDS = {"vlan_proto": "proto", "link_state": "state"}
_ETHERNET = ("mac", "vlan", "spoofchk")
_INFINIBAND = ("node_guid", "port_guid")
_GUID_LENGTH = len("00:11:22:33:44:55:66:77")


def plan_vfs(have: Port, want: Want) -> Plan:
    steps, after = with_vfs(have, want)
    if steps and have.carries and not want.allow_management:
        raise RailheadError(
            f"Cannot change the VFs of {want.port}: the SSH connection of this run comes in over"
            f" {', '.join(have.carries)}, which could end; come in by another way, or set allow_management=true."
        )
    return Plan(steps, shown_port(have), shown_port(after))


def with_vfs(have: Port, want: Want) -> tuple[tuple[Step, ...], Port]:
    """Steps to the wanted VFs, and the state after them. A refusal comes before the first of them."""
    resized, now = _resize(have, want)
    autoprobe, now = _autoprobe(now, want)
    # The switch decides about VFs that are made from then on.
    steps = [*resized[:-1], *autoprobe, *resized[-1:]]
    refuse_attributes(now, want.port, want.vfs)
    vfs = []
    for vf in now.vfs:
        more, attributes = configure(now, vf, resolved(now, want.vfs.get(vf.index, Attributes()), vf.index))
        steps += more
        vfs.append(replace(vf, attributes=attributes))
    return tuple(steps), replace(now, vfs=tuple(vfs))


def shown_port(port: Port) -> dict[str, object]:
    """What a person gets to see of a port, in diffs and return values."""
    return {
        "netdev": port.netdev,
        "count": port.count,
        "drivers_autoprobe": port.drivers_autoprobe,
        "vfs": [{"vf": vf.index, **vf.attributes.given} for vf in port.vfs],
    }


def returned_port(port: Port) -> dict[str, object]:
    """The return value: what is shown, and where the VFs are."""
    vfs = [
        {
            "vf": vf.index,
            "pci_address": vf.pci_address,
            "driver": vf.driver,
            "netdevs": list(vf.netdevs),
            "users": list(vf.users),
            **vf.attributes.given,
        }
        for vf in port.vfs
    ]
    return {**shown_port(port), "total_vfs": port.total_vfs, "vfs": vfs}


def _resize(have: Port, want: Want) -> tuple[list[Step], Port]:
    count = have.count if want.count is None else want.count
    if have.total_vfs is not None and count > have.total_vfs:
        raise RailheadError(
            f"Cannot give {want.port} {count} VFs: it can have {have.total_vfs} (sriov_totalvfs); lower count, or raise"
            " the number in the firmware (NUM_OF_VFS)."
        )
    if count == have.count and have.complete:
        return [], have
    users = [f"VF {vf.index} ({vf.pci_address or have.netdev}): {user}" for vf in have.vfs for user in vf.users]
    if users and not want.allow_resize_in_use:
        raise RailheadError(
            f"Cannot change the number of VFs of {want.port} from {have.count} to {count}: the kernel destroys all VFs"
            f" on the way, and these are in use: {'; '.join(users)}. Release them first, or set"
            " allow_resize_in_use=true."
        )
    file = f"{have.directory}/sriov_numvfs"
    steps: list[Step] = []
    if have.count:
        steps.append(Write(file, "0", f"remove the {have.count} VFs of {want.port}"))
    if count:
        steps.append(Write(file, str(count), f"create {count} VFs on {want.port}"))
    return steps, replace(have, count=count, vfs=fresh_vfs(have, count))


def fresh_vfs(have: Port, count: int) -> tuple[Vf, ...]:
    """The VFs of a port after it has got C(count) of them anew."""
    return tuple(Vf(index, _fresh(have, index), fresh=True) for index in range(count))


def _fresh(have: Port, index: int) -> Attributes:
    """What is known of a VF that is made anew. A driver that kept something of the last one is set again."""
    if not have.is_pci:
        return Attributes()
    old = next((vf.attributes for vf in have.vfs if vf.index == index), FRESH)
    kept = {key: value for key, value in FRESH.given.items() if getattr(old, key) == value}
    return Attributes(**kept)  # type: ignore[arg-type]


def _autoprobe(have: Port, want: Want) -> tuple[list[Step], Port]:
    wanted = want.drivers_autoprobe
    if wanted in (None, have.drivers_autoprobe):
        return [], have
    if have.drivers_autoprobe is None:
        raise RailheadError(
            f"Cannot set drivers_autoprobe of {want.port}: {have.directory} has no sriov_drivers_autoprobe;"
            " leave it out."
        )
    switch = "on" if wanted else "off"
    file = f"{have.directory}/sriov_drivers_autoprobe"
    step = Write(file, "1" if wanted else "0", f"switch the probing of drivers for new VFs of {want.port} {switch}")
    return [step], replace(have, drivers_autoprobe=wanted)


def refuse_attributes(now: Port, name: str, vfs: Mapping[int, Attributes]) -> None:
    """What the port cannot have: VFs that are not there, attributes of the other kind of network."""
    if not vfs:
        return
    attempt = f"Cannot configure the VFs of {name}: "
    if not now.netdev:
        raise RailheadError(
            f"{attempt}it has no network device in the host's namespace, and the attributes are set through that; bind"
            " the driver of the physical function, or take the network device back."
        )
    if max(vfs) >= now.count:
        raise RailheadError(
            f"{attempt}there is no VF {max(vfs)}, it has {now.count}; give count={max(vfs) + 1} or more."
        )
    other, kind = (_INFINIBAND, "Ethernet") if now.link_type == "ether" else (_ETHERNET, "InfiniBand")
    for index, attributes in vfs.items():
        wrong = [key for key in other if key in attributes.given]
        if wrong:
            raise RailheadError(f"{attempt}{wrong[0]} of VF {index} cannot be on an {kind} port; leave it out.")


def resolved(port: Port, wanted: Attributes, index: int) -> Attributes:
    """With the addresses that are made of the port's; that of an InfiniBand port ends with its GUID."""
    made = {key: guid_of(port.address[-_GUID_LENGTH:], index) for key in _INFINIBAND if getattr(wanted, key) == AUTO}
    if wanted.mac == AUTO:
        made["mac"] = address_of(port.address, index)
    return replace(wanted, **made) if made else wanted  # type: ignore[arg-type]


def configure(port: Port, vf: Vf, wanted: Attributes) -> tuple[list[Step], Attributes]:
    """Steps that give a VF its attributes, and those that it has after them."""
    steps: list[Step] = []
    asked, now = wanted.given, vf.attributes
    for keys in _TOGETHER:
        given = {key: asked[key] for key in keys if key in asked}
        if all(getattr(now, key) == value for key, value in given.items()):
            continue
        silent = [key for key in given if getattr(now, key) is None]
        if silent and not vf.fresh:
            raise RailheadError(
                f"Cannot set {silent[0]} of VF {vf.index} of {port.netdev}: its driver does not report that attribute,"
                " so it has none; leave it out."
            )
        values = {key: given.get(key, getattr(now, key)) for key in keys}
        if keys == ("min_tx_rate", "max_tx_rate"):
            values = _rates(port, vf, values)
        steps.append(_set(port, vf.index, values))
        now = replace(now, **values)
    return steps, now


def _rates(port: Port, vf: Vf, values: Mapping[str, Any]) -> dict[str, Value]:
    low, high = values["min_tx_rate"] or 0, values["max_tx_rate"] or 0
    if 0 < high < low:
        raise RailheadError(
            f"Cannot limit VF {vf.index} of {port.netdev}: its min_tx_rate would be {low} and its max_tx_rate {high};"
            " give both, the lower one first."
        )
    return {"min_tx_rate": low, "max_tx_rate": high}


def _set(port: Port, index: int, values: Mapping[str, Any]) -> Command:
    words = [word for key, value in values.items() for word in (_WORDS.get(key, key), _word(value))]
    told = " and ".join(f"{key} {_word(value)}" for key, value in values.items())
    return Command(
        ("ip", "link", "set", "dev", port.netdev, "vf", str(index), *words),
        f"give VF {index} of {port.netdev} the {told}",
        advice="'Operation not supported' and 'Protocol not supported' mean that the driver has no such setting.",
    )


def _word(value: bool | int | str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
