# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phase of a plan that is about Open vSwitch: offload, bridges, uplinks and representors. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import NotTakenError
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.planning import Planning, refuse
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.ports import (
    name_of,
    representor_of,
)
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import (
    BridgeWant,
    PortWant,
    RepresentorWant,
)
from ansible_collections.railhead.cluster.plugins.module_utils._link.device import Device
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.plan import BridgeWant as OvsBridgeWant
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.plan import PortWant as OvsPortWant
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.plan import with_bridges, with_config

#: The kind of the network devices of bridges, and of the master of their ports.
OPENVSWITCH = "openvswitch"


def make_bridges(planning: Planning) -> None:
    want = planning.want
    if not (want.ovs_config or want.bridges):
        return
    steps, ovs = with_config(planning.ovs, want.ovs_config, planning.consents.port_traffic)
    if any("stop" in step.shown for step in steps):
        for name in (bridge.name for bridge in ovs.bridges):
            planning.touch_management(name, "restart Open vSwitch")
    planning.steps += steps
    planning.now = replace(planning.now, ovs=ovs)
    wanted = [OvsBridgeWant(bridge.name, bridge.present, _ports(planning, bridge)) for bridge in want.bridges]
    for bridge in want.bridges:
        _retire(planning, bridge)
    for name, netdev in ((each.name, port.name) for each in wanted for port in each.ports):
        _touch_uplink(planning, name, netdev)
    steps, ovs = with_bridges(planning.ovs, wanted)
    planning.steps += steps
    planning.now = replace(planning.now, ovs=ovs)
    for made in wanted:
        _raise(planning, made)
        if not planning.steps:
            _refuse_errors(planning, made)


def _ports(planning: Planning, bridge: BridgeWant) -> tuple[OvsPortWant, ...]:
    if not bridge.present:
        return ()
    uplinks = [OvsPortWant(planning.resolve(name)) for name in bridge.uplinks]
    representors = [OvsPortWant(_representor(planning, wanted), wanted.tag) for wanted in bridge.representors]
    return (*uplinks, *representors)


def _representor(planning: Planning, wanted: RepresentorWant) -> str:
    port = _port(planning, wanted.port)
    state = planning.state(port)
    if wanted.vf not in state.representors:
        refuse(
            f"put the representor of VF {wanted.vf} of {wanted.port} into a bridge",
            f"there are {len(state.representors)} representors of that port",
            "give the port eswitch_mode: switchdev and a count that covers the VF",
        )
    return representor_of(state, port, wanted.vf)


def _port(planning: Planning, name: str) -> PortWant:
    return next(port for port in planning.want.ports if name in (port.port, port.name))


def _retire(planning: Planning, bridge: BridgeWant) -> None:
    """Take out ports and bonds of the document and representors that are no longer wanted, and all of what goes away.

    What others have put into a bridge stays in it.
    """
    found = planning.ovs.bridge(bridge.name)
    if found is None:
        return
    if not bridge.present:
        for name in (bridge.name, *(port.name for port in found.ports)):
            planning.touch(name, f"delete the bridge {bridge.name}")
        planning.drop_links(bridge.name)
        planning.forget_addresses(bridge.name)
        return
    kept = {port.name for port in _ports(planning, bridge)}
    names = [name_of(planning.state(port), port) for port in planning.want.ports]
    ours = re.compile(f"(?:{'|'.join(map(re.escape, names))})_\\d+") if names else None
    uplinks = {*(planning.netdev(port) for port in planning.want.ports), *(bond.name for bond in planning.want.bonds)}
    left = [port.name for port in found.ports if port.name not in kept]
    gone = [name for name in left if name in uplinks or (ours and ours.fullmatch(name))]
    for name in gone:
        planning.touch(name, f"take {name} out of the bridge {bridge.name}")
    planning.leave_bridges(*gone)


def _touch_uplink(planning: Planning, bridge: str, netdev: str) -> None:
    found = planning.ovs.bridge(bridge)
    if found is None or found.port(netdev) is None:
        device = planning.link(netdev)
        master = planning.now.link(device.master) if device.master else None
        if master is not None and master.kind != OPENVSWITCH:
            refuse(
                f"put {netdev} into the bridge {bridge}",
                f"it is in {master.name}, which is not in the document",
                f"release it there, or give {master.name} as uplink instead",
            )
        planning.touch(netdev, f"put {netdev} into the bridge {bridge}")
    planning.flush(netdev)


def _refuse_errors(planning: Planning, bridge: OvsBridgeWant) -> None:
    """Open vSwitch takes the name of any device, and says later that it could not use it."""
    found = planning.ovs.bridge(bridge.name)
    for port in found.ports if found else ():
        if port.error and port.name in {wanted.name for wanted in bridge.ports}:
            raise NotTakenError(
                f"Cannot use {port.name} in the bridge {bridge.name}: Open vSwitch has it, but says: {port.error}."
            )


def _raise(planning: Planning, bridge: OvsBridgeWant) -> None:
    if not bridge.present:
        return
    if planning.now.link(bridge.name) is None:
        planning.add_link(Device(bridge.name, kind=OPENVSWITCH, link_type="ether"))
        planning.forget_addresses(bridge.name)
    for name in (*(port.name for port in bridge.ports), bridge.name):
        planning.bring_up(name)
