# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module against its recordings (recordings/MODULE.yml): exact programs in order, exact answer.

A recording is {name, params, check?, files?, kernel?, missing?, runs?, result}. In C(result) each key must be in the
answer with that value; C(msg) is a list of words that must all be in the message, and means that the module fails.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.railhead.cluster.plugins.module_utils._core import converge, module

from ..replay import SealedHost

RECORDINGS = Path(__file__).parent / "recordings"
CASES = [
    pytest.param(path.stem, case, id=f"{path.stem}: {case['name']}")
    for path in sorted(RECORDINGS.glob("*.yml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_recording(name: str, case: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    host = SealedHost(case.get("runs", ()), case.get("files"), case.get("kernel"), case.get("missing", ()))
    monkeypatch.setattr(module, "Host", lambda: host)
    monkeypatch.setattr(converge, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr("os.uname", lambda: SimpleNamespace(release="6.12.57+deb13-amd64", machine="x86_64"))
    code = importlib.import_module(f"ansible_collections.railhead.cluster.plugins.modules.{name}")

    arguments = {**case["params"], "_ansible_check_mode": case.get("check", False)}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        code.main()
    answer = json.loads(capsys.readouterr().out)

    expected = dict(case["result"])
    words = expected.pop("msg", None)
    assert bool(answer.get("failed")) == (words is not None), answer
    for word in words or ():
        assert word in answer["msg"]
    assert {key: answer.get(key) for key in expected} == expected
    assert not host.runs, f"recorded, but not started: {[run['argv'] for run in host.runs]}"
