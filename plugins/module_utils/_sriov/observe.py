# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A port with its virtual functions: reading. At most four processes, however many VFs there are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._node.management import Management, observe_management
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.request import DEFAULT_PROTOCOL, Attributes

_NET = "/sys/class/net"
#: phys_port_name of a representor (devlink-port.rst of the kernel): pf0vf3 of a VF, c1pf0vf3 of one of another host,
#: pf0sf88 of a subfunction.
_REPRESENTOR = re.compile(r"(?:c\d+)?pf\d+(?:vf(\d+)|sf\d+)")


@dataclass(frozen=True)
class Vf:
    """C(users) are what would be cut off if the VF went away, in words. C(netdevs) are those in the host's namespace.

    C(fresh) is one that is still to be made: what its driver reports is not known yet.
    """

    index: int
    attributes: Attributes
    pci_address: str | None = None
    driver: str | None = None
    netdevs: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    fresh: bool = False


@dataclass(frozen=True)
class Port:
    """A physical function. C(directory) is that of the device in sysfs.

    C(netdev) is empty when it has none in the host's namespace. C(address) is the permanent one. C(vfs) are those that
    are complete. C(total_vfs) is None when nothing says how many there may be. C(is_pci) is false for a simulated port.
    C(carries) are devices of it that the management connection runs over.
    """

    directory: str
    netdev: str = ""
    link_type: str = "ether"
    address: str = ""
    count: int = 0
    total_vfs: int | None = None
    drivers_autoprobe: bool | None = None
    is_pci: bool = True
    vfs: tuple[Vf, ...] = ()
    carries: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether each VF that the kernel counts can be found with its link back to the port."""
        return len(self.vfs) == self.count


class Readings:
    """What programs tell of all ports together, each asked when it is first needed, and once."""

    def __init__(self, host: Host, shown: Iterable[Mapping[str, Any]] | None = None) -> None:
        """C(shown) is C(ip -j -d address show) of all devices, where that was read already."""
        self._host = host
        self._shown = None if shown is None else {str(device["ifname"]): device for device in shown}
        self._addresses: dict[str, tuple[str, ...]] | None = None
        self._contexts: dict[str, int] | None = None

    def link(self, netdev: str) -> Mapping[str, Any]:
        if self._shown is not None:
            return self._shown.get(netdev, {})
        found: Mapping[str, Any] = self._host.read_json(["ip", "-j", "link", "show", "dev", netdev])[0]
        return found

    def addresses(self, netdev: str) -> tuple[str, ...]:
        """Those that someone gave to a device that is up."""
        if self._addresses is None:
            known = self._shown
            shown = self._host.read_json(["ip", "-j", "addr", "show"]) if known is None else known.values()
            self._addresses = {str(device["ifname"]): _lasting(device) for device in shown}
        return self._addresses.get(netdev, ())

    def contexts(self, device: str) -> int:
        """How many processes have an RDMA device open."""
        if self._contexts is None:
            self._contexts = parse_contexts(self._host.read_json(["rdma", "-j", "resource", "show"]))
        return self._contexts.get(device, 0)


def observe_port(host: Host, name: str) -> Port:
    """The port with that name: a network device, a PCI address, or a netdevsim device."""
    return read_port(host, name, Readings(host))


def read_port(
    host: Host, name: str, readings: Readings, management: Management | None = None, has_sriov: bool = True
) -> Port:
    """As observe_port, with what was already read for other ports too. Without C(has_sriov) the port may have none."""
    directory = directory_of(host, name)
    count = host.read(f"{directory}/sriov_numvfs")
    if count is None and has_sriov:
        raise RailheadError(
            f"Cannot manage the VFs of {name}: {directory} has no sriov_numvfs, so its driver or its firmware has no"
            " SR-IOV; enable that in the firmware (SRIOV_EN and NUM_OF_VFS) and in the BIOS, and see that the driver of"
            " the physical function is bound."
        )
    representors = representors_of(host, directory)
    netdev = _netdev(host, name, directory)
    shown = readings.link(netdev) if netdev else {}
    is_pci = "/pci/" in directory
    slots = _slots(host, directory) if is_pci else dict.fromkeys(range(int(count or 0)), "")
    users = _Users(host, readings, representors)
    attributes = parse_vfs(shown.get("vfinfo_list", ()))
    vfs = tuple(
        _vf(host, index, path, attributes.get(index, Attributes()), users) for index, path in sorted(slots.items())
    )
    total = host.read(f"{directory}/sriov_totalvfs")
    autoprobe = host.read(f"{directory}/sriov_drivers_autoprobe")
    return Port(
        directory,
        netdev,
        str(shown.get("link_type", "ether")),
        _permanent_address(shown),
        int(count or 0),
        int(total) if total else None,
        None if autoprobe is None else autoprobe == "1",
        is_pci,
        vfs,
        _carries(host, directory, vfs, management or observe_management(host)),
    )


def _permanent_address(shown: Mapping[str, Any]) -> str:
    """A bond gives its own address to its members; one without a permanent address is known by what the bond keeps."""
    member = shown.get("linkinfo", {}).get("info_slave_data", {})
    return str(shown.get("permaddr") or member.get("perm_hwaddr") or shown.get("address", ""))


def parse_vfs(shown: Iterable[Mapping[str, Any]]) -> dict[int, Attributes]:
    """C(vfinfo_list) of C(ip -j link show): without a VLAN, vlan_list is [{}]; GUID keys have a space in them.

    Keys that the driver does not report are absent; so are qos 0 and protocol 802.1Q (print_vfinfo of iproute2).
    """
    return {int(vf["vf"]): _attributes(vf) for vf in shown}


def parse_contexts(shown: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """User contexts by RDMA device, from C(rdma -j resource show)."""
    return {str(device["ifname"]): int(device.get("ctx", 0)) for device in shown}


def _attributes(vf: Mapping[str, Any]) -> Attributes:
    vlan = (vf.get("vlan_list") or [{}])[0]
    rate = vf.get("rate", {})
    is_ether = vf.get("link_type", "ether") == "ether"
    return Attributes(
        mac=vf.get("address", vf.get("mac")) if is_ether else None,
        vlan=vlan.get("vlan", 0),
        qos=vlan.get("qos", 0),
        vlan_proto=vlan.get("protocol", DEFAULT_PROTOCOL),
        spoofchk=vf.get("spoofchk"),
        trust=vf.get("trust"),
        link_state=vf.get("link_state"),
        min_tx_rate=rate.get("min_tx"),
        max_tx_rate=rate.get("max_tx"),
        node_guid=vf.get("node guid"),
        port_guid=vf.get("port guid"),
    )


def directory_of(host: Host, name: str) -> str:
    """/sys/bus/BUS/devices/DEVICE, by whichever name it was given."""
    for directory in (f"/sys/bus/pci/devices/{name}", f"/sys/bus/netdevsim/devices/{name}"):
        if host.is_directory(directory):
            return directory
    device = f"{_NET}/{name}/device"
    bus = os.path.basename(host.link_target(f"{device}/subsystem") or "")
    if not bus:
        known = ", ".join(host.list_directory(_NET)) or "none"
        raise RailheadError(
            f"Cannot manage the VFs of {name}: there is no such PCI or netdevsim device, and no network device of that"
            f" name with one behind it; network devices here: {known}."
        )
    if _is_representor(host, name):
        raise RailheadError(
            f"Cannot manage the VFs of {name}: it is a representor; give the port's own network device."
        )
    return f"/sys/bus/{bus}/devices/{os.path.basename(host.resolve(device))}"


def _netdev(host: Host, name: str, directory: str) -> str:
    found = [netdev for netdev in host.list_directory(f"{directory}/net") if not _is_representor(host, netdev)]
    if name in found or not found:
        return name if found else ""
    if len(found) > 1:
        raise RailheadError(
            f"Cannot tell which port of {name} is meant: it has the network devices {', '.join(found)}; give one of"
            " these as port."
        )
    return found[0]


def representors_of(host: Host, directory: str) -> dict[str, int]:
    """Index of the VF by network device, of the representors that belong to the port."""
    names = {netdev: host.read(f"{_NET}/{netdev}/phys_port_name") for netdev in host.list_directory(f"{directory}/net")}
    matches = {netdev: _REPRESENTOR.fullmatch(name or "") for netdev, name in names.items()}
    return {netdev: int(match.group(1)) for netdev, match in matches.items() if match and match.group(1)}


def _is_representor(host: Host, netdev: str) -> bool:
    return bool(_REPRESENTOR.fullmatch(host.read(f"{_NET}/{netdev}/phys_port_name") or ""))


def _slots(host: Host, directory: str) -> dict[int, str]:
    """Directory of each VF by its index, of those whose link back to the port is there too."""
    port = os.path.basename(directory)
    found = {}
    for name in host.list_directory(directory):
        address = os.path.basename(host.link_target(f"{directory}/{name}") or "") if name.startswith("virtfn") else ""
        path = f"/sys/bus/pci/devices/{address}"
        if address and os.path.basename(host.link_target(f"{path}/physfn") or "") == port:
            found[int(name[len("virtfn") :])] = path
    return found


class _Users:
    """Who uses a VF: the devices on top of it and of its representor, addresses, RDMA contexts."""

    def __init__(self, host: Host, readings: Readings, representors: Mapping[str, int]) -> None:
        self._host = host
        self._readings = readings
        self._representors = {index: netdev for netdev, index in representors.items()}

    def of(self, index: int, path: str, driver: str | None) -> tuple[str, ...]:
        found = []
        representor = self._representors.get(index)
        uppers = _uppers(self._host, representor) if representor else []
        if uppers:
            found.append(f"its representor {representor} is in {', '.join(uppers)}")
        if driver == "vfio-pci":
            found.append("it is bound to vfio-pci")
        if path:
            found += [*self._of_netdevs(path), *self._of_rdma(path)]
        return tuple(found)

    def _of_netdevs(self, path: str) -> Iterable[str]:
        names = self._host.list_directory(f"{path}/net")
        if not names and self._host.is_directory(f"{path}/net"):
            yield "its network device is in another network namespace"
        for name in names:
            uppers, addresses = _uppers(self._host, name), self._readings.addresses(name)
            if uppers:
                yield f"its network device {name} is in {', '.join(uppers)}"
            if addresses:
                yield f"its network device {name} has the address {', '.join(addresses)}"

    def _of_rdma(self, path: str) -> Iterable[str]:
        names = self._host.list_directory(f"{path}/infiniband")
        if not names and self._host.is_directory(f"{path}/infiniband"):
            yield "its RDMA device is in another network namespace"
        for name in names:
            if self._readings.contexts(name):
                yield f"processes use its RDMA device {name}"


def _lasting(shown: Mapping[str, Any]) -> tuple[str, ...]:
    """Addresses of a device that is up, without those that the kernel gives to each."""
    if "UP" not in shown.get("flags", ()):
        return ()
    return tuple(str(entry["local"]) for entry in shown.get("addr_info", ()) if entry.get("scope") != "link")


def _uppers(host: Host, netdev: str) -> list[str]:
    """Devices that run over this one: a bridge, a bond, a VLAN, an Open vSwitch."""
    return [name[len("upper_") :] for name in host.list_directory(f"{_NET}/{netdev}") if name.startswith("upper_")]


def _vf(host: Host, index: int, path: str, attributes: Attributes, users: _Users) -> Vf:
    driver = os.path.basename(host.link_target(f"{path}/driver") or "") or None if path else None
    return Vf(
        index,
        attributes,
        os.path.basename(path) or None,
        driver,
        tuple(host.list_directory(f"{path}/net")) if path else (),
        users.of(index, path, driver),
    )


def _carries(host: Host, directory: str, vfs: Iterable[Vf], management: Management) -> tuple[str, ...]:
    ours = {os.path.basename(directory), *(vf.pci_address for vf in vfs)}
    return tuple(
        netdev for netdev in management.netdevs if os.path.basename(host.resolve(f"{_NET}/{netdev}/device")) in ours
    )
