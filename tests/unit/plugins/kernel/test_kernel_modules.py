# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernel boots next, where a module comes from, and what DKMS has still to build."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._kernel.dkms import (
    Builds,
    Registered,
    parse_status,
    plan_builds,
)
from ansible_collections.railhead.cluster.plugins.module_utils._kernel.modules import (
    is_current,
    newest,
    origin_of,
    parse_modinfo,
    release_key,
    valid_name,
)

RELEASES = [
    "5.15.0-25-generic",
    "5.15.0-119-generic",
    "6.1.0-9-amd64",
    "6.1.0-10-amd64",
    "6.8.0-rc2",
    "6.8.0-rc10",
    "6.8.0",
    "6.8.0-58-generic",
    "6.12.9+deb13-amd64",
    "6.12.57+deb13-amd64",
    "6.12.57.1",
]


@settings(deadline=None)
@given(st.randoms())
def test_kernels_are_sorted_as_numbers(order: random.Random) -> None:
    shuffled = list(RELEASES)
    order.shuffle(shuffled)
    assert sorted(shuffled[:-1], key=release_key) == [one for one in RELEASES if one in shuffled[:-1]]
    assert newest(RELEASES[:-1]) == "6.12.57+deb13-amd64"


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        ("/lib/modules/6.8.0-58-generic/updates/dkms/mlx5_core.ko.zst", "external"),
        ("/lib/modules/5.14.0-427.el9.x86_64/extra/mlnx-ofa_kernel/drivers/mlx5_core.ko", "external"),
        ("/lib/modules/5.14.0-427.el9.x86_64/weak-updates/mlx5_core.ko", "external"),
        ("/usr/lib/modules/6.12.57+deb13-amd64/kernel/drivers/net/mlx5_core.ko.xz", "inbox"),
        ("/lib/modules/6.12.57+deb13-amd64/kernel/drivers/net/mlx5_core.ko.xz", "inbox"),
        ("/lib/modules/6.12.57+deb13-amd64/updates/kernel/mlx5_core.ko", "external"),
    ],
)
def test_the_place_tells_the_origin(path: str, origin: str) -> None:
    assert origin_of(path) == origin


def test_modinfo_is_read_by_its_first_values() -> None:
    text = "filename:       /lib/modules/x/mlx5_core.ko\nversion:        25.07-0.9.7\n"
    text += "alias: pci:v1\nalias: pci:v2\nparm: a:b\n"
    assert parse_modinfo(text) == {
        "filename": "/lib/modules/x/mlx5_core.ko",
        "version": "25.07-0.9.7",
        "alias": "pci:v1",
        "parm": "a:b",
    }


@pytest.mark.parametrize(
    ("loaded", "on_disk", "current"),
    [
        (("", "", ""), {"intree": "Y"}, True),
        (("", "", ""), {"srcversion": "A1"}, False),
        (("", "", ""), {}, False),
        (("", "A1", "OE"), {"srcversion": "A1"}, True),
        (("", "A1", "OE"), {"srcversion": "A2"}, False),
        (("", "A1", ""), {"srcversion": "A1", "intree": "Y"}, True),
        (("1", "A1", "O"), {"srcversion": "A1", "version": "2"}, False),
        (("", "", "OE"), {"intree": "Y"}, False),
    ],
)
def test_what_is_loaded_is_compared_with_what_is_on_disk(
    loaded: tuple[str, str, str], on_disk: dict[str, str], current: bool
) -> None:
    assert is_current(dict(zip(("version", "srcversion", "taint"), loaded, strict=True)), on_disk) is current


def test_a_name_is_a_name() -> None:
    assert valid_name("nvidia-peermem") == "nvidia_peermem"
    with pytest.raises(RailheadError, match="such as mlx5_core"):
        valid_name("../x")


def test_status_of_dkms_before_and_after_the_slash() -> None:
    """Rows as reported in issues of dkms-project/dkms, strongtz/i915-sriov-dkms and of OFED."""
    assert parse_status(
        "i915-sriov-dkms/2025.03.26, 6.11.11-2-pve, x86_64: installed (WARNING! Diff between built and installed"
        " module!)\n"
        "mlnx-ofed-kernel/24.10.OFED.24.10.1.1.4.1, 6.8.0-58-generic, x86_64: installed\n"
        "iser/24.10: added\n"
        "nvidia, 510.47.03, 5.15.0-25-generic, x86_64: built\n"
        "zfs, 2.1.5: added\n"
        "nvidia/525.125.06, 5.15.136-custom, x86_64: installedError! Could not locate dkms.conf file.\n"
        "File: /var/lib/dkms/zfs/2.1.13/source/dkms.conf does not exist.\n"
    )[:5] == (
        Registered("i915-sriov-dkms", "2025.03.26", "6.11.11-2-pve", "installed"),
        Registered("mlnx-ofed-kernel", "24.10.OFED.24.10.1.1.4.1", "6.8.0-58-generic", "installed"),
        Registered("iser", "24.10", "", "added"),
        Registered("nvidia", "510.47.03", "5.15.0-25-generic", "built"),
        Registered("zfs", "2.1.5", "", "added"),
    )


OFED = Registered("mlnx-ofed-kernel", "25.07", "6.12.9", "installed")


@pytest.mark.parametrize(
    ("dkms", "kernel", "wanted", "built"),
    [
        ((OFED,), "6.12.9", [], []),
        ((OFED,), "6.12.57", [], ["mlnx-ofed-kernel 25.07"]),
        ((OFED,), "6.12.5", [], ["mlnx-ofed-kernel 25.07"]),
        ((Registered("iser", "1", "", "added"),), "6.12.9", [], ["iser 1"]),
        ((Registered("iser", "1", "6.12.9", "built"),), "6.12.9", [], ["iser 1"]),
        ((OFED, Registered("iser", "1", "", "added")), "6.12.57", ["iser"], ["iser 1"]),
        ((), "6.12.9", [], []),
    ],
)
def test_what_is_built(dkms: tuple[Registered, ...], kernel: str, wanted: list[str], built: list[str]) -> None:
    plan = plan_builds(Builds(kernel, dkms, True), wanted)
    assert [step.shown for step in plan.steps] == [
        ["dkms", "install", "-m", *row.replace(" ", " -v ").split(), "-k", kernel] for row in built
    ]


def test_without_headers_nothing_can_be_built() -> None:
    with pytest.raises(RailheadError, match=r"mlnx-ofed-kernel 25.07 for the kernel 6.12.57: .*linux-headers-6.12.57"):
        plan_builds(Builds("6.12.57", (OFED,), False), ())
    assert not plan_builds(Builds("6.12.9", (OFED,), False), ()).steps
