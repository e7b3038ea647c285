# SPDX-License-Identifier: GPL-3.0-or-later
"""`make test-kubernetes`: two machines become a cluster whose pods exchange RDMA, are rebooted and upgraded.

In the case control-planes three machines are control planes behind one address instead: one fails, one leaves and comes
back. In the case load-balancer two machines know their cluster by the address of one. In the case mpi a job of the MPI
operator exchanges RDMA. In the case exclusive the API server gets what pods need for virtual functions. Programs,
packages and images are built first, which takes long the first time. The lab and its registry are ended in any case.
Writes build/kubernetes/summary.json, for another case than pods summary-CASE.json, and a log for each run.

    test_kubernetes.py [--keep] [--case control-planes|load-balancer|mpi|exclusive]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from runs import ROOT, Runs, ScenarioError, expect

OUT = ROOT / "build" / "kubernetes"
SCENE = ROOT / "molecule" / "kubernetes"
LAB = os.environ.get("RAILHEAD_KUBERNETES_LAB", "kubernetes")
#: The release that a cluster is made with, and the one it is upgraded to.
RELEASES = ("1.35.1", "1.35.8")
#: Soft-RoCE in namespaces of pods needs Linux 7; a control plane needs memory.
MACHINES = ("--image", "debian13-backports", "--memory", "3072", "--cpus", "2")
#: One of the controllers leads, with a lease that one of a slow machine keeps.
LEADING = {"leader-elect-lease-duration": "3m", "leader-elect-renew-deadline": "2m", "leader-elect-retry-period": "20s"}
#: What makes each machine a control plane behind an address that keepalived moves.
CONTROL_PLANES = {
    "kubernetes_controller_manager_extra_args": LEADING,
    "kubernetes_scheduler_extra_args": LEADING,
    "kubernetes_control_plane_group": "lab",
    "kubernetes_workers_group": "nobody",
    "kubernetes_virtual_ip": "198.51.100.100",
    "kubernetes_rdma_model": "",
    "kubernetes_gpu_provider": "none",
}
#: What has the nodes find the API server through the second of them, and leaves out what does not matter there.
LOAD_BALANCER = {
    "kubernetes_control_plane_endpoint": "198.51.100.2:7443",
    "lab_rdma_model": "",
    "kubernetes_gpu_provider": "none",
}
#: What adds the operator, and leaves out what its job does not use.
MPI = {"kubernetes_mpi_enabled": True, "kubernetes_gpu_provider": "none"}
#: What gives a port virtual functions, two unless a playbook says other, on hosts in the mode for them.
EXCLUSIVE = {
    "host_fabric_ports": [
        {"port": "0000:01:00.0", "mtu": 9000},
        {"port": "0000:02:00.0", "mtu": 9000, "count": "{{ lab_vfs | default(2) }}"},
    ],
    "rdma_isolation_netns_mode": "exclusive",
    "lab_rdma_model": "",
    "kubernetes_gpu_provider": "none",
}


class Case(NamedTuple):
    """What is run, with which releases and variables, and where the report is."""

    steps: Callable[[Scene], None]
    releases: tuple[str, ...]
    variables: dict[str, Any]
    report: str


class Scene:
    """The lab, what is served to it, and what was seen."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.runs = Runs(OUT, [ROOT / "inventories" / "lab" / "lab", SCENE / "inventory"])
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Take the time of a phase, which is kept also when it fails."""
        print(f"\n== {name}", flush=True)
        begin = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - begin, 1)

    def play(self, playbook: str, name: str, release: str = "") -> dict[str, Any]:
        """One run, with the versions of a release: the case's first unless said."""
        path = playbook if playbook.startswith("railhead.") else str(SCENE / f"{playbook}.yml")
        with self.phase(name):
            versions = str(OUT / "site" / f"versions-{release or self.case.releases[0]}.yml")
            return self.runs.play(path, name, kubernetes_versions_file=versions, **self.case.variables)

    def joined(self, playbook: str, name: str) -> None:
        """Up to three runs until all have joined: kubeadm gives etcd's list of members two seconds, once.

        A join that fails is undone, and the next run does it again.
        """
        for number in (1, 2, 3):
            try:
                self.play(playbook, f"{name}-{number}")
            except ScenarioError as error:
                if number == 3:
                    raise
                print(f"  {error}", flush=True)
            else:
                break

    def unchanged(self, playbook: str, name: str, release: str = "") -> None:
        """One run that must not change anything."""
        row = self.play(playbook, name, release)
        expect(row["changed"] == 0, f"the run '{name}' changed {row['changed']} things")


def lab(verb: str, *words: str) -> None:
    subprocess.run(["lab", verb, *words], check=True, cwd=ROOT)


@contextlib.contextmanager
def served() -> Iterator[None]:
    """Registry and packages, for as long as this lasts."""
    command = ["lab", "kubernetes", "serve", "--out", str(OUT / "site")]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as server:
        try:
            said = server.stderr or ()
            expect(any(line.startswith("ready") for line in said), "registry and packages could not be served")
            yield
        finally:
            server.terminate()


@contextlib.contextmanager
def bare(scene: Scene, *machines: str) -> Iterator[None]:
    """Machines with the site playbook applied, and registry and packages beside them."""
    with scene.phase("build"):
        lab(
            "kubernetes",
            "build",
            "--out",
            str(OUT / "site"),
            *(f"--release={release}" for release in scene.case.releases),
        )
    with served():
        with scene.phase("machines"):
            lab("up", "--name", LAB, *MACHINES, *machines)
            lab("reset", "--name", LAB)
        scene.play("prepare", "prepare")
        scene.play("railhead.cluster.site", "site")
        yield


def pods(scene: Scene) -> None:
    """A control plane and a worker, and pods that exchange RDMA."""
    with bare(scene, "--nodes", "2"):
        scene.play("bare", "bare")
        scene.play("railhead.cluster.kubernetes", "kubernetes")
        scene.play("verify", "verify")
        scene.unchanged("converge", "again")
        scene.play("refusals", "refusals")
        scene.play("others", "others")
        scene.play("affinity", "affinity")
        scene.play("reboot", "reboot")
        scene.unchanged("converge", "after-reboot")
        scene.play("verify", "verify-after-reboot")
        scene.play("upgrade", "upgrade", RELEASES[1])
        scene.play("verify", "verify-after-upgrade", RELEASES[1])
        scene.unchanged("converge", "after-upgrade", RELEASES[1])
        scene.play("reset", "reset", RELEASES[1])


def control_planes(scene: Scene) -> None:
    """Three control planes behind one address."""
    with bare(scene, "--nodes", "3", "--hub"):
        scene.joined("railhead.cluster.kubernetes", "control-planes")
        scene.play("failover", "failover")
        scene.play("leave", "leave")
        scene.joined("return", "return")
        scene.play("failover", "failover-after-return")
        scene.unchanged("converge", "control-planes-again")
        scene.play("renew", "renew")


def load_balancer(scene: Scene) -> None:
    """A control plane and a worker, with a load balancer between."""
    with bare(scene, "--nodes", "2"):
        scene.play("load_balancer", "load-balancer")
        scene.play("railhead.cluster.kubernetes", "kubernetes")
        scene.play("balanced", "balanced")
        scene.unchanged("converge", "again")


def mpi(scene: Scene) -> None:
    """A control plane and a worker, and a job of MPI whose ranks exchange RDMA."""
    with bare(scene, "--nodes", "2"):
        scene.play("railhead.cluster.kubernetes", "kubernetes")
        scene.play("mpi", "mpi")
        scene.unchanged("converge", "again")


def exclusive(scene: Scene) -> None:
    """A control plane and a worker with virtual functions, and what the API server gets for them."""
    with bare(scene, "--nodes", "2"):
        scene.play("railhead.cluster.kubernetes", "kubernetes")
        scene.play("exclusive", "exclusive")
        scene.unchanged("exclusive", "exclusive-again")
        scene.play("virtual_functions", "virtual-functions")


CASES = {
    "pods": Case(pods, RELEASES, {}, "summary.json"),
    # The newer kubeadm looks again before it says that a promotion in etcd failed; the older one waits two seconds.
    "control-planes": Case(control_planes, RELEASES[1:], CONTROL_PLANES, "summary-control-planes.json"),
    "load-balancer": Case(load_balancer, RELEASES[1:], LOAD_BALANCER, "summary-load-balancer.json"),
    "mpi": Case(mpi, RELEASES[1:], MPI, "summary-mpi.json"),
    "exclusive": Case(exclusive, RELEASES[1:], EXCLUSIVE, "summary-exclusive.json"),
}


def summary(scene: Scene, trouble: str) -> dict[str, Any]:
    """What was seen; the playbooks leave what they saw as seen-*.json."""
    seen = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(OUT.glob("seen-*.json"))}
    return {
        "releases": list(scene.case.releases),
        "minutes": {name: round(seconds / 60, 1) for name, seconds in scene.seconds.items()},
        "runs": scene.runs.rows,
        **seen,
        "trouble": trouble,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave the machines running")
    parser.add_argument("--case", choices=CASES, default="pods", help="%(default)s unless said")
    options = parser.parse_args()
    os.environ["RAILHEAD_LAB_NAME"] = LAB
    scene, trouble = Scene(CASES[options.case]), ""
    for old in OUT.glob("seen-*.json"):
        old.unlink()
    try:
        scene.case.steps(scene)
    except (ScenarioError, subprocess.CalledProcessError) as error:
        trouble = str(error)
    finally:
        report = OUT / scene.case.report
        report.write_text(json.dumps(summary(scene, trouble), indent=2) + "\n", encoding="utf-8")
        if not options.keep:
            lab("down", "--name", LAB)
    print(f"\n{trouble or 'All went as promised.'}\nReport: {report.relative_to(ROOT)}")
    passed, failed = len(scene.runs.rows), int(bool(trouble))
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed


if __name__ == "__main__":
    sys.exit(main())
