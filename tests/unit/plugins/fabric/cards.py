# SPDX-License-Identifier: GPL-3.0-or-later
"""The cards of the model host: what their drivers start with and let be set, their functions and VFs.

For igb and netdevsim as Linux 6.12 was seen to do it, for mlx5 and ice by the source of their drivers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._devlink.eswitch import Settings
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.request import Attributes

LEGACY, SWITCHDEV = "legacy", "switchdev"
NO_ADDRESS = "00:00:00:00:00:00"


class KernelError(AssertionError):
    """The kernel, or a program, answers with an error."""


def refuse_if(condition: object, answer: str) -> None:
    if condition:
        raise KernelError(answer)


@dataclass(frozen=True)
class Kind:
    """A driver. C(fresh) are the attributes of a VF that has just been made, C(settable) those that it lets be set."""

    driver: str
    vf_driver: str = ""
    total: int | None = None
    eswitch: Settings = field(default_factory=Settings)
    steering: str | None = None
    has_offload: bool = True
    fresh: Attributes = field(default_factory=Attributes)
    settable: frozenset[str] = frozenset()
    link_type: str = "ether"


_ETHERNET = ("mac", "vlan", "qos", "vlan_proto", "spoofchk", "trust")
_ALL = frozenset((*_ETHERNET, "link_state", "min_tx_rate", "max_tx_rate"))
_FRESH = Attributes(NO_ADDRESS, 0, 0, "802.1Q", False, False, "auto", 0, 0)
_MLX5 = Kind("mlx5_core", "mlx5_core", 16, Settings(LEGACY, "none", "basic"), "dmfs", fresh=_FRESH, settable=_ALL)
_GUIDS = frozenset({"node_guid", "port_guid", "link_state"})
KINDS = {
    "mlx5": _MLX5,
    "mlx5-infiniband": replace(
        _MLX5,
        fresh=Attributes(vlan=0, qos=0, vlan_proto="802.1Q", node_guid="00:" * 7 + "00", port_guid="00:" * 7 + "00"),
        settable=_GUIDS,
        link_type="infiniband",
    ),
    "ice": Kind("ice", "iavf", 16, Settings(LEGACY), fresh=replace(_FRESH, spoofchk=True), settable=_ALL),
    "igb": Kind(
        "igb", "igbvf", 7, has_offload=False, fresh=replace(_FRESH, spoofchk=True), settable=frozenset(_ETHERNET)
    ),
    "netdevsim": Kind("netdevsim", eswitch=Settings(LEGACY), fresh=_FRESH, settable=_ALL),
}


@dataclass
class ModelVf:
    """C(netdev) is by what it goes in C(netns); C(used) is whether a process has its RDMA device open."""

    index: int
    address: str
    attributes: Attributes
    driver: str = ""
    override: str = ""
    netdev: str = ""
    netns: str = ""
    used: bool = False


@dataclass
class Function:
    """A physical function. C(netdev) is its kernel name at first, and whatever it is renamed to.

    C(closes) is whether its network device is down after a change of the mode, C(offload_after) what becomes of
    hw-tc-offload then (None: it stays). C(left) is what a netdevsim keeps of the VFs that it had.
    """

    kind: str
    address: str
    netdev: str
    mac: str
    card: str = ""
    number: int = 0
    closes: bool = False
    offload_after: bool | None = None
    mode: str = LEGACY
    inline: str = "none"
    encap: str = "basic"
    steering: str = "dmfs"
    offload: bool = False
    autoprobe: bool = True
    vfs: list[ModelVf] = field(default_factory=list)
    representors: dict[int, str] = field(default_factory=dict)
    left: dict[int, Attributes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kernel_name = self.netdev

    @property
    def of(self) -> Kind:
        return KINDS[self.kind]

    @property
    def is_pci(self) -> bool:
        return self.kind != "netdevsim"

    @property
    def bus(self) -> str:
        return "pci" if self.is_pci else "netdevsim"

    @property
    def directory(self) -> str:
        return f"/sys/bus/{self.bus}/devices/{self.address}"

    @property
    def handle(self) -> str:
        return f"{self.bus}/{self.address}" if self.of.eswitch.mode else ""

    def vf(self, index: int) -> ModelVf:
        refuse_if(index >= len(self.vfs), f"EINVAL there is no VF {index}")
        return self.vfs[index]

    def vf_address(self, index: int) -> str:
        if not self.is_pci:
            return ""
        number = self.number * 16 + index
        return f"{self.address[:8]}{2 + number // 8:02x}.{number % 8}"


def mlx5_card(bus: str = "08", kind: str = "mlx5", **more: Any) -> list[Function]:
    """Both ports of a card."""
    names = (more.pop("netdev", f"enp{int(bus, 16)}s0f{number}") for number in (0, 1))
    return [
        Function(kind, f"0000:{bus}:00.{number}", name, f"94:6d:ae:{bus}:00:0{number}", bus, number, **more)
        for number, name in enumerate(names)
    ]


def igb_port(bus: str = "01") -> Function:
    return Function("igb", f"0000:{bus}:00.0", f"enp{int(bus, 16)}s0", f"52:54:00:bb:{bus}:01", bus)


def ice_port(bus: str = "3b", **more: Any) -> Function:
    return Function("ice", f"0000:{bus}:00.0", f"enp{int(bus, 16)}s0f0", f"b4:96:91:{bus}:00:01", bus, **more)


def netdevsim_port(number: int = 10) -> Function:
    return Function("netdevsim", f"netdevsim{number}", f"eni{number}np1", f"5e:00:00:00:00:{number}", f"sim{number}")
