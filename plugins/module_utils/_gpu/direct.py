# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether RDMA devices can reach the memory of GPUs, by DMA-BUF or by nvidia-peermem, and why not."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._gpu.info import loaded_driver
from ansible_collections.railhead.cluster.plugins.module_utils._gpu.pci import observe_hardware

#: Where distributions have the library; the link says which one is used.
_LIBRARIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64")
#: How rdma-core names it since 34 and before: 1, the ABI, its own version (libibverbs/CMakeLists.txt).
_LIBRARY = re.compile(r"libibverbs\.so\.1\.\d+\.(\d+)")
_OLDEST_KERNEL = (5, 12)
_OLDEST_RDMA_CORE = 34
_EXPORT = "nv_dma_buf_export"
_REGISTER = "ib_register_peer_memory_client"
#: What the predecessor of nvidia-peermem leaves; the two cannot both register.
_PREDECESSOR = ("/sys/module/nv_peer_mem", "/etc/init.d/nv_peer_mem")
MODULES = ("modinfo", "nvidia_peermem", "ib_core")


@dataclass(frozen=True)
class Module:
    """A kernel module on disk, of C(modinfo). C(built) is when its file was written, in nanoseconds since 1970."""

    path: str
    depends: tuple[str, ...] = ()
    built: int = 0


@dataclass(frozen=True)
class Facts:
    """C(kernel) is the release, C(driver_version) None when no driver is loaded, C(rdma_core) None without libibverbs.

    C(symbols) are those of the two that kallsyms has; C(peermem) and C(ib_core) the modules for the running kernel.
    """

    kernel: str
    driver_version: str | None = None
    driver_open: bool = False
    rdma_core: int | None = None
    symbols: frozenset[str] = frozenset()
    peermem: Module | None = None
    ib_core: Module | None = None


def read_direct(host: Host) -> dict[str, Any]:
    """The return values of M(railhead.cluster.gpu_direct_info). One process."""
    facts = observe_facts(host)
    gpus = [gpu.place.address for gpu in observe_hardware(host).gpus]
    groups = {host.read(f"/sys/bus/pci/devices/{address}/iommu_group/type") for address in gpus}
    return {
        "gpus": len(gpus),
        "dma_buf": {"problems": list(dma_buf_problems(facts))},
        "peermem": {
            "problems": list(peermem_problems(facts)),
            "rebuild": rebuild_reason(facts),
            "loaded": host.is_directory("/sys/module/nvidia_peermem"),
        },
        "predecessor": any(host.identity(path) is not None for path in _PREDECESSOR),
        "iommu": sorted(kind for kind in groups if kind),
    }


def observe_facts(host: Host) -> Facts:
    driver = loaded_driver(host) or {"version": None, "open": False}
    # A module that is not there makes modinfo fail, and print the other one all the same.
    modules = {module.path.rpartition("/")[2].split(".")[0]: module for module in _modules(host)}
    return Facts(
        os.uname().release,
        driver["version"],
        driver["open"],
        _rdma_core(host),
        parse_symbols(host.read("/proc/kallsyms") or ""),
        modules.get("nvidia-peermem"),
        modules.get("ib_core"),
    )


def dma_buf_problems(facts: Facts) -> Iterator[str]:
    """NVIDIA's demands (GPU operator, GPUDirect RDMA), and those of verbs (ibv_reg_dmabuf_mr(3))."""
    if kernel_of(facts.kernel) < _OLDEST_KERNEL:
        yield f"Linux {facts.kernel} is older than 5.12, and its RDMA cannot take DMA-BUFs"
    if facts.rdma_core is None:
        yield "there is no libibverbs; install rdma-core"
    elif facts.rdma_core < _OLDEST_RDMA_CORE:
        yield f"rdma-core {facts.rdma_core} is older than {_OLDEST_RDMA_CORE}, and has no ibv_reg_dmabuf_mr"
    if facts.driver_version is None:
        yield "NVIDIA's driver is not loaded"
    elif not facts.driver_open:
        yield f"the driver {facts.driver_version} is the proprietary one; DMA-BUF needs the open kernel modules"
    elif _EXPORT not in facts.symbols:
        yield f"the driver {facts.driver_version} does not export DMA-BUFs"


def peermem_problems(facts: Facts) -> Iterator[str]:
    """What no rebuild mends."""
    if _REGISTER not in facts.symbols:
        yield (
            f"no loaded module has {_REGISTER}, which comes with OFED's ib_core and not with the kernel's own. Install"
            " OFED before the driver, or use DMA-BUF"
        )
    if facts.driver_version is None:
        yield "NVIDIA's driver is not loaded"
    if facts.peermem is None:
        yield f"there is no module nvidia-peermem for Linux {facts.kernel}"


def rebuild_reason(facts: Facts) -> str | None:
    """Why nvidia-peermem must be built again; None when it needs not, or when there is none.

    The driver's build looks for OFED (conftest.sh of the kernel modules). Without it, the module is an empty one whose
    loading answers EINVAL; and one that was built for another OFED has other versions of its symbols.
    """
    if facts.peermem is None or facts.ib_core is None or _REGISTER not in facts.symbols:
        return None
    if "ib_core" not in facts.peermem.depends:
        return f"{facts.peermem.path} was built without OFED"
    if facts.ib_core.built > facts.peermem.built:
        return f"{facts.ib_core.path} is newer than {facts.peermem.path}"
    return None


def kernel_of(release: str) -> tuple[int, ...]:
    """6.12.57+deb13-amd64 -> (6, 12)"""
    return tuple(int(number) for number in re.findall(r"\d+", release)[:2])


def parse_symbols(kallsyms: str) -> frozenset[str]:
    """Which of the two symbols are there. A line is C(ADDRESS TYPE NAME), with a tab and C([MODULE]) for a module's."""
    return frozenset(name for name in (_EXPORT, _REGISTER) if re.search(rf" {name}(\t|$)", kallsyms, re.MULTILINE))


def parse_modinfo(text: str) -> list[Module]:
    """C(filename) and C(depends) of each module (modinfo(8)); a built-in one has C((builtin)) for a file."""
    found = []
    for block in re.split(r"^(?=filename:)", text, flags=re.MULTILINE):
        path = re.search(r"^filename:\s+(/\S+)", block)
        depends = re.search(r"^depends:[ \t]*(\S*)$", block, re.MULTILINE)
        if path:
            found.append(Module(path[1], tuple(filter(None, depends[1].split(","))) if depends else ()))
    return found


def _modules(host: Host) -> Iterator[Module]:
    for module in parse_modinfo(host.run(MODULES).stdout):
        yield Module(module.path, module.depends, host.modified(module.path) or 0)


def _rdma_core(host: Host) -> int | None:
    for directory in _LIBRARIES:
        found = _LIBRARY.search(host.link_target(f"{directory}/libibverbs.so.1") or "")
        if found:
            return int(found[1])
    return None
