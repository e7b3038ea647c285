# SPDX-License-Identifier: GPL-3.0-or-later
"""Any documents on any host: refused, or reached by steps that the hardware takes; and there is a way back."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.document import load_document
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.plan import FabricPlan, plan_fabric
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.restore import document_of
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import ALL_CONSENTS, FabricWant

from .documents import documents, hosts, in_use
from .model import ModelHost

many = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def _loaded(document: dict[str, Any]) -> FabricWant:
    """Nothing is wanted where the document is refused."""
    try:
        return load_document(document)
    except RailheadError as refused:
        event(f"document refused: {str(refused).split(': ')[-1][:40]}")
        return FabricWant()


def _planned(host: ModelHost, want: FabricWant, **more: Any) -> FabricPlan | None:
    """None when the host cannot have it; with all consents, nobody is asked for one."""
    try:
        return plan_fabric(host.observe(want), want, ALL_CONSENTS, **more)
    except RailheadError as refused:
        assert "allow_" not in str(refused)
        event(f"host refused: {str(refused)[:60]}")
        return None


def _reached(host: ModelHost, want: FabricWant) -> bool:
    """Whether the host has it now; the model answers with an error where the kernel would."""
    plan = _planned(host, want)
    if plan is None:
        return False
    known = plan.leads_to.ovs is None or plan.leads_to.ovs.known
    left = plan_fabric(plan.leads_to, want, ALL_CONSENTS)
    assert not (known and left.steps), ("predicted", plan.steps, left.steps)
    host.apply(plan.steps)
    if not known:
        # A database that does not run tells nothing of its bridges: then it takes a second run.
        plan = plan_fabric(host.observe(want), want, ALL_CONSENTS)
        host.apply(plan.steps)
    _assert_reached(host, want, plan)
    event("reached" if plan.steps else "nothing to do")
    return True


def _assert_reached(host: ModelHost, want: FabricWant, plan: FabricPlan) -> None:
    left = plan_fabric(host.observe(want), want, ALL_CONSENTS)
    assert not left.steps, (plan.steps, left.steps)
    if host.switch is not None and want.ovs_config:
        loaded = host.switch.loaded or {}
        assert (loaded.get("hw-offload") == "true") == (host.switch.config.get("hw-offload") == "true")


@st.composite
def cases(draw: st.DrawFn) -> tuple[ModelHost, FabricWant, FabricWant]:
    host = draw(hosts())
    first, second = (_loaded(draw(documents(host))) for _number in range(2))
    return host, first, second


@many
@given(cases())
def test_one_document_after_another(case: tuple[ModelHost, FabricWant, FabricWant]) -> None:
    host, first, second = case
    for want in (first, second, first):
        _reached(host, want)


@many
@given(cases(), st.integers(0, 60))
def test_killed_and_run_again(case: tuple[ModelHost, FabricWant, FabricWant], killed_after: int) -> None:
    host, first, second = case
    if not _reached(host, first) or _planned(host, second) is None:
        return
    whole = host.copy()
    _reached(whole, second)
    plan = plan_fabric(host.observe(second), second, ALL_CONSENTS)
    host.apply(plan.steps[:killed_after])
    assert _reached(host, second)
    assert document_of(host.observe(second), second) == document_of(whole.observe(second), second)


@many
@given(cases())
def test_at_boot_the_ports_come_first(case: tuple[ModelHost, FabricWant, FabricWant]) -> None:
    host, first, second = case
    if not _reached(host, first) or _planned(host, second) is None:
        return
    whole = host.copy()
    _reached(whole, second)
    plan = _planned(host, second, ports_only=True)
    assert plan is not None
    host.apply(plan.steps)
    assert not plan_fabric(host.observe(second), second, ALL_CONSENTS, ports_only=True).steps
    assert _reached(host, second)
    assert document_of(host.observe(second), second) == document_of(whole.observe(second), second)


@many
@given(cases(), st.integers(0, 60))
def test_the_way_back(case: tuple[ModelHost, FabricWant, FabricWant], killed_after: int) -> None:
    host, first, second = case
    _reached(host, first)
    plan = _planned(host, second)
    if plan is None:
        return
    before = plan.before
    assert before == document_of(host.observe(second), second)
    host.apply(plan.steps[:killed_after])
    back = load_document(before)
    restored = _planned(host, back)
    assert restored is not None, before
    host.apply(restored.steps)
    _assert_reached(host, back, restored)
    assert _comparable(document_of(host.observe(second), second)) == _comparable(before)


def _comparable(document: Any) -> Any:
    """No document takes an altname or a primary away; and things are listed in the order in which they came."""
    if isinstance(document, dict):
        return {key: _comparable(value) for key, value in document.items() if key not in ("altnames", "primary")}
    return sorted((_comparable(value) for value in document), key=str) if isinstance(document, list) else document


@many
@given(cases())
def test_nobody_is_disturbed_without_consent(case: tuple[ModelHost, FabricWant, FabricWant]) -> None:
    host, first, second = case
    _reached(host, first)
    used = in_use(host)
    try:
        plan = plan_fabric(host.observe(second), second)
    except RailheadError as refused:
        event(f"refused: {'consent' if 'allow_' in str(refused) else 'anyway'}")
        return
    host.disturbed.clear()
    host.apply(plan.steps)
    assert not host.disturbed & used, (plan.steps, host.disturbed & used)
    event("done" if plan.steps else "nothing to do")
