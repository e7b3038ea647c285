# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The e-switch of a card: legacy, or switchdev with a representor for each function."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import CommandError, RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Plan
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.device import (
    PortFunction,
    directory_of,
    find_handle,
    on_management,
    parse_ports,
    refuse_management,
    valid_device,
)

SWITCHDEV = "switchdev"
#: Flavours of the ports whose network devices are representors.
_REPRESENTED = ("pcipf", "pcivf", "pcisf")
_NET = "/sys/class/net"


@dataclass(frozen=True)
class Settings:
    """None is 'leave as it is' in what is wanted, and 'the driver does not implement it' in what is there."""

    mode: str | None = None
    inline_mode: str | None = None
    encap_mode: str | None = None


@dataclass(frozen=True)
class Want:
    device: str
    settings: Settings
    allow_mode_change: bool = False
    allow_management: bool = False


@dataclass(frozen=True)
class Eswitch:
    """C(bound) are VFs with a driver, "0000:08:00.2 (mlx5_core)". C(bridged) are "REPRESENTOR in BRIDGE"."""

    handle: str
    settings: Settings
    representors: tuple[PortFunction, ...] = ()
    vfs: int = 0
    bound: tuple[str, ...] = ()
    bridged: tuple[str, ...] = ()
    carries: tuple[str, ...] = ()


def want_from(params: Mapping[str, Any]) -> Want:
    settings = Settings(params["mode"], params["inline_mode"], params["encap_mode"])
    return Want(valid_device(params["device"]), settings, params["allow_mode_change"], params["allow_management"])


def observe_eswitch(host: Host, device: str) -> Eswitch:
    """Three processes, and one more when the run came in by SSH."""
    handle = find_handle(host, device)
    try:
        shown = host.read_json(["devlink", "-j", "dev", "eswitch", "show", handle])
    except CommandError as error:
        raise RailheadError(
            f"Cannot read the e-switch of {handle}. {error} 'Operation not supported' means that its driver has none."
        ) from error
    ports = parse_ports(host.read_json(["devlink", "-j", "port", "show"]))
    ours = [port for port in ports if port.handle.rpartition("/")[0] == handle and port.flavour in _REPRESENTED]
    directory = directory_of(handle)
    return Eswitch(
        handle,
        parse_settings(shown["dev"][handle]),
        tuple(ours),
        int(host.read(f"{directory}/sriov_numvfs") or 0),
        _bound(host, directory),
        tuple(text for port in ours for text in _bridged(host, port.netdev)),
        on_management(host, handle),
    )


def parse_settings(shown: Mapping[str, Any]) -> Settings:
    """One device of C(devlink -j dev eswitch show). Keys that the driver does not implement are absent."""
    return Settings(shown.get("mode"), shown.get("inline-mode"), shown.get("encap-mode"))


def plan_eswitch(have: Eswitch, want: Want) -> Plan:
    """inline-mode and encap-mode come before the way into switchdev: later, flows may forbid them (mlx5)."""
    wanted = {key: value for key, value in vars(want.settings).items() if value is not None}
    missing = {key: value for key, value in wanted.items() if getattr(have.settings, key) != value}
    for key in missing:
        if getattr(have.settings, key) is None:
            raise RailheadError(f"Cannot set {key} of {have.handle}: its driver does not implement it; leave it out.")
    if "mode" in missing:
        _refuse_mode(have, want)
    order = ("inline_mode", "encap_mode", "mode") if want.settings.mode == SWITCHDEV else tuple(wanted)
    steps = tuple(_set(have.handle, key, missing[key]) for key in order if key in missing)
    if steps:
        attempt = f"Cannot change the e-switch of {have.handle}: "
        refuse_management(attempt, have.carries, want.allow_management)
    after = replace(have, settings=replace(have.settings, **missing))
    return Plan(steps, shown_settings(have), shown_settings(after))


def shown_settings(state: Eswitch) -> dict[str, object]:
    return {"device": state.handle, **vars(state.settings)}


def shown_representors(state: Eswitch) -> list[dict[str, object]]:
    keys = ("netdev", "flavour", "pfnum", "vfnum")
    return [{key: getattr(port, key) for key in keys} for port in state.representors]


def _refuse_mode(have: Eswitch, want: Want) -> None:
    attempt = f"Cannot change the e-switch of {have.handle} from {have.settings.mode} to {want.settings.mode}: "
    if want.settings.mode == SWITCHDEV and have.bound:
        raise RailheadError(
            f"{attempt}drivers are bound to its VFs {', '.join(have.bound)}, and cards demand that none is; unbind them"
            " first (write the address to /sys/bus/pci/drivers/DRIVER/unbind), or make the VFs with"
            " drivers_autoprobe=false."
        )
    effects = [f"it has {have.vfs} VFs, whose users lose their network"] if have.vfs else []
    effects += [f"the representor {text} goes away" for text in have.bridged]
    if effects and not want.allow_mode_change:
        raise RailheadError(
            f"{attempt}{'; '.join(effects)}. Release them first, or set allow_mode_change=true to go on."
        )


def _set(handle: str, key: str, value: str) -> Command:
    return Command(
        ("devlink", "dev", "eswitch", "set", handle, key.replace("_", "-"), value),
        f"set {key} of the e-switch of {handle} to {value}",
        advice="Flows, IPsec states and traps that are offloaded to the card keep it from changing; remove them first.",
    )


def _bound(host: Host, directory: str) -> tuple[str, ...]:
    """VFs of a PCI device that a driver is bound to."""
    found = []
    for name in host.list_directory(directory):
        address = os.path.basename(host.link_target(f"{directory}/{name}") or "") if name.startswith("virtfn") else ""
        driver = host.link_target(f"/sys/bus/pci/devices/{address}/driver") if address else None
        if driver:
            found.append(f"{address} ({os.path.basename(driver)})")
    return tuple(found)


def _bridged(host: Host, netdev: str | None) -> list[str]:
    names = host.list_directory(f"{_NET}/{netdev}") if netdev else []
    return [f"{netdev} in {name[len('upper_') :]}" for name in names if name.startswith("upper_")]
