# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong input of every RDMA module (bad_input.yml): refused with words that help, before anything changes."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.railhead.cluster.plugins.module_utils._core import module
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Result
from ansible_collections.railhead.cluster.plugins.module_utils._rdma.host_state import load_document

from ..replay import ReplayHost

HERE = Path(__file__).parent
HOSTS = yaml.safe_load((HERE / "hosts.yml").read_text(encoding="utf-8"))
CASES = yaml.safe_load((HERE / "bad_input.yml").read_text(encoding="utf-8"))


class ReadOnlyHost(ReplayHost):
    """Answers reading programs from a table; anything that changes the host fails the test."""

    def __init__(self, answers: dict[str, str], files: dict[str, Any]) -> None:
        super().__init__(files=files)
        self.answers = answers

    def run(self, argv: Sequence[str], stdin: str | None = None, **_deadline: float) -> Result:
        assert stdin is None
        assert " ".join(argv) in self.answers, f"not a reading program: {argv}"
        return Result(0, self.answers[" ".join(argv)])

    def write(self, path: str, value: str) -> None:
        raise AssertionError(f"wrote {value!r} to {path}")

    def make_directory(self, path: str) -> None:
        raise AssertionError(f"made {path}")


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
@pytest.mark.parametrize("case", CASES, ids=[f"{case['module']}: {case['words'][0]}" for case in CASES])
def test_refused(case: dict[str, Any], check: bool, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    host = ReadOnlyHost(**HOSTS[case.get("host", "shared")])
    monkeypatch.setattr(module, "Host", lambda: host)
    code = importlib.import_module(f"ansible_collections.railhead.cluster.plugins.modules.{case['module']}")

    with patch_module_args({**case["params"], "_ansible_check_mode": check}), pytest.raises(SystemExit):
        code.main()

    answer = json.loads(capsys.readouterr().out)
    assert answer["failed"]
    assert not answer.get("changed")
    for word in case["words"]:
        assert word in answer["msg"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], ["expected a mapping", "[] (list)"]),
        ({"link": []}, ["unknown key 'link'", "links"]),
        ({"netns_mode": "private"}, ["netns_mode", "exclusive", "'private'"]),
        ({"links": {}}, ["links: expected a list"]),
        ({"links": ["rxe0"]}, ["links[0]: expected a mapping", "'rxe0' (str)"]),
        (
            {"links": [{"name": "x", "type": "rxe", "netdev": "eth0", "mtu": 1}]},
            ["links[0]: unknown key 'mtu'", "netdev"],
        ),
        ({"links": [{"name": "x", "type": "rxe", "netdev": None}]}, ["links[0]: 'netdev' is missing"]),
        ({"links": [{"name": 7, "type": "rxe", "netdev": "eth0"}]}, ["links[0].name: expected str, found 7 (int)"]),
        ({"links": [{"name": "x", "type": "soft", "netdev": "eth0"}]}, ["links[0]", "'soft'", "rxe, siw"]),
        ({"namespaces": [3]}, ["namespaces[0]: expected a name, found 3 (int)"]),
        ({"namespaces": "gpu0"}, ["namespaces: expected a list, found 'gpu0' (str)"]),
        ({"devices": [{"name": "rail0"}]}, ["devices[0]: 'device' is missing"]),
        ({"devices": [{"device": "d", "adaptive_moderation": "on"}]}, ["adaptive_moderation: expected bool", "'on'"]),
        (
            {"cgroups": [{"cgroup": "a", "device": "d", "hca_handle": True}]},
            ["hca_handle: expected int or str", "True"],
        ),
        ({"cgroups": [{"cgroup": "a", "device": "d", "hca_handle": 1.5}]}, ["hca_handle: expected int or str", "1.5"]),
        ({"cgroups": [{"cgroup": "a", "device": "d", "hca_handle": -1}]}, ["cgroups[0]", "-1 for hca_handle"]),
    ],
)
def test_document_without_ansible(document: object, words: list[str]) -> None:
    with pytest.raises(RailheadError) as refused:
        load_document(document)
    for word in words:
        assert word in str(refused.value)
