# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-fabric`: what one run of the module fabric costs, beside the other ways to set the same VFs up.

Everything runs on one machine of the lab, in turns, in one run of this program, so that the ratios mean something where
the seconds do not. Writes build/bench/fabric.json:

  seconds    by number of VFs and way: median and all samples, whole commands of Ansible from the outside
  ratios     of the medians
  processes  started on the node by the program railhead-fabric, which is the module's code: strace counts execve
"""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "bench"
LAB, NODE = "bench", "node1"
SIZES = (1, 7, 64, 256)
#: A task for each attribute of each VF takes minutes for more.
MOST_TASKS = 7
SAMPLES = 3
#: The name that udev gives the network device of netdevsim1.
PORT = "eni1np1"
NUMVFS = "/sys/bus/netdevsim/devices/netdevsim1/sriov_numvfs"
ENVIRONMENT = {
    **os.environ,
    "RAILHEAD_LAB_NAME": LAB,
    "ANSIBLE_PIPELINING": "true",
    "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=600s",
    "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
}


@dataclass(frozen=True)
class Way:
    """C(is_fresh) is one that begins with no VFs."""

    run: Callable[[], None]
    is_fresh: bool = True


def main() -> int:
    OUT.mkdir(parents=True, exist_ok=True)
    prepare()
    result: dict[str, Any] = {"seconds": {}, "ratios": {}, "processes": {}}
    for count in SIZES:
        seconds = sample(ways(count))
        result["seconds"][str(count)] = seconds
        result["ratios"][str(count)] = ratios({way: found["median"] for way, found in seconds.items()})
        result["processes"][str(count)] = processes(f"vfs-{count}", vfs(count))
        print(f"  {count} VFs: {result['ratios'][str(count)]}, processes {result['processes'][str(count)]}", flush=True)
    whole = whole_host(64)
    result["processes"]["whole_host"] = processes("whole", whole)
    again = sample({"ping": Way(ping, is_fresh=False), "fabric_again": Way(lambda: fabric(whole), is_fresh=False)})
    result["seconds"]["whole_host"] = again
    result["ratios"]["whole_host"] = ratios({way: found["median"] for way, found in again.items()})
    target = OUT / "fabric.json"
    target.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"  whole host: {result['ratios']['whole_host']}, processes {result['processes']['whole_host']}")
    print(f"\nReport: {target.relative_to(ROOT)}\nTo end the machine: .venv/bin/lab down --name {LAB}")
    return 0


def prepare() -> None:
    print("== one machine, with a simulated port of 256 VFs", flush=True)
    for words in (("up", "--nodes", "1"), ("reset",)):
        subprocess.run(["lab", words[0], "--name", LAB, *words[1:]], check=True, cwd=ROOT)
    quietly("ansible-playbook", "-i", "inventories/lab", "molecule/shared/ports.yml")
    module("ansible.builtin.apt", name=["openvswitch-switch", "strace"], update_cache=True, install_recommends=False)
    module("railhead.cluster.node_program", name="railhead-fabric")
    on("echo 256 > /sys/kernel/debug/netdevsim/netdevsim1/max_vfs")
    for count in SIZES:
        lines = "".join(f"link set dev {PORT} {words}\n" for words in attributes(count))
        module("ansible.builtin.copy", content=lines, dest=f"/root/batch-{count}")


def ways(count: int) -> dict[str, Way]:
    """Each takes the port from no VFs to C(count), with address, VLAN, trust and spoof check; two change nothing."""
    create = f"echo {count} > {NUMVFS}"
    loop = "; ".join(f"ip link set dev {PORT} {words}" for words in attributes(count))
    found = {
        "ping": Way(ping, is_fresh=False),
        "raw_batch": Way(lambda: shell(f"{create} && ip -batch /root/batch-{count}")),
        "shell_loop": Way(lambda: shell(f"{create}; {loop}")),
        "fabric": Way(lambda: fabric(vfs(count))),
        "fabric_again": Way(lambda: fabric(vfs(count)), is_fresh=False),
    }
    if count <= MOST_TASKS:
        found["task_loop"] = Way(lambda: task_loop(count, create))
    return found


def sample(ways_by_name: Mapping[str, Way]) -> dict[str, dict[str, Any]]:
    """Each in turn, and all of them again, so that what else the host does falls on all."""
    samples: dict[str, list[float]] = {name: [] for name in ways_by_name}
    for _number in range(SAMPLES):
        for name, way in ways_by_name.items():
            if way.is_fresh:
                on(f"echo 0 > {NUMVFS}")
            started = time.monotonic()
            way.run()
            samples[name].append(round(time.monotonic() - started, 2))
    return {name: {"median": statistics.median(found), "samples": found} for name, found in samples.items()}


def ratios(medians: Mapping[str, float]) -> dict[str, float]:
    """Of what the aims are about: a first run to a raw batch, a run without changes to a ping, other ways to ours."""
    pairs = {
        "fabric / raw_batch": ("fabric", "raw_batch"),
        "fabric_again / ping": ("fabric_again", "ping"),
        "shell_loop / fabric": ("shell_loop", "fabric"),
        "task_loop / fabric": ("task_loop", "fabric"),
    }
    return {
        name: round(medians[one] / medians[other], 2)
        for name, (one, other) in pairs.items()
        if one in medians and other in medians
    }


def processes(name: str, document: Mapping[str, Any]) -> dict[str, int]:
    """Of a first run, and of one that changes nothing; the interpreter of the program itself does not count."""
    path = f"/root/{name}.json"
    module("ansible.builtin.copy", content=json.dumps(document), dest=path)
    on(f"echo 0 > {NUMVFS}")
    return {run: traced(path) for run in ("first", "again")}


def traced(path: str) -> int:
    consents = "--allow-vfs-in-use --allow-port-traffic"
    program = f"/usr/local/sbin/railhead-fabric apply --file {path} {consents}"
    on(f"strace -f -qq -e trace=execve -e status=successful -o /root/trace {program}")
    return int(on("grep -c 'execve(' /root/trace")) - 1


def vfs(count: int) -> dict[str, Any]:
    return {"ports": [{"port": "netdevsim1", "count": count, "vfs": templates(count)}]}


def templates(count: int) -> list[dict[str, Any]]:
    return [{"vf": f"0-{count - 1}", "mac": "auto", "vlan": f"100-{99 + count}", "trust": True, "spoofchk": True}]


def whole_host(count: int) -> dict[str, Any]:
    """Bond, bridge with a representor for each VF, offload and addresses too."""
    port = {"port": "netdevsim1", "name": "sim0", "count": count, "vfs": templates(count)}
    bond = {"mode": "802.3ad", "xmit_hash_policy": "layer3+4", "miimon": 100}
    return {
        "ports": [
            {"port": "0000:01:00.0", "name": "rail0"},
            {"port": "0000:02:00.0", "name": "rail1"},
            {**port, "eswitch_mode": "switchdev", "hw_tc_offload": True},
        ],
        "bonds": [{"name": "bond0", "members": ["rail0", "rail1"], **bond}],
        "open_vswitch": {"hw_offload": True, "tc_policy": "none"},
        "bridges": [{"name": "br0", "uplinks": ["bond0"], "representors": [{"port": "sim0", "vf": f"0-{count - 1}"}]}],
        "addresses": [{"device": "br0", "addresses": ["198.51.100.1/24"]}],
    }


def attributes(count: int) -> list[str]:
    """What a document says of its VFs, in the words of C(ip link set)."""
    found = []
    for index in range(count):
        mac = f"02:00:5e:00:{index // 256:02x}:{index % 256:02x}"
        words = (f"mac {mac}", f"vlan {100 + index}", "trust on", "spoofchk on")
        found += [f"vf {index} {word}" for word in words]
    return found


def ping() -> None:
    module("ansible.builtin.ping")


def fabric(document: Mapping[str, Any]) -> None:
    module("railhead.cluster.fabric", **document, allow_vfs_in_use=True, allow_port_traffic=True)


def shell(script: str) -> None:
    module("ansible.builtin.shell", cmd=script)


def task_loop(count: int, create: str) -> None:
    loop = {
        "hosts": NODE,
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.shell": create},
            {
                "ansible.builtin.command": f"ip link set dev {PORT} {{{{ item }}}}",
                "loop": attributes(count),
            },
        ],
    }
    playbook = OUT / "task_loop.yml"
    playbook.write_text(json.dumps([loop]), encoding="utf-8")
    quietly("ansible-playbook", "-i", "inventories/lab", str(playbook))


def module(name: str, /, **arguments: Any) -> None:
    options = ["-a", json.dumps(arguments)] if arguments else []
    quietly("ansible", NODE, "-i", "inventories/lab", "-m", name, *options)


def quietly(*command: str) -> None:
    ended = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=False, capture_output=True, text=True)
    if ended.returncode != 0:
        sys.exit(f"{shlex.join(command)[:200]} ended with {ended.returncode}: {ended.stdout[-1500:]}{ended.stderr}")


def on(script: str) -> str:
    command = ["lab", "ssh", "--name", LAB, NODE, "--", "sh", "-c", shlex.quote(script)]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
