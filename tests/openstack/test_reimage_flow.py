# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook reimage as a whole: three nodes that are this machine, and stand-ins for what speaks to a cloud."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / "build" / "collections" / "ansible_collections" / "railhead" / "cluster"
STAND_INS = Path(__file__).with_name("stand_ins")
HOOK = ROOT / "molecule" / "openstack" / "files" / "hook"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAGqI6U8I2IE3iN3UbckD1W230/DzLXA4OTf1/NcVnQP"
HOSTS = "m1 ansible_port=2201\nn1 ansible_port=2202\nn2\n[control_plane]\nm1\n"
LONGEST = 600


class Cluster:
    """A folder with a cloud of files, the collections that the playbook sees, and what the runs have left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cloud = folder / "cloud"
        self.cloud.mkdir()
        for name in ("m1", "n1", "n2"):
            (self.cloud / name).write_text("old")
        (self.cloud / "key").write_text(KEY)
        for name in ("calls", "hook"):
            (self.cloud / name).touch()
        (folder / "hosts").write_text(HOSTS)
        (folder / "known_hosts").write_text(f"[m1]:2201 {KEY[:-3]}xyz\nother {KEY}\n")
        own, other = (folder / "c" / "ansible_collections" / name for name in ("railhead/cluster", "openstack/cloud"))
        for path in ("roles", "playbooks", "meta", "plugins/module_utils", "plugins/filter", "plugins/plugin_utils"):
            (own / path).parent.mkdir(parents=True, exist_ok=True)
            (own / path).symlink_to(INSTALLED / path)
        for collection, names in ((own, ("server_rebuild", "server_host_keys_info")), (other, ("server_info",))):
            modules = collection / "plugins" / "modules"
            modules.mkdir(parents=True)
            for name in names:
                (modules / f"{name}.py").symlink_to(STAND_INS / f"{name}.py")
        (own / "plugins" / "modules" / "baremetal_rebuild.py").symlink_to(
            INSTALLED / "plugins" / "modules" / "baremetal_rebuild.py"
        )

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "c"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "RAILHEAD_STAND_IN": str(self.cloud),
            "RAILHEAD_HOOK_LOG": str(self.cloud / "hook"),
        }

    def reimage(self, image: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """Run it; the exit code, and the results by node."""
        results = self.folder / "results"
        wish = {
            "reimage_image": image,
            "reimage_results": str(results),
            "reimage_known_hosts": str(self.folder / "known_hosts"),
            "reimage_drain": "command",
            "reimage_drain_command": [str(HOOK), "drain"],
            "reimage_resume_command": [str(HOOK), "resume"],
            "reimage_roles": [],
            "reimage_acceptance": [["true"]],
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_become": False,
            "__reimage_marker": f"{self.cloud}/{{{{ inventory_hostname }}}}.marker",
        }
        done = subprocess.run(
            ["ansible-playbook", "-i", self.folder / "hosts", "-e", json.dumps(wish), "railhead.cluster.reimage"],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST,
        )
        found = {path.stem: json.loads(path.read_text()) for path in results.glob("*.json")}
        assert found, done.stdout[-3000:] + done.stderr[-1000:]
        return done.returncode, found

    def calls(self) -> list[str]:
        return (self.cloud / "calls").read_text().split()

    def most_drained(self) -> tuple[int, set[str]]:
        """How many nodes were drained at once at most, and which still are."""
        away: set[str] = set()
        most = 0
        for line in (self.cloud / "hook").read_text().splitlines():
            _when, what, node = line.split()
            away = away | {node} if what == "drain" else away - {node}
            most = max(most, len(away))
        return most, away


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def test_a_failure_ends_the_batches_and_the_next_run_goes_on(cluster: Cluster) -> None:
    if os.geteuid() != 0:
        pytest.fail("The marker of a node belongs to root: run this as root.")
    (cluster.cloud / "n1.fails").touch()
    (cluster.cloud / "n1.slow").touch()  # its preflight ends after that of n2, which is no reason to take n2 first
    code, found = cluster.reimage("new")
    assert code == 2
    assert {name: result["verdict"] for name, result in found.items()} == {"m1": "done", "n1": "failed"}
    assert (found["n1"]["reason"], found["n1"]["phases"][-1]["name"]) == ("node_error", "rebuild")
    assert "no disk" in found["n1"]["message"]
    assert cluster.most_drained() == (1, {"n1"})

    code, found = cluster.reimage("new")
    assert code == 0
    assert {name: result["verdict"] for name, result in found.items()} == {"m1": "skipped", "n1": "done", "n2": "done"}
    assert cluster.calls() == ["m1", "n1", "n1", "n2"]
    assert cluster.most_drained() == (1, set())

    known = (cluster.folder / "known_hosts").read_text().splitlines()
    assert sorted(known) == sorted([f"other {KEY}", f"[m1]:2201 {KEY}", f"[n1]:2202 {KEY}", f"n2 {KEY}"])

    code, found = cluster.reimage("new")
    assert code == 0
    assert {result["verdict"] for result in found.values()} == {"skipped"}
    assert len(cluster.calls()) == 4


def test_a_node_whose_resume_failed_is_not_taken_for_done(cluster: Cluster) -> None:
    (cluster.cloud / "refuse-resume-m1").touch()
    code, found = cluster.reimage("new")
    assert code == 2
    assert (found["m1"]["verdict"], found["m1"]["phases"][-1]["name"]) == ("failed", "resume")
    assert cluster.most_drained() == (1, {"m1"})

    code, found = cluster.reimage("new")
    assert code == 0
    assert {result["verdict"] for result in found.values()} == {"done"}
    assert cluster.most_drained() == (1, set())


def test_the_keys_of_a_new_server_are_trusted_once(cluster: Cluster) -> None:
    task = {"ansible.builtin.include_role": {"name": "railhead.cluster.openstack_nodes", "tasks_from": "trust"}}
    known_hosts = cluster.folder / "new_known_hosts"
    variables = {
        "openstack_nodes_cluster": "train",
        "openstack_nodes_servers": [],
        "openstack_nodes_known_hosts": str(known_hosts),
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    play = {"hosts": "n1", "gather_facts": False, "vars": variables, "tasks": [task]}
    (cluster.folder / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", cluster.folder / "hosts"]
    for _run in range(2):
        subprocess.run([*command, cluster.folder / "play.yml"], env=cluster.environment(), check=True, timeout=LONGEST)
        assert known_hosts.read_text(encoding="utf-8") == f"[n1]:2202 {KEY}\n"
