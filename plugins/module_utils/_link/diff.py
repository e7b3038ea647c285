# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads of a plan: the managed attributes before and after, in the words of the options. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import Value
from ansible_collections.railhead.cluster.plugins.module_utils._link.observe import Links
from ansible_collections.railhead.cluster.plugins.module_utils._link.request import Want


def before(have: Links, want: Want) -> dict[str, Any]:
    """What is there of what is managed."""
    places = have.locate(want)
    if not places:
        return {"name": want.name, "state": "absent"}
    space, device = places[0]
    shown: dict[str, Any] = {"name": want.name, "state": "present"}
    managed: tuple[tuple[str, Any, Any], ...] = (
        ("kind", want.kind, device.kind),
        ("parent", want.parent, device.parent),
        ("admin_state", want.up, "up" if device.up else "down"),
        ("mtu", want.mtu, device.mtu),
        ("address", want.address, device.address),
        ("altnames", want.altnames or None, sorted(device.altnames)),
        ("master", want.master, device.master or ""),
        ("netns", want.netns, space),
    )
    if want.present:
        shown.update({name: found for name, wanted, found in managed if wanted is not None})
        if want.data:
            shown[str(want.kind)] = {name: _plain(device.data.get(name)) for name in want.data}
        if want.peer is not None:
            shown["veth"] = {"peer": device.parent}
    return shown


def after(want: Want, earlier: Mapping[str, Any]) -> dict[str, Any]:
    """What is wanted."""
    if not want.present:
        return {"name": want.name, "state": "absent"}
    shown: dict[str, Any] = {"name": want.name, "state": "present"}
    managed: tuple[tuple[str, Any], ...] = (
        ("kind", want.kind),
        ("parent", want.parent),
        ("admin_state", None if want.up is None else "up" if want.up else "down"),
        ("mtu", want.mtu),
        ("address", want.address),
        ("altnames", sorted({*want.altnames, *earlier.get("altnames", ())}) or None),
        ("master", want.master),
        ("netns", want.netns),
    )
    shown.update({name: value for name, value in managed if value is not None})
    if want.data:
        shown[str(want.kind)] = {name: _plain(value) for name, value in want.data.items()}
    if want.peer is not None:
        shown["veth"] = {"peer": want.peer}
    return shown


def _plain(value: Value | None) -> Any:
    return list(value) if isinstance(value, tuple) else value
