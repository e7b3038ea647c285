# SPDX-License-Identifier: GPL-3.0-or-later
"""What RDMA-CM uses for connections: read without a trace, planned, refused."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._rdma_cm.defaults import (
    Device,
    Port,
    RdmaCm,
    Want,
    observe_rdma_cm,
    plan_defaults,
    valid_tos,
    want_from,
    with_defaults,
)

from ..replay import ReplayHost

ROOT = "/sys/kernel/config/rdma_cm"
TYPES = "/sys/class/infiniband/rxe0/ports/1/gid_attrs/types"
RXE: dict[str, Any] = {f"{ROOT}/": "", f"{TYPES}/0": "RoCE v2\n", f"{TYPES}/1": None}
#: What the kernel puts into a new directory.
OPENED = {
    f"mkdir {ROOT}/rxe0": {
        f"{ROOT}/rxe0/ports/1/default_roce_mode": "RoCE v2\n",
        f"{ROOT}/rxe0/ports/1/default_roce_tos": "0\n",
    }
}
BOTH = frozenset({"RoCE v2", "IB/RoCE v1"})


def test_reading_leaves_nothing_behind() -> None:
    host = ReplayHost(files=RXE, kernel=OPENED)
    before = dict(host.files)
    found = observe_rdma_cm(host, ["rxe0"])
    assert found == RdmaCm(True, {"rxe0": Device("rxe0", {1: Port("RoCE v2", 0, frozenset({"RoCE v2"}))})}, ("rxe0",))
    assert host.files == before


def test_a_directory_of_somebody_else_stays() -> None:
    files = {**RXE, **OPENED[f"mkdir {ROOT}/rxe0"]}
    host = ReplayHost(files=files)
    assert observe_rdma_cm(host, ["rxe0"]).devices["rxe0"].kept
    assert f"{ROOT}/rxe0/ports/1/default_roce_tos" in host.files


class RefusingHost(ReplayHost):
    """mkdir fails, with what somebody else has made meanwhile."""

    def __init__(self, number: int, files: dict[str, Any]) -> None:
        super().__init__(files=files)
        self.number = number

    def make_directory(self, path: str) -> None:
        self._change(OPENED[f"mkdir {path}"] if self.number == errno.EEXIST else {})
        raise OSError(self.number, "refused")


def test_a_device_that_is_not_there() -> None:
    have = observe_rdma_cm(RefusingHost(errno.ENODEV, RXE), ["mlx5_0"])
    with pytest.raises(RailheadError, match="RDMA-CM uses for mlx5_0: there is no such RDMA device; found: rxe0"):
        plan_defaults(have, want_from("mlx5_0", None, 106))


def test_a_directory_that_outlived_its_device() -> None:
    """The kernel answers ENODEV in it, which reads as no file."""
    files = {f"{ROOT}/": "", f"{ROOT}/rxe0/ports/1/default_roce_tos": None}
    assert observe_rdma_cm(ReplayHost(files=files), ["rxe0"]).devices == {}


def test_a_directory_made_by_another_one_meanwhile() -> None:
    host = RefusingHost(errno.EEXIST, RXE)
    assert observe_rdma_cm(host, ["rxe0"]).devices["rxe0"].kept


def test_without_root() -> None:
    with pytest.raises(RailheadError, match="mkdir /sys/kernel/config/rdma_cm/rxe0: refused; run as root"):
        observe_rdma_cm(RefusingHost(errno.EACCES, RXE), ["rxe0"])


def test_without_the_module() -> None:
    have = observe_rdma_cm(ReplayHost(), ["rxe0"])
    with pytest.raises(RailheadError, match="there is no /sys/kernel/config/rdma_cm; load the module rdma_cm"):
        plan_defaults(have, want_from("rxe0", None, 106))


TWO = RdmaCm(True, {"mlx4_0": Device("mlx4_0", {1: Port("RoCE v2", 0, BOTH), 2: Port("RoCE v2", 106, BOTH)}, True)})


@pytest.mark.parametrize(
    ("want", "expected"),
    [
        (want_from("mlx4_0", None, 106), [["write", f"{ROOT}/mlx4_0/ports/1/default_roce_tos", "106"]]),
        (want_from("mlx4_0", None, 106, 2), []),
        (
            want_from("mlx4_0", "IB/RoCE v1", 0, 2),
            [
                ["write", f"{ROOT}/mlx4_0/ports/2/default_roce_mode", "IB/RoCE v1"],
                ["write", f"{ROOT}/mlx4_0/ports/2/default_roce_tos", "0"],
            ],
        ),
        (want_from("mlx4_0", "RoCE v2", None), []),
    ],
)
def test_ports(want: Want, expected: list[list[str]]) -> None:
    assert [step.shown for step in plan_defaults(TWO, want).steps] == expected


def test_the_directory_is_there_for_the_writes_only() -> None:
    have = RdmaCm(True, {"rxe0": Device("rxe0")})
    assert [step.shown for step in plan_defaults(have, want_from("rxe0", None, 106)).steps] == [
        ["mkdir", f"{ROOT}/rxe0"],
        ["write", f"{ROOT}/rxe0/ports/1/default_roce_tos", "106"],
        ["rmdir", f"{ROOT}/rxe0"],
    ]


@pytest.mark.parametrize(
    ("want", "words"),
    [
        (want_from("mlx4_0", None, 106, 3), "it has no port 3; its ports: 1, 2"),
        (want_from("rxe0", "IB/RoCE v1", None), "its addresses are of RoCE v2, and not of IB/RoCE v1"),
    ],
)
def test_refusals(want: Want, words: str) -> None:
    rxe = Device("rxe0", {1: Port("RoCE v2", 0, frozenset({"RoCE v2"}))})
    with pytest.raises(RailheadError, match=words):
        plan_defaults(RdmaCm(True, {**TWO.devices, "rxe0": rxe}), want)


@pytest.mark.parametrize(
    ("device", "mode", "tos", "words"),
    [
        ("mlx5_0", "RoCE v3", None, "Cannot use 'RoCE v3' as the mode of mlx5_0: give 'RoCE v2' or 'IB/RoCE v1'"),
        ("mlx5_0", None, 256, r"Cannot use 256 for tos: give the whole byte, from 0 to 255; .*106 \(26 \* 4 \+ 2\)"),
        ("mlx5_0", None, -1, "Cannot use -1 for tos"),
        ("mlx5_0", None, 107, "its two lowest bits are 3.*for DSCP 26 give 106 with ECN, or 104 without"),
        ("mlx5/0", None, 106, "as the name of an RDMA device"),
    ],
)
def test_mistakes(device: str, mode: str | None, tos: int, words: str) -> None:
    with pytest.raises(RailheadError, match=words):
        want_from(device, mode, tos)


def test_a_tos_is_no_truth_value() -> None:
    with pytest.raises(RailheadError, match="Cannot use True for tos"):
        valid_tos("tos", True)


MODES = st.sampled_from(sorted(BOTH))
TOS = st.integers(0, 255).filter(lambda tos: tos & 3 != 3)
PORTS = st.dictionaries(st.integers(1, 2), st.builds(Port, MODES, TOS, st.just(BOTH)), min_size=1)


@given(PORTS, st.booleans(), st.none() | MODES, st.none() | TOS)
def test_any_want_is_reached(ports: dict[int, Port], kept: bool, mode: str | None, tos: int | None) -> None:
    have = RdmaCm(True, {"d": Device("d", ports, kept)})
    steps, after = with_defaults(have, want_from("d", mode, tos))
    values = {(number, key): str(getattr(port, key)) for number, port in ports.items() for key in ("mode", "tos")}
    opened = kept
    for word, path, *value in (step.shown for step in steps):
        if word == "write":
            assert opened, "ENOENT"
            number, name = path.removeprefix(f"{ROOT}/d/ports/").split("/")
            values[int(number), name.removeprefix("default_roce_")] = value[0]
        else:
            assert (word == "mkdir") != opened
            opened = word == "mkdir"
    assert opened == kept
    for number, port in ports.items():
        assert values[number, "mode"] == (mode or port.mode)
        assert values[number, "tos"] == str(port.tos if tos is None else tos)
    assert with_defaults(after, want_from("d", mode, tos))[0] == ()
