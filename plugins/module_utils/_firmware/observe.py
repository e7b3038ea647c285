# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the firmware of cards is set to. Cards answer in seconds, so all of them are asked at the same time."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import CommandError, RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host, complaint
from ansible_collections.railhead.cluster.plugins.module_utils._firmware.functions import (
    Function,
    all_functions,
    find_function,
    netdevs_on,
)
from ansible_collections.railhead.cluster.plugins.module_utils._firmware.settings import Reading, Value, parse_query
from ansible_collections.railhead.cluster.plugins.module_utils._node.management import observe_management

TOOL = "mstconfig"
_LOCKDOWN = "/sys/kernel/security/lockdown"


@dataclass(frozen=True)
class Card:
    """All functions of a card together. C(carries) are its network devices that the management connection runs over."""

    netdevs: tuple[str, ...] = ()
    vfs: int = 0
    carries: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """One function. C(readings) are those that were asked for, or all when some of these are not among them."""

    function: Function
    readings: Mapping[str, Reading] = field(default_factory=dict)


@dataclass(frozen=True)
class Firmware:
    """C(installed) is whether mstconfig is there; without it nothing is known of the settings."""

    states: tuple[State, ...]
    cards: Mapping[str, Card]
    installed: bool = True


def observe_firmware(host: Host, keys: Mapping[str, Collection[str]], addresses: dict[str, str]) -> Firmware:
    """C(keys) are the settings to read, by device. One process a device, and one more when the run came in by SSH.

    C(addresses) remembers what the devices are: a reset can give a network device another name, or take it away.
    """
    functions = []
    for device in keys:
        found = find_function(host, addresses.get(device, device))
        addresses[device] = found.address
        functions.append(Function(device, found.address, found.netdevs, found.vfs))
    installed = host.is_installed(TOOL)
    if not installed and lockdown(host) != "none":
        raise RailheadError(f"Cannot use the firmware of {', '.join(keys)}: {_locked(host)}")
    read = read_settings(host, functions, keys) if installed else {}
    states = tuple(State(function, read.get(function.address, {})) for function in functions)
    return Firmware(states, _cards(host, functions), installed)


def read_settings(
    host: Host, functions: Sequence[Function], keys: Mapping[str, Collection[str]]
) -> dict[str, dict[str, Reading]]:
    """Settings by address. Functions of one card are asked one after another, as they share its command interface."""
    by_card: dict[str, list[Function]] = {}
    for function in functions:
        by_card.setdefault(function.card, []).append(function)

    def read_card(card: Sequence[Function]) -> list[dict[str, Reading]]:
        return [_read(host, function.address, list(keys[function.device])) for function in card]

    answers = host.beside(read_card, list(by_card.values()))
    return {
        function.address: readings
        for card, answer in zip(by_card.values(), answers)
        for function, readings in zip(card, answer)
    }


def lockdown(host: Host) -> str:
    """The kernel's lockdown: none, integrity or confidentiality (kernel_lockdown(7))."""
    match = re.search(r"\[(\w+)\]", host.read(_LOCKDOWN) or "")
    return match.group(1) if match else "none"


def shown_value(value: Value | None) -> str | None:
    return None if value is None else value.text


def shown_settings(readings: Mapping[str, Reading]) -> dict[str, dict[str, Any]]:
    return {
        key: {
            "default": shown_value(reading.default),
            "current": shown_value(reading.current),
            "next_boot": shown_value(reading.next_boot),
            "read_only": reading.read_only,
        }
        for key, reading in readings.items()
    }


def read_info(host: Host, devices: Sequence[str], keys: Sequence[str]) -> dict[str, Any]:
    """The return values of M(railhead.cluster.mstconfig_info)."""
    functions = [find_function(host, device) for device in devices] if devices else all_functions(host)
    installed = host.is_installed(TOOL)
    asked = {function.device: keys for function in functions}
    read = read_settings(host, functions, asked) if installed else {}
    return {
        "installed": installed,
        "lockdown": lockdown(host),
        "devices": [
            {
                "device": function.device,
                "address": function.address,
                "netdevs": list(function.netdevs),
                "settings": shown_settings(_only(read.get(function.address, {}), keys)),
            }
            for function in functions
        ],
    }


def _only(readings: Mapping[str, Reading], keys: Sequence[str]) -> dict[str, Reading]:
    return {key: reading for key, reading in readings.items() if key in keys or not keys}


def _read(host: Host, address: str, keys: Sequence[str]) -> dict[str, Reading]:
    """Named settings take a second and all of them many, but only all of them tell what a wrong name is near to.

    mstconfig ends with an error when it could not read some that nobody asked for, too.
    """
    argv = [TOOL, "-d", address, "-e", "query"]
    if keys:
        named = host.run([*argv, *keys])
        if named.rc == 0:
            return parse_query(named.stdout)
    answer = host.run(argv)
    try:
        return parse_query(answer.stdout)
    except CommandError as error:
        if answer.rc == 0:
            raise
        note = f" {_locked(host)}" if lockdown(host) != "none" else ""
        raise CommandError(
            f"Cannot read the firmware settings of {address}: '{' '.join(argv)}' answered: {complaint(answer)}.{note}"
        ) from error


def _locked(host: Host) -> str:
    return (
        f"The kernel is in lockdown ({lockdown(host)}), as with Secure Boot, and keeps programs from the configuration"
        " space of PCI devices, which mstconfig needs; turn Secure Boot off, install a mstflint that goes another way"
        " before this run, or set the number of VFs by devlink, where the kernel has its parameter total_vfs."
    )


def _cards(host: Host, functions: Sequence[Function]) -> dict[str, Card]:
    management = observe_management(host).netdevs
    everything = all_functions(host)
    return {
        card: Card(
            tuple(netdev for function in everything if function.card == card for netdev in function.netdevs),
            sum(function.vfs for function in everything if function.card == card),
            netdevs_on(host, card, management),
        )
        for card in dict.fromkeys(function.card for function in functions)
    }
