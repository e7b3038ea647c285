# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the RDMA connection manager gives new connections of a device: RoCE version and ToS.

The kernel shows both in configfs (Documentation/ABI/testing/configfs-rdma_cm), in a directory that has to be made for
the device and that may be removed again: the values are the device's, and stay. It is removed here, as the module
rdma_cm cannot be unloaded while there is one, nor the driver package be restarted.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import (
    MakeDirectory,
    Plan,
    RemoveDirectory,
    Step,
    Write,
)
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.state import valid_device_name

ROOT = "/sys/kernel/config/rdma_cm"
SYSFS = "/sys/class/infiniband"
MODES = ("RoCE v2", "IB/RoCE v1")
_HIGHEST_TOS = 255
#: The value of the two ECN bits that says that a switch was congested (RFC 3168): no sender may set it.
_CONGESTION_EXPERIENCED = 3


@dataclass(frozen=True)
class Port:
    """The initial values are those of a device that was just made (cma_add_one() of the kernel).

    C(modes) are those that its addresses have; empty when it has no address.
    """

    mode: str = MODES[0]
    tos: int = 0
    modes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Device:
    """C(ports) are by number. C(kept) is whether its directory was there before anybody looked."""

    name: str
    ports: Mapping[int, Port] = field(default_factory=lambda: {1: Port()})
    kept: bool = False


@dataclass(frozen=True)
class RdmaCm:
    """C(available): the module rdma_cm is loaded and configfs mounted. C(known) are all RDMA devices of the host."""

    available: bool = True
    devices: Mapping[str, Device] = field(default_factory=dict)
    known: tuple[str, ...] = ()


@dataclass(frozen=True)
class Want:
    """C(port) None is all ports of the device; another None is 'leave as it is'."""

    device: str
    mode: str | None = None
    tos: int | None = None
    port: int | None = None


def want_from(device: str, mode: str | None, tos: int | None, port: int | None = None) -> Want:
    valid_device_name(device)
    if mode not in (None, *MODES):
        raise RailheadError(f"Cannot use {mode!r} as the mode of {device}: give {' or '.join(map(repr, MODES))}.")
    return Want(device, mode, None if tos is None else valid_tos("tos", tos), port)


def valid_tos(key: str, tos: object) -> int:
    """The ToS byte: a DSCP in the upper six bits, ECN in the lower two."""
    if isinstance(tos, bool) or not isinstance(tos, int) or not 0 <= tos <= _HIGHEST_TOS:
        raise RailheadError(
            f"Cannot use {tos!r} for {key}: give the whole byte, from 0 to {_HIGHEST_TOS}; that of DSCP 26 with ECN is"
            " 106 (26 * 4 + 2)."
        )
    if tos & 3 == _CONGESTION_EXPERIENCED:
        raise RailheadError(
            f"Cannot use {tos} for {key}: its two lowest bits are 3, by which switches say that they are congested; for"
            f" DSCP {tos >> 2} give {tos - 1} with ECN, or {tos - 3} without."
        )
    return tos


def observe_rdma_cm(host: Host, names: Iterable[str]) -> RdmaCm:
    """No process is started. A directory that has to be made to read is removed again."""
    known = tuple(host.list_directory(SYSFS))
    if not host.is_directory(ROOT):
        return RdmaCm(False, known=known)
    found = {name: _read_device(host, name) for name in names}
    return RdmaCm(True, {name: device for name, device in found.items() if device is not None}, known)


def plan_defaults(have: RdmaCm, want: Want) -> Plan:
    steps, after = with_defaults(have, want)
    return Plan(steps, shown_device(have, want.device), shown_device(after, want.device))


def with_defaults(have: RdmaCm, want: Want) -> tuple[tuple[Step, ...], RdmaCm]:
    """Steps to what is wanted, and the state after them."""
    attempt = f"Cannot set what RDMA-CM uses for {want.device}: "
    if not have.available:
        raise RailheadError(
            f"{attempt}there is no {ROOT}; load the module rdma_cm, and mount configfs at /sys/kernel/config."
        )
    device = have.devices.get(want.device)
    if device is None:
        raise RailheadError(f"{attempt}there is no such RDMA device; found: {', '.join(have.known) or 'none'}.")
    numbers = sorted(device.ports) if want.port is None else [want.port]
    writes: list[Step] = []
    ports = dict(device.ports)
    for number in numbers:
        if number not in ports:
            raise RailheadError(f"{attempt}it has no port {number}; its ports: {', '.join(map(str, sorted(ports)))}.")
        missing = _missing(attempt, ports[number], want)
        writes += [_write(device.name, number, key, value) for key, value in missing.items()]
        ports[number] = replace(ports[number], **missing)
    if not writes:
        return (), have
    directory = f"{ROOT}/{device.name}"
    steps = writes
    if not device.kept:
        begin = MakeDirectory(directory, f"open the RDMA-CM settings of {device.name}")
        steps = [begin, *writes, RemoveDirectory(directory, f"close the RDMA-CM settings of {device.name}")]
    return tuple(steps), replace(have, devices={**have.devices, device.name: replace(device, ports=ports)})


def shown_device(state: RdmaCm, name: str) -> dict[str, Any]:
    device = state.devices.get(name)
    ports = device.ports if device else {}
    return {
        "device": name,
        "ports": [{"port": number, "mode": port.mode, "tos": port.tos} for number, port in sorted(ports.items())],
    }


def _missing(attempt: str, have: Port, want: Want) -> dict[str, Any]:
    if want.mode is not None and have.modes and want.mode not in have.modes:
        raise RailheadError(f"{attempt}its addresses are of {', '.join(sorted(have.modes))}, and not of {want.mode}.")
    wanted = {"mode": want.mode, "tos": want.tos}
    return {key: value for key, value in wanted.items() if value not in (None, getattr(have, key))}


def _write(device: str, number: int, key: str, value: Any) -> Write:
    return Write(
        f"{ROOT}/{device}/ports/{number}/default_roce_{key}",
        str(value),
        f"set the {key} that RDMA-CM uses for port {number} of {device} to {value}",
    )


def _read_device(host: Host, name: str) -> Device | None:
    directory = f"{ROOT}/{name}"
    kept = host.is_directory(directory)
    if not kept:
        try:
            host.make_directory(directory)
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            if error.errno != errno.EEXIST:
                raise RailheadError(
                    f"Cannot read what RDMA-CM uses for {name}: mkdir {directory}: {error.strerror}; run as root"
                    " (become: true)."
                ) from error
            kept = True
    try:
        ports = {int(number): _read_port(host, name, number) for number in host.list_directory(f"{directory}/ports")}
    finally:
        if not kept:
            host.remove_directory(directory)
    found = {number: port for number, port in ports.items() if port is not None}
    return Device(name, found, kept) if found else None


def _read_port(host: Host, device: str, number: str) -> Port | None:
    """None when the device has gone, which leaves a directory that somebody has made for it."""
    directory = f"{ROOT}/{device}/ports/{number}"
    mode, tos = host.read(f"{directory}/default_roce_mode"), host.read(f"{directory}/default_roce_tos")
    if mode is None or tos is None:
        return None
    types = f"{SYSFS}/{device}/ports/{number}/gid_attrs/types"
    modes = {host.read(f"{types}/{index}") for index in host.list_directory(types)}
    return Port(mode, int(tos), frozenset(mode for mode in modes if mode is not None))
