# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The RoCE QoS of a whole host as one document, checked as far as that is possible without the host. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.observe import DCB, MLNX_QOS
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.ports import valid_port
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.request import (
    COUNT,
    DSCP,
    HIGHEST_DSCP,
    Settings,
    number,
    settings_from,
    wrong,
)
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.request import KEYS as DCB_KEYS
from ansible_collections.railhead.cluster.plugins.module_utils._rdma_cm.defaults import Want as CmWant
from ansible_collections.railhead.cluster.plugins.module_utils._rdma_cm.defaults import valid_tos, want_from

PROVIDERS = (DCB, MLNX_QOS)
KEYS = (
    "provider",
    "ports",
    *DCB_KEYS,
    "ecn",
    "cnp_dscp",
    "cnp_priority",
    "rdma_devices",
    "cma_mode",
    "cma_tos",
    "traffic_class",
)


@dataclass(frozen=True)
class QosWant:
    """The document, checked. None is 'leave as it is'."""

    provider: str = DCB
    ports: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)
    ecn: frozenset[int] | None = None
    cnp_dscp: int | None = None
    cnp_priority: int | None = None
    devices: tuple[CmWant, ...] = ()
    traffic_class: int | None = None


def load_document(data: object) -> QosWant:
    """The document from parsed JSON or YAML, or from module parameters; null is the same as a key that is not there."""
    try:
        return _loaded(data)
    except RailheadError as error:
        raise RailheadError(f"Cannot use the QoS document: {error}") from error


def _loaded(data: object) -> QosWant:
    if not isinstance(data, Mapping):
        raise wrong("the document", data, "a mapping")
    for key in data:
        if key not in KEYS:
            raise RailheadError(f"unknown key {key!r}; known are: {', '.join(KEYS)}.")
    given = {key: value for key, value in data.items() if value is not None}
    provider = given.get("provider", DCB)
    if provider not in PROVIDERS:
        raise wrong("provider", provider, f"{DCB} or {MLNX_QOS}")
    settings = settings_from({**given, "global_pause": False if given.get("pfc") else None})
    ecn = given.get("ecn")
    want = QosWant(
        provider,
        tuple(valid_port(port) for port in _names("ports", given)),
        settings,
        None if ecn is None else frozenset(number("ecn", priority, COUNT - 1) for priority in _listed("ecn", ecn)),
        number("cnp_dscp", given["cnp_dscp"], HIGHEST_DSCP) if "cnp_dscp" in given else None,
        number("cnp_priority", given["cnp_priority"], COUNT - 1) if "cnp_priority" in given else None,
        tuple(
            want_from(device, given.get("cma_mode"), given.get("cma_tos")) for device in _names("rdma_devices", given)
        ),
        valid_tos("traffic_class", given["traffic_class"]) if "traffic_class" in given else None,
    )
    _check_ecn(want)
    _check_cnp(want)
    for key in ("cma_tos", "traffic_class"):
        if given.get(key) and want.devices:
            _check_lossless(want, key, given[key])
    return want


def _listed(key: str, found: Any) -> list[Any]:
    if not isinstance(found, (list, tuple)):
        raise wrong(key, found, "a list")
    return list(found)


def _names(key: str, given: Mapping[str, Any]) -> list[str]:
    names = _listed(key, given.get(key, []))
    for name in names:
        if not isinstance(name, str):
            raise wrong(key, name, "names, in quotes")
        if names.count(name) > 1:
            raise RailheadError(f"{key}: {name} is listed twice.")
    return names


def _check_ecn(want: QosWant) -> None:
    if want.ecn is not None and want.provider == DCB:
        raise RailheadError(
            "Cannot use ecn with provider=dcb: the kernel's own driver has no switch for it. The firmware has one,"
            " ROCE_CC_PRIO_MASK_P1, which is on for all priorities unless somebody changed it; leave ecn out."
        )
    if want.traffic_class is not None and want.provider == DCB:
        raise RailheadError(
            "Cannot use traffic_class with provider=dcb: only the vendor's drivers have it; let applications set"
            " theirs, such as NCCL_IB_TC, and leave traffic_class out."
        )


def _check_cnp(want: QosWant) -> None:
    """Packets that report congestion must get through where there is congestion, and arrive with their priority."""
    if not want.ports or want.cnp_priority is None:
        return
    if want.cnp_priority in (want.settings.pfc or ()):
        raise RailheadError(
            f"Cannot use {want.cnp_priority} for cnp_priority: PFC is wanted on it, and would stop the packets that are"
            " to end the congestion; give another priority, such as 6."
        )
    mapped = None if want.cnp_dscp is None else want.settings.priority_of(want.cnp_dscp)
    if want.settings.trust == DSCP and mapped not in (None, want.cnp_priority):
        raise RailheadError(
            f"Cannot use {want.cnp_priority} for cnp_priority: cnp_dscp {want.cnp_dscp} is priority {mapped}; map it"
            f" with dscp_prio, {{{want.cnp_dscp}: {want.cnp_priority}}}."
        )


def _check_lossless(want: QosWant, key: str, tos: int) -> None:
    settings = want.settings
    if not want.ports or not settings.pfc or settings.trust != DSCP:
        return
    dscp = tos >> 2
    priority = settings.priority_of(dscp)
    if priority not in settings.pfc:
        raise RailheadError(
            f"Cannot use {tos} for {key}: it is DSCP {dscp}, so priority {priority}, which has no PFC (pfc:"
            f" {sorted(settings.pfc)}); map it with dscp_prio, or give the ToS of a DSCP that is mapped."
        )
