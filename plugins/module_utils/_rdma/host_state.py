# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The RDMA side of a whole host as one document: links, namespaces, device placement, cgroup limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ansible_collections.railhead.cluster.plugins.module_utils._cgroup.rdma import (
    KEYS,
    Cgroups,
    WantedLimits,
    load_limits,
    observe_cgroups,
    relative,
    shown_limits,
    with_limits,
)
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Plan, Step
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import (
    RUN_DIRECTORY,
    Namespace,
    Namespaces,
    plan_namespace,
    valid_name,
)
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.devices import (
    Placement,
    find,
    shown_device,
    with_placement,
)
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.links import Link, shown_link, with_link
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.state import (
    EXCLUSIVE,
    SHARED,
    Device,
    Rdma,
    System,
    observe_rdma,
)
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.system import Subsystem, plan_system

Built = TypeVar("Built")
SECTIONS = ("netns_mode", "namespaces", "links", "devices", "cgroups")
#: Keys of an entry of each section: (required, optional). All values are strings, but those of _OTHER_TYPES.
_KEYS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "links": (("name", "type", "netdev"), ()),
    "devices": (("device",), ("name", "netns", "adaptive_moderation")),
    "cgroups": (("cgroup", "device"), KEYS),
}
_OTHER_TYPES: Mapping[str, tuple[type, ...]] = {
    "adaptive_moderation": (bool,),
    "hca_handle": (int, str),
    "hca_object": (int, str),
}


@dataclass(frozen=True)
class HostWant:
    """The document, checked. C(netns_mode) None leaves the mode as it is."""

    netns_mode: str | None = None
    links: tuple[Link, ...] = ()
    namespaces: tuple[str, ...] = ()
    devices: tuple[Placement, ...] = ()
    cgroups: tuple[WantedLimits, ...] = ()


@dataclass(frozen=True)
class HostState:
    rdma: Rdma
    cgroups: Cgroups = field(default_factory=Cgroups)


def load_document(data: object) -> HostWant:
    """The document from parsed JSON or YAML, or from module parameters; null is the same as a key that is not there.

    Everything that is wrong in itself is refused here, what does not fit the host in plan_host.
    """
    if not isinstance(data, Mapping):
        raise _wrong(f"expected a mapping, found {_kind(data)}.")
    for key in data:
        if key not in SECTIONS:
            raise _wrong(f"unknown key {key!r}; known are: {', '.join(SECTIONS)}.")
    want = HostWant(
        netns_mode=_netns_mode(data.get("netns_mode")),
        links=_built(data, "links", lambda entry: Link(entry["name"], entry["type"], entry["netdev"])),
        namespaces=tuple(_namespace(number, name) for number, name in enumerate(_listed(data, "namespaces"))),
        devices=_built(data, "devices", _placement),
        cgroups=_built(data, "cgroups", load_limits),
    )
    _check_links(want)
    _check_devices(want)
    _check_cgroups(want)
    return want


def observe_host(host: Host, want: HostWant) -> HostState:
    """As observe_rdma, plus the cgroups of the document, which take no process."""
    return HostState(observe_rdma(host), observe_cgroups(host, [limits.cgroup for limits in want.cgroups]))


def plan_host(
    have: HostState,
    want: HostWant,
    allow_disruption: bool = False,
    expected_netdevs: Iterable[str] = (),
    expected_devices: Iterable[str] = (),
) -> Plan:
    """All steps: mode, namespaces, links, placements, limits; each planned on the state that those before lead to.

    C(expected_netdevs) and C(expected_devices) are network devices and RDMA devices that somebody else makes before
    the steps are taken.
    """
    steps: list[Step] = []
    rdma, cgroups = have.rdma, have.cgroups
    rdma = replace(rdma, netdevs={**dict.fromkeys(expected_netdevs, ""), **rdma.netdevs})
    known = {placement.device for placement in want.devices if find(rdma, placement)}
    known |= {*rdma.names, *(link.name for link in want.links)}
    rdma = replace(rdma, devices=(*rdma.devices, *(Device(name) for name in expected_devices if name not in known)))
    more: tuple[Step, ...]
    if want.netns_mode is not None:
        steps += plan_system(Subsystem(System(rdma.mode), rdma.spaces), netns=want.netns_mode).steps
        rdma = replace(rdma, mode=want.netns_mode)
    for name in want.namespaces:
        steps += plan_namespace(rdma.spaces, name, True).steps
        rdma = replace(rdma, spaces=_with_name(rdma.spaces, name))
    for link in want.links:
        more, rdma = with_link(rdma, link)
        steps += more
    for placement in want.devices:
        more, rdma = with_placement(rdma, placement, allow_disruption)
        steps += more
    _refuse_one_cgroup_twice(cgroups.mount, want)
    for limits in want.cgroups:
        more, cgroups = with_limits(cgroups, rdma.names, limits)
        steps += more
    return Plan(tuple(steps), shown_host(have, want), shown_host(HostState(rdma, cgroups), want))


def missing_hardware(have: HostState, want: HostWant) -> tuple[str, ...]:
    """What the document needs and does not make itself, in words; at boot it can still appear."""
    rdma = have.rdma
    links = {link.name for link in want.links}
    made = links | {placement.final_name for placement in want.devices}
    devices = [
        placement.device for placement in want.devices if not (find(rdma, placement) or placement.device in links)
    ]
    devices += [limits.device for limits in want.cgroups if not (rdma.device(limits.device) or limits.device in made)]
    netdevs = [link.netdev for link in want.links if not (rdma.device(link.name) or link.netdev in rdma.netdevs)]
    words = [f"RDMA device {name}" for name in devices] + [f"network device {name}" for name in netdevs]
    return tuple(dict.fromkeys(words))


def _with_name(spaces: Namespaces, name: str) -> Namespaces:
    if name in spaces.names:
        return spaces
    stale = tuple(other for other in spaces.stale if other != name)
    return Namespaces((*spaces.live, Namespace(f"{RUN_DIRECTORY}/{name}", name)), stale)


def shown_host(state: HostState, want: HostWant) -> dict[str, Any]:
    """The part of the state that the document is about."""
    return {
        "netns_mode": state.rdma.mode,
        "namespaces": [name for name in want.namespaces if name in state.rdma.spaces.names],
        "links": [shown_link(state.rdma, link.name) for link in want.links],
        "devices": [shown_device(find(state.rdma, placement)) for placement in want.devices],
        "cgroups": [shown_limits(state.cgroups, limits) for limits in want.cgroups],
    }


# Reading the document


def _wrong(text: str) -> RailheadError:
    return RailheadError(f"Cannot use the RDMA document: {text}")


def _kind(value: object) -> str:
    return "nothing" if value is None else f"{value!r} ({type(value).__name__})"


def _listed(data: Mapping[str, Any], section: str) -> Sequence[Any]:
    found = data.get(section)
    if found is None:
        return ()
    if not isinstance(found, (list, tuple)):
        raise _wrong(f"{section}: expected a list, found {_kind(found)}.")
    return found


def _netns_mode(value: object) -> str | None:
    if value is None or value in (SHARED, EXCLUSIVE):
        return value if isinstance(value, str) else None
    raise _wrong(f"netns_mode: expected {SHARED} or {EXCLUSIVE}, found {_kind(value)}.")


def _namespace(number: int, name: object) -> str:
    if not isinstance(name, str):
        raise _wrong(f"namespaces[{number}]: expected a name, found {_kind(name)}.")
    try:
        return valid_name(name)
    except RailheadError as error:
        raise _wrong(f"namespaces[{number}]: {error}") from error


def _built(data: Mapping[str, Any], section: str, build: Callable[[Mapping[str, Any]], Built]) -> tuple[Built, ...]:
    found = []
    for number, entry in enumerate(_listed(data, section)):
        _check_entry(section, number, entry)
        try:
            found.append(build(entry))
        except RailheadError as error:
            raise _wrong(f"{section}[{number}]: {error}") from error
    return tuple(found)


def _check_entry(section: str, number: int, entry: object) -> None:
    where = f"{section}[{number}]"
    required, optional = _KEYS[section]
    if not isinstance(entry, Mapping):
        raise _wrong(f"{where}: expected a mapping with {', '.join(required)}, found {_kind(entry)}.")
    for key, value in entry.items():
        if key not in (*required, *optional):
            raise _wrong(f"{where}: unknown key {key!r}; known are: {', '.join((*required, *optional))}.")
        types = _OTHER_TYPES.get(key, (str,))
        if value is not None and (not isinstance(value, types) or (isinstance(value, bool) and bool not in types)):
            raise _wrong(
                f"{where}.{key}: expected {' or '.join(kind.__name__ for kind in types)}, found {_kind(value)}."
            )
    for key in required:
        if entry.get(key) is None:
            raise _wrong(f"{where}: '{key}' is missing.")


def _placement(entry: Mapping[str, Any]) -> Placement:
    want = Placement(entry["device"], entry.get("name"), entry.get("netns"), entry.get("adaptive_moderation"))
    if want == Placement(want.device):
        raise RailheadError(f"Nothing is wanted of {want.device}: give name, netns or adaptive_moderation.")
    return want


def _check_links(want: HostWant) -> None:
    _refuse_twice(
        "links", (link.name for link in want.links), "two links are named {}; names of RDMA devices are unique."
    )
    _refuse_twice(
        "links",
        (f"{link.kind} on {link.netdev}" for link in want.links),
        "two links are of type {}; a network device takes one of each type.",
    )
    _refuse_twice("namespaces", want.namespaces, "{} is listed twice.")


def _check_devices(want: HostWant) -> None:
    _refuse_twice(
        "devices", (placement.device for placement in want.devices), "{} is placed twice; say all of it in one entry."
    )
    _refuse_twice("devices", (placement.final_name for placement in want.devices), "two devices are to be named {}.")
    others = {placement.device: "another entry's device" for placement in want.devices}
    others.update({link.name: "a link of this document" for link in want.links})
    for placement in want.devices:
        if placement.final_name == placement.device:
            continue
        if placement.final_name in others:
            raise _wrong(
                f"devices: {placement.device} is to be named {placement.name}, which is {others[placement.final_name]}."
            )
        if others[placement.device].startswith("a link"):
            raise _wrong(
                f"devices: {placement.device} is a link of this document; give it the name {placement.name} there."
            )


def _check_cgroups(want: HostWant) -> None:
    renamed = {placement.device: placement.final_name for placement in want.devices}
    for limits in want.cgroups:
        name = renamed.get(limits.device, limits.device)
        if name != limits.device:
            raise _wrong(
                f"cgroups: {limits.device} in {limits.cgroup!r} is to be renamed by this document; name it {name}."
            )


def _refuse_one_cgroup_twice(mount: str, want: HostWant) -> None:
    """Only with the mount is it known whether an absolute and a relative path are the same."""
    pairs = (f"{limits.device} in {relative(mount, limits.cgroup)}" for limits in want.cgroups)
    _refuse_twice("cgroups", pairs, "{} is limited twice; say both limits in one entry.")


def _refuse_twice(section: str, values: Iterable[str], complaint: str) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise _wrong(f"{section}: {complaint.format(value)}")
        seen.add(value)
