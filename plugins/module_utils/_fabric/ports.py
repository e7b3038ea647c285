# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases of a plan that are about ports: names, number of VFs, e-switches, offload. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import (
    Command,
    InstallFile,
    Wait,
    Write,
)
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.eswitch import SWITCHDEV
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.observe import PortState
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.planning import Planning, refuse
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.rules import RULES_FILE, Named, render_rules
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.vfs import IN_SWITCHDEV, unbind
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import PortWant
from ansible_collections.railhead.cluster.plugins.module_utils._link.device import Device, find
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.plan import (
    fresh_vfs,
    refuse_attributes,
)
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.request import Attributes

LEGACY = "legacy"
#: Seconds that Open vSwitch gets to take the flows away that it offloaded.
_FLOWS_GO = 10.0
#: Drivers that make VFs only after the way into switchdev; all others before it.
_SWITCHDEV_FIRST = ("ice",)
#: IFNAMSIZ without the end of the string.
_LONGEST_NAME = 15


def count_of(state: PortState, want: PortWant) -> int:
    return state.port.count if want.count is None else want.count


def mode_of(state: PortState, want: PortWant) -> str:
    """The e-switch mode that the port is to have; a port without an e-switch is as in legacy mode."""
    return want.eswitch.mode or state.eswitch.mode or LEGACY


def name_of(state: PortState, want: PortWant) -> str:
    return want.name or state.port.netdev


def representor_of(state: PortState, want: PortWant, index: int) -> str:
    return f"{name_of(state, want)}_{index}"


def resizes(state: PortState, want: PortWant) -> bool:
    if state.driver in _SWITCHDEV_FIRST and changes_mode(state, want) and state.port.count:
        return True
    return want.count is not None and not (want.count == state.port.count and state.port.complete)


def changes_mode(state: PortState, want: PortWant) -> bool:
    return mode_of(state, want) != (state.eswitch.mode or LEGACY)


def check_port(planning: Planning, want: PortWant) -> None:
    """What the port cannot be, refused before the first step on any port."""
    state = planning.state(want)
    attempt = f"set up the port {want.port}"
    if not state.port.netdev:
        refuse(
            attempt,
            "it has no network device in the host's namespace",
            "bind the driver of the physical function, or take the network device back",
        )
    total, count = state.port.total_vfs, count_of(state, want)
    if total is not None and count > total:
        refuse(
            f"give {want.port} {count} VFs",
            f"it can have {total} (sriov_totalvfs)",
            "lower count, or raise the number in the firmware (NUM_OF_VFS)",
        )
    sized = replace(state.port, count=count)
    refuse_attributes(sized, want.port, {index: vf.attributes for index, vf in want.vfs.items()})
    _check_eswitch(state, want)
    _check_attributes(state, want)
    if want.hw_tc_offload is not None and state.hw_tc_offload is None:
        refuse(
            f"set hw_tc_offload of {want.port}",
            "its driver does not let it be switched (ethtool -k: hw-tc-offload [fixed])",
            "leave hw_tc_offload out",
        )
    taken = find(planning.now.links, want.name) if want.name else None
    if taken is not None and taken.name != state.port.netdev:
        refuse(f"name the port {want.port} {want.name}", f"this is a name of {taken.name}", "choose another name")
    _check_representors(state, want)


def _check_eswitch(state: PortState, want: PortWant) -> None:
    for key, value in vars(want.eswitch).items():
        lacks = getattr(state.eswitch, key) is None and not (key == "mode" and value == LEGACY)
        if value is not None and lacks:
            option = "eswitch_mode" if key == "mode" else key
            refuse(
                f"set {option} of {want.port} to {value}",
                f"its driver{f' {state.driver}' if state.driver else ''} does not implement it",
                f"leave {option} out",
            )
    if want.steering_mode in (None, state.steering_mode):
        return
    attempt = f"set steering_mode of {want.port} to {want.steering_mode}"
    if state.steering_mode is None:
        refuse(attempt, "its driver has no parameter flow_steering_mode", "leave steering_mode out")
    in_legacy = want.eswitch.mode and (changes_mode(state, want) or resizes(state, want))
    if state.eswitch.mode == SWITCHDEV and not in_legacy:
        refuse(
            attempt,
            f"it is {state.steering_mode}, and the card changes it only while its e-switch is in legacy mode",
            "run once with eswitch_mode: legacy",
        )


def _check_attributes(state: PortState, want: PortWant) -> None:
    fixed = IN_SWITCHDEV.get(state.driver, {}) if mode_of(state, want) == SWITCHDEV else {}
    for index, vf in want.vfs.items():
        if vf.driver and not state.port.is_pci:
            refuse(
                f"give VF {index} of {want.port} the driver {vf.driver}",
                "a simulated VF is no device that takes one",
                "leave driver out",
            )
        for key, value in vf.attributes.given.items():
            if fixed.get(key, value) != value:
                refuse(
                    f"set {key} of VF {index} of {want.port} to {value}",
                    f"its driver {state.driver} takes that in legacy mode only",
                    "leave it out" + (", and give its representor that tag in a bridge" if key == "vlan" else ""),
                )


def _check_representors(state: PortState, want: PortWant) -> None:
    count = count_of(state, want)
    if mode_of(state, want) != SWITCHDEV or not count:
        return
    longest = representor_of(state, want, count - 1)
    if len(longest) > _LONGEST_NAME:
        refuse(
            f"name the representors of {want.port}",
            f"{longest} has {len(longest)} characters, and a network device has at most {_LONGEST_NAME}",
            "give the port a shorter name",
        )


def name_ports(planning: Planning) -> None:
    """udev rules first, so that representors have their names from the start; then the ports themselves."""
    rules = render_rules(_named(planning, want) for want in planning.want.ports) or ""
    if planning.want.ports and rules.rstrip("\n") != (planning.now.rules or ""):
        content = rules.encode()
        digest = hashlib.sha256(content).hexdigest()
        planning.steps += [
            InstallFile(RULES_FILE, content, digest, f"install {RULES_FILE}", mode=0o644),
            Command(("udevadm", "control", "--reload"), "have udev read its rules again"),
        ]
        planning.now = replace(planning.now, rules=rules.rstrip("\n"))
    for want in planning.want.ports:
        _rename(planning, want)
        _add_altnames(planning, want)


def _named(planning: Planning, want: PortWant) -> Named:
    state = planning.state(want)
    count = count_of(state, want) if mode_of(state, want) == SWITCHDEV else 0
    return Named(state.function, want.name, tuple(representor_of(state, want, index) for index in range(count)))


def _rename(planning: Planning, want: PortWant) -> None:
    netdev = planning.netdev(want)
    if want.name in (None, netdev):
        return
    doing, device, name = f"rename {netdev} to {want.name}", planning.link(netdev), str(want.name)
    planning.touch(netdev, doing)
    _leave_master(planning, netdev, doing)
    # Before 6.2 the kernel renames only what is down.
    planning.take_down(netdev)
    if name in device.altnames:
        # To the kernel it is taken, also by the device itself.
        does = f"take the altname {name} from {netdev}"
        planning.ip(does, "link", "property", "del", "dev", netdev, "altname", name, undo="give it back")
    planning.ip(doing, "link", "set", "dev", netdev, "name", name, undo=f"rename it to {netdev}")
    planning.set_link(netdev, name=want.name, altnames=tuple(each for each in device.altnames if each != name))
    planning.set_vfs(want, netdev=want.name)
    moved = planning.now.addressing.get(netdev)
    if moved is not None:
        planning.now = replace(planning.now, addressing={**planning.now.addressing, str(want.name): moved})


def _leave_master(planning: Planning, netdev: str, doing: str) -> None:
    """A member of a bond is up, and a bridge of Open vSwitch knows its ports by their names."""
    device, bridge = planning.link(netdev), planning.ovs.bridge_of(netdev)
    if bridge is not None:
        _refuse_foreign_bridge(planning, netdev, doing)
        planning.leave_bridges(netdev)
    elif device.membership is not None:
        _refuse_foreign_bond(planning, netdev, doing)
        planning.leave_bond(netdev)
    elif device.master:
        refuse(doing, f"it is in {device.master}", "release it first, or keep its name")


def _refuse_foreign_bond(planning: Planning, netdev: str, doing: str) -> None:
    bond = planning.link(netdev).master
    if bond not in {wanted.name for wanted in planning.want.bonds}:
        refuse(
            doing,
            f"{netdev} has to leave {bond} on the way, which is not in the document",
            f"list {bond} under bonds, so that it gets its member back",
        )


def _add_altnames(planning: Planning, want: PortWant) -> None:
    netdev = planning.netdev(want)
    device = planning.link(netdev)
    missing = [altname for altname in want.altnames if altname not in (*device.altnames, netdev)]
    for altname in missing:
        taken = find(planning.now.links, altname)
        if taken is not None:
            refuse(f"give {netdev} the altname {altname}", f"it is a name of {taken.name}", "choose another one")
    if missing:
        words = [word for altname in missing for word in ("altname", altname)]
        planning.ip(
            f"give {netdev} the altnames {', '.join(missing)}", "link", "property", "add", "dev", netdev, *words
        )
        planning.set_link(netdev, altnames=(*device.altnames, *missing))


def release_port(planning: Planning, want: PortWant) -> None:
    """Take what is about to go away out of bridges and bonds, and drivers off VFs that may not have one."""
    state = planning.state(want)
    resized, moded = resizes(state, want), changes_mode(state, want)
    if not (resized or moded or _changes_flows(state, want)):
        return
    doing = f"change the number of VFs of {want.port} from {state.port.count} to {want.count}"
    if moded or not resized:
        doing = f"change the e-switch of {want.port} from {state.eswitch.mode} to {mode_of(state, want)}"
    planning.touch_vfs(want, doing)
    planning.touch_management(state.port.netdev, doing)
    for netdev in (netdev for vf in state.port.vfs for netdev in vf.netdevs):
        planning.touch_management(netdev, doing)
    planning.leave_bridges(*state.representors.values())
    if moded or (resized and state.eswitch.mode == SWITCHDEV):
        planning.touch(state.port.netdev, doing)
        _leave_uplink(planning, state.port.netdev, doing)
        unbind(planning, want, "its e-switch changes only without drivers on the VFs")
    elif not resized:
        planning.touch(state.port.netdev, doing)
        for netdev in (state.port.netdev, planning.link(state.port.netdev).master or ""):
            _refuse_foreign_bridge(planning, netdev, doing)
            planning.leave_bridges(netdev)


def _changes_flows(state: PortState, want: PortWant) -> bool:
    """Whether it changes what no flow may be offloaded for, without a change of the mode."""
    changed = any(
        getattr(want.eswitch, key) not in (None, getattr(state.eswitch, key)) for key in ("inline_mode", "encap_mode")
    )
    return state.eswitch.mode == SWITCHDEV and changed


def _leave_uplink(planning: Planning, netdev: str, doing: str) -> None:
    """Flows that Open vSwitch offloaded keep a card from changing its mode."""
    master = planning.link(netdev).master
    bond = planning.now.link(master) if master else None
    _refuse_foreign_bridge(planning, netdev, doing)
    planning.leave_bridges(netdev)
    if bond is not None and bond.kind == "bond":
        _refuse_foreign_bond(planning, netdev, doing)
        # A bond that is in somebody else's bridge stays there; Open vSwitch takes its flows off ports that leave it.
        if not _is_foreign(planning, bond.name):
            planning.leave_bridges(bond.name)
        planning.leave_bond(netdev)


def _is_foreign(planning: Planning, netdev: str) -> bool:
    """Whether it is in a bridge that the document leaves alone."""
    bridge = planning.ovs.bridge_of(netdev)
    return bridge is not None and bridge.name not in {wanted.name for wanted in planning.want.bridges}


def _refuse_foreign_bridge(planning: Planning, netdev: str, doing: str) -> None:
    bridge = planning.ovs.bridge_of(netdev)
    if bridge is not None and _is_foreign(planning, netdev):
        refuse(
            doing,
            f"{netdev} has to leave the bridge {bridge.name} on the way, which is not in the document",
            f"list {bridge.name} under bridges, with {netdev} as uplink, so that it gets it back",
        )


def resize_port(planning: Planning, want: PortWant) -> None:
    """n VFs to m goes through 0, without drivers, and in legacy mode but where the driver wants it the other way."""
    state = planning.state(want)
    if not resizes(state, want):
        return
    switch_first = state.driver in _SWITCHDEV_FIRST
    if state.eswitch.mode == SWITCHDEV and not switch_first:
        if want.eswitch.mode is None:
            # A run that ends on the way could not be taken up again.
            refuse(
                f"change the number of VFs of {want.port}",
                f"its e-switch has to leave {SWITCHDEV} mode on the way, and nothing says what it is to be then",
                f"give it eswitch_mode: {SWITCHDEV}, or {LEGACY}",
            )
        _set_mode(planning, want, LEGACY)
    _stop_probing(planning, want)
    numvfs, had, count = f"{state.port.directory}/sriov_numvfs", state.port.count, count_of(state, want)
    if had:
        planning.steps.append(
            Write(
                numvfs,
                "0",
                f"remove the {had} VFs of {want.port}",
                disrupts="the users of its VFs",
                undo=f"create {had} VFs",
            )
        )
        planning.drop_links(*(netdev for vf in state.port.vfs for netdev in vf.netdevs))
    if switch_first and changes_mode(state, want):
        _set_mode(planning, want, mode_of(state, want))
    if count:
        planning.steps.append(Write(numvfs, str(count), f"create {count} VFs on {want.port}", undo="remove them"))
    if count and state.port.is_pci:
        paths = tuple(f"{state.port.directory}/virtfn{index}/physfn" for index in range(count))
        advice = "Look at the kernel log (dmesg) for what the driver of the port says."
        planning.steps.append(Wait(paths, f"wait for the VFs of {want.port}", advice=advice))
    drop = state.representors.values()
    planning.drop_links(*drop)
    planning.set_vfs(want, count=count, vfs=fresh_vfs(state.port, count))
    planning.set_port(want, overrides={}, places={}, representors={})


def _stop_probing(planning: Planning, want: PortWant) -> None:
    port = planning.state(want).port
    if port.drivers_autoprobe:
        file = f"{port.directory}/sriov_drivers_autoprobe"
        planning.steps.append(Write(file, "0", f"keep drivers off new VFs of {want.port}", undo="write 1"))
        planning.set_vfs(want, drivers_autoprobe=False)


def switch_port(planning: Planning, want: PortWant) -> None:
    """Steering mode, inline mode and encapsulation are for legacy mode: later, the card or its flows forbid them."""
    state = planning.state(want)
    if changes_mode(state, want) and mode_of(state, want) == LEGACY:
        _set_mode(planning, want, LEGACY)
        state = planning.state(want)
    if want.steering_mode not in (None, state.steering_mode):
        words = ("name", "flow_steering_mode", "value", str(want.steering_mode), "cmode", "runtime")
        does = f"set the steering mode of {want.port} to {want.steering_mode}"
        planning.steps.append(
            Command(
                ("devlink", "dev", "param", "set", state.handle, *words), does, undo=f"set it to {state.steering_mode}"
            )
        )
        planning.set_port(want, steering_mode=want.steering_mode)
    for key in ("inline_mode", "encap_mode"):
        wanted, found = getattr(want.eswitch, key), getattr(state.eswitch, key)
        if wanted not in (None, found):
            _set_eswitch(planning, want, key, wanted)
            state = planning.state(want)
    if changes_mode(state, want):
        _set_mode(planning, want, mode_of(state, want))
    if mode_of(state, want) == SWITCHDEV:
        _await_representors(planning, want)


def _set_mode(planning: Planning, want: PortWant, mode: str) -> None:
    """A card forgets what it knew of its VFs."""
    state = planning.state(want)
    netdev = state.port.netdev
    # Some kernels leave it up and others do not, and a bond takes only what is down.
    planning.take_down(netdev)
    _set_eswitch(planning, want, "mode", mode, disrupts=f"the traffic of {netdev} and its VFs")
    path = f"/sys/class/net/{netdev}"
    if mode == SWITCHDEV:
        wait = Wait((f"{path}/phys_switch_id",), f"wait for the e-switch of {want.port}", pattern=".+")
    else:
        wait = Wait((path,), f"wait for the network device of {want.port}")
    planning.steps.append(wait)
    planning.drop_links(*state.representors.values())
    # Whether the offload of flows is on then depends on the driver: it is set again, whatever is wanted.
    offload = None if state.hw_tc_offload is None else not want.hw_tc_offload
    planning.set_port(want, representors={}, hw_tc_offload=offload)
    planning.lose_lag(netdev)
    planning.set_vfs(
        want,
        vfs=tuple(replace(vf, fresh=True, attributes=Attributes()) for vf in planning.state(want).port.vfs),
    )


def _set_eswitch(planning: Planning, want: PortWant, key: str, value: str, disrupts: str = "") -> None:
    state = planning.state(want)
    planning.steps.append(
        Command(
            ("devlink", "dev", "eswitch", "set", state.handle, key.replace("_", "-"), value),
            f"set {key} of the e-switch of {want.port} to {value}",
            advice="Flows, IPsec states and traps that are offloaded to the card keep it from changing; remove them.",
            # Open vSwitch takes away its flows a little later than a port leaves it.
            patience=_FLOWS_GO,
            disrupts=disrupts,
            undo=f"set it to {getattr(state.eswitch, key)}",
        )
    )
    planning.set_port(want, eswitch=replace(state.eswitch, **{key: value}))


def _await_representors(planning: Planning, want: PortWant) -> None:
    """udev names those that are new; those that were there before it knew how are renamed here."""
    state = planning.state(want)
    wanted = {index: representor_of(state, want, index) for index in range(state.port.count)}
    new = [netdev for index, netdev in wanted.items() if index not in state.representors]
    if new:
        paths = tuple(f"/sys/class/net/{netdev}" for netdev in new)
        advice = f"Look at 'ip -d link show' and at {RULES_FILE}: udev gives the names."
        planning.steps.append(Wait(paths, f"wait for the representors of {want.port}", advice=advice))
    for netdev in new:
        planning.add_link(Device(netdev))
    for index, netdev in state.representors.items():
        if index in wanted and netdev != wanted[index]:
            planning.touch(netdev, f"rename the representor {netdev}")
            planning.leave_bridges(netdev)
            planning.take_down(netdev)
            does = f"rename the representor {netdev} to {wanted[index]}"
            planning.ip(does, "link", "set", "dev", netdev, "name", wanted[index])
            planning.set_link(netdev, name=wanted[index])
    planning.set_port(want, representors=wanted)


def offload_flows(planning: Planning, want: PortWant) -> None:
    state = planning.state(want)
    if want.hw_tc_offload in (None, state.hw_tc_offload):
        return
    word = "on" if want.hw_tc_offload else "off"
    planning.steps.append(
        Command(
            ("ethtool", "-K", state.port.netdev, "hw-tc-offload", word),
            f"switch the offload of flows of {state.port.netdev} {word}",
            undo=f"switch it {'off' if want.hw_tc_offload else 'on'}",
        )
    )
    planning.set_port(want, hw_tc_offload=want.hw_tc_offload)


def raise_port(planning: Planning, want: PortWant) -> None:
    """MTU and admin state; a member of a bond follows its bond."""
    netdev = planning.netdev(want)
    device = planning.link(netdev)
    master = planning.now.link(device.master) if device.master else None
    if master is not None and master.kind == "bond":
        return
    if want.mtu not in (None, device.mtu):
        if device.max_mtu and int(want.mtu or 0) > device.max_mtu:
            refuse(f"set the MTU of {netdev} to {want.mtu}", f"it takes at most {device.max_mtu}", "give a smaller one")
        planning.ip(
            f"set the MTU of {netdev} to {want.mtu}",
            *("link", "set", "dev", netdev, "mtu", str(want.mtu)),
            undo=f"set it to {device.mtu}",
        )
        planning.set_link(netdev, mtu=want.mtu)
    if want.up:
        planning.bring_up(netdev)
    elif device.up:
        planning.touch(netdev, f"take {netdev} down")
        planning.take_down(netdev)
