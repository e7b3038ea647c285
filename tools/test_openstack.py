# SPDX-License-Identifier: GPL-3.0-or-later
"""`make test-openstack`: servers provisioned and reimaged in a rolling batch, with failures and their recovery.

The lab's control plane is brought up, and down again in any case. Each failure is asked for, seen in the phase that it
belongs to, and got over by the same playbook run again. Writes build/openstack/summary.json and a log for each run.

    test_openstack.py [--nodes N] [--cases all|NAME,...] [--keep]

Without nodes (--nodes 0) servers have no machine, and only what speaks to the APIs is tried.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from runs import ROOT, Runs, ScenarioError, expect

OUT = ROOT / "build" / "openstack"
SCENE = ROOT / "molecule" / "openstack"
LAB = os.environ.get("RAILHEAD_OPENSTACK_LAB", "openstack")
IMAGES = ("node-a", "node-b")
# Small, as all machines and the control plane run at once.
MACHINE = ("--memory", "1024", "--cpus", "1")


@dataclass(frozen=True)
class Case:
    """A failure of the first node: how it is asked for, the phase and the reason it is seen in, and what the playbook
    needs more, while it fails and to get over it. With `fails` false the run must get over it by itself. `program` is
    one that the nodes have afterwards, and their image has not.
    """

    name: str
    phase: str
    ask: Callable[[Scene], None]
    reason: str = "task"
    fails: bool = True
    during: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    program: str = ""


class Scene:
    """The control plane and the nodes, and what was seen of them."""

    def __init__(self, nodes: int) -> None:
        self.nodes = [f"node{number}" for number in range(1, nodes + 1)]
        self.runs = Runs(OUT, [SCENE / "inventory"])
        self.cases: list[dict[str, Any]] = []
        self.seconds: dict[str, float] = {}
        self.image = 0

    @property
    def first(self) -> str:
        return self.nodes[0]

    def up(self) -> None:
        """The control plane, and what the playbooks need to know of it."""
        begin = time.monotonic()
        lab("up", "--nodes", str(len(self.nodes)), *MACHINE)
        self.seconds["up"] = round(time.monotonic() - begin, 1)
        status = self.status()
        (OUT / "known_hosts").write_text("", encoding="utf-8")
        (OUT / "hook.log").write_text("", encoding="utf-8")
        ports = [{"network": "rail1", "type": "direct", "switchdev": True, "port_security": False, "mtu": 9000}]
        ports.append({"network": "rail2", "allowed_address_pairs": [{"ip_address": "203.0.113.240/28"}]})
        servers = [
            {
                "name": node["name"],
                "flavor": "node",
                "image": IMAGES[0],
                "server_group": "scenario",
                "ports": ports,
                "metadata": {"ssh_port": str(node["ssh_port"])},
            }
            for node in status["nodes"] or [{"name": name, "ssh_port": 22} for name in ("node1", "node2")]
        ]
        known = {
            "key": status["key"],
            "known_hosts": str(OUT / "known_hosts"),
            "hook": str(SCENE / "files" / "hook"),
            "servers": servers,
        }
        (OUT / "scene.json").write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
        os.environ.update(
            RAILHEAD_OPENSTACK=str(OUT / "scene.json"),
            RAILHEAD_HOOK_LOG=str(OUT / "hook.log"),
            RAILHEAD_OPENSTACK_LAB=LAB,
            OS_CLIENT_CONFIG_FILE=self.clouds(Path(status["clouds"])),
        )

    @staticmethod
    def clouds(file: Path) -> str:
        """The clouds of the control plane, and some that are wrong; the path of the file that has them."""
        known: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        good = known["clouds"]["lab"]
        address, secret = good["auth"]["auth_url"], "application_credential_secret"
        known["clouds"] |= {
            "lab-token": {"auth_type": "v3token", "auth": {"auth_url": address, "token": "gAAAAAunknown"}},
            "lab-wrong": {**good, "auth": {**good["auth"], secret: "wrong"}},
            "lab-nowhere": {**good, "auth": {**good["auth"], "auth_url": "http://127.0.0.1:9/v3"}},
            "lab-region": {**good, "region_name": "nosuch"},
        }
        target = OUT / "clouds.yaml"
        target.write_text(yaml.safe_dump(known), encoding="utf-8")
        target.chmod(0o600)
        return str(target)

    def status(self) -> dict[str, Any]:
        text = subprocess.run(
            ["lab", "openstack", "status", "--name", LAB, "--json"], check=True, capture_output=True, text=True
        ).stdout
        found: dict[str, Any] = json.loads(text)
        return found

    def reimage(self, name: str, expected: int = 0, **variables: Any) -> dict[str, dict[str, Any]]:
        """One run of the playbook; the results by node."""
        results = OUT / "results"
        wish = {"reimage_image": IMAGES[self.image], "reimage_results": str(results), "reimage_batch": 1, **variables}
        run = self.runs.play("railhead.cluster.reimage", name, expected, **wish)
        found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in results.glob("*.json")}
        run["nodes"] = found
        for node, result in sorted(found.items()):
            phases = ", ".join(f"{phase['name']} {phase['seconds']} s" for phase in result["phases"])
            print(f"  {node}: {result['verdict']} ({phases}) {result['message'][:200]}", flush=True)
        return found

    def on(self, node: str, command: str) -> str:
        """What a shell command on a machine prints, by the lab's own way in."""
        done = subprocess.run(
            ["lab", "ssh", "--name", LAB, node, "--", command], check=False, capture_output=True, text=True
        )
        return done.stdout.strip()

    def hook_lines(self) -> list[list[str]]:
        return [line.split() for line in (OUT / "hook.log").read_text(encoding="utf-8").splitlines()]


def lab(verb: str, *words: str) -> None:
    print(f"\n== lab openstack {' '.join([verb, *words])}", flush=True)
    subprocess.run(["lab", "openstack", verb, "--name", LAB, *words], check=True, cwd=ROOT)


def fault(kind: str, **options: Any) -> Callable[[Scene], None]:
    """Ask the control plane for a fault, of the first node where nothing else is said."""

    def ask(scene: Scene) -> None:
        words = [f"--{key}={value}" for key, value in {"on": scene.first, **options}.items()]
        lab("fault", kind, *words)

    return ask


def refuse(what: str) -> Callable[[Scene], None]:
    """Have the workload manager refuse the first node once."""
    return lambda scene: (OUT / f"refuse-{what}-{scene.first}").touch()


def nothing(_scene: Scene) -> None:
    """The variables of the case are the failure."""


# All that the site playbook applies, which is what the role does unless the inventory says less.
SITE_ROLES = "{{ __reimage_site_roles }}"
CASES = (
    Case(
        "rebuild fails",
        "rebuild",
        fault("rebuild-fails"),
        "node_error",
        after={"reimage_roles": SITE_ROLES},
        program="ibv_devinfo",
    ),
    Case("drain refused", "drain", refuse("drain")),
    Case("API answers 500 once", "rebuild", fault("api-500", on="action rebuild"), fails=False),
    Case("API slow", "rebuild", fault("api-slow", on="action rebuild", seconds=20), fails=False),
    Case("rebuild hangs", "rebuild", fault("rebuild-hangs", times=0), "deadline", during={"reimage_timeout": 20}),
    Case(
        "no SSH",
        "connect",
        fault("no-ssh"),
        during={"reimage_connect_timeout": 60},
        after={"reimage_allow_unreachable": True, "reimage_connect_timeout": 60},
    ),
    Case("role fails", "configure", nothing, during={"host_tuning_sysctls": {"vm.nosuch": 1}}),
    Case("not accepted", "accept", nothing, during={"reimage_acceptance": [["test", "-e", "/nosuch"]]}),
    Case("resume refused", "resume", refuse("resume")),
)


def run_case(scene: Scene, case: Case) -> None:
    """Everything to the other image, with one failure: seen where it belongs, got over, and nothing done twice."""
    scene.image = 1 - scene.image
    slug = case.name.lower().replace(" ", "_")
    case.ask(scene)
    found = scene.reimage(f"{slug}-fails", 2 if case.fails else 0, **case.during)
    row = {"case": case.name, "phase": case.phase, "reason": case.reason if case.fails else "", "retried": case.fails}
    if case.fails:
        result = found[scene.first]
        expect(list(found) == [scene.first], f"after the failure of {scene.first} others were begun: {sorted(found)}")
        expect(result["verdict"] == "failed", f"{scene.first} did not fail")
        expect(result["phases"][-1]["name"] == case.phase, f"it failed in {result['phases'][-1]}")
        expect(result["reason"] == case.reason, f"the reason is {result['reason']}: {result['message']}")
        row["message"] = result["message"]
        lab("fault", "clear")
        calls = rebuilds(scene)
        found = scene.reimage(f"{slug}-again", **case.after)
        expect({node["verdict"] for node in found.values()} == {"done"}, "not all nodes are done")
        needed = len(scene.nodes) - (0 if case.phase in ("drain", "rebuild", "connect") else 1)
        needed -= case.reason == "deadline"
        row["rebuilds"] = rebuilds(scene) - calls
        expect(row["rebuilds"] == needed, f"{row['rebuilds']} rebuilds were asked for, {needed} are needed")
    calls = rebuilds(scene)
    found = scene.reimage(f"{slug}-done", **case.after)
    expect({node["verdict"] for node in found.values()} == {"skipped"}, "a node that was done was not skipped")
    expect(rebuilds(scene) == calls, "a node that was done was rebuilt")
    verify(scene)
    for node in scene.nodes if case.program else ():
        expect(scene.on(node, f"command -v {case.program}") != "", f"{node} has no {case.program}")
    row["recovered"] = True
    scene.cases.append(row)


def rebuilds(scene: Scene) -> int:
    """How many rebuilds Nova was asked for and took."""
    kinds: dict[str, int] = scene.status()["calls"].get("nova", {})
    return sum(number for kind, number in kinds.items() if kind.endswith("action rebuild"))


def verify(scene: Scene) -> None:
    """The machines' own view: wiped, from this image, configured; and never more than a batch was away."""
    for node in scene.nodes:
        image = scene.on(node, "cat /etc/railhead-lab-image")
        expect(image == IMAGES[scene.image], f"{node} runs {image!r}")
        expect(scene.on(node, "cat /proc/sys/net/ipv4/conf/all/arp_ignore") == "1", f"{node} is not configured")
    away: set[str] = set()
    for _when, what, node in scene.hook_lines():
        away = away | {node} if what == "drain" else away - {node}
        expect(len(away) <= 1, f"{sorted(away)} were drained at once")
    expect(not away, f"{sorted(away)} are still drained")


def run(scene: Scene, cases: Sequence[Case]) -> None:
    scene.up()
    scene.runs.play(str(SCENE / "api.yml"), "api")
    scene.runs.play(str(SCENE / "ironic.yml"), "ironic")
    if not scene.nodes:
        scene.runs.play(str(SCENE / "servers.yml"), "servers")
        scene.runs.play(str(SCENE / "refusals.yml"), "refusals")
        return
    scene.runs.play("railhead.cluster.provision", "provision")
    again = scene.runs.play("railhead.cluster.provision", "provision-again")
    expect(again["changed"] == 0, f"the second run changed {again['changed']} things")
    for node in scene.nodes:
        expect(scene.on(node, "cat /etc/railhead-lab-image") == IMAGES[0], f"{node} does not run {IMAGES[0]}")
    scene.runs.play(str(SCENE / "refusals.yml"), "refusals")
    for case in cases:
        run_case(scene, case)


def summary(scene: Scene, trouble: str) -> dict[str, Any]:
    status = scene.status()
    return {
        "nodes": len(scene.nodes),
        "seconds": scene.seconds,
        "runs": scene.runs.rows,
        "cases": scene.cases,
        "calls": status.get("calls", {}),
        "faults": status.get("faults", {}).get("granted", []),
        "trouble": trouble,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--cases", default=CASES[0].name, help="`all`, or names with commas between them")
    parser.add_argument("--keep", action="store_true", help="leave the control plane running")
    options = parser.parse_args()
    names = [case.name for case in CASES] if options.cases == "all" else options.cases.split(",")
    scene, trouble = Scene(options.nodes), ""
    try:
        run(scene, [case for case in CASES if case.name in names])
    except (ScenarioError, subprocess.CalledProcessError) as error:
        trouble = str(error)
    finally:
        (OUT / "summary.json").write_text(json.dumps(summary(scene, trouble), indent=2) + "\n", encoding="utf-8")
        if not options.keep:
            lab("down")
    print(f"\n{trouble or 'All went as promised.'}\nReport: {(OUT / 'summary.json').relative_to(ROOT)}")
    passed, failed = len(scene.cases) + len(scene.runs.rows), int(bool(trouble))
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed


if __name__ == "__main__":
    sys.exit(main())
