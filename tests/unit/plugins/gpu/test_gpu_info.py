# SPDX-License-Identifier: GPL-3.0-or-later
"""GPUs, distances and who uses them, from composed trees and answers (fixtures/nvidia-smi/README.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._gpu.distance import DISTANCES, distance, nearest
from ansible_collections.railhead.cluster.plugins.module_utils._gpu.info import read_info
from ansible_collections.railhead.cluster.plugins.module_utils._gpu.pci import (
    Gpu,
    Hardware,
    Place,
    RdmaDevice,
    observe_hardware,
    place_of,
)
from ansible_collections.railhead.cluster.plugins.module_utils._gpu.smi import QUERY, Answer, parse_smi

from ..replay import ReplayHost
from . import hosts

FIXTURES = Path(__file__).parents[1] / "fixtures" / "nvidia-smi"
LOADED = {
    "/sys/module/nvidia/version": "535.230.02\n",
    "/proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  535.230.02  Release\n",
}


def answers(version: str, name: str = "query.csv") -> str:
    return (FIXTURES / version / name).read_text(encoding="utf-8")


def asked(stdout: str, rc: int = 0) -> list[dict[str, Any]]:
    return [{"argv": list(QUERY), "stdout": stdout, "rc": rc}]


def test_each_gpu_of_an_hgx_has_the_card_below_its_own_switch() -> None:
    info = read_info(ReplayHost(files=hosts.hgx()))
    near = {gpu["pci_address"]: (gpu["nearest_rdma"], gpu["numa_node"]) for gpu in info["gpus"]}
    assert near == {
        f"0000:{gpu}:00.0": (
            {"device": f"mlx5_{number}", "pci_address": f"0000:{card}:00.0", "distance": "PIX"},
            numa,
        )
        for number, (_root, numa, gpu, card) in enumerate(hosts.RAILS)
    }
    assert info["nvswitches"] == ["0000:07:00.0", "0000:08:00.0", "0000:09:00.0", "0000:0a:00.0"]
    assert info["driver"] is None
    assert info["users"] == []


def test_every_card_has_its_distance() -> None:
    first = read_info(ReplayHost(files=hosts.hgx()))["gpus"][0]
    far = {entry["device"]: entry["distance"] for entry in first["rdma"]}
    assert far == {
        "mlx5_0": "PIX",
        **dict.fromkeys(("mlx5_1", "mlx5_2", "mlx5_3"), "NODE"),
        **dict.fromkeys(("mlx5_4", "mlx5_5", "mlx5_6", "mlx5_7", "mlx5_8"), "SYS"),
    }


def test_a_workstation_without_cards() -> None:
    (gpu,) = read_info(ReplayHost(files=hosts.workstation()))["gpus"]
    assert (gpu["nearest_rdma"], gpu["rdma"]) == (None, [])
    assert (gpu["pci_id"], gpu["kernel_driver"], gpu["numa_node"]) == ("10de:2230", "nouveau", None)
    assert gpu["supports_open"] is True


def test_a_virtual_machine() -> None:
    (gpu,) = read_info(ReplayHost(files=hosts.virtual_machine()))["gpus"]
    assert gpu["nearest_rdma"] == {"device": "mlx5_0", "pci_address": "0000:00:06.0", "distance": "PHB"}
    assert gpu["supports_open"] is False
    assert gpu["kernel_driver"] is None


def test_gpus_with_the_same_nearest_cards_share_them_out() -> None:
    gpus = read_info(ReplayHost(files=hosts.dgx_a100()))["gpus"]
    assert [(gpu["nearest_rdma"]["device"], gpu["nearest_rdma"]["distance"]) for gpu in gpus] == [
        ("mlx5_0", "PXB"),
        ("mlx5_1", "PXB"),
    ]


def test_a_device_in_another_namespace_is_seen_by_its_verbs() -> None:
    path = "/sys/devices/pci0000:15/0000:15:01.0/0000:16:00.0/0000:17:01.0/0000:19:00.0"
    files = hosts.hgx()
    files.pop("/sys/class/infiniband/mlx5_0/device")
    files.update({"/sys/class/infiniband_verbs/abi_version": "6"})
    assert "mlx5_0" not in [device.name for device in observe_hardware(ReplayHost(files=files)).rdma_devices]
    files["/sys/class/infiniband_verbs/uverbs0/ibdev"] = "mlx5_0\n"
    files["/sys/class/infiniband_verbs/uverbs0/device"] = {"link": path}
    assert observe_hardware(ReplayHost(files=files)).rdma_devices[0].name == "mlx5_0"


def test_what_the_driver_tells_is_joined_by_address() -> None:
    files = {
        **hosts.hgx("nvidia"),
        **LOADED,
        "/proc/1/comm": "systemd",
        "/proc/1/fd/0": {"link": "/dev/null"},
        "/proc/900/comm": "nvidia-persiste",
        "/proc/900/fd/3": {"link": "/dev/nvidiactl"},
        "/proc/55/comm": "python3",
        "/proc/55/fd/9": {"link": "/dev/nvidia-uvm"},
        "/proc/self/fd/9": {"link": "/dev/nvidia0"},
    }
    host = ReplayHost(asked(answers("535.230.02")), files)
    info = read_info(host)
    assert not host.runs
    assert info["driver"] == {"version": "535.230.02", "open": True, "complaint": None}
    assert info["users"] == [{"pid": 55, "name": "python3"}, {"pid": 900, "name": "nvidia-persiste"}]
    last = info["gpus"][-1]
    assert {key: last[key] for key in ("uuid", "name", "memory_mib", "persistence_mode", "ecc", "mig")} == {
        "uuid": "GPU-00000000-0000-4000-8000-0000000000db",
        "name": "NVIDIA H100 80GB HBM3",
        "memory_mib": 81559,
        "persistence_mode": True,
        "ecc": True,
        "mig": False,
    }


def test_nothing_is_started_without_the_driver_or_without_a_gpu() -> None:
    assert read_info(ReplayHost(files=hosts.hgx()))["gpus"][0]["uuid"] is None
    assert read_info(ReplayHost(files=LOADED)) == {
        "driver": {"version": "535.230.02", "open": True, "complaint": None},
        "gpus": [],
        "nvswitches": [],
        "users": [],
    }


@pytest.mark.parametrize(
    ("stdout", "rc", "complaint"),
    [
        (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n\n",
            9,
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. (return code 9)",
        ),
        (
            "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580.105\n",
            18,
            "Failed to initialize NVML: Driver/library version mismatch NVML library version: 580.105 (return code 18)",
        ),
        (
            answers("580.105.08", "lost.csv"),
            15,
            "Unable to determine the device handle for GPU1: 0000:34:00.0: Unknown Error (return code 15)",
        ),
    ],
)
def test_what_nvidia_smi_says_in_place_of_an_answer(stdout: str, rc: int, complaint: str) -> None:
    info = read_info(ReplayHost(asked(stdout, rc), {**hosts.workstation(), **LOADED}))
    assert info["driver"]["complaint"] == complaint
    assert info["gpus"][0]["uuid"] is None


def test_the_proprietary_driver_is_told_from_the_open_one() -> None:
    build = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.230.02  Fri Dec 20 23:22:53 UTC 2024\n"
    files = {**LOADED, "/proc/driver/nvidia/version": build}
    assert read_info(ReplayHost(files=files))["driver"]["open"] is False


def test_without_the_right_to_look_at_processes() -> None:
    class Unprivileged(ReplayHost):
        def list_directory(self, path: str) -> list[str]:
            if path == "/proc/1/fd":
                raise PermissionError(13, "Permission denied")
            return super().list_directory(path)

    with pytest.raises(RailheadError, match="Cannot see who uses the GPUs: /proc/1/fd: Permission denied; run as root"):
        read_info(Unprivileged(files={**LOADED, "/proc/1/fd/0": ""}))


def test_a_process_that_ends_while_it_is_looked_at() -> None:
    class Ending(ReplayHost):
        def list_directory(self, path: str) -> list[str]:
            if path == "/proc/1/fd":
                raise ProcessLookupError(3, "No such process")
            return super().list_directory(path)

    assert read_info(Ending(files={**LOADED, "/proc/1/fd/0": ""}))["users"] == []


@pytest.mark.parametrize(
    ("version", "address", "expected"),
    [
        (
            "550.54.15",
            "0000:00:04.0",
            Answer(
                "GPU-00000000-0000-4000-8000-000000000004",
                "1650000000004",
                "NVIDIA A100-SXM4-80GB",
                "550.54.15",
                "92.00.45.00.03",
                81920,
                True,
                True,
                True,
            ),
        ),
        (
            "570.148.08",
            "0000:01:00.0",
            Answer(
                "GPU-00000000-0000-4000-8000-000000000001",
                None,
                "NVIDIA RTX A6000",
                "570.148.08",
                "94.02.5C.00.02",
                49140,
                False,
                False,
                None,
            ),
        ),
        (
            "580.105.08",
            "000f:01:00.0",
            Answer(
                "GPU-00000000-0000-4000-8000-00000000000f",
                None,
                "NVIDIA GB10",
                "580.105.08",
                None,
                None,
                False,
                None,
                None,
            ),
        ),
    ],
)
def test_answers_of_several_versions(version: str, address: str, expected: Answer) -> None:
    assert parse_smi(answers(version))[address] == expected


def test_a_lost_gpu_leaves_the_others() -> None:
    assert list(parse_smi(answers("580.105.08", "lost.csv"))) == ["0000:3b:00.0"]
    assert parse_smi("No devices were found\n") == {}


SWITCH = ("pci0000:15", "0000:15:01.0", "0000:16:00.0")
GPU = Place((*SWITCH, "0000:17:00.0", "0000:18:00.0"), 0)


@pytest.mark.parametrize(
    ("path", "numa", "expected"),
    [
        ((*SWITCH, "0000:17:01.0", "0000:19:00.0"), 0, "PIX"),
        ((*SWITCH, "0000:17:00.0", "0000:18:00.1"), 0, "PIX"),
        ((*SWITCH, "0000:17:01.0", "0000:19:00.0", "0000:1a:00.0", "0000:1b:00.0"), 0, "PXB"),
        (("pci0000:15", "0000:15:01.0", "0000:20:00.0"), 0, "PXB"),
        (("pci0000:15", "0000:15:02.0", "0000:21:00.0"), 0, "PHB"),
        (("pci0000:37", "0000:37:01.0", "0000:38:00.0"), 0, "NODE"),
        (("pci0000:97", "0000:97:01.0", "0000:98:00.0"), 1, "SYS"),
        (("pci0000:97", "0000:97:01.0", "0000:98:00.0"), None, "SYS"),
    ],
)
def test_distance(path: tuple[str, ...], numa: int | None, expected: str) -> None:
    assert distance(GPU, Place(path, numa)) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/sys/devices/pci0000:00/0000:00:06.0/virtio2", ("pci0000:00", "0000:00:06.0")),
        (
            "/sys/devices/platform/PNP0A08:00/pci0002:00/0002:00:00.0/0002:01:00.0/mlx5_core.sf.2",
            ("pci0002:00", "0002:00:00.0", "0002:01:00.0"),
        ),
        ("/sys/devices/virtual/infiniband/rxe0", None),
    ],
)
def test_place(path: str, expected: tuple[str, ...] | None) -> None:
    place = place_of(path, "-1")
    assert (place and place.path) == expected


def places() -> st.SearchStrategy[Place]:
    bridge = st.sampled_from(["0000:01:00.0", "0000:02:00.0", "0000:03:00.0"])
    return st.builds(
        lambda root, below, numa: Place((root, *below), numa),
        st.sampled_from(["pci0000:00", "pci0000:80"]),
        st.lists(bridge, min_size=1, max_size=4),
        st.sampled_from([None, 0, 1]),
    )


@given(places(), places())
def test_a_distance_is_the_same_from_both_ends(one: Place, other: Place) -> None:
    assert distance(one, other) == distance(other, one)


@given(st.lists(places(), min_size=1, max_size=4), st.lists(places(), min_size=1, max_size=4))
def test_nothing_is_nearer_than_the_nearest(gpus: list[Place], cards: list[Place]) -> None:
    hardware = Hardware(
        tuple(Gpu(place, "10de:2330") for place in gpus),
        rdma_devices=tuple(RdmaDevice(f"mlx5_{number}", place) for number, place in enumerate(cards)),
    )
    near = nearest(hardware)
    by_address = {gpu.place.address: gpu.place for gpu in hardware.gpus}
    for address, place in by_address.items():
        best = min(DISTANCES.index(distance(place, card)) for card in cards)
        assert DISTANCES.index(distance(place, near[address].place)) == best
