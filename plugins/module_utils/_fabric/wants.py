# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a document asks of the fabric of a host, checked and expanded: one object for each thing, no ranges left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.railhead.cluster.plugins.module_utils._devlink.eswitch import Settings
from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import Value
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.request import Attributes

#: The driver that a VF without one has; also what its driver_override says (sysfs-bus-pci of the kernel).
NO_DRIVER = "none"


@dataclass(frozen=True)
class VfWant:
    """C(driver) None is whichever the kernel picks. C(netns) None leaves the VF where it is, '' is the host's own."""

    attributes: Attributes = field(default_factory=Attributes)
    driver: str | None = None
    netns: str | None = None


@dataclass(frozen=True)
class PortWant:
    """A physical function. C(port) is how the document names it: PCI address, netdevsim device, netdev or MAC address.

    C(name) is the name that its network device gets. With C(count) None the number of VFs is left alone.
    C(vfs) are by index; those that are not there are as VfWant().
    """

    port: str
    name: str | None = None
    altnames: tuple[str, ...] = ()
    up: bool = True
    mtu: int | None = None
    count: int | None = None
    vfs: Mapping[int, VfWant] = field(default_factory=dict)
    eswitch: Settings = field(default_factory=Settings)
    steering_mode: str | None = None
    hw_tc_offload: bool | None = None


@dataclass(frozen=True)
class BondWant:
    """C(members) are ports, as the document or the kernel names them. C(data) are the options of M(ip_link)."""

    name: str
    present: bool = True
    members: tuple[str, ...] = ()
    data: Mapping[str, Value] = field(default_factory=dict)
    mtu: int | None = None
    vf_lag: bool = False


@dataclass(frozen=True)
class RepresentorWant:
    """The representor of VF C(vf) of a port; C(tag) None makes it a trunk."""

    port: str
    vf: int
    tag: int | None = None


@dataclass(frozen=True)
class BridgeWant:
    """A bridge of Open vSwitch. C(uplinks) are bonds, ports or other network devices, by name."""

    name: str
    present: bool = True
    uplinks: tuple[str, ...] = ()
    representors: tuple[RepresentorWant, ...] = ()


@dataclass(frozen=True)
class Route:
    """C(to) is a prefix, 0.0.0.0/0 or ::/0 for the default. C(via) is empty for one on the link."""

    to: str
    via: str = ""
    metric: int | None = None


@dataclass(frozen=True)
class AddressesWant:
    """All addresses (with prefix length) and all static routes that a network device is to have."""

    device: str
    addresses: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True)
class FabricWant:
    """C(ovs_config) are keys of other_config of Open vSwitch, such as hw-offload, and their values."""

    ports: tuple[PortWant, ...] = ()
    bonds: tuple[BondWant, ...] = ()
    ovs_config: Mapping[str, str] = field(default_factory=dict)
    bridges: tuple[BridgeWant, ...] = ()
    addresses: tuple[AddressesWant, ...] = ()


@dataclass(frozen=True)
class Consents:
    """What the person who asks agrees to lose."""

    vfs_in_use: bool = False
    port_traffic: bool = False
    management: bool = False


ALL_CONSENTS = Consents(vfs_in_use=True, port_traffic=True, management=True)
