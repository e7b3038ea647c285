# SPDX-License-Identifier: GPL-3.0-or-later
"""A model of the kernel: what a step does to a state, with the rules that the kernel was seen to enforce."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ansible_collections.railhead.cluster.plugins.module_utils._cgroup.rdma import (
    Cgroup,
    Cgroups,
    Limits,
    parse_limit,
)
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, MakeDirectory, Step, Write
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import Namespace, Namespaces
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.host_state import HostState
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.state import Device, Rdma


def applied(state: HostState, steps: Iterable[Step]) -> HostState:
    """The state after the steps; an assertion fails where the kernel would refuse one."""
    for step in steps:
        if isinstance(step, Command):
            rdma = _command(state.rdma, step.argv)
            state = HostState(rdma, _renamed(state.cgroups, state.rdma, rdma))
        elif isinstance(step, MakeDirectory):
            state = replace(state, cgroups=_made(state.cgroups, step.path))
        elif isinstance(step, Write):
            state = replace(state, cgroups=_written(state, step.path, step.value))
    return state


def _command(rdma: Rdma, argv: tuple[str, ...]) -> Rdma:
    here = ""
    if argv[0] == "nsenter":
        here = argv[1].removeprefix("--net=/run/netns/")
        argv = argv[argv.index("--") + 1 :]
    match argv:
        case ("ip", "netns", "add", name):
            assert name not in rdma.spaces.names
            return replace(rdma, spaces=Namespaces((*rdma.spaces.live, Namespace(f"/run/netns/{name}", name))))
        case ("rdma", "system", "set", "netns", mode):
            assert mode == rdma.mode or not rdma.spaces.live, "EBUSY"
            return replace(rdma, mode=mode)
        case ("rdma", "link", "add", name, "type", kind, "netdev", netdev):
            assert rdma.device(name) is None, "ENFILE"
            assert netdev in rdma.netdevs, "ENODEV"
            assert (kind, netdev) not in [(device.kind, device.netdev) for device in rdma.devices], "EEXIST"
            return replace(rdma, devices=(*rdma.devices, Device(name, "", kind, netdev, False)))
        case ("rdma", "dev", "set", name, key, value):
            return _set(rdma, here, name, key, value)
    raise AssertionError(f"unexpected command: {argv}")


def _set(rdma: Rdma, here: str, name: str, key: str, value: str) -> Rdma:
    device = rdma.device(name)
    assert device is not None, "Wrong device name"
    assert device.netns == here or rdma.mode == "shared", "ENODEV"
    if key == "name":
        assert rdma.device(value) is None, "EEXIST"
        changed = replace(device, name=value)
    elif key == "adaptive-moderation":
        changed = replace(device, adaptive_moderation=value == "on")
    else:
        assert key == "netns"
        assert rdma.mode == "exclusive", "EOPNOTSUPP"
        target = "" if value == "../../proc/1/ns/net" else value
        assert target in ("", *rdma.spaces.names), "Cannot open network namespace"
        changed = replace(device, netns=target, netdev=None, users=())
    return replace(rdma, devices=tuple(changed if other == device else other for other in rdma.devices))


def _renamed(cgroups: Cgroups, before: Rdma, after: Rdma) -> Cgroups:
    """Limits belong to the device and follow its name."""
    names = dict(zip(before.names, after.names, strict=False))

    def follow(group: Cgroup) -> Cgroup:
        if group.limits is None:
            return group
        return replace(group, limits={names.get(device, device): limit for device, limit in group.limits.items()})

    return replace(cgroups, groups={path: follow(group) for path, group in cgroups.groups.items()})


def _made(cgroups: Cgroups, path: str) -> Cgroups:
    inner = path.removeprefix(f"{cgroups.mount}/")
    parent = inner.rpartition("/")[0]
    assert not cgroups.at(inner).exists, "EEXIST"
    assert cgroups.at(parent).exists, "ENOENT"
    group = Cgroup(exists=True, limits={} if cgroups.at(parent).passes_on else None)
    return replace(cgroups, groups={**cgroups.groups, inner: group})


def _written(state: HostState, path: str, value: str) -> Cgroups:
    cgroups = state.cgroups
    inner, _slash, file = path.removeprefix(cgroups.mount).removeprefix("/").rpartition("/")
    group = cgroups.at(inner)
    assert group.exists, "ENOENT"
    if file == "cgroup.subtree_control":
        assert value == "+rdma"
        assert inner == "" or group.limits is not None, "ENOENT"
        assert inner == "" or not group.occupied, "EBUSY"
        children = {
            child: replace(below, limits=below.limits or {})
            for child, below in cgroups.groups.items()
            if child and child.rpartition("/")[0] == inner
        }
        return replace(cgroups, groups={**cgroups.groups, inner: replace(group, passes_on=True), **children})
    assert file == "rdma.max"
    assert group.limits is not None, "ENOENT"
    device, *words = value.split()
    assert device in state.rdma.names, "ENODEV"
    values = {key: parse_limit(key, limit) for key, limit in (word.split("=") for word in words)}
    limits = {**group.limits, device: replace(group.limits.get(device, Limits()), **values)}
    return replace(cgroups, groups={**cgroups.groups, inner: replace(group, limits=limits)})
