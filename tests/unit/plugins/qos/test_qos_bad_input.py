# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong input of every module for QoS (bad_input.yml): refused with words that help, before anything changes."""

from __future__ import annotations

import errno
import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.railhead.cluster.plugins.module_utils._core import module
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Result

from ..dcb.test_dcb_ports import FILES
from ..rdma_cm.test_rdma_cm import OPENED, RXE
from ..replay import ReplayHost

CASES = yaml.safe_load((Path(__file__).parent / "bad_input.yml").read_text(encoding="utf-8"))


class ReadOnlyHost(ReplayHost):
    """A port with DCB, and rxe0. Only what reads may start, and only what configfs needs to be read may be made."""

    def run(self, argv: Sequence[str], stdin: str | None = None, **_deadline: float) -> Result:
        assert list(argv) == ["dcb", "-j", "-s", "-f", "-b", "-"], f"not a reading program: {argv}"
        requests = len((stdin or "").splitlines())
        return Result(1, "", "".join(f"no\nCommand failed -:{line}\n" for line in range(1, requests + 1)))

    def write(self, path: str, value: str) -> None:
        raise AssertionError(f"wrote {value!r} to {path}")

    def make_directory(self, path: str) -> None:
        if f"mkdir {path}" not in self.kernel:
            raise OSError(errno.ENODEV, "No such device")
        super().make_directory(path)


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
@pytest.mark.parametrize("case", CASES, ids=[f"{case['module']}: {case['words'][0]}" for case in CASES])
def test_refused(case: dict[str, Any], check: bool, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    host = ReadOnlyHost(files={**FILES, **RXE}, kernel=OPENED)
    before = dict(host.files)
    monkeypatch.setattr(module, "Host", lambda: host)
    code = importlib.import_module(f"ansible_collections.railhead.cluster.plugins.modules.{case['module']}")

    with patch_module_args({**case["params"], "_ansible_check_mode": check}), pytest.raises(SystemExit):
        code.main()

    answer = json.loads(capsys.readouterr().out)
    assert answer["failed"]
    assert not answer.get("changed")
    assert host.files == before
    for word in case["words"]:
        assert word in answer["msg"]
