# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all phases of a plan share: the state as it will be by then, the steps so far, and who has consented to what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NoReturn

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Step
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.addressing import Addressing
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.observe import Fabric, PortState
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import Consents, FabricWant, PortWant
from ansible_collections.railhead.cluster.plugins.module_utils._link.device import Device, stacked
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.observe import Ovs
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.plan import without_ports
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.observe import Vf


class Planning:
    """C(now) is the state after C(steps). C(cuts) are devices under the management connection that steps touch."""

    def __init__(self, have: Fabric, want: FabricWant, consents: Consents) -> None:
        self.now = have
        self.want = want
        self.consents = consents
        self.steps: list[Step] = []
        self.cuts: list[str] = []

    # The state

    def state(self, want: PortWant) -> PortState:
        return self.now.ports[want.port]

    def netdev(self, want: PortWant) -> str:
        return self.state(want).port.netdev

    def link(self, name: str) -> Device:
        device = self.now.link(name)
        if device is None:
            raise RailheadError(f"Cannot use {name}: there is no such network device; {self._there()}.")
        return device

    def resolve(self, name: str) -> str:
        """The network device that a name in the document means: a port of it, by either name, or one of the host."""
        for want in self.want.ports:
            if name in (want.port, want.name):
                return self.netdev(want)
        return self.link(name).name

    def set_port(self, want: PortWant, **changes: Any) -> None:
        self.now = replace(self.now, ports={**self.now.ports, want.port: replace(self.state(want), **changes)})

    def set_vfs(self, want: PortWant, **changes: Any) -> None:
        self.set_port(want, port=replace(self.state(want).port, **changes))

    def set_link(self, netdev: str, /, **changes: Any) -> None:
        links = tuple(replace(link, **changes) if link.name == netdev else link for link in self.now.links)
        self.now = replace(self.now, links=links)

    def add_link(self, device: Device) -> None:
        self.now = replace(self.now, links=(*self.now.links, device))

    def drop_links(self, *names: str) -> None:
        self.now = replace(self.now, links=tuple(link for link in self.now.links if link.name not in names))

    @property
    def ovs(self) -> Ovs:
        """Where it is not installed yet, as it is right after: check mode then shows the steps that follow."""
        if self.now.ovs is None:
            return Ovs(running=True, config={})
        return self.now.ovs

    # The steps

    def ip(self, does: str, *words: str, **more: Any) -> None:
        self.steps.append(Command(("ip", *words), does, **more))

    def take_down(self, netdev: str) -> None:
        if self.link(netdev).up:
            self.ip(f"take {netdev} down", "link", "set", "dev", netdev, "down", disrupts=f"the traffic of {netdev}")
            self.went_down(netdev)

    def went_down(self, netdev: str, **changes: Any) -> None:
        """What is down has no routes and no addresses of IPv6 (fib_disable_ip, addrconf_ifdown of the kernel)."""
        self.set_link(netdev, up=False, **changes)
        found = self.now.addressing.get(netdev, Addressing())
        addresses, leased = (
            tuple(address for address in each if ":" not in address) for each in (found.addresses, found.leased)
        )
        left = Addressing(addresses, (), leased)
        self.now = replace(self.now, addressing={**self.now.addressing, netdev: left})

    def bring_up(self, netdev: str) -> None:
        """Unless it is a port that is to be down."""
        kept_down = any(not want.up and self.netdev(want) == netdev for want in self.want.ports)
        if not (kept_down or self.link(netdev).up):
            self.ip(f"take {netdev} up", "link", "set", "dev", netdev, "up")
            self.set_link(netdev, up=True)

    def flush(self, netdev: str) -> None:
        """What is in a bond or a bridge answers for no address of its own; one that stays would keep its routes."""
        found = self.now.addressing.get(netdev, Addressing())
        lost = (*found.addresses, *found.leased)
        if lost:
            self.touch(netdev, f"remove the addresses of {netdev}")
            does = f"remove {', '.join(lost)} from {netdev}, which is to be a part of something"
            self.ip(does, "address", "flush", "dev", netdev, "scope", "global", undo="give them back")
            self.forget_addresses(netdev)

    def leave_bond(self, netdev: str) -> None:
        """A bond takes the member that it loses down, and gives it back the MTU that it had, which nobody knows."""
        bond = self.link(netdev).master
        self.touch(netdev, f"release {netdev} from {bond}")
        self.ip(
            f"release {netdev} from {bond}",
            *("link", "set", "dev", netdev, "nomaster"),
            disrupts=f"a part of the traffic of {bond}",
            undo=f"enslave {netdev} to {bond}",
        )
        self.left_bond(netdev)

    def left_bond(self, netdev: str) -> None:
        self.went_down(netdev, master=None, membership=None, mtu=0)
        self.lose_lag(netdev)

    def lose_lag(self, netdev: str) -> None:
        """A card bonds all of its ports by itself, or none."""
        cards = {state.card for state in self.now.ports.values() if state.port.netdev == netdev}
        ports = {
            name: replace(state, lag="disabled") if state.lag and state.card in cards else state
            for name, state in self.now.ports.items()
        }
        self.now = replace(self.now, ports=ports)

    def leave_bridges(self, *netdevs: str) -> None:
        """Take ports out of Open vSwitch, as far as they are in it."""
        if self.now.ovs is not None:
            for netdev in netdevs:
                if self.now.ovs.bridge_of(netdev):
                    self.set_link(netdev, master=None)
            steps, ovs = without_ports(self.now.ovs, netdevs)
            self.steps += steps
            self.now = replace(self.now, ovs=ovs)

    def forget_addresses(self, netdev: str) -> None:
        """A device that was made anew has none."""
        self.now = replace(self.now, addressing={**self.now.addressing, netdev: Addressing()})

    # Consent

    def touch(self, netdev: str, doing: str) -> None:
        """Before a step that stops the traffic of a device."""
        self.touch_management(netdev, doing)
        traffic = self._traffic(netdev)
        if traffic and not self.consents.port_traffic:
            refuse(
                doing,
                f"this stops the traffic of {netdev}, and {' and '.join(traffic)}",
                "do it when nobody needs that, with allow_port_traffic=true (host_fabric_allow_port_traffic)",
            )

    def touch_management(self, netdev: str, doing: str) -> None:
        if netdev not in self.now.management:
            return
        if not self.consents.management:
            refuse(
                doing,
                f"the SSH connection of this run comes in over {netdev}, and could end",
                "come in by another way, or set allow_management=true (host_fabric_allow_management: the role then goes"
                " back to the earlier state by itself when the host cannot be reached any more)",
            )
        self.cuts.append(netdev)

    def touch_vfs(self, want: PortWant, doing: str) -> None:
        """Before a step that takes VFs away from those who use them."""
        users = [f"VF {vf.index}: {user}" for vf in self.state(want).port.vfs for user in vf.users]
        if users and not self.consents.vfs_in_use:
            refuse(
                doing,
                f"all VFs are taken away on the way, and these are in use: {'; '.join(users)}",
                "release them first, or set allow_vfs_in_use=true (host_fabric_allow_vfs_in_use)",
            )

    def touch_vf(self, vf: Vf, doing: str) -> None:
        """Before a step that takes a VF away from its users, and not its representor from the bridge."""
        users = [user for user in vf.users if "representor" not in user]
        for netdev in vf.netdevs:
            self.touch_management(netdev, doing)
        if users and not self.consents.vfs_in_use:
            refuse(
                doing,
                "; ".join(users),
                "release it first, or set allow_vfs_in_use=true (host_fabric_allow_vfs_in_use)",
            )

    def _traffic(self, netdev: str) -> list[str]:
        device = self.now.link(netdev)
        if device is None or not device.up:
            return []
        found = self.now.addressing.get(netdev, Addressing())
        words = [f"it is in {device.master}"] if device.master else []
        words += [f"it has the address {address}" for address in (*found.addresses, *found.leased)]
        return words + [f"{name} runs over it" for name in stacked(self.now.links, netdev)]

    def _there(self) -> str:
        return f"there are: {', '.join(link.name for link in self.now.links)}"


def refuse(doing: str, found: str, advice: str) -> NoReturn:
    raise RailheadError(f"Cannot {doing}: {found}; {advice}.")
