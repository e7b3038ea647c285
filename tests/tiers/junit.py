# SPDX-License-Identifier: GPL-3.0-or-later
"""Read JUnit XML, as pytest and ansible-test write it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from tiers.result import Outcome, Part


def read(path: Path) -> Iterator[Part]:
    """Yield a part for each test case; errors count as failures."""
    for case in ET.parse(path).iter("testcase"):  # noqa: S314 - written by the tools that were just run
        yield Part(f"{case.get('classname')}::{case.get('name')}", _outcome(case), float(case.get("time") or 0))


def _outcome(case: ET.Element) -> Outcome:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "passed" if case.find("skipped") is None else "skipped"
