# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What C(nvidia-smi) says of the GPUs: one process for all of them.

The query prints what it is asked for, in one order in all versions; the whole of C(-q -x) changes its elements with the
branches of the driver. Each field below is in C(--help-query-gpu) of 450 and newer: one that a version does not know
would fail the whole query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_FIELDS = (
    "pci.bus_id",
    "uuid",
    "serial",
    "name",
    "driver_version",
    "vbios_version",
    "memory.total",
    "persistence_mode",
    "ecc.mode.current",
    "mig.mode.current",
)
QUERY = ("nvidia-smi", f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits")


@dataclass(frozen=True)
class Answer:
    """What the driver tells of one GPU; None where it does not know or the GPU has no such thing."""

    uuid: str | None = None
    serial: str | None = None
    name: str | None = None
    driver_version: str | None = None
    vbios: str | None = None
    memory_mib: int | None = None
    persistence_mode: bool | None = None
    ecc: bool | None = None
    mig: bool | None = None


def parse_smi(text: str) -> Mapping[str, Answer]:
    """Answers by PCI address as the kernel writes it. Lines that are no row are messages, and left out."""
    rows = [[_known(field) for field in line.split(",")] for line in text.splitlines()]
    return {_address(row[0]): _answer(row[1:]) for row in rows if len(row) == len(_FIELDS) and row[0]}


def _answer(row: list[str | None]) -> Answer:
    uuid, serial, name, driver_version, vbios, memory, *switches = row
    mib = int(memory) if memory else None
    return Answer(uuid, serial, name, driver_version, vbios, mib, *map(_switch, switches))


def _known(field: str) -> str | None:
    """C([N/A]), C([Not Supported]), C([Unknown Error]) and C([GPU requires reset]) stand for no value."""
    text = field.strip()
    return None if text.startswith("[") or text in ("", "N/A") else text


def _switch(word: str | None) -> bool | None:
    return {"Enabled": True, "Disabled": False}.get(word or "")


def _address(bus_id: str) -> str:
    """00000000:3B:00.0 -> 0000:3b:00.0"""
    domain, _colon, rest = bus_id.lower().partition(":")
    return f"{int(domain, 16):04x}:{rest}"
