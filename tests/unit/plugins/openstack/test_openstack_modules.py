# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules as Ansible calls them, in front of a cloud that is a few dictionaries."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.railhead.cluster.plugins.module_utils._openstack import module as glue
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.console import BEGIN, END
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.refusals import Answer, explain

from .test_openstack_machines import ONE, TWO, node, server

MODULES = "ansible_collections.railhead.cluster.plugins.modules"


class StoredCloud:
    """Servers, nodes and images by name. A rebuild is done when it is asked for, unless C(rebuilt) says otherwise."""

    def __init__(self) -> None:
        self.servers = {"gpu-07": server(flavor={"disk": 10, "ram": 1024})}
        self.nodes = {"gpu-07": node()}
        self.images = {"debian-b": {"id": "i2", "name": "debian-b", "status": "active"}}
        self.consoles = [f"{BEGIN}\n{ONE}\n{END}\n"]
        self.rebuilt: dict[str, Any] = {}
        self.calls: list[str] = []

    def server(self, name: str) -> Mapping[str, Any]:
        for found in self.servers.values():
            if name in (found["name"], found["id"]):
                return found
        raise explain(f"find the server {name}", Answer(404, "none of that name"))

    def image(self, name: str) -> Mapping[str, Any]:
        if name not in self.images:
            raise explain(f"find the image {name}", Answer(404, "none of that name"))
        return self.images[name]

    def rebuild_server(self, _name: str, image: str) -> None:
        self.calls.append("rebuild")
        self.servers["gpu-07"] = server(image={"id": image}, flavor={"disk": 10, "ram": 1024}, **self.rebuilt)

    def start_server(self, _name: str) -> None:
        self.calls.append("start")
        self.servers["gpu-07"]["status"] = "ACTIVE"

    def console(self, _name: str, _lines: int) -> str:
        return self.consoles.pop(0) if len(self.consoles) > 1 else self.consoles[0]

    def node(self, _name: str) -> Mapping[str, Any]:
        return next(iter(self.nodes.values()))

    def patch_node(self, _name: str, patch: list[dict[str, Any]]) -> None:
        self.nodes["gpu-07"]["instance_info"] = {"image_source": patch[0]["value"]}

    def provision_node(self, _name: str, target: str) -> None:
        self.calls.append(target)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> StoredCloud:
    stored = StoredCloud()
    monkeypatch.setattr(glue, "connect", lambda _params: stored)
    for name in ("server_rebuild", "baremetal_rebuild"):
        monkeypatch.setattr(importlib.import_module(f"{MODULES}.{name}"), "connect", lambda _params: stored)
    return stored


def run(name: str, capsys: Any, check: bool = False, **params: Any) -> dict[str, Any]:
    code = importlib.import_module(f"{MODULES}.{name}")
    with patch_module_args({**params, "_ansible_check_mode": check}), pytest.raises(SystemExit):
        code.main()
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


WANT = {"server": "gpu-07", "image": "debian-b", "poll": 0.0}


def test_check_mode_foresees_the_call_and_makes_none(cloud: StoredCloud, capsys: Any) -> None:
    foreseen = run("server_rebuild", capsys, check=True, **WANT)
    assert foreseen["changed"]
    assert cloud.calls == []
    done = run("server_rebuild", capsys, **WANT)
    assert done["commands"] == foreseen["commands"] == [["rebuild", "s1", "i2"]]
    assert done["diff"] == foreseen["diff"]
    assert (done["image_before"], done["image_after"]) == ("i1", "i2")


def test_a_second_run_changes_nothing(cloud: StoredCloud, capsys: Any) -> None:
    run("server_rebuild", capsys, **WANT)
    again = run("server_rebuild", capsys, **WANT)
    assert not again["changed"]
    assert again["diff"]["before"] == again["diff"]["after"]
    assert cloud.calls == ["rebuild"]


def test_a_stopped_server_is_started_too(cloud: StoredCloud, capsys: Any) -> None:
    cloud.servers["gpu-07"]["status"] = "SHUTOFF"
    cloud.rebuilt = {"status": "SHUTOFF"}
    assert run("server_rebuild", capsys, **WANT)["machine"]["state"] == "ACTIVE"
    assert cloud.calls == ["rebuild", "start"]


def test_a_fault_of_nova_is_returned(cloud: StoredCloud, capsys: Any) -> None:
    cloud.rebuilt = {"status": "ERROR", "fault": {"message": "no valid host"}}
    failed = run("server_rebuild", capsys, **WANT)
    assert (failed["failed"], failed["reason"], failed["changed"]) == (True, "node_error", True)
    assert "no valid host" in failed["msg"]
    assert [seen["state"] for seen in failed["states"]] == ["ERROR"]


@pytest.mark.parametrize(
    ("params", "reason", "words"),
    [
        ({"server": "gpu-99"}, "not_found", "find the server gpu-99"),
        ({"image": "debian-z"}, "not_found", "find the image debian-z"),
    ],
)
def test_refusals_have_a_reason(
    cloud: StoredCloud, capsys: Any, params: dict[str, str], reason: str, words: str
) -> None:
    failed = run("server_rebuild", capsys, **{**WANT, **params})
    assert (failed["reason"], failed["changed"]) == (reason, False)
    assert words in failed["msg"]
    assert cloud.calls == []


@pytest.mark.usefixtures("cloud")
def test_progress_can_be_followed_in_a_file(capsys: Any, tmp_path: Path) -> None:
    run("server_rebuild", capsys, progress=str(tmp_path / "states"), **WANT)
    [line] = (tmp_path / "states").read_text().splitlines()
    assert json.loads(line)["state"] == "ACTIVE"


def test_a_node_of_ironic_is_told_its_image(cloud: StoredCloud, capsys: Any) -> None:
    want = {"node": "gpu-07", "image": "http://images.example/b", "poll": 0.0}
    assert run("baremetal_rebuild", capsys, **want)["commands"] == [["rebuild", "n1", "http://images.example/b"]]
    assert not run("baremetal_rebuild", capsys, **want)["changed"]
    assert cloud.calls == ["rebuild"]


def test_a_node_in_maintenance_is_refused(cloud: StoredCloud, capsys: Any) -> None:
    cloud.nodes["gpu-07"] |= {"is_maintenance": True, "maintenance_reason": "bad DIMM"}
    failed = run("baremetal_rebuild", capsys, node="gpu-07", image="http://images.example/b")
    assert failed["reason"] == "conflict"
    assert "bad DIMM" in failed["msg"]


def test_new_host_keys_are_waited_for(cloud: StoredCloud, capsys: Any) -> None:
    cloud.consoles = ["", f"{BEGIN}\n{ONE}\n{END}\n", f"{BEGIN}\n{TWO}\n{END}\n"]
    found = run("server_host_keys_info", capsys, server="gpu-07", not_keys=[ONE], poll=0.0)
    assert found["host_keys"] == [TWO]


@pytest.mark.usefixtures("cloud")
def test_old_host_keys_are_never_taken_for_new_ones(capsys: Any) -> None:
    failed = run("server_host_keys_info", capsys, server="gpu-07", not_keys=[ONE], timeout=0.0)
    assert failed["reason"] == "deadline"
    assert "the keys of before only" in failed["msg"]
