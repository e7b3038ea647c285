# SPDX-License-Identifier: GPL-3.0-or-later
"""The QoS of a host: congestion notification, RDMA devices, and what is still to come."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Write
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.plan import Consents
from ansible_collections.railhead.cluster.plugins.module_utils._qos.document import QosWant, load_document
from ansible_collections.railhead.cluster.plugins.module_utils._qos.host_state import (
    Congestion,
    QosState,
    missing_hardware,
    observe_qos,
    parse_traffic_class,
    plan_qos,
)
from ansible_collections.railhead.cluster.plugins.module_utils._rdma_cm.defaults import Device, RdmaCm

from ..dcb.model import applied
from ..dcb.test_dcb_parse import batch, mlnx
from ..rdma_cm.test_rdma_cm import RefusingHost
from ..replay import ReplayHost
from .test_qos_document import DOCUMENT, PORT

ALL = Consents(True, True)
CC = "/sys/kernel/debug/mlx5/0000:08:00.0/cc_params"
ECN = "/sys/class/net/ens1f0np0/ecn"
CM = "/sys/kernel/config/rdma_cm/mlx5_0"
WANT = load_document(DOCUMENT)
OFED = load_document({**DOCUMENT, "provider": "mlnx_qos", "ecn": [3], "traffic_class": 106})
#: Linux 6.12: what the firmware of a card has by itself.
FIRMWARE = Congestion(CC, {"np_cnp_dscp": 48, "np_cnp_prio": 6, "np_cnp_prio_mode": 1})
ECN_FILES = {f"{point}/enable/{priority}": 1 for point in ("roce_np", "roce_rp") for priority in range(8)}
OFED_FIRMWARE = Congestion(ECN, {"roce_np/cnp_dscp": 48, "roce_np/cnp_802p_prio": 6, **ECN_FILES})
RDMA_CM = RdmaCm(True, {"mlx5_0": Device("mlx5_0")}, ("mlx5_0",))
FRESH = QosState({PORT: batch("7.3.0")["fresh0"]}, {PORT: FIRMWARE}, RDMA_CM, {"mlx5_0": None})
OFED_FRESH = QosState({PORT: mlnx("5.0-pcp.txt")}, {PORT: OFED_FIRMWARE}, RDMA_CM, {"mlx5_0": -1})


def commands(have: QosState, want: QosWant, **more: Any) -> list[str]:
    return [" ".join(step.shown) for step in plan_qos(have, want, ALL, **more).steps]


def test_all_of_it_with_the_drivers_of_the_kernel() -> None:
    assert [line for line in commands(FRESH, WANT) if not line.startswith("dcb ")] == [
        f"write {CC}/np_cnp_prio 6",
        f"mkdir {CM}",
        f"write {CM}/ports/1/default_roce_tos 106",
        f"rmdir {CM}",
    ]
    assert commands(FRESH, WANT)[0] == "dcb dcbx set dev fresh0 host cee ieee"


def test_all_of_it_with_the_drivers_of_the_vendor() -> None:
    lines = [line for line in commands(OFED_FRESH, OFED) if not line.startswith("mlnx_qos ")]
    off = [number for number in range(8) if number != 3]
    assert lines == [
        *(f"write {ECN}/roce_np/enable/{number} 0" for number in off),
        *(f"write {ECN}/roce_rp/enable/{number} 0" for number in off),
        f"mkdir {CM}",
        f"write {CM}/ports/1/default_roce_tos 106",
        f"rmdir {CM}",
        "write /sys/class/infiniband/mlx5_0/tc/1/traffic_class 106",
    ]


def test_check_mode_shows_what_there_is_and_will_be() -> None:
    plan = plan_qos(FRESH, WANT, ALL)
    assert plan.before["ports"][0]["pfc"] == []
    assert plan.after["ports"][0]["pfc"] == [3]
    assert plan.before["rdma_devices"] == [
        {"device": "mlx5_0", "ports": [{"port": 1, "mode": "RoCE v2", "tos": 0}], "traffic_class": None}
    ]
    assert plan.after["rdma_devices"][0]["ports"] == [{"port": 1, "mode": "RoCE v2", "tos": 106}]


def test_a_port_without_dcbx_is_left_to_itself() -> None:
    have = replace(FRESH, ports={PORT: replace(FRESH.ports[PORT], dcbx=None)})
    assert not any("dcbx" in line for line in commands(have, WANT))


@pytest.mark.parametrize(
    ("have", "want", "words"),
    [
        (replace(FRESH, congestion={PORT: Congestion(CC)}), WANT, "np_cnp_dscp.*there is no .*mlx5_ib loaded, debugfs"),
        (replace(OFED_FRESH, congestion={PORT: Congestion(ECN)}), OFED, "Only the vendor's driver has it"),
        (
            replace(OFED_FRESH, traffic_classes={"mlx5_0": None}),
            OFED,
            "set the traffic class of mlx5_0 to 106: there is no",
        ),
        (replace(FRESH, rdma_cm=RdmaCm(False, {}, ("mlx5_0",))), WANT, "load the module rdma_cm"),
        (replace(FRESH, rdma_cm=RdmaCm(True, {}, ("mlx5_1",))), WANT, "no such RDMA device; found: mlx5_1"),
        (
            replace(FRESH, ports={PORT: replace(FRESH.ports[PORT], overwritten=True)}),
            WANT,
            "lldpad is running",
        ),
    ],
)
def test_refusals(have: QosState, want: QosWant, words: str) -> None:
    with pytest.raises(RailheadError, match=words):
        plan_qos(have, want, ALL)


def test_no_consent_by_default() -> None:
    used = replace(FRESH, ports={PORT: replace(FRESH.ports[PORT], carrier=True)})
    with pytest.raises(RailheadError, match="allow_port_traffic=true"):
        plan_qos(used, WANT)


@pytest.mark.parametrize(
    ("rdma_cm", "more"),
    [
        (RdmaCm(True), {"expected_devices": ["mlx5_0"]}),
        (RdmaCm(False), {"expected_devices": ["mlx5_0"], "expect_rdma_cm": True}),
        (RdmaCm(False, known=("mlx5_0",)), {"expect_rdma_cm": True}),
    ],
)
def test_devices_that_are_still_to_come(rdma_cm: RdmaCm, more: dict[str, Any]) -> None:
    """They are planned as the kernel makes them: RoCE v2, and ToS 0."""
    want = load_document({"rdma_devices": ["mlx5_0"], "cma_mode": "RoCE v2", "cma_tos": 106})
    assert commands(QosState(rdma_cm=rdma_cm), want, **more) == [
        f"mkdir {CM}",
        f"write {CM}/ports/1/default_roce_tos 106",
        f"rmdir {CM}",
    ]


@pytest.mark.parametrize(
    ("rdma_cm", "more", "words"),
    [
        (RdmaCm(False), {"expect_rdma_cm": True}, "no such RDMA device"),
        (RdmaCm(False), {"expected_devices": ["mlx5_0"]}, "load the module rdma_cm"),
    ],
)
def test_devices_that_nobody_makes(rdma_cm: RdmaCm, more: dict[str, Any], words: str) -> None:
    want = load_document({"rdma_devices": ["mlx5_0"], "cma_tos": 106})
    with pytest.raises(RailheadError, match=words):
        plan_qos(QosState(rdma_cm=rdma_cm), want, ALL, **more)


def test_what_exists_is_not_guessed() -> None:
    want = load_document({"rdma_devices": ["mlx5_0"], "cma_tos": 0})
    have = QosState(rdma_cm=RDMA_CM)
    assert plan_qos(have, want, ALL, expected_devices=["mlx5_0"]).before == plan_qos(have, want, ALL).before


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (None, None),
        ("", -1),
        ("Global tclass=106", 106),
        ("Global tclass=0\n", 0),
        ("Global tclass=96\nsrc_ip=192.0.2.1,tclass=106", 96),
        ("dst_ip=192.0.2.1,tclass=106", -1),
    ],
)
def test_the_traffic_class_of_a_device(text: str | None, value: int | None) -> None:
    assert parse_traffic_class(text) == value


def test_rdma_devices_alone_start_no_process() -> None:
    files = {
        "/sys/class/infiniband/mlx5_0/ports/1/gid_attrs/types/0": "RoCE v2\n",
        f"{CM}/ports/1/default_roce_mode": "RoCE v2\n",
        f"{CM}/ports/1/default_roce_tos": "106\n",
    }
    want = load_document({"rdma_devices": ["mlx5_0"], "cma_mode": "RoCE v2", "cma_tos": 106})
    assert plan_qos(observe_qos(ReplayHost(files=files), want), want).steps == ()


def test_what_is_missing_at_boot() -> None:
    assert missing_hardware(ReplayHost(), WANT) == (f"port {PORT}", "module rdma_cm")
    files = {f"/sys/bus/pci/devices/{PORT}/net/ens1f0np0/address": "", "/sys/kernel/config/rdma_cm/": ""}
    assert missing_hardware(RefusingHost(errno.ENODEV, files), WANT) == ("RDMA device mlx5_0",)
    # In another network namespace, a device is not in sysfs, and yet here.
    opened = {f"{CM}/ports/1/default_roce_mode": "RoCE v2\n", f"{CM}/ports/1/default_roce_tos": "0\n"}
    assert missing_hardware(ReplayHost(files=files, kernel={f"mkdir {CM}": opened}), WANT) == ()


VALUES = st.integers(0, 63)


@given(
    st.booleans(),
    st.none() | VALUES,
    st.none() | st.integers(0, 7),
    st.none() | st.sets(st.integers(0, 7)),
    st.data(),
)
def test_congestion_values_are_reached(
    ofed: bool, dscp: int | None, priority: int | None, ecn: set[int] | None, data: st.DataObject
) -> None:
    names = OFED_FIRMWARE.values if ofed else FIRMWARE.values
    directory = ECN if ofed else CC
    before = {name: data.draw(st.integers(0, 1) if "enable" in name or "mode" in name else VALUES) for name in names}
    port = mlnx("5.8-roce.txt") if ofed else batch("7.3.0")["roce0"]
    document = {"provider": "mlnx_qos" if ofed else "dcb", "ports": [PORT], "cnp_dscp": dscp, "cnp_priority": priority}
    want = load_document({**document, "ecn": sorted(ecn) if ofed and ecn is not None else None})
    have = QosState({PORT: port}, {PORT: Congestion(directory, before)})
    steps = plan_qos(have, want, ALL).steps
    event(f"{len(steps)} steps")
    after: dict[str, int | None] = dict(before)
    for step in steps:
        assert isinstance(step, Write)
        name = step.path.removeprefix(f"{directory}/")
        assert name in names, "ENOENT"
        after[name] = int(step.value)
        if name == "np_cnp_prio":
            after["np_cnp_prio_mode"] = 0
    assert plan_qos(replace(have, congestion={PORT: Congestion(directory, after)}), want, ALL).steps == ()
    if dscp is not None:
        assert after["roce_np/cnp_dscp" if ofed else "np_cnp_dscp"] == dscp
    if priority is not None:
        assert after["roce_np/cnp_802p_prio" if ofed else "np_cnp_prio"] == priority
        assert after.get("np_cnp_prio_mode", 0) == 0
    if ofed and ecn is not None:
        on = {name for name in after if "enable" in name and after[name]}
        assert on == {f"{point}/enable/{number}" for point in ("roce_np", "roce_rp") for number in ecn}


def test_the_port_of_the_model_gets_there() -> None:
    steps = [step for step in plan_qos(FRESH, WANT, ALL).steps if step.shown[0] in ("dcb", "ethtool")]
    port = applied(FRESH.ports[PORT], steps)
    assert not [line for line in commands(replace(FRESH, ports={PORT: port}), WANT) if line.startswith("dcb")]
