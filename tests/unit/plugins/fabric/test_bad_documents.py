# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything in bad_documents.yml is refused, with its place and with words that help; without it, all is good."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.document import load_document

TABLE = yaml.safe_load((Path(__file__).parent / "bad_documents.yml").read_text(encoding="utf-8"))
CASES = [pytest.param(case, id=case["name"]) for case in TABLE["cases"]]


def changed(document: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The document with the values at their paths, such as ports[0].vfs[1].vlan."""
    document = copy.deepcopy(document)
    for path, value in values.items():
        at: Any = document
        *way, last = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]
        for step in way:
            at = at[step]
        if last == len(at) and isinstance(at, list):
            at.append(None)
        at[last] = copy.deepcopy(value)
    return document


def test_the_good_document_is_good() -> None:
    load_document(TABLE["good"])


@pytest.mark.parametrize("case", CASES)
def test_one_mistake_is_refused(case: dict[str, Any]) -> None:
    good = changed(TABLE["good"], case.get("given", {}))
    load_document(good)
    with pytest.raises(RailheadError) as refused:
        load_document(changed(good, case["set"]))
    message = str(refused.value)
    for words in (case["where"], *case["says"]):
        assert words in message
    assert message.startswith("Cannot ")
    assert message.endswith(".")


@pytest.mark.parametrize("document", [None, [], "ports", 7])
def test_what_is_no_document_is_refused(document: object) -> None:
    with pytest.raises(RailheadError, match=r"Cannot use the fabric document: expected a mapping with ports, bonds"):
        load_document(document)
