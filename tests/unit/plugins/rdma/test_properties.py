# SPDX-License-Identifier: GPL-3.0-or-later
"""Any document on any host: refused, or reached by steps that the kernel takes, and then nothing is left to do."""

from __future__ import annotations

from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._cgroup.rdma import Cgroup, Cgroups, Limits
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import Namespace, Namespaces
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.host_state import (
    HostState,
    HostWant,
    load_document,
    missing_hardware,
    plan_host,
    shown_host,
)
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.state import Device, Rdma

from .model import applied

NAMES = st.sampled_from(["mlx5_0", "mlx5_1", "siw0", "rail0"])
LINK_NAMES = st.sampled_from(["siw0", "rxe0", "rail1"])
NEW_NAMES = st.sampled_from(["rail0", "rail1"])
NETDEVS = st.sampled_from(["eth0", "eth1", "eth0.5"])
SPACES = st.sampled_from(["gpu0", "gpu1"])
PATHS = ("a", "a/b", "c")
LIMITS = st.sampled_from([0, 2, 2000, "2", "max", 2147483647])


many = settings(max_examples=200, derandomize=True, deadline=None)


@st.composite
def hosts(draw: st.DrawFn) -> HostState:
    mode = draw(st.sampled_from(["shared", "exclusive"]))
    names = draw(st.lists(SPACES, unique=True))
    homes = st.sampled_from(["", *names]) if mode == "exclusive" else st.just("")
    devices = [
        Device(name, draw(homes), "", f"ens{name}", draw(st.booleans()), draw(st.sampled_from([(), ("job (pid 7)",)])))
        for name in draw(st.lists(st.sampled_from(["mlx5_0", "mlx5_1", "rail0"]), unique=True, min_size=1))
    ]
    if draw(st.booleans()):
        devices.append(Device("siw0", "", "siw", draw(NETDEVS), False))
    spaces = Namespaces(tuple(Namespace(f"/run/netns/{name}", name) for name in names))
    netdevs = {"eth0": "", "eth1": "", "eth0.5": "vlan"}
    return HostState(Rdma(mode, spaces, tuple(devices), netdevs), draw(cgroups([device.name for device in devices])))


@st.composite
def cgroups(draw: st.DrawFn, devices: list[str]) -> Cgroups:
    groups = {"": Cgroup(exists=True, passes_on=draw(st.booleans()), occupied=True)}
    for path in PATHS:
        parent = groups.get(path.rpartition("/")[0])
        if parent is None or draw(st.booleans()):
            continue
        limits = (
            st.dictionaries(st.sampled_from(devices), st.builds(Limits, st.integers(0, 3))) if devices else st.just({})
        )
        has_limits = parent.passes_on
        passes_on = has_limits and draw(st.booleans())
        groups[path] = Cgroup(
            exists=True,
            passes_on=passes_on,
            occupied=not passes_on and draw(st.booleans()),
            limits=draw(limits) if has_limits else None,
        )
    return Cgroups("/sys/fs/cgroup", True, groups)


def _entry(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


DOCUMENTS = _entry(
    {},
    netns_mode=st.sampled_from(["shared", "exclusive"]),
    namespaces=st.lists(SPACES, max_size=2),
    links=st.lists(
        _entry({"name": LINK_NAMES, "type": st.sampled_from(["rxe", "siw"]), "netdev": NETDEVS}), max_size=2
    ),
    devices=st.lists(
        _entry(
            {"device": NAMES, "adaptive_moderation": st.booleans()},
            name=NEW_NAMES,
            netns=st.one_of(st.just(""), SPACES),
        ),
        max_size=2,
    ),
    cgroups=st.lists(
        _entry({"cgroup": st.sampled_from(PATHS), "device": NAMES, "hca_handle": LIMITS}, hca_object=LIMITS), max_size=2
    ),
)


def _reached(have: HostState, want: HostWant) -> HostState | None:
    """The state after the plan was applied; None where it is refused."""
    try:
        plan = plan_host(have, want, allow_disruption=True)
    except RailheadError:
        return None
    after = applied(have, plan.steps)
    assert plan_host(after, want).steps == ()
    assert plan.before == shown_host(have, want)
    assert plan.after == shown_host(after, want)
    assert missing_hardware(after, want) == ()
    return after


def _loaded(document: dict[str, Any]) -> HostWant | None:
    try:
        return load_document(document)
    except RailheadError:
        return None


@many
@given(hosts(), DOCUMENTS)
def test_a_plan_reaches_what_it_says(have: HostState, document: dict[str, Any]) -> None:
    want = _loaded(document)
    if want is None:
        event("document refused")
        return
    after = _reached(have, want)
    event("host refused" if after is None else f"{'nothing to do' if after == have else 'reached'}")


@many
@given(hosts(), DOCUMENTS, DOCUMENTS)
def test_one_document_after_another(have: HostState, first: dict[str, Any], second: dict[str, Any]) -> None:
    for document in (first, second):
        want = _loaded(document)
        have = (want and _reached(have, want)) or have


@many
@given(hosts(), DOCUMENTS, st.integers(0, 9))
def test_interrupted_and_run_again(have: HostState, document: dict[str, Any], killed_after: int) -> None:
    want = _loaded(document)
    whole = want and _reached(have, want)
    if want is None or whole is None:
        return
    half = applied(have, plan_host(have, want, allow_disruption=True).steps[:killed_after])
    again = _reached(half, want)
    assert again is not None
    assert shown_host(again, want) == shown_host(whole, want)


@many
@given(hosts(), DOCUMENTS)
def test_consent_is_needed_only_where_someone_is_disturbed(have: HostState, document: dict[str, Any]) -> None:
    want = _loaded(document)
    if want is None or _reached(have, want) is None:
        return
    moved = [
        device
        for device in have.rdma.devices
        for placement in want.devices
        if device.name in (placement.device, placement.name) and placement.netns not in (None, device.netns)
    ]
    try:
        plan_host(have, want)
    except RailheadError as refused:
        assert "allow_disruption" in str(refused)
        assert any(device.users for device in moved)
    else:
        assert not any(device.users for device in moved)
