# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host's RDMA subsystem is now: its mode, its devices in every network namespace, and who uses them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import CommandError, RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import (
    HOST_NAMESPACE,
    RUN_DIRECTORY,
    Namespaces,
    observe_all,
)

SHARED, EXCLUSIVE = "shared", "exclusive"
#: Software devices (C(rdma link add ... type)) and the kernel module behind each.
LINK_MODULES = {"rxe": "rdma_rxe", "siw": "siw"}
_INFINIBAND = "/sys/class/infiniband"
_NET = "/sys/class/net"
_ARPHRD_INFINIBAND = "32"


@dataclass(frozen=True)
class System:
    """C(rdma system show). None: the tool or the kernel is too old to report it."""

    netns: str
    privileged_qkey: bool | None = None
    monitor: bool | None = None
    copy_on_fork: bool | None = None


@dataclass(frozen=True)
class Device:
    """One RDMA device.

    C(netns) is "" for the host's own namespace, a name of C(ip netns), or the path of an unnamed namespace.
    C(kind) is rxe or siw, "" for hardware. C(netdev) is that of the first port, None where it is in another namespace.
    C(users) are for a person: processes with an open context, and IPoIB network devices.
    """

    name: str
    netns: str = HOST_NAMESPACE
    kind: str = ""
    netdev: str | None = None
    adaptive_moderation: bool | None = None
    users: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        return f"{self.name} ({place(self.netns)})"


@dataclass(frozen=True)
class Rdma:
    """C(netdevs) maps the network devices of the host's own namespace to their DEVTYPE of sysfs ("vlan", "" for none).

    C(missing_kinds) are the kinds of software devices that the running kernel has no module for.
    """

    mode: str
    spaces: Namespaces = field(default_factory=Namespaces)
    devices: tuple[Device, ...] = ()
    netdevs: Mapping[str, str] = field(default_factory=dict)
    missing_kinds: tuple[str, ...] = ()

    def device(self, name: str | None) -> Device | None:
        """Names of RDMA devices are unique over all namespaces."""
        return next((device for device in self.devices if device.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(device.name for device in self.devices)

    @property
    def listed(self) -> str:
        return ", ".join(device.shown for device in self.devices) or "none"


def valid_device_name(name: str) -> str:
    """The name, when the kernel and the tools take it; an error that says why not otherwise."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}", name):
        raise RailheadError(
            f"Cannot use {name!r} as the name of an RDMA device: give at most 63 letters, digits, '_', '.' and '-', "
            "beginning with a letter, a digit or '_'."
        )
    return name


def inside(netns: str) -> tuple[str, ...]:
    """Words before a command that is to run in the namespace of a device (C(Device.netns))."""
    path = netns if "/" in netns else f"{RUN_DIRECTORY}/{netns}"
    return ("nsenter", f"--net={path}", "--") if netns else ()


def place(netns: str) -> str:
    """A namespace in the words of a message."""
    return f"netns {netns}" if netns else "the host's own namespace"


def observe_system(host: Host) -> System:
    """One process. C(-j) would change nothing: C(rdma system show) prints text in every version."""
    return parse_system(host.read_output(["rdma", "system", "show"]))


def observe_rdma(host: Host) -> Rdma:
    """Four processes; in exclusive mode, where one look does not show all, three more for each further namespace."""
    mode = observe_system(host).netns
    spaces = observe_all(host)
    return Rdma(
        mode=mode,
        spaces=spaces,
        devices=tuple(device for netns in visited(mode, spaces) for device in _devices(host, netns)),
        netdevs={name: _devtype(host, name) for name in host.list_directory(_NET)},
        missing_kinds=_missing_kinds(host),
    )


def visited(mode: str, spaces: Namespaces) -> tuple[str, ...]:
    """Where to look for devices. In shared mode all are in the host's namespace, and visible in every other one."""
    return (
        (HOST_NAMESPACE, *(space.name or space.path for space in spaces.live))
        if mode == EXCLUSIVE
        else (HOST_NAMESPACE,)
    )


def read_rdma(host: Host, netns: str, *words: str) -> list[dict[str, Any]]:
    """What C(rdma -j WORDS) shows in one namespace; nothing when that namespace ended in the meantime."""
    prefix = inside(netns)
    try:
        found = host.read_json([*prefix, "rdma", "-j", *words])
    except CommandError:
        if prefix and host.identity(prefix[1].partition("=")[2]) is None:
            return []
        raise
    return list(found)


def parse_system(text: str) -> System:
    """C(netns shared privileged-qkey off monitor on copy-on-fork on); the later words depend on tool and kernel."""
    words = re.findall(r"[\w-]+", text)
    values = dict(zip(words[::2], words[1::2]))
    if values.get("netns") not in (SHARED, EXCLUSIVE):
        raise CommandError(
            f"Cannot understand 'rdma system show': expected 'netns {SHARED}' or 'netns {EXCLUSIVE}', found"
            f" {text[:80]!r}; iproute2 5.3 and Linux 5.3 are the oldest that report it."
        )
    return System(
        netns=values["netns"],
        privileged_qkey=_switch(values.get("privileged-qkey")),
        monitor=_switch(values.get("monitor")),
        copy_on_fork=_switch(values.get("copy-on-fork")),
    )


def parse_devices(
    shown: Iterable[Mapping[str, Any]],
    links: Iterable[Mapping[str, Any]],
    contexts: Iterable[Mapping[str, Any]],
    netns: str = HOST_NAMESPACE,
) -> tuple[Device, ...]:
    """From C(rdma -j -d dev show), C(rdma -j link show) and C(rdma -j resource show ctx) of one namespace.

    The kind is inferred, as nothing reports it: software devices have no firmware version; siw is an rnic, rxe a ca.
    """
    netdevs: dict[str, str] = {}
    for link in links:
        if "netdev" in link:
            netdevs.setdefault(link["ifname"], link["netdev"])
    users: dict[str, list[str]] = {}
    for context in contexts:
        if "pid" in context:
            users.setdefault(context["ifname"], []).append(f"{context.get('comm', 'process')} (pid {context['pid']})")
    return tuple(
        Device(
            name=device["ifname"],
            netns=netns,
            kind="" if "fw" in device or "parent" in device else _SOFTWARE.get(device.get("node_type", ""), ""),
            netdev=netdevs.get(device["ifname"]),
            adaptive_moderation=_switch(device.get("adaptive-moderation")),
            users=tuple(dict.fromkeys(users.get(device["ifname"], ()))),
        )
        for device in shown
    )


_SOFTWARE = {"ca": "rxe", "rnic": "siw"}


def _switch(value: object) -> bool | None:
    """Switches are words in text and booleans in JSON."""
    return {"on": True, "true": True, "off": False, "false": False}.get(str(value).lower())


def _devices(host: Host, netns: str) -> list[Device]:
    found = parse_devices(
        read_rdma(host, netns, "-d", "dev", "show"),
        read_rdma(host, netns, "link", "show"),
        read_rdma(host, netns, "resource", "show", "ctx"),
        netns,
    )
    return [_with_sysfs(host, device) for device in found]


def _with_sysfs(host: Host, device: Device) -> Device:
    """What only sysfs knows, and only of devices in the host's own namespace: hardware has a parent; IPoIB devices."""
    if device.netns != HOST_NAMESPACE or host.identity(f"{_INFINIBAND}/{device.name}/device") is None:
        return device
    children = [
        f"IPoIB {name}"
        for name in host.list_directory(_NET)
        if host.read(f"{_NET}/{name}/type") == _ARPHRD_INFINIBAND
        and device.name in host.list_directory(f"{_NET}/{name}/device/infiniband")
    ]
    return Device(device.name, device.netns, "", device.netdev, device.adaptive_moderation, (*device.users, *children))


def _devtype(host: Host, netdev: str) -> str:
    found = re.search(r"^DEVTYPE=(.+)$", host.read(f"{_NET}/{netdev}/uevent") or "", re.MULTILINE)
    return found.group(1) if found else ""


def _missing_kinds(host: Host) -> tuple[str, ...]:
    """Kinds whose module is neither loaded nor known to modprobe; none when there is no list of modules."""
    release = host.read("/proc/sys/kernel/osrelease") or ""
    aliases = host.read(f"/lib/modules/{release}/modules.alias")
    if aliases is None:
        return ()
    return tuple(
        kind
        for kind, module in LINK_MODULES.items()
        if f"alias rdma-link-{kind} " not in aliases and not host.is_directory(f"/sys/module/{module}")
    )
