# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GPUs of a host, with what is near them and who uses them. One process at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host, Result
from ansible_collections.railhead.cluster.plugins.module_utils._gpu.distance import distance, nearest
from ansible_collections.railhead.cluster.plugins.module_utils._gpu.pci import (
    Gpu,
    Hardware,
    RdmaDevice,
    observe_hardware,
)
from ansible_collections.railhead.cluster.plugins.module_utils._gpu.smi import QUERY, Answer, parse_smi

_VERSION = "/sys/module/nvidia/version"
_BUILD = "/proc/driver/nvidia/version"
_DEVICES = "/dev/nvidia"


def read_info(host: Host) -> dict[str, Any]:
    """The return values of M(railhead.cluster.gpu_info)."""
    hardware = observe_hardware(host)
    driver = loaded_driver(host)
    # Started without the driver, nvidia-smi would load it.
    asked = host.run(QUERY) if driver and hardware.gpus and host.is_installed(QUERY[0]) else None
    answers = parse_smi(asked.stdout) if asked else {}
    near = nearest(hardware)
    return {
        "driver": {**driver, "complaint": _complaint(asked)} if driver else None,
        "gpus": [_shown(gpu, hardware, near.get(gpu.place.address), answers) for gpu in hardware.gpus],
        "nvswitches": list(hardware.nvswitches),
        "users": users(host) if driver else [],
    }


def loaded_driver(host: Host) -> dict[str, Any] | None:
    """C(version) of NVIDIA's kernel module that is loaded, and whether it is the C(open) one; None when none is."""
    version = host.read(_VERSION)
    return None if version is None else {"version": version, "open": "Open Kernel Module" in (host.read(_BUILD) or "")}


def users(host: Host) -> list[dict[str, Any]]:
    """Processes that have a device of the driver open, and so keep it from being unloaded."""
    found = []
    for pid in host.list_directory("/proc"):
        if pid.isdigit() and any(target.startswith(_DEVICES) for target in _open_files(host, pid)):
            found.append({"pid": int(pid), "name": host.read(f"/proc/{pid}/comm")})
    return sorted(found, key=lambda user: user["pid"])


def _open_files(host: Host, pid: str) -> list[str]:
    directory = f"/proc/{pid}/fd"
    try:
        names = host.list_directory(directory)
    except PermissionError as error:
        raise RailheadError(
            f"Cannot see who uses the GPUs: {directory}: {error.strerror}; run as root (become: true)."
        ) from error
    except ProcessLookupError:  # ended meanwhile
        return []
    return [host.link_target(f"{directory}/{name}") or "" for name in names]


def _complaint(asked: Result | None) -> str | None:
    """The words of nvidia-smi when it did not reach the driver or a GPU. It prints them where the answer would be."""
    if asked is None or asked.rc == 0:
        return None
    lines = [line.strip() for line in (asked.stdout + asked.stderr).splitlines() if not parse_smi(line)]
    return f"{' '.join(filter(None, lines))} (return code {asked.rc})"


def _shown(gpu: Gpu, hardware: Hardware, near: RdmaDevice | None, answers: Mapping[str, Answer]) -> dict[str, Any]:
    def rdma(device: RdmaDevice) -> dict[str, str]:
        place = device.place
        return {"device": device.name, "pci_address": place.address, "distance": distance(gpu.place, place)}

    return {
        "pci_address": gpu.place.address,
        "pci_id": gpu.device,
        "numa_node": gpu.place.numa_node,
        "kernel_driver": gpu.driver,
        "supports_open": gpu.supports_open,
        **asdict(answers.get(gpu.place.address, Answer())),
        "nearest_rdma": rdma(near) if near else None,
        "rdma": [rdma(device) for device in hardware.rdma_devices],
    }
