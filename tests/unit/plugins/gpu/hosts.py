# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees of sysfs, composed: fixtures/nvidia-smi/README.md says after what."""

from __future__ import annotations

from typing import Any

PCI = "/sys/bus/pci/devices"
#: Root bus, NUMA node, GPU and card of each rail of an HGX H100.
RAILS = (
    ("15", 0, "18", "19"),
    ("26", 0, "2a", "2b"),
    ("37", 0, "3a", "3b"),
    ("48", 0, "5d", "5c"),
    ("97", 1, "9a", "9b"),
    ("a8", 1, "ab", "ac"),
    ("b7", 1, "ba", "bb"),
    ("d7", 1, "db", "dc"),
)


def function(path: str, pci_id: str, kind: str, numa: int, driver: str | None = None) -> dict[str, Any]:
    """The files of a PCI function; C(path) begins at the host bridge."""
    vendor, device = pci_id.split(":")
    top = f"/sys/devices/{path}"
    files: dict[str, Any] = {
        f"{PCI}/{path.rpartition('/')[2]}": {"link": top},
        f"{top}/vendor": f"0x{vendor}\n",
        f"{top}/device": f"0x{device}\n",
        f"{top}/class": f"0x{kind}\n",
        f"{top}/numa_node": f"{numa}\n",
    }
    return {**files, f"{top}/driver": {"link": f"../../bus/pci/drivers/{driver}"}} if driver else files


def gpu(path: str, numa: int, driver: str | None = None, device: str = "2330", kind: str = "030200") -> dict[str, Any]:
    return function(path, f"10de:{device}", kind, numa, driver)


def card(path: str, numa: int, name: str) -> dict[str, Any]:
    files = function(path, "15b3:1021", "020000", numa, "mlx5_core")
    return {**files, f"/sys/class/infiniband/{name}/device": {"link": f"/sys/devices/{path}"}}


def hgx(driver: str | None = None) -> dict[str, Any]:
    """Eight GPUs, each with a card below the same PCIe switch; four NVSwitches; a card for storage at a root port."""
    files: dict[str, Any] = {}
    for number, (root, numa, gpu_bus, card_bus) in enumerate(RAILS):
        switch = f"pci0000:{root}/0000:{root}:01.0/0000:{int(root, 16) + 1:02x}:00.0"
        below = f"{int(root, 16) + 2:02x}"
        files.update(gpu(f"{switch}/0000:{below}:00.0/0000:{gpu_bus}:00.0", numa, driver))
        files.update(card(f"{switch}/0000:{below}:01.0/0000:{card_bus}:00.0", numa, f"mlx5_{number}"))
    files.update(card("pci0000:80/0000:80:03.0/0000:82:00.0", 1, "mlx5_8"))
    for number in range(4):
        path = f"pci0000:00/0000:00:1c.0/0000:05:00.0/0000:06:0{number}.0/0000:{number + 7:02x}:00.0"
        files.update(function(path, "10de:22a3", "068000", 0))
    return files


def workstation() -> dict[str, Any]:
    """One GPU with its audio function, no RDMA device but a software one."""
    files = gpu("pci0000:00/0000:00:01.0/0000:01:00.0", -1, "nouveau", "2230", "030000")
    files.update(function("pci0000:00/0000:00:01.0/0000:01:00.1", "10de:1aef", "040300", -1, "snd_hda_intel"))
    return {**files, "/sys/class/infiniband/rxe0/node_type": "1: CA"}


def virtual_machine() -> dict[str, Any]:
    """A GPU and a virtual function passed through, both at the host bridge, and a virtio disk."""
    files = gpu("pci0000:00/0000:00:05.0", -1, None, "1db6")
    files.update(card("pci0000:00/0000:00:06.0", -1, "mlx5_0"))
    return {**files, **function("pci0000:00/0000:00:04.0", "1af4:1001", "010000", -1, "virtio-pci")}


def dgx_a100() -> dict[str, Any]:
    """Two GPUs below one switch of a switch, two cards below another one (after an NCCL dump of a DGX A100)."""
    switch = "pci0000:00/0000:00:01.1/0000:01:00.0"
    files: dict[str, Any] = {}
    for number, bus in enumerate(("07", "0f")):
        files.update(
            gpu(f"{switch}/0000:02:00.0/0000:03:00.0/0000:04:0{number}.0/0000:{bus}:00.0", 3, "nvidia", "20b0")
        )
    for number, bus in enumerate(("0c", "12")):
        path = f"{switch}/0000:02:04.0/0000:0a:00.0/0000:0b:0{number}.0/0000:{bus}:00.0"
        files.update(card(path, 3, f"mlx5_{number}"))
    return files
