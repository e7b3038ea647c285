# SPDX-License-Identifier: GPL-3.0-or-later
"""What the recorded outputs of the tool mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._cgroup.rdma import (
    UNLIMITED,
    Limits,
    find_mount,
    lineage,
    parse_limits,
)
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import CommandError
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.state import (
    Device,
    System,
    observe_rdma,
    parse_devices,
    parse_system,
)

from ..replay import ReplayHost

FIXTURES = Path(__file__).parent.parent / "fixtures" / "rdma"
RECORDED = ("6.1.0", "6.15.0", "7.3.0")


def text(version: str, name: str) -> str:
    return (FIXTURES / version / name).read_text(encoding="utf-8")


def shown(version: str, name: str) -> Any:
    return json.loads(text(version, name))


@pytest.mark.parametrize(
    ("version", "system"),
    [
        ("6.1.0", System("shared", None, None, True)),
        ("6.15.0", System("shared", False, True, True)),
        ("7.3.0", System("shared", False, True, True)),
    ],
)
def test_system(version: str, system: System) -> None:
    assert parse_system(text(version, "system_show.txt")) == system


@pytest.mark.parametrize(
    ("shown_as", "system"),
    [
        ("netns exclusive\n", System("exclusive")),
        ('[{"netns":"exclusive","privileged-qkey":"on"}]', System("exclusive", True)),
        ('{"netns":"shared","privileged-qkey":false,"monitor":true}', System("shared", False, True)),
    ],
)
def test_system_as_text_and_as_json(shown_as: str, system: System) -> None:
    """T2: it is text in every version that exists, with -j too."""
    assert parse_system(shown_as) == system


@pytest.mark.parametrize("shown_as", ["", "netns unknown", "[]"])
def test_system_that_is_not_understood(shown_as: str) -> None:
    with pytest.raises(CommandError, match=r"5\.3"):
        parse_system(shown_as)


@pytest.mark.parametrize("version", RECORDED)
def test_devices(version: str) -> None:
    contexts = shown(version, "resource_show_ctx.json")
    user = f"ibv_asyncwatch (pid {contexts[0]['pid']})"
    assert parse_devices(shown(version, "dev_show.json"), shown(version, "link_show.json"), contexts) == (
        Device("rxe0", "", "rxe", "enp1s0", False, (user,)),
        Device("siw0", "", "siw", "enp2s0", False),
    )


@pytest.mark.parametrize("version", RECORDED)
def test_device_in_a_namespace_shows_no_netdev(version: str) -> None:
    names = ("dev_show.json", "link_show.json", "resource_show_ctx.json")
    assert parse_devices(*(shown(version, f"exclusive_gpu0_{name}") for name in names), netns="gpu0") == (
        Device("siw0", "gpu0", "siw", None, False),
    )


def test_hardware_and_sub_devices_are_of_no_kind() -> None:
    devices = parse_devices(shown("composed", "dev_show.json"), shown("composed", "link_show.json"), [])
    assert [(device.name, device.kind, device.netdev) for device in devices] == [
        ("mlx5_0", "", None),
        ("mlx5_1", "", "ens1f1np1"),
        ("smi0", "", None),
    ]


@pytest.mark.parametrize("version", RECORDED)
def test_limits(version: str) -> None:
    assert parse_limits(text(version, "rdma_max.txt")) == {
        "rxe0": Limits(hca_handle=2, hca_object=UNLIMITED),
        "siw0": Limits(),
    }


def test_lineage() -> None:
    assert lineage("a") == (("", "a"),)
    assert lineage("a/b/c") == (("", "a"), ("a", "a/b"), ("a/b", "a/b/c"))


@pytest.mark.parametrize(
    ("mounts", "mount"),
    [
        ("", ""),
        ("cgroup /sys/fs/cgroup/rdma cgroup rw,rdma 0 0", ""),
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\ncgroup2 /run/calico/cgroup cgroup2 rw 0 0", "/sys/fs/cgroup"),
        (
            "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0",
            "/sys/fs/cgroup/unified",
        ),
    ],
)
def test_mount(mounts: str, mount: str) -> None:
    assert find_mount(mounts) == mount


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({}, ()),
        ({"modules.alias": "alias rdma-link-rxe rdma_rxe\n"}, ("siw",)),
        ({"modules.alias": "alias rdma-link-rxe rdma_rxe\nalias rdma-link-siw siw\n"}, ()),
        ({"modules.alias": "", "/sys/module/siw/refcnt": "0"}, ("rxe",)),
    ],
)
def test_kinds_that_the_kernel_has_no_module_for(files: dict[str, str], missing: tuple[str, ...]) -> None:
    answers = ("netns shared", "[]", "[]", "[]")
    words = (["system", "show"], ["-j", "-d", "dev", "show"], ["-j", "link", "show"], ["-j", "resource", "show", "ctx"])
    runs = [{"argv": ["rdma", *argv], "stdout": answer} for argv, answer in zip(words, answers, strict=True)]
    here = {name if name.startswith("/") else f"/lib/modules/6.12/{name}": content for name, content in files.items()}
    assert observe_rdma(ReplayHost(runs, {"/proc/sys/kernel/osrelease": "6.12", **here})).missing_kinds == missing
