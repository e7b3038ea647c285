# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task asks of one network device, checked as far as that is possible without looking at the host."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import (
    KINDS,
    Value,
    checked,
    mac_address,
)
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import HOST_NAMESPACE, valid_name

_MTU = range(68, 65536)


@dataclass(frozen=True)
class Want:
    """C(None) and missing keys: not managed. C(master) and C(netns) may be empty: none, and the host's own."""

    name: str
    present: bool = True
    kind: str | None = None
    parent: str | None = None
    up: bool | None = None
    mtu: int | None = None
    address: str | None = None
    altnames: tuple[str, ...] = ()
    master: str | None = None
    netns: str | None = None
    data: Mapping[str, Value] = field(default_factory=dict)
    peer: str | None = None
    peer_netns: str | None = None
    allow_disruption: bool = False
    allow_recreate: bool = False
    allow_management: bool = False

    @property
    def space(self) -> str:
        """The namespace that the device is to be in."""
        return HOST_NAMESPACE if self.netns is None else self.netns

    @property
    def peer_space(self) -> str:
        """The namespace of the other end of a veth; with its own end unless said otherwise."""
        return self.space if self.peer_netns is None else self.peer_netns


def want_from(params: Mapping[str, Any]) -> Want:
    """The request in the parameters of the module; the first mistake in them is an error."""
    kind, name = params["kind"], valid_netdev_name("name", params["name"])
    _only_own_suboptions(params, kind)
    veth = params.get("veth") or {}
    values = checked(kind, params.get(kind) or {}) if kind in KINDS else {}
    if kind == "bond":
        _check_bond(values)
    if params["state"] == "absent" and kind is None:
        raise RailheadError(
            f"Cannot delete {name}: it takes its kind to delete a device, so that no other one of that name goes by "
            "mistake, and a port of the hardware cannot be deleted; give kind."
        )
    if params.get("parent") is not None and not (kind in KINDS and KINDS[kind].has_parent):
        raise RailheadError(
            f"Cannot use parent for {name}: only devices of kind {_those_with_parent()} have one; leave it out."
        )
    if params.get("address") is not None and kind == "ipoib":
        raise RailheadError(f"Cannot set the address of {name}: IPoIB makes it of the GID of the port; leave it out.")
    for option in ("master", "parent"):
        if params.get(option) == name:
            raise RailheadError(f"Cannot use {name} as its own {option}; give another device.")
    if veth.get("peer") == name and (veth.get("peer_netns") or "") == (params["netns"] or ""):
        raise RailheadError(f"Cannot use {name} as its own veth.peer; give another name.")
    return Want(
        name=name,
        present=params["state"] == "present",
        kind=kind,
        parent=_optional(params, "parent", valid_netdev_name),
        up=None if params["admin_state"] is None else params["admin_state"] == "up",
        mtu=_optional(params, "mtu", valid_mtu),
        address=_optional(params, "address", _address),
        altnames=valid_altnames(name, params["altnames"] or ()),
        master=_optional(params, "master", lambda option, value: valid_netdev_name(option, value) if value else ""),
        netns=_optional(params, "netns", lambda _option, value: valid_name(value) if value else ""),
        data=values,
        peer=_optional(veth, "peer", lambda _option, value: valid_netdev_name("veth.peer", value)),
        peer_netns=_optional(veth, "peer_netns", lambda _option, value: valid_name(value) if value else ""),
        allow_disruption=params["allow_disruption"],
        allow_recreate=params["allow_recreate"],
        allow_management=params["allow_management"],
    )


def _optional(params: Mapping[str, Any], option: str, check: Any) -> Any:
    value = params.get(option)
    return None if value is None else check(option, value)


def _those_with_parent() -> str:
    return ", ".join(name for name, kind in KINDS.items() if kind.has_parent)


def _only_own_suboptions(params: Mapping[str, Any], kind: str | None) -> None:
    for other in KINDS:
        if params.get(other) is not None and other != kind:
            raise RailheadError(
                f"Cannot use the option {other} for {params['name']}: it needs kind={other}, and "
                + (f"kind is {kind}; leave one of them out." if kind else f"kind is not given; add kind={other}.")
            )


def valid_netdev_name(option: str, name: str) -> str:
    if not re.fullmatch(r"[^\s/:%\"#-][^\s/:%\"#]{0,14}", name) or name in (".", ".."):
        raise RailheadError(
            f"Cannot use {name!r} for {option}: the name of a network device is one word of 1 to 15 characters, "
            "without '/', ':', '%', '\"' or '#', that is not '.' or '..' and does not begin with '-'."
        )
    return name


def valid_altnames(name: str, altnames: Any) -> tuple[str, ...]:
    for altname in altnames:
        if not re.fullmatch(r"[^\s/:%\"#-][^\s/:%\"#]{0,126}", altname) or altname in (".", "..", name):
            raise RailheadError(
                f"Cannot use {altname!r} in altnames of {name}: an alternative name is one word of 1 to 127 "
                "characters, without '/', ':', '%', '\"' or '#', not beginning with '-', and not the name itself."
            )
    return tuple(dict.fromkeys(altnames))


def valid_mtu(option: str, value: int) -> int:
    if value not in _MTU:
        raise RailheadError(f"Cannot use {value} for {option}: give a number from {_MTU.start} to {_MTU.stop - 1}.")
    return value


def _address(_option: str, value: str) -> str:
    try:
        return mac_address(value)
    except ValueError as error:
        raise RailheadError(f"Cannot use {value!r} for address: give {error}.") from error


def _check_bond(values: Mapping[str, Value]) -> None:
    """What is wrong whatever the state of the bond is; the rest is checked against its mode (see plan)."""
    if values.get("miimon") and values.get("arp_interval"):
        raise RailheadError(
            "Cannot use bond.miimon and bond.arp_interval together: a bond watches its members in one of the two ways; "
            "set one of them to 0 or leave it out."
        )
