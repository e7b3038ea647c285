# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: two machines of the lab provisioned by railhead.cluster.site, proven, and summed up.

Writes build/demo/summary.json and one log a run beside it. See README.md for what the runs show.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "demo"
LAB = "demo"
NODES = ("node1", "node2")
PLAYBOOK = "railhead.cluster.site"
DEVICE = "rxe0"
#: Seconds for one measurement between the nodes; software emulation is slow.
DEADLINE = 120
PORTS = {"ib_send_bw": 18515, "ib_send_lat": 18515, "rping": 7174}


class DemoError(Exception):
    """What did not go as promised."""


def main() -> int:
    OUT.mkdir(parents=True, exist_ok=True)
    try:
        summary = demonstrate()
    except (DemoError, subprocess.CalledProcessError) as error:
        print(f"\nThe demo stopped: {error}\nThe logs are in {shown(OUT)}. The machines still run: {shell()}")
        return 1
    target = OUT / "summary.json"
    target.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print_summary(summary, target)
    return 0


def demonstrate() -> dict[str, Any]:
    lab("up", "--nodes", str(len(NODES)))
    lab("reset")  # bare machines, also when an earlier demo has left its state
    play("molecule/shared/ports.yml", "hand_over_ports")
    runs = [provision("first"), provision("second")]
    lab("reboot")
    runs += [provision("after_reboot"), provision("check", "--check")]
    expect_unchanged(runs[1:])
    for node in NODES:
        wait_on(node, "grep -q 'Number of ports: 2' /proc/net/bonding/bond0", "LACP did not come up on both ports")
    rdma = list(measure())
    return {"nodes": len(NODES), "runs": runs, "rdma": rdma, "fabric": list(inspect())}


def lab(*words: str) -> None:
    print(f"\n== lab {' '.join(words)}", flush=True)
    verb, *options = words
    subprocess.run(["lab", verb, "--name", LAB, *options], check=True, cwd=ROOT)


def provision(name: str, *options: str) -> dict[str, Any]:
    return play(PLAYBOOK, name, *options)


def play(playbook: str, name: str, *options: str) -> dict[str, Any]:
    """One run of a playbook; its output goes to a log, the name of each task to the screen."""
    print(f"\n== ansible-playbook {playbook} {' '.join(options)} ({name})", flush=True)
    log, report = OUT / f"{name}.log", OUT / f"{name}.json"
    environment = {
        **os.environ,
        "RAILHEAD_LAB_NAME": LAB,
        "RAILHEAD_RUN_LOG": str(report),
        "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tools" / "callbacks"),
        "ANSIBLE_CALLBACKS_ENABLED": "run_log",
        "ANSIBLE_PIPELINING": "true",
    }
    report.unlink(missing_ok=True)
    started = time.monotonic()
    command = ["ansible-playbook", "-i", "inventories/lab", "--diff", playbook, *options]
    with log.open("w", encoding="utf-8") as file:
        run = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for line in run.stdout or ():
            file.write(line)
            if match := re.match(r"TASK \[(?:railhead\.cluster\.)?(.*)\]", line):
                print(f"  {time.monotonic() - started:5.0f} s  {match.group(1)}", flush=True)
        code = run.wait()
    if code != 0 or not report.exists():
        raise DemoError(f"the run '{name}' ended with {code}; see {shown(log)}")
    hosts = json.loads(report.read_text(encoding="utf-8"))["stats"].values()
    counts = {key: sum(host[key] for host in hosts) for key in ("ok", "changed", "failed", "unreachable")}
    seconds = round(time.monotonic() - started, 1)
    print(f"  {counts['ok']} ok, {counts['changed']} changed, {counts['failed']} failed, {seconds} s", flush=True)
    return {"name": name, **counts, "seconds": seconds}


def expect_unchanged(runs: Sequence[dict[str, Any]]) -> None:
    for run in runs:
        if run["changed"]:
            raise DemoError(
                f"the run '{run['name']}' changed {run['changed']} things; see {shown(OUT)}/{run['name']}.json"
            )


def inspect() -> Iterator[dict[str, Any]]:
    """What the kernel and Open vSwitch say of the fabric after the traffic."""
    print("\n== The fabric of the nodes", flush=True)
    addresses = {name: row["lab_ports"][0]["address"] for name, row in inventory().items()}
    for node, peer in (NODES, NODES[::-1]):
        bond = on(node, ["cat", "/proc/net/bonding/bond0"]).stdout
        # Open vSwitch forgets a flow ten seconds after its last packet.
        flows = shell_on(node, f"ping -q -c 3 {addresses[peer]} && ovs-appctl dpctl/dump-flows -m type=tc").stdout
        row = {
            "node": node,
            "bond": " ".join(re.findall(r"(?:Hash Policy: |Number of ports: )(\S+)", bond)),
            "bridge": on(node, ["ovs-vsctl", "list-ports", "br0"]).stdout.split(),
            "flows_in_tc": flows.count("dp:tc"),
        }
        if not row["flows_in_tc"]:
            raise DemoError(f"{node} has no flow of Open vSwitch in TC, where a card would take it from")
        yield announced_fabric(row)


def measure() -> Iterator[dict[str, Any]]:
    """RDMA traffic between the nodes, both ways, over Soft-RoCE. The figures say that it works, not how fast it is."""
    print("\n== RDMA between the nodes", flush=True)
    addresses = {name: row["lab_ports"][0]["address"] for name, row in inventory().items()}
    for server, client in (NODES, NODES[::-1]):
        target = addresses[server].partition("/")[0]
        row = {"from": client, "to": server}
        text = exchange(server, client, target, "ib_send_bw", "-d", DEVICE, "-x", "1", "-F", "-n", "200")
        yield announced({**row, "test": "ib_send_bw", "value": perftest_column(text, 3), "unit": "MB/s"})
        text = exchange(server, client, target, "ib_send_lat", "-d", DEVICE, "-x", "1", "-F", "-n", "200")
        yield announced({**row, "test": "ib_send_lat", "value": perftest_column(text, 4), "unit": "us"})
        text = exchange(server, client, target, "rping", "-C", "10", "-v")
        yield announced({**row, "test": "rping", "value": float(text.count("ping data:")), "unit": "pings"})


def inventory() -> dict[str, dict[str, Any]]:
    listing = subprocess.run(
        ["lab", "inventory", "--name", LAB], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout
    hosts: dict[str, dict[str, Any]] = json.loads(listing)["_meta"]["hostvars"]
    return hosts


def exchange(server: str, client: str, address: str, *command: str) -> str:
    """Start the server half of a test, wait until it listens, run the client half, return what the client printed."""
    roles = (["-s"], ["-c", "-a", address]) if command[0] == "rping" else ([], [address])
    with serving(server, [*command, *roles[0]]):
        wait_for_listener(server, PORTS[command[0]], tcp=command[0] != "rping")
        ended = on(client, [*command, *roles[1]])
        if ended.returncode != 0:
            raise DemoError(
                f"{' '.join(command)} from {client} to {server}: {ended.stderr.strip() or ended.stdout.strip()}"
            )
        return ended.stdout


@contextmanager
def serving(node: str, command: Sequence[str]) -> Iterator[None]:
    server = subprocess.Popen(
        ssh(node, command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    try:
        yield
        server.wait(DEADLINE)
    finally:
        server.kill()
        server.wait()


def wait_for_listener(node: str, port: int, tcp: bool) -> None:
    """perftest listens on TCP; rping listens in the RDMA connection manager, which C(rdma resource) shows."""
    shows = f"ss -Hltn sport = :{port}" if tcp else f"rdma resource show cm_id | grep -w LISTEN | grep -w {port}"
    wait_on(node, f"{shows} | grep -q .", f"nothing came to listen on port {port}")


def wait_on(node: str, condition: str, complaint: str) -> None:
    """Until a shell command succeeds there."""
    ended = shell_on(node, f"until {condition}; do sleep 0.2; done")
    if ended.returncode != 0:
        raise DemoError(f"{complaint} of {node}: {ended.stderr.strip()}")


def on(node: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ssh(node, ["timeout", str(DEADLINE), *command]), check=False, capture_output=True, text=True, cwd=ROOT
    )


def shell_on(node: str, script: str) -> subprocess.CompletedProcess[str]:
    return on(node, ["sh", "-c", shlex.quote(script)])


def ssh(node: str, command: Sequence[str]) -> list[str]:
    return ["lab", "ssh", "--name", LAB, node, "--", *command]


def perftest_column(text: str, column: int) -> float:
    """A value of the only result row of perftest: its first column is the message size in bytes."""
    rows = [line.split() for line in text.splitlines() if re.match(r"\s*\d+\s+\d+\s+\d", line)]
    if not rows:
        raise DemoError(f"perftest printed no result: {text[-300:]}")
    return float(rows[-1][column])


def announced(row: dict[str, Any]) -> dict[str, Any]:
    print(f"  {row['from']} -> {row['to']}  {row['test']:12} {row['value']:g} {row['unit']}", flush=True)
    return row


def announced_fabric(row: dict[str, Any]) -> dict[str, Any]:
    told = f"bond0: {row['bond']} ports; br0: {' '.join(row['bridge'])}; {row['flows_in_tc']} flows in TC"
    print(f"  {row['node']}  {told}", flush=True)
    return row


def print_summary(summary: dict[str, Any], target: Path) -> None:
    print(f"\nSummary: {summary['nodes']} nodes provisioned by {PLAYBOOK}\n")
    for run in summary["runs"]:
        print(f"  {run['name']:13} {run['changed']:3} changed  {run['failed']} failed  {run['seconds']:6.0f} s")
    for row in summary["rdma"]:
        announced(row)
    for row in summary["fabric"]:
        announced_fabric(row)
    print(f"\nReport: {shown(target)}")
    print(f"The machines still run. A shell on one: {shell()}\nTo end them: .venv/bin/lab down --name {LAB}")


def shell() -> str:
    return f".venv/bin/lab ssh --name {LAB} {NODES[0]}"


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
