# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading: one C(ip) for each namespace that is concerned, and files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._link.device import (
    Device,
    Devices,
    carriers,
    parse_links,
)
from ansible_collections.railhead.cluster.plugins.module_utils._link.request import Want
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import (
    HOST_NAMESPACE,
    Namespaces,
    observe_names,
)
from ansible_collections.railhead.cluster.plugins.module_utils._node.management import holders, ssh_address


@dataclass(frozen=True)
class Links:
    """The devices of the namespaces that were read, by the name of the namespace ('' is the host's own).

    C(management) are the devices in the host's own namespace that carry the SSH connection of this run.
    """

    spaces: Mapping[str, Devices] = field(default_factory=dict)
    namespaces: Namespaces = field(default_factory=Namespaces)
    management: frozenset[str] = frozenset()

    def of(self, space: str) -> Devices:
        return self.spaces.get(space, ())

    def named(self, space: str, name: str) -> Device | None:
        """The device with exactly that name; alternative names do not count."""
        return next((device for device in self.of(space) if device.name == name), None)

    def locate(self, want: Want) -> tuple[tuple[str, Device], ...]:
        """Where the device is: in its namespace, else (when that is managed) in the host's own, else in others.

        More than one place is possible only in others. Elsewhere the kind must be the same: a vlan 'eth0' that is
        wanted in a namespace is not the port 'eth0' of the host.
        """
        here = self.named(want.space, want.name)
        if here is not None or not want.present or want.netns is None:
            return ((want.space, here),) if here else ()
        elsewhere = [(space, self.named(space, want.name)) for space in self.spaces if space != want.space]
        found = tuple((space, device) for space, device in elsewhere if device and _is_meant(device, want))
        return tuple(place for place in found if place[0] == HOST_NAMESPACE) or found


def _is_meant(device: Device, want: Want) -> bool:
    if want.kind == "veth":
        return device.kind == "veth" and device.parent == want.peer
    return want.kind in (None, device.kind)


def ip(space: str, *words: str) -> tuple[str, ...]:
    """An C(ip) command for a namespace."""
    return ("ip", "-n", space, *words) if space else ("ip", *words)


def observe(host: Host, want: Want) -> Links:
    """The host's own namespace, that of the device and that of its veth peer, as far as they exist.

    The other named ones are read only to find a device that is to come from one of them.
    """
    namespaces = observe_names(host)
    concerned = {HOST_NAMESPACE, want.space, want.peer_space} & {HOST_NAMESPACE, *namespaces.names}
    links = Links({space: _read(host, space) for space in sorted(concerned)}, namespaces)
    moved = want.present and want.netns is not None and (want.kind is None or want.netns == HOST_NAMESPACE)
    if moved and not links.locate(want):
        others = sorted(set(namespaces.names) - concerned)
        links = replace(links, spaces={**links.spaces, **{space: _read(host, space) for space in others}})
    address = None if want.allow_management else ssh_address(host)
    if address is None:
        return links
    return replace(links, management=carriers(links.of(HOST_NAMESPACE), holders(host, address)))


def _read(host: Host, space: str) -> Devices:
    return parse_links(host.read_json(ip(space, "-j", "-d", "link", "show")))
