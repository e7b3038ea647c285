# SPDX-License-Identifier: GPL-3.0-or-later
"""A host to apply plans of the fabric to: ports, VFs, e-switches, VF-LAG, names by udev, addresses and routes.

The rules are those that Linux 6.12 was seen to enforce with igb and netdevsim, and for mlx5 and ice those in the source
of their drivers. They are written down here once more, so that they check the planner. Bonds are those of
link/model.py, Open vSwitch is that of ovs/model.py.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from itertools import count
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import (
    ADDRESS_OF,
    NETDEV_OF,
    Command,
    InstallFile,
    Step,
    Wait,
    Write,
)
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.eswitch import Settings
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.addressing import Addressing
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.observe import Fabric, PortState
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.rules import RULES_FILE
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import FabricWant, PortWant, Route
from ansible_collections.railhead.cluster.plugins.module_utils._link.device import Device, carriers
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import Namespace, Namespaces
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.observe import Port, Vf
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.request import Attributes

from ..link.model import Kernel
from ..link.model import RefusedError as LinkRefusedError
from ..ovs.model import RefusedError as SwitchRefusedError
from ..ovs.model import Switch
from .cards import LEGACY, SWITCHDEV, Function, KernelError, ModelVf, refuse_if

HOST_FILE = "/proc/1/ns/net"
OVS_MASTER = "ovs-system"
#: mlx5_lag_check_prereq: active-backup, or a transmit policy by hash.
LAG_MODES = ("active-backup", "balance-xor", "802.3ad")
WITH_PRIMARY = ("active-backup", "balance-tlb", "balance-alb")
_DRIVERS = ("mlx5_core", "igbvf", "iavf", "vfio-pci")
_WITH_NETDEV = ("mlx5_core", "igbvf", "iavf")
_RULE = re.compile(r"([A-Z_]+(?:\{[^}]*\})?)(==|!=|=)\"([^\"]*)\"")
_KEYWORDS = {"proto": "vlan_proto", "state": "link_state"}


class ModelHost:
    """C(disturbed) is who noticed the steps so far: VFs that went, ("vf", "FUNCTION/INDEX"), VFs that lost their
    driver, ("driver", "FUNCTION/INDEX"), and devices, ("port", NAME).
    """

    def __init__(self, *functions: Function, switch: Switch | None = None, netdevs: tuple[str, ...] = ()) -> None:
        self.functions = list(functions)
        self.switch = switch
        self.links = Kernel((), netdevs)
        self.files: dict[str, str] = {}
        self.addresses: dict[str, list[str]] = {}
        self.routes: dict[str, list[Route]] = {}
        self.has_bonding = False
        self.promotes = True
        self.ssh_address = ""
        self.disturbed: set[tuple[str, str]] = set()
        self.made = 0
        self.lags: dict[str, bool] = {}
        for function in functions:
            self.links._put(
                "",
                Device(
                    function.netdev,
                    next(self.links.number),
                    mtu=1500,
                    max_mtu=9216,
                    link_type=function.of.link_type,
                    address=function.mac,
                    perm_address=function.mac,
                ),
            )

    def copy(self) -> ModelHost:
        # It cannot be copied from Python 3.14 on.
        number = next(self.links.number)
        del self.links.number
        twin = deepcopy(self)
        self.links.number, twin.links.number = count(number), count(number)
        return twin

    # Reading

    def observe(self, want: FabricWant) -> Fabric:
        """What observe_fabric() reads."""
        found = {port.port: function for port in want.ports if (function := self._find(port))}
        routes = self.routes if want.addresses or want.bonds or want.bridges else {}
        addressing = {
            name: Addressing(
                tuple(sorted(self.addresses.get(name, ()), key=lambda address: ":" in address)),
                tuple(routes.get(name, ())),
            )
            for name in self._here
        }
        ovs = self.switch.seen() if self.switch else None
        links = tuple(self._shown(device) for device in self._here.values())
        holders = [name for name, each in addressing.items() if self.ssh_address and each.holds(self.ssh_address)]
        holders += [port.name for each in (ovs.bridges if ovs else ()) if each.name in holders for port in each.ports]
        live = tuple(Namespace(f"/run/netns/{name}", name) for name in self.links.spaces if name)
        return Fabric(
            ports={port.port: self._state(port, found[port.port]) for port in want.ports if port.port in found},
            missing=tuple(port.port for port in want.ports if port.port not in found),
            links=links,
            addressing=addressing,
            ovs=ovs,
            spaces=Namespaces(live),
            rules=self.files[RULES_FILE].rstrip("\n") if RULES_FILE in self.files else None,
            has_bonding=self.has_bonding,
            management=carriers(links, holders),
        )

    def users(self, function: Function, vf: ModelVf) -> tuple[str, ...]:
        found = []
        representor = function.representors.get(vf.index, "")
        if representor and self._here[representor].master:
            found.append(f"its representor {representor} is in {self._here[representor].master}")
        if vf.driver == "vfio-pci":
            found.append("it is bound to vfio-pci")
        if vf.netns:
            found.append("its network device is in another network namespace")
        if vf.used:
            found.append("processes use its RDMA device mlx5_2")
        return tuple(found)

    def function(self, address: str) -> Function:
        return next(function for function in self.functions if function.address == address)

    @property
    def _here(self) -> dict[str, Device]:
        return self.links.spaces[""]

    def _find(self, want: PortWant) -> Function | None:
        for name in (want.port, want.name):
            for function in self.functions:
                if name and name in (function.address, function.netdev, function.mac):
                    return function
        return None

    def _state(self, want: PortWant, function: Function) -> PortState:
        kind = function.of
        vfs = tuple(
            Vf(
                vf.index,
                vf.attributes,
                vf.address or None,
                vf.driver or None,
                (vf.netdev,) if vf.netdev and not vf.netns else (),
                self.users(function, vf),
            )
            for vf in function.vfs
        )
        port = Port(
            function.directory,
            function.netdev,
            kind.link_type,
            function.mac,
            len(vfs),
            kind.total,
            function.autoprobe if function.is_pci else None,
            function.is_pci,
            vfs,
        )
        eswitch = Settings(
            *(
                now if known else None
                for now, known in zip(
                    (function.mode, function.inline, function.encap), vars(kind.eswitch).values(), strict=True
                )
            )
        )
        return PortState(
            port,
            kind.driver,
            function.handle,
            eswitch,
            function.steering if kind.steering else None,
            dict(function.representors),
            function.offload if kind.has_offload and want.hw_tc_offload is not None else None,
            ("active" if self.lags.get(function.card) else "disabled") if kind.steering else None,
            {vf.index: vf.override for vf in function.vfs} if function.is_pci else {},
            {vf.index: (vf.netns, vf.netdev) for vf in function.vfs if vf.netns},
        )

    def _shown(self, device: Device) -> Device:
        """A bond shows its primary while that is a member, and the mode has one (bond_fill_info)."""
        primary = device.data.get("primary")
        if primary is None or (
            device.data["mode"] in WITH_PRIMARY and self._here.get(str(primary), device).master == device.name
        ):
            return device
        return replace(device, data={key: value for key, value in device.data.items() if key != "primary"})

    # Steps

    def apply(self, steps: Iterable[Step]) -> None:
        for step in steps:
            before = dict(self._here)
            try:
                self._apply(step)
            except (LinkRefusedError, SwitchRefusedError) as refused:
                raise KernelError(f"{refused} at {step.shown}") from refused
            except KernelError as refused:
                raise KernelError(f"{refused} at {step.shown}") from None
            self._notice(before)
            self._update_lags()

    def _apply(self, step: Step) -> None:
        if isinstance(step, Command):
            self._command([self._netdev_of(word) if word.startswith(NETDEV_OF) else word for word in step.argv], step)
        elif isinstance(step, Write):
            self._write(step.path, step.value)
        elif isinstance(step, InstallFile):
            self.files[step.path] = step.content.decode()
        else:
            assert isinstance(step, Wait)
            for path in step.paths:
                found = self._read(path)
                refuse_if(found is None, f"{path} is not there")
                refuse_if(step.pattern and not re.fullmatch(step.pattern, found or ""), f"{path} says {found}")

    def _command(self, argv: list[str], step: Command) -> None:
        match argv:
            case ["ip", *words]:
                self._ip(words, replace(step, argv=tuple(argv)))
            case ["devlink", "dev", "eswitch", "set", handle, key, value]:
                self._eswitch(self._instance(handle), key, value)
            case ["devlink", "dev", "param", "set", handle, *words]:
                self._steer(self._instance(handle), dict(zip(words[::2], words[1::2], strict=True)))
            case ["ethtool", "-K", name, "hw-tc-offload", word]:
                function = self._owner(name)
                refuse_if(not function.of.has_offload, "Could not change any device features")
                function.offload = word == "on"
            case ["ovs-vsctl" | "systemctl", *_words]:
                assert self.switch is not None, "not installed"
                self.switch.apply(step)
                self._follow_switch()
            case ["modprobe", "bonding", "max_bonds=0"]:
                self.has_bonding = True
            case _:
                assert argv in (["udevadm", "control", "--reload"], ["udevadm", "settle", "--timeout=60"])

    def _ip(self, words: list[str], step: Command) -> None:
        match words:
            case ["netns", "add", name]:
                refuse_if(name in self.links.spaces, f"EEXIST {name}")
                self.links.spaces[name] = {}
            case ["address", verb, *words]:
                self._address(verb, words[0], self._device(words[words.index("dev") + 1]))
            case ["route", verb, to, *words]:
                self._route(verb, to, dict(zip(words[::2], words[1::2], strict=True)))
            case ["link", "set", "dev", name, "vf", index, *words]:
                self._set_vf(self._owner(name), int(index), words)
            case ["link", "set", "dev", name, "name", new]:
                self._rename(name, new)
            case ["link", "property", verb, "dev", name, *words]:
                self._altnames(verb, self._device(name), words[1::2])
            case _:
                self._link(step)

    def _write(self, path: str, value: str) -> None:
        if path == "/sys/bus/pci/drivers_probe":
            function, vf = self._vf_at(value.removeprefix(ADDRESS_OF))
            refuse_if(not function.autoprobe and not vf.override, "ENODEV drivers_autoprobe is 0")
            refuse_if(vf.driver, "EBUSY it has a driver")
            self._probe(function, vf)
            return
        function = next(each for each in self.functions if path.startswith(f"{each.directory}/"))
        file = path.removeprefix(f"{function.directory}/")
        if file == "sriov_numvfs":
            self._set_count(function, int(value))
        elif file == "sriov_drivers_autoprobe":
            refuse_if(not function.is_pci, "ENOENT")
            function.autoprobe = value == "1"
        elif file.endswith("/driver/unbind"):
            function, vf = self._vf_at(path.removesuffix("/driver/unbind"))
            assert value == ADDRESS_OF + path.removesuffix("/driver/unbind")
            refuse_if(not vf.driver, "ENODEV it has no driver")
            self._unbind(function, vf)
        else:
            function, vf = self._vf_at(path.removesuffix("/driver_override"))
            vf.override = value.rstrip("\n")

    def _read(self, path: str) -> str | None:
        """None when there is no such file."""
        match path.split("/")[1:]:
            case ["sys", "class", "net", name]:
                return "" if name in self._here else None
            case ["sys", "class", "net", name, "phys_switch_id"]:
                ids = [each.card for each in self.functions if each.netdev == name and each.mode == SWITCHDEV]
                return ids[0] if ids else None
            case ["sys", "kernel", "debug", "mlx5", address, "lag", "state"]:
                return "active" if self.lags.get(self.function(address).card) else "disabled"
            case ["sys", "bus", "pci", "devices", address, slot, "physfn" | "driver" as file]:
                function, index = self.function(address), int(slot.removeprefix("virtfn"))
                if index >= len(function.vfs) or (file == "driver" and not function.vfs[index].driver):
                    return None
                return ""
        raise AssertionError(f"unexpected file: {path}")

    def _netdev_of(self, word: str) -> str:
        _function, vf = self._vf_at(word.removeprefix(NETDEV_OF))
        refuse_if(not vf.netdev or vf.netns, f"no network device here of VF {vf.index}")
        return vf.netdev

    def _vf_at(self, path: str) -> tuple[Function, ModelVf]:
        directory, _slash, slot = path.rpartition("/")
        function = next(each for each in self.functions if each.directory == directory)
        refuse_if(not function.is_pci, "ENOENT a simulated VF is no device")
        return function, function.vf(int(slot.removeprefix("virtfn")))

    def _device(self, name: str) -> Device:
        refuse_if(name not in self._here, f"ENODEV {name}")
        return self._here[name]

    def _put(self, device: Device) -> None:
        self._here[device.name] = device

    def _owner(self, netdev: str) -> Function:
        found = next((function for function in self.functions if function.netdev == netdev), None)
        if found is None:
            raise KernelError(f"ENODEV {netdev} is no port")
        return found

    def _instance(self, handle: str) -> Function:
        found = next((function for function in self.functions if function.handle and function.handle == handle), None)
        if found is None:
            raise KernelError(f"ENODEV {handle}")
        return found

    # Network devices

    def _check_free(self, name: str) -> None:
        self.links._free("", name)
        refuse_if(len(name) > 15, f"EINVAL {name}")

    def _link(self, step: Command) -> None:
        words = list(step.argv)
        if words[1:4] == ["link", "add", "name"]:
            self._check_free(words[4])
        if words[1:4] == ["link", "set", "dev"] and words[5] in ("master", "nomaster"):
            refuse_if(self._device(words[4]).master == OVS_MASTER, f"EOPNOTSUPP {words[4]} is in Open vSwitch")
            representors = {name for function in self.functions for name in function.representors.values()}
            refuse_if(words[5] == "master" and words[4] in representors, "EOPNOTSUPP a representor")
        if "netns" in words:
            space = words[2] if words[1] == "-n" else ""
            name = words[words.index("dev") + 1]
            function, vf = next(
                (each, vf) for each in self.functions for vf in each.vfs if (vf.netns, vf.netdev) == (space, name)
            )
            self.disturbed.add(("driver", f"{function.address}/{vf.index}"))
            target = words[-1]
            vf.netns = "" if target == HOST_FILE else target
            refuse_if(vf.netns not in self.links.spaces, f"Cannot open network namespace {vf.netns}")
        self.links.apply(step)

    def _altnames(self, verb: str, device: Device, altnames: list[str]) -> None:
        for altname in altnames:
            if verb == "add":
                self._check_free(altname)
            else:
                refuse_if(altname not in device.altnames, f"EINVAL {altname}")
        left = (altname for altname in device.altnames if altname not in altnames)
        self._put(replace(device, altnames=(*left, *(altnames if verb == "add" else ()))))

    def _rename(self, name: str, new: str) -> None:
        device = self._device(name)
        refuse_if(device.up, f"EBUSY {name} is up")
        self._check_free(new)
        spaces = {new if key == name else key: value for key, value in self._here.items()}
        spaces[new] = replace(device, name=new)
        self.links.spaces[""] = spaces
        for function in self.functions:
            if function.netdev == name:
                function.netdev = new
            function.representors = {
                vf: new if netdev == name else netdev for vf, netdev in function.representors.items()
            }
        for table in (self.addresses, self.routes):
            if name in table:
                table[new] = table.pop(name)  # type: ignore[assignment]
        if self.switch:
            refuse_if(any(name in ports for ports in self.switch.bridges.values()), f"{name} is in Open vSwitch")

    def _notice(self, before: dict[str, Device]) -> None:
        """What is down has no routes, and no addresses of IPv6; what is gone has none at all."""
        now = {device.index: device for device in self._here.values()}
        for name, old in before.items():
            device = now.get(old.index)
            if device is None:
                self.disturbed.add(("port", name))
                self.addresses.pop(name, None)
                self.routes.pop(name, None)
                continue
            if (old.up and not device.up) or (old.master and old.master != device.master) or old.name != device.name:
                self.disturbed.add(("port", name))
            if old.up and not device.up:
                self.routes.pop(device.name, None)
                kept = [each for each in self.addresses.get(device.name, ()) if ":" not in each]
                self.addresses[device.name] = kept

    # Addresses and routes

    def _address(self, verb: str, address: str, device: Device) -> None:
        found = self.addresses.setdefault(device.name, [])
        if verb == "flush":
            for each in tuple(found):
                if each in self.addresses[device.name]:
                    self._address("del", each, device)
            return
        interface = ipaddress.ip_interface(address)
        if verb == "replace":
            if address not in found:
                found.append(address)
            return
        assert verb == "del"
        refuse_if(address not in found, f"EADDRNOTAVAIL {address}")
        same = [each for each in found if ipaddress.ip_interface(each).network == interface.network]
        gone = same if interface.version == 4 and same[0] == address and not self.promotes else [address]
        self.addresses[device.name] = [each for each in found if each not in gone]
        if interface.version == 4 and not any(":" not in each for each in self.addresses[device.name]):
            self.routes[device.name] = [each for each in self.routes.get(device.name, ()) if ":" in each.to]

    def _route(self, verb: str, to: str, words: dict[str, str]) -> None:
        device, via = self._device(words["dev"]), words.get("via", "")
        version = ipaddress.ip_network(to).version
        metric = int(words["metric"]) if "metric" in words else (1024 if version == 6 else None)
        mine = self.routes.setdefault(device.name, [])
        if verb == "del":
            matching = [each for each in mine if (each.to, each.metric) == (to, metric) and via in ("", each.via)]
            refuse_if(not matching, f"ESRCH no route to {to}")
            mine.remove(matching[0])
            return
        assert verb == "replace"
        assert words["proto"] == "static"
        refuse_if(not device.up, f"ENETDOWN {device.name}")
        nets = [ipaddress.ip_interface(each).network for each in self.addresses.get(device.name, ())]
        gateway = ipaddress.ip_address(via) if via else None
        refuse_if(
            gateway and not gateway.is_link_local and not any(gateway in net for net in nets), f"ENETUNREACH {via}"
        )
        for routes in self.routes.values():
            routes[:] = [each for each in routes if (each.to, each.metric) != (to, metric)]
        mine.append(Route(to, via, metric))

    # VFs

    def _set_count(self, function: Function, count: int) -> None:
        had = len(function.vfs)
        if count == had:
            return
        total = 4 if function.of.total is None else function.of.total
        refuse_if(count > total, "ERANGE" if function.is_pci else "ENOMEM")
        refuse_if(had and count, f"EBUSY {had} VFs already enabled")
        refuse_if(function.kind.startswith("mlx5") and function.mode == SWITCHDEV, "EINVAL firmware, in switchdev")
        self._drop_representors(function)
        for vf in function.vfs:
            self.disturbed.add(("vf", f"{function.address}/{vf.index}"))
            self._drop_netdev(vf)
            function.left[vf.index] = vf.attributes
        if not count and not function.is_pci:
            function.mode = LEGACY
        function.vfs = [
            ModelVf(index, function.vf_address(index), self._fresh(function, index)) for index in range(count)
        ]
        for vf in function.vfs:
            if function.is_pci and function.autoprobe:
                self._probe(function, vf)
        self._make_representors(function)

    def _fresh(self, function: Function, index: int) -> Attributes:
        self.made += 1
        if function.kind == "igb":
            # An address of its own, at random.
            return replace(function.of.fresh, mac=f"96:bd:22:{self.made >> 8 & 255:02x}:{self.made & 255:02x}:01")
        return function.of.fresh if function.is_pci else function.left.get(index, function.of.fresh)

    def _probe(self, function: Function, vf: ModelVf) -> None:
        driver = vf.override or function.of.vf_driver
        if driver not in _DRIVERS:
            return
        vf.driver = driver
        if driver in _WITH_NETDEV:
            vf.netdev = f"{function.kernel_name}v{vf.index}"
            self.links._put("", Device(vf.netdev, next(self.links.number), mtu=1500, max_mtu=9216))

    def _unbind(self, function: Function, vf: ModelVf) -> None:
        self.disturbed.add(("driver", f"{function.address}/{vf.index}"))
        self._drop_netdev(vf)
        vf.driver = ""
        vf.used = False

    def _drop_netdev(self, vf: ModelVf) -> None:
        if vf.netdev:
            del self.links.spaces[vf.netns][vf.netdev]
        vf.netdev = vf.netns = ""

    def _set_vf(self, function: Function, index: int, words: list[str]) -> None:
        vf = function.vf(index)
        for word, value in zip(words[::2], words[1::2], strict=True):
            key = _KEYWORDS.get(word, word)
            refuse_if(key not in function.of.settable, f"EOPNOTSUPP {key}")
            if function.mode == SWITCHDEV and function.kind == "mlx5":
                # mlx5_eswitch_set_vport_vlan, _spoofchk and _trust (eswitch.c of the driver).
                refuse_if(key in ("spoofchk", "trust") or (key == "vlan" and value != "0"), f"EOPNOTSUPP {key}")
            if function.mode == SWITCHDEV and function.kind == "ice":
                refuse_if(key == "trust", "EOPNOTSUPP trust is forbidden in switchdev mode")
            vf.attributes = replace(vf.attributes, **{key: _parsed(key, value)})
        if "vlan" in words[::2] and not vf.attributes.vlan:
            vf.attributes = replace(vf.attributes, qos=0, vlan_proto="802.1Q")

    # E-switches

    def _eswitch(self, function: Function, key: str, value: str) -> None:
        known = getattr(function.of.eswitch, key.replace("-", "_"))
        refuse_if(known is None, f"EOPNOTSUPP {key}")
        if key == "mode":
            self._set_mode(function, value)
            return
        refuse_if(function.mode == SWITCHDEV and self._has_flows(function), f"EOPNOTSUPP {key} while there are flows")
        setattr(function, key.removesuffix("-mode"), value)

    def _set_mode(self, function: Function, mode: str) -> None:
        if mode == function.mode:
            return
        refuse_if(self._has_flows(function), "EBUSY it is in Open vSwitch")
        refuse_if(self._device(function.netdev).membership, "EBUSY it is in a bond")
        refuse_if(function.kind == "ice" and function.vfs, "EOPNOTSUPP only if there is no VFs created")
        refuse_if(function.is_pci and any(vf.driver for vf in function.vfs), "EINVAL VFs have drivers")
        self.disturbed.add(("port", function.netdev))
        self._drop_representors(function)
        function.mode = mode
        self._make_representors(function)
        if function.closes:
            self._put(replace(self._device(function.netdev), up=False))
        if function.offload_after is not None:
            function.offload = function.offload_after
        if function.is_pci:
            for vf in function.vfs:
                vf.attributes = self._fresh(function, vf.index)

    def _steer(self, function: Function, words: dict[str, str]) -> None:
        refuse_if(not function.of.steering, "EINVAL no such parameter")
        assert (words["name"], words["cmode"]) == ("flow_steering_mode", "runtime")
        refuse_if(function.mode == SWITCHDEV, "EOPNOTSUPP when eswitch offloads enabled")
        function.steering = words["value"]

    def _has_flows(self, function: Function) -> bool:
        master = self._device(function.netdev).master
        ours = {function.netdev, master, *function.representors.values()}
        ports = {port for each in (self.switch.bridges.values() if self.switch else ()) for port in each}
        return bool(ours & ports)

    def _make_representors(self, function: Function) -> None:
        if function.mode != SWITCHDEV:
            return
        for vf in function.vfs:
            phys_port_name = f"pf{function.number}vf{vf.index}"
            name = udev_name(self.files.get(RULES_FILE, ""), function.address, phys_port_name)
            if name is None or len(name) > 15 or name in self._here:
                name = f"{function.kernel_name}r{vf.index}"
            self.links._put("", Device(name, next(self.links.number), mtu=1500))
            function.representors[vf.index] = name

    def _drop_representors(self, function: Function) -> None:
        refuse_if(
            self.switch and set(function.representors.values()) & {p for b in self.switch.bridges.values() for p in b},
            "a representor that goes is in Open vSwitch",
        )
        for name in function.representors.values():
            del self._here[name]
        function.representors = {}

    def _update_lags(self) -> None:
        for card in {function.card for function in self.functions if function.kind == "mlx5"}:
            ports = [function for function in self.functions if function.card == card]
            if not self._may_bond(ports):
                self.lags[card] = False
            elif not any(vf.driver for port in ports for vf in port.vfs):
                # mlx5 begins only then (LP#1988018).
                self.lags[card] = True

    def _may_bond(self, ports: list[Function]) -> bool:
        """mlx5_lag_check_prereq: all ports of the card and only they, in one mode, and with VFs only in switchdev."""
        devices = [self._here[port.netdev] for port in ports]
        bond = self._here.get(devices[0].master or "")
        if bond is None or bond.kind != "bond" or bond.data["mode"] not in LAG_MODES:
            return False
        members = {device.name for device in self._here.values() if device.master == bond.name}
        modes = {port.mode for port in ports}
        has_vfs = any(port.vfs for port in ports)
        return members == {port.netdev for port in ports} and len(modes) == 1 and (modes == {SWITCHDEV} or not has_vfs)

    # Open vSwitch

    def _follow_switch(self) -> None:
        """ovs-vswitchd makes the devices of its bridges, and takes ports; when it ends, all of that stays."""
        assert self.switch is not None
        if self.switch.loaded is None:
            return
        bridges = self.switch.bridges
        wanted = {*bridges, *([OVS_MASTER] if bridges else [])}
        ours = {name for name, device in self._here.items() if device.kind == "openvswitch"}
        for name in ours - wanted:
            del self._here[name]
        for name in sorted(wanted - ours):
            self._check_free(name)
            self.links._put("", Device(name, next(self.links.number), kind="openvswitch", mtu=1500))
        ports = {port for found in bridges.values() for port in found}
        for name in sorted(ports):
            device = self._device(name)
            refuse_if(device.master not in (None, OVS_MASTER), f"EBUSY {name} is in {device.master}")
            self._put(replace(device, master=OVS_MASTER))
        for name, device in list(self._here.items()):
            if device.master == OVS_MASTER and name not in ports:
                self._put(replace(device, master=None))


def udev_name(rules: str, parent: str, phys_port_name: str) -> str | None:
    """The name that rules give a new network device: in their order, until one jumps (udev(7))."""
    found = {"SUBSYSTEM": "net", "ACTION": "add", "KERNELS": parent, "ATTR{phys_port_name}": phys_port_name}
    name, ahead = None, ""
    for line in rules.splitlines():
        tokens = _RULE.findall(line)
        if ahead and ("LABEL", "=", ahead) not in tokens:
            continue
        ahead = ""
        if not all(_matches(found.get(key, ""), operator, glob) for key, operator, glob in tokens if operator != "="):
            continue
        assigned = {key: value for key, operator, value in tokens if operator == "="}
        name, ahead = assigned.get("NAME", name), assigned.get("GOTO", "")
    return name


def _matches(value: str, operator: str, glob: str) -> bool:
    pattern = "".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", glob))
    return (re.fullmatch(pattern, value) is not None) == (operator == "==")


def _parsed(key: str, word: str) -> Any:
    if key in ("spoofchk", "trust"):
        return word == "on"
    return int(word) if key in ("vlan", "qos", "min_tx_rate", "max_tx_rate") else word


def switch(**config: str) -> Switch:
    """Open vSwitch that runs; keys of other_config with an underscore for each hyphen."""
    return Switch({key.replace("_", "-"): value for key, value in config.items()})
