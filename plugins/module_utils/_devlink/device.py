# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which devlink instance a name means, how devlink answers, and what carries the management connection over it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import CommandError, RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._node.management import observe_management

_NET = "/sys/class/net"


@dataclass(frozen=True)
class PortFunction:
    """A port of an e-switch (devlink-port.rst of the kernel). Numbers are None where the flavour has none."""

    handle: str
    netdev: str | None = None
    flavour: str | None = None
    pfnum: int | None = None
    vfnum: int | None = None


def valid_device(device: str) -> str:
    """BUS/NAME, or the name of a network device; an error that says why not otherwise."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*/[^\s/]+|[^\s/]+", device) or device in (".", ".."):
        raise RailheadError(
            f"Cannot use {device!r} as a devlink device: give one such as pci/0000:08:00.0 or netdevsim/netdevsim10, or"
            " the name of a network device."
        )
    return device


def find_handle(host: Host, device: str) -> str:
    """The devlink instance of a device that may be given by a network device's name. One process."""
    handle = device if "/" in device else _handle_of(host, device)
    known = sorted(host.read_json(["devlink", "-j", "dev", "show"])["dev"])
    if handle not in known:
        raise RailheadError(
            f"Cannot use devlink with {device}: {handle} has no devlink instance; found: {', '.join(known) or 'none'}."
            " Check the address, and that its driver is loaded; some drivers, such as igb, have no devlink."
        )
    return handle


def directory_of(handle: str) -> str:
    """/sys/bus/BUS/devices/NAME"""
    bus, _slash, name = handle.partition("/")
    return f"/sys/bus/{bus}/devices/{name}"


def parse_ports(shown: Mapping[str, Any]) -> tuple[PortFunction, ...]:
    """C(devlink -j port show)."""
    return tuple(
        PortFunction(handle, port.get("netdev"), port.get("flavour"), port.get("pfnum"), port.get("vfnum"))
        for handle, port in shown["port"].items()
    )


def parse_batch(text: str) -> list[dict[str, Any]]:
    """Objects of a batch in JSON: one for each command, with a comma or white space between them."""
    decoder, position, found = json.JSONDecoder(), 0, []
    while position < len(text):
        if text[position] in ", \t\r\n":
            position += 1
            continue
        try:
            value, position = decoder.raw_decode(text, position)
        except ValueError as error:
            raise CommandError(
                f"Cannot understand the answer of devlink: expected JSON, found {text[position : position + 80]!r}."
            ) from error
        found.append(value)
    return found


def on_management(host: Host, handle: str) -> tuple[str, ...]:
    """Network devices of a devlink instance that the SSH connection of this run comes in over."""
    name = handle.partition("/")[2]
    return tuple(
        netdev
        for netdev in observe_management(host).netdevs
        if os.path.basename(host.resolve(f"{_NET}/{netdev}/device")) == name
    )


def refuse_management(attempt: str, netdevs: Iterable[str], allowed: bool) -> None:
    if netdevs and not allowed:
        raise RailheadError(
            f"{attempt}the SSH connection of this run comes in over {', '.join(netdevs)}, which could end; come in by"
            " another way, or set allow_management=true."
        )


def _handle_of(host: Host, netdev: str) -> str:
    device = f"{_NET}/{netdev}/device"
    bus = os.path.basename(host.link_target(f"{device}/subsystem") or "")
    if not bus:
        known = ", ".join(host.list_directory(_NET)) or "none"
        raise RailheadError(
            f"Cannot use devlink with {netdev}: there is no network device of that name with a device behind it; found:"
            f" {known}. Give one of these, or a devlink device such as pci/0000:08:00.0."
        )
    return f"{bus}/{os.path.basename(host.resolve(device))}"
