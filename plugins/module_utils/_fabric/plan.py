# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the fabric that a host has to the wanted one, in the one order that the hardware accepts. Pure.

Each phase works on the state that the phases before it lead to, so that one plan covers all of them, and whatever is
refused is refused before the first step.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Plan, Step
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.addressing import Addressing, with_addresses
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.bonds import check_bond, delete_bond, make_bond
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.bridges import make_bridges
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.observe import Fabric
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.planning import Planning, refuse
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.ports import (
    check_port,
    name_ports,
    offload_flows,
    raise_port,
    release_port,
    resize_port,
    switch_port,
)
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.restore import document_of
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.vfs import bind_vfs, configure_vfs, place_vfs
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import (
    Consents,
    FabricWant,
)


@dataclass(frozen=True)
class FabricPlan(Plan):
    """C(cuts) are devices that the management connection runs over and that a step touches. C(leads_to) is the state
    after all steps, as far as it can be known before.
    """

    cuts: tuple[str, ...] = ()
    leads_to: Fabric = field(default_factory=Fabric)


def plan_fabric(
    have: Fabric, want: FabricWant, consents: Consents | None = None, ports_only: bool = False
) -> FabricPlan:
    """C(ports_only) ends before the bonds: what a host can do at boot before its network is there."""
    planning = Planning(have, want, consents or Consents())
    _check(planning)
    name_ports(planning)
    for phase in (release_port, resize_port, switch_port, configure_vfs, offload_flows):
        for port in planning.want.ports:
            phase(planning, port)
    if not ports_only:
        _connect(planning)
    before, after = document_of(have, want), document_of(planning.now, want)
    return FabricPlan(tuple(planning.steps), before, after, tuple(dict.fromkeys(planning.cuts)), planning.now)


def _check(planning: Planning) -> None:
    have, want = planning.now, planning.want
    if have.missing:
        refuse(
            f"find the ports {', '.join(have.missing)}",
            f"there are: {', '.join(link.name for link in have.links)}",
            "give the PCI address, the name or the permanent MAC address of a port of this host",
        )
    seen: dict[str, str] = {}
    for port in want.ports:
        directory = planning.state(port).port.directory
        if directory in seen:
            refuse("use the document", f"{seen[directory]} and {port.port} are one port", "say all of it in one entry")
        seen[directory] = port.port
        check_port(planning, port)
    for bond in want.bonds:
        check_bond(planning, bond)


def _connect(planning: Planning) -> None:
    want = planning.want
    for bond in want.bonds:
        if not bond.present:
            delete_bond(planning, bond)
    for bond in want.bonds:
        if bond.present:
            make_bond(planning, bond)
    for port in want.ports:
        raise_port(planning, port)
    make_bridges(planning)
    for phase in (bind_vfs, place_vfs):
        for port in want.ports:
            phase(planning, port)
    _give_addresses(planning)


def _refuse_taken_routes(planning: Planning, device: str, after: Addressing) -> None:
    """The kernel would replace the route of the other device, which nobody asked for."""
    ours = {planning.resolve(want.device) for want in planning.want.addresses}
    wanted = {(route.to, route.metric) for route in after.routes}
    for name, found in planning.now.addressing.items():
        for route in found.routes if name not in ours else ():
            if (route.to, route.metric) in wanted:
                refuse(
                    f"route {route.to} over {device}",
                    f"there is a route over {name} already, and the kernel takes one of each metric",
                    f"give it another metric, or list {name} under addresses",
                )


def _give_addresses(planning: Planning) -> None:
    """A route or an address that moves from one device to another is taken away before it is given."""
    given: list[Step] = []
    for want in planning.want.addresses:
        device = planning.resolve(want.device)
        have = planning.now.addressing.get(device, Addressing())
        losing, gaining, after = with_addresses(have, replace(want, device=device))
        _refuse_taken_routes(planning, device, after)
        if set(have.addresses) - set(want.addresses):
            planning.touch_management(device, f"remove addresses from {device}")
        planning.bring_up(device)
        planning.steps += losing
        given += gaining
        planning.now = replace(planning.now, addressing={**planning.now.addressing, device: after})
    planning.steps += given
