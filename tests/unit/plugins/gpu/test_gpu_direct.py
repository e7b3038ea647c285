# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of GPUDirect RDMA. Texts are composed, in the format of modinfo(8) and of the kernel's
kernel/kallsyms.c; what they say is after public reports on nvidia-peermem with and without OFED.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._gpu.direct import (
    Facts,
    Module,
    dma_buf_problems,
    kernel_of,
    parse_modinfo,
    parse_symbols,
    peermem_problems,
    rebuild_reason,
)

DKMS = "/lib/modules/6.8.0-60-generic/updates/dkms"
EXPORT, REGISTER = "nv_dma_buf_export", "ib_register_peer_memory_client"
PEERMEM = Module(f"{DKMS}/nvidia-peermem.ko.zst", ("ib_core", "nvidia"), 200)
IB_CORE = Module(f"{DKMS}/ib_core.ko.zst", (), 100)
GOOD = Facts("6.8.0-60-generic", "580.105.08", True, 50, frozenset({EXPORT, REGISTER}), PEERMEM, IB_CORE)


def test_nothing_stands_in_the_way() -> None:
    assert list(dma_buf_problems(GOOD)) == []
    assert list(peermem_problems(GOOD)) == []
    assert rebuild_reason(GOOD) is None


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (replace(GOOD, kernel="5.11.0-49-generic"), "Linux 5.11.0-49-generic is older than 5.12"),
        (replace(GOOD, kernel="4.18.0-553.el8.x86_64"), "older than 5.12"),
        (replace(GOOD, rdma_core=None), "no libibverbs; install rdma-core"),
        (replace(GOOD, rdma_core=33), "rdma-core 33 is older than 34"),
        (replace(GOOD, driver_version=None), "driver is not loaded"),
        (replace(GOOD, driver_open=False), "the driver 580.105.08 is the proprietary one"),
        (replace(GOOD, symbols=frozenset({REGISTER})), "does not export DMA-BUFs"),
    ],
)
def test_problems_of_dma_buf(facts: Facts, said: str) -> None:
    (problem,) = dma_buf_problems(facts)
    assert said in problem


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (replace(GOOD, symbols=frozenset({EXPORT})), "Install OFED before the driver, or use DMA-BUF"),
        (replace(GOOD, driver_version=None), "driver is not loaded"),
        (replace(GOOD, peermem=None), "no module nvidia-peermem for Linux 6.8.0-60-generic"),
    ],
)
def test_problems_of_peermem(facts: Facts, said: str) -> None:
    (problem,) = peermem_problems(facts)
    assert said in problem


def test_the_proprietary_driver_will_do_for_peermem() -> None:
    assert list(peermem_problems(replace(GOOD, driver_open=False, rdma_core=20))) == []


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (replace(GOOD, peermem=replace(PEERMEM, depends=("nvidia",))), "was built without OFED"),
        (replace(GOOD, peermem=replace(PEERMEM, built=99)), f"{DKMS}/ib_core.ko.zst is newer than {PEERMEM.path}"),
        (replace(GOOD, peermem=replace(PEERMEM, built=100)), None),
        (replace(GOOD, peermem=None), None),
        (replace(GOOD, peermem=replace(PEERMEM, depends=()), symbols=frozenset()), None),
    ],
)
def test_a_rebuild_is_asked_for_where_it_helps(facts: Facts, reason: str | None) -> None:
    found = rebuild_reason(facts)
    assert (found or "").endswith(reason) if reason else found is None


@pytest.mark.parametrize(
    ("release", "numbers"),
    [("6.12.57+deb13-amd64", (6, 12)), ("5.15.0-1", (5, 15)), ("7.2-rc1", (7, 2)), ("6.1.0-56-amd64", (6, 1))],
)
def test_kernel_of(release: str, numbers: tuple[int, ...]) -> None:
    assert kernel_of(release) == numbers


def test_symbols() -> None:
    text = (
        "0000000000000000 T ib_register_client\t[ib_core]\n"
        "0000000000000000 T ib_register_peer_memory_client\t[ib_core]\n"
        "0000000000000000 t nv_dma_buf_export_old\t[nvidia]\n"
    )
    assert parse_symbols(text) == {REGISTER}
    assert parse_symbols("0000000000000000 T nv_dma_buf_export") == {EXPORT}
    assert parse_symbols("") == frozenset()


def test_modinfo_of_two_modules() -> None:
    text = (
        f"filename:       {DKMS}/nvidia-peermem.ko.zst\nversion:        580.105.08\nlicense:        Linux-OpenIB\n"
        "depends:        ib_core,nvidia\nretpoline:      Y\n"
        "filename:       /lib/modules/6.8.0-60-generic/kernel/drivers/infiniband/core/ib_core.ko.zst\n"
        "alias:          rdma-netlink-subsys-4\ndepends:        \nintree:         Y\n"
    )
    assert parse_modinfo(text) == [
        Module(f"{DKMS}/nvidia-peermem.ko.zst", ("ib_core", "nvidia")),
        Module("/lib/modules/6.8.0-60-generic/kernel/drivers/infiniband/core/ib_core.ko.zst"),
    ]
    assert parse_modinfo("name:           ib_core\nfilename:       (builtin)\nlicense:        Dual BSD/GPL\n") == []
