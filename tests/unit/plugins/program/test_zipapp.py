# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot program is one file that runs without Ansible."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._program import rdma
from ansible_collections.railhead.cluster.plugins.module_utils._program.install import observe_file, plan_file
from ansible_collections.railhead.cluster.plugins.module_utils._program.zipapp import closure, pack
from ansible_collections.railhead.cluster.plugins.modules.node_program import PROGRAMS, source_of

from ..replay import ReplayHost

PREFIX = "ansible_collections.railhead.cluster.plugins.module_utils."


def test_closure_follows_imports_and_leaves_ansible_out() -> None:
    names = closure(rdma.__name__, source_of)
    assert {rdma.__name__, PREFIX + "_core.host", PREFIX + "_core.steps"} <= set(names)
    assert PREFIX + "_core.module" not in names
    assert not [name for name, text in names.items() if "from ansible.module_utils" in text]


def test_the_bytes_depend_on_the_sources_only() -> None:
    sources = {PREFIX + "b": f"from {PREFIX}a import x\n", PREFIX + "a": "x = 1\n"}
    first = pack(PREFIX + "b", sources.__getitem__)
    assert first == pack(PREFIX + "b", sources.__getitem__)
    assert first != pack(PREFIX + "b", {**sources, PREFIX + "a": "x = 2\n"}.__getitem__)


def test_it_runs_outside_ansible(tmp_path: Path) -> None:
    program = tmp_path / "railhead-rdma"
    program.write_bytes(pack(rdma.__name__, source_of))
    documents = tmp_path / "rdma.d"
    documents.mkdir()
    command = [sys.executable, "-I", str(program), "--directory", str(documents), "plan"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    (documents / "50-bad.json").write_text('{"links": [{"name": "rxe0"', encoding="utf-8")
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "50-bad.json: it is not JSON" in ended.stderr


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_each_program_starts_outside_ansible(name: str, tmp_path: Path) -> None:
    program = tmp_path / name
    program.write_bytes(pack(PROGRAMS[name].__name__, source_of))
    ended = subprocess.run([sys.executable, "-I", str(program), "--help"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"usage: {name}")


def test_installing_is_idempotent() -> None:
    content = b"program"
    host = ReplayHost()
    assert observe_file(host, "/no/such/program") is None
    planned = plan_file(None, "/usr/local/sbin/x", content)
    assert [step.shown[:2] for step in planned.steps] == [["install", "/usr/local/sbin/x"]]
    assert not plan_file(planned.after["sha256"], "/usr/local/sbin/x", content).steps


def test_source_of_reads_what_was_imported() -> None:
    assert source_of(PREFIX + "_core.errors") == Path(
        importlib.import_module(PREFIX + "_core.errors").__file__ or ""
    ).read_text(encoding="utf-8")
