# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything in bad_input.yml is refused with the words that are said there, and nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.railhead.cluster.plugins.module_utils._core import module
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Result
from ansible_collections.railhead.cluster.plugins.modules import ip_link

from ..replay import ReplayHost

HERE = Path(__file__).parent
FIXTURES = HERE.parent / "fixtures" / "ip"
CASES = yaml.safe_load((HERE / "bad_input.yml").read_text(encoding="utf-8"))
LISTING = ["-j", "-d", "link", "show"]


class ReadingHost(ReplayHost):
    """Answers listings from fixtures; anything else that is started is an error."""

    def __init__(self, case: dict[str, Any]) -> None:
        super().__init__(files={"/run/netns/blue": {"identity": 2}})
        ipoib = case.get("host") == "ipoib"
        self.link = FIXTURES / ("composed/link_ipoib.json" if ipoib else "6.15.0/link.json")
        self.ssh = case.get("ssh")
        if self.ssh:
            self.files["/proc/self/environ"] = "SSH_CONNECTION=203.0.113.9 40000 203.0.113.1 22\0"

    def run(self, argv: Sequence[str], stdin: str | None = None, deadline: float = 0.0) -> Result:  # noqa: ARG002
        if list(argv) == ["ip", *LISTING]:
            return Result(0, self.link.read_text(encoding="utf-8"))
        if list(argv) == ["ip", "-n", "blue", *LISTING]:
            return Result(0, (FIXTURES / "6.15.0" / "link_blue.json").read_text(encoding="utf-8"))
        if list(argv) == ["ip", "-j", "address", "show", "to", "203.0.113.1"] and self.ssh:
            return Result(0, json.dumps([{"ifname": self.ssh}, {}]))
        raise AssertionError(f"started: {list(argv)} with {stdin!r}")


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_bad_input(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(module, "Host", lambda: ReadingHost(case))
    with patch_module_args(case["params"]), pytest.raises(SystemExit):
        ip_link.main()
    answer = json.loads(capsys.readouterr().out)
    assert answer.get("failed"), answer
    for word in case["words"]:
        assert word in answer["msg"]
    assert not answer.get("changed")
    assert not answer.get("commands")
