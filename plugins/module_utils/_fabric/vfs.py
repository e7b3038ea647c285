# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phases of a plan that are about VFs: their attributes, drivers and namespaces. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import (
    ADDRESS_OF,
    NETDEV_OF,
    Command,
    Wait,
    Write,
)
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.eswitch import SWITCHDEV
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.expand import WITHOUT_NETDEV
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.observe import HERE, PortState
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.planning import Planning, refuse
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import NO_DRIVER, PortWant, VfWant
from ansible_collections.railhead.cluster.plugins.module_utils._link.observe import ip
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import (
    RUN_DIRECTORY,
    Namespace,
    Namespaces,
    plan_namespace,
)
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.observe import Vf
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.plan import (
    configure,
    resolved,
)
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.request import DEFAULT_PROTOCOL

_HOST_NAMESPACE_FILE = "/proc/1/ns/net"
#: A VF gets its address and its GUIDs from the port when its driver is bound.
_TAKEN_AT_BIND = ("mac", "node_guid", "port_guid")
#: What drivers take in legacy mode only, and what it is in switchdev mode (mlx5_eswitch_set_vport_vlan, _spoofchk and
#: _trust in eswitch.c of mlx5; ice_set_vf_trust in ice_sriov.c).
IN_SWITCHDEV: Mapping[str, Mapping[str, Any]] = {
    "mlx5_core": {"vlan": 0, "qos": 0, "vlan_proto": DEFAULT_PROTOCOL, "spoofchk": False, "trust": False},
    "ice": {"trust": False},
}


def manages_drivers(want: PortWant) -> bool:
    """Whether VFs without a driver get one: whoever changes VFs may have to take their drivers away for it."""
    return want.count is not None or bool(want.vfs) or want.eswitch.mode is not None


def unbind(planning: Planning, want: PortWant, why: str, only: frozenset[int] | None = None) -> None:
    state = planning.state(want)
    vfs = []
    if not manages_drivers(want) and any(vf.driver and (only is None or vf.index in only) for vf in state.port.vfs):
        refuse(
            f"take the VFs of {want.port} from their drivers for a moment",
            f"{why}, and without a count its VFs are left alone",
            f"give it count: {state.port.count}, so that they get their drivers back",
        )
    for vf in state.port.vfs:
        if vf.driver and (only is None or vf.index in only):
            path = _vf_path(state, vf)
            planning.steps.append(
                Write(
                    f"{path}/driver/unbind",
                    ADDRESS_OF + path,
                    f"take VF {vf.index} of {want.port} from its driver {vf.driver}: {why}",
                    disrupts="the VF's users",
                    undo=f"bind it to {vf.driver}",
                )
            )
            planning.drop_links(*vf.netdevs)
            vfs.append(replace(vf, driver=None, netdevs=()))
        else:
            vfs.append(vf)
    planning.set_vfs(want, vfs=tuple(vfs))
    left = {vf.index for vf in vfs if vf.driver}
    planning.set_port(want, places={vf: place for vf, place in state.places.items() if vf in left})


def configure_vfs(planning: Planning, want: PortWant) -> None:
    state = planning.state(want)
    if state.eswitch.mode == SWITCHDEV:
        fixed = IN_SWITCHDEV.get(state.driver, {})
        known = (replace(vf, attributes=replace(vf.attributes, **fixed)) if vf.fresh else vf for vf in state.port.vfs)
        planning.set_vfs(want, vfs=tuple(known))
        state = planning.state(want)
    configured = {}
    for vf in state.port.vfs:
        wanted = resolved(state.port, want.vfs.get(vf.index, VfWant()).attributes, vf.index)
        configured[vf.index] = configure(state.port, vf, wanted)
    late = frozenset(
        vf.index
        for vf in state.port.vfs
        if vf.driver
        and any(getattr(configured[vf.index][1], key) != getattr(vf.attributes, key) for key in _TAKEN_AT_BIND)
    )
    for vf in state.port.vfs:
        if vf.index in late:
            planning.touch_vf(vf, f"change the address of VF {vf.index} of {want.port}, for which it loses its driver")
    unbind(planning, want, "a VF takes its address when it is bound", late)
    planning.steps += [step for steps, _attributes in configured.values() for step in steps]
    vfs = tuple(replace(vf, attributes=configured[vf.index][1]) for vf in planning.state(want).port.vfs)
    planning.set_vfs(want, vfs=vfs)


def bind_vfs(planning: Planning, want: PortWant) -> None:
    """Drivers for VFs, when all is there that they find at bind. A port that does not probe refuses it by hand too."""
    state = planning.state(want)
    if not (state.port.is_pci and manages_drivers(want)):
        return
    wrong = [vf for vf in state.port.vfs if vf.driver and _driver(want, vf.index) not in (None, vf.driver)]
    for vf in wrong:
        planning.touch_vf(vf, f"give VF {vf.index} of {want.port} another driver")
    unbind(planning, want, "it is to have another one", frozenset(vf.index for vf in wrong))
    state = planning.state(want)
    if state.port.drivers_autoprobe is False:
        file = f"{state.port.directory}/sriov_drivers_autoprobe"
        planning.steps.append(Write(file, "1", f"let VFs of {want.port} have drivers", undo="write 0"))
        planning.set_vfs(want, drivers_autoprobe=True)
    overrides, bound = dict(state.overrides), []
    for vf in state.port.vfs:
        wanted, path, override = _driver(want, vf.index), _vf_path(state, vf), overrides.get(vf.index, "")
        # Others, such as libvirt, keep VFs for a driver too; only what keeps it from having any is ours to undo.
        if override != wanted if wanted else override == NO_DRIVER:
            keep = f"keep VF {vf.index} of {want.port} for {wanted}" if wanted else f"let VF {vf.index} have any driver"
            planning.steps.append(Write(f"{path}/driver_override", wanted or "\n", keep))
            overrides[vf.index] = wanted or ""
        if wanted != NO_DRIVER and not vf.driver:
            does = f"bind VF {vf.index} of {want.port} to {wanted or 'its driver'}"
            planning.steps.append(Write("/sys/bus/pci/drivers_probe", ADDRESS_OF + path, does, undo="unbind it"))
            bound.append(vf.index)
    if bound:
        paths = tuple(f"{state.port.directory}/virtfn{index}/driver" for index in bound)
        advice = "See that the module of the driver is loaded; for a VF that is to have none, say driver: none."
        planning.steps.append(Wait(paths, f"wait for the drivers of the VFs of {want.port}", advice=advice))
    vfs = tuple(
        replace(vf, driver=overrides.get(vf.index) or "unknown") if vf.index in bound else vf for vf in state.port.vfs
    )
    planning.set_vfs(want, vfs=vfs)
    planning.set_port(want, overrides=overrides)


def place_vfs(planning: Planning, want: PortWant) -> None:
    """VFs into their namespaces, by whatever name their network device has then."""
    state = planning.state(want)
    places, settled = dict(state.places), False
    for vf in state.port.vfs:
        wanted, (found, netdev) = want.vfs.get(vf.index, VfWant()).netns, places.get(vf.index, HERE)
        if wanted in (None, found):
            continue
        if not state.port.is_pci:
            refuse(
                f"move VF {vf.index} of {want.port} to a namespace",
                "a simulated VF has no network device",
                "leave netns out",
            )
        if not found and (vf.driver is None or WITHOUT_NETDEV.fullmatch(vf.driver)):
            refuse(
                f"move VF {vf.index} of {want.port} to the network namespace {wanted}",
                f"it is bound to {vf.driver}, and has no network device" if vf.driver else "it has no driver",
                "give its driver in vfs, such as mlx5_core, or leave netns out",
            )
        if wanted:
            _make_namespace(planning, str(wanted))
        if vf.driver:
            planning.touch_vf(vf, f"move VF {vf.index} of {want.port} to another network namespace")
        if not (found or settled):
            # udev may still be about to rename what was just bound.
            does = f"wait until udev has named the VFs of {want.port}"
            planning.steps.append(Command(("udevadm", "settle", "--timeout=60"), does))
            settled = True
        target = wanted or _HOST_NAMESPACE_FILE
        words = ip(found, "link", "set", "dev", netdev or NETDEV_OF + _vf_path(state, vf), "netns", target)
        where = f"the network namespace {wanted}" if wanted else "the host's own network namespace"
        planning.steps.append(Command(words, f"move VF {vf.index} of {want.port} to {where}", undo="move it back"))
        places[vf.index] = (str(wanted), netdev) if wanted else HERE
    planning.set_port(want, places={vf: place for vf, place in places.items() if place != HERE})


def _make_namespace(planning: Planning, name: str) -> None:
    planning.steps += plan_namespace(planning.now.spaces, name, True).steps
    if name not in planning.now.spaces.names:
        live = (*planning.now.spaces.live, Namespace(f"{RUN_DIRECTORY}/{name}", name))
        stale = tuple(other for other in planning.now.spaces.stale if other != name)
        planning.now = replace(planning.now, spaces=Namespaces(live, stale))


def _driver(want: PortWant, index: int) -> str | None:
    return want.vfs.get(index, VfWant()).driver


def _vf_path(state: PortState, vf: Vf) -> str:
    return f"{state.port.directory}/virtfn{vf.index}"
