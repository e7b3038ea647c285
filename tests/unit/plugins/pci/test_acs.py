# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration space that is cut off, or leads in a circle; recordings/pci_acs_info.yml has whole ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._pci.acs import SERVICES, Acs, parse_acs


def config(*parts: tuple[int, str]) -> bytes:
    found = bytearray(4096)
    for offset, text in parts:
        found[offset : offset + len(text) // 2] = bytes.fromhex(text)
    return bytes(found)


@pytest.mark.parametrize(
    ("space", "acs"),
    [
        (b"", None),
        (bytes(64), None),  # what an ordinary user may read
        (config((0x100, "01000210")), None),  # a list whose one capability points to itself
        (config((0x100, "0100021f"), (0x1F0, "01000210")), None),
        (config((0x100, "0d000100"), (0x104, "7f000000")), Acs(SERVICES, ())),
        (config((0x100, "0d000100"), (0x104, "0c000400")), Acs(SERVICES[2:4], SERVICES[2:3])),
        (config((0x100, "01000214"), (0x140, "0d000100"))[:0x144], None),
    ],
)
def test_spaces(space: bytes, acs: Acs | None) -> None:
    assert parse_acs(space) == acs


@given(st.binary(max_size=600))
def test_any_bytes_end(space: bytes) -> None:
    parse_acs(space)
