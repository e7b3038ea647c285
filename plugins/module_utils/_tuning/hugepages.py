# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Huge pages: what somebody asks for, what memory there is, and whether the one fits into the other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._boot.cmdline import Argument, Arguments
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host

_NODES = "/sys/devices/system/node"
_POOLS = "/sys/kernel/mm/hugepages"
_UNITS = {"K": 1, "M": 1 << 10, "G": 1 << 20}
#: One part in so many of a node's memory must be left for the kernel and for programs without huge pages.
_LEAST_LEFT = 10
#: Kernel from which C(hugepages=) takes numbers by node (commit b5389086ad7b).
_BY_NODE_SINCE = (5, 16)


@dataclass(frozen=True)
class Pages:
    """C(count) pages of C(size) KiB on one NUMA node, or spread over all of them by the kernel."""

    size: int
    count: int
    node: int | None = None

    @property
    def file(self) -> str:
        """Where the kernel says and takes the number (admin-guide/mm/hugetlbpage.rst)."""
        pools = _POOLS if self.node is None else f"{_NODES}/node{self.node}/hugepages"
        return f"{pools}/hugepages-{self.size}kB/nr_hugepages"

    @property
    def title(self) -> str:
        return f"huge pages of {shown_size(self.size)}" + ("" if self.node is None else f" on node {self.node}")


@dataclass(frozen=True)
class Memory:
    """KiB of memory by NUMA node, the sizes of huge pages in KiB, and how many there are by (node, size)."""

    nodes: Mapping[int, int] = field(default_factory=dict)
    sizes: tuple[int, ...] = ()
    pools: Mapping[tuple[int, int], int] = field(default_factory=dict)


def observe_memory(host: Host) -> Memory:
    """Files only."""
    nodes = {}
    for name in host.list_directory(_NODES):
        total = re.search(r"MemTotal:\s+(\d+) kB", host.read(f"{_NODES}/{name}/meminfo") or "")
        if total:
            nodes[int(name[len("node") :])] = int(total.group(1))
    sizes = tuple(sorted(int(name[len("hugepages-") : -len("kB")]) for name in host.list_directory(_POOLS)))
    pools = {(node, size): int(host.read(Pages(size, 0, node).file) or 0) for node in nodes for size in sizes}
    return Memory(nodes, sizes, pools)


def load_pages(entries: Sequence[Mapping[str, Any]]) -> tuple[Pages, ...]:
    """What is asked for, one entry for each size and node; an error names the entry."""
    found: list[Pages] = []
    for entry in entries:
        pages = Pages(_size(entry["size"]), entry["count"], entry.get("node"))
        if pages.count < 0 or (pages.node or 0) < 0:
            raise RailheadError(f"Cannot have {pages.count} {pages.title}: give numbers from 0.")
        same = [each for each in found if each.size == pages.size]
        if any(each.node == pages.node or None in (each.node, pages.node) for each in same):
            raise RailheadError(
                f"Cannot have {pages.count} {pages.title} and {same[0].count} {same[0].title}: give one entry for each"
                " node, or one without a node for all."
            )
        found.append(pages)
    return tuple(found)


def _size(text: str) -> int:
    match = re.fullmatch(r"([1-9]\d*)([KMG])", text)
    if match is None:
        raise RailheadError(f"Cannot use {text!r} as the size of huge pages: give one such as 2M or 1G.")
    return int(match.group(1)) * _UNITS[match.group(2)]


def shown_size(kib: int) -> str:
    """2048 -> "2M"."""
    unit = next(unit for unit in ("G", "M", "K") if kib % _UNITS[unit] == 0)
    return f"{kib // _UNITS[unit]}{unit}"


def check_fit(memory: Memory, wanted: Iterable[Pages]) -> None:
    """Refuse pages of sizes or nodes that are not there, and those that leave too little memory for all else.

    Pages of other sizes that the host has already count too.
    """
    pools = dict(memory.pools)
    concerned: set[int] = set()
    for pages in wanted:
        attempt = f"Cannot have {pages.count} {pages.title}: "
        if pages.size not in memory.sizes:
            offered = ", ".join(shown_size(size) for size in memory.sizes) or "none"
            raise RailheadError(f"{attempt}this processor and kernel have pages of {offered}; use one of these sizes.")
        if pages.node is not None and pages.node not in memory.nodes:
            nodes = ", ".join(str(node) for node in memory.nodes) or "none"
            raise RailheadError(f"{attempt}there is no such NUMA node with memory; found: {nodes}.")
        chosen = memory.nodes if pages.node is None else (pages.node,)
        concerned.update(chosen)
        for place in chosen:
            pools[place, pages.size] = -(-pages.count // len(chosen))
    for node in sorted(concerned):
        total = memory.nodes[node]
        taken = sum(count * size for (place, size), count in pools.items() if place == node)
        if taken * _LEAST_LEFT > total * (_LEAST_LEFT - 1):
            raise RailheadError(
                f"Cannot have the huge pages that are asked for: on NUMA node {node} they take {taken >> 10} MiB with"
                f" those of other sizes, and it has {total >> 10} MiB, of which at least a tenth must be left for all"
                " else; ask for fewer."
            )


def boot_arguments(wanted: Sequence[Pages], release: str) -> Arguments:
    """C(hugepagesz) and C(hugepages), by node where that is asked for (admin-guide/kernel-parameters.txt)."""
    numbers = [int(number) for number in re.findall(r"\d+", release)[:2]]
    found: list[Argument] = []
    for size in dict.fromkeys(pages.size for pages in wanted):
        entries = [pages for pages in wanted if pages.size == size]
        if entries[0].node is not None and tuple(numbers) < _BY_NODE_SINCE:
            raise RailheadError(
                f"Cannot have {entries[0].title} from the start: the kernel takes numbers by node from 5.16 on, and"
                f" this is {release}; leave node out, or use pages that are allocated while the host runs."
            )
        counts = ",".join(
            str(pages.count) if pages.node is None else f"{pages.node}:{pages.count}" for pages in entries
        )
        found += [Argument("hugepagesz", shown_size(size)), Argument("hugepages", counts)]
    return tuple(found)
