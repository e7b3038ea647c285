# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `lab`."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from railhead_lab import __version__, definitions, hostcheck, images, inventory, labs, repository, ssh
from railhead_lab.errors import LabError
from railhead_lab.kubernetes import build, serve
from railhead_lab.openstack import control, faults
from railhead_lab.paths import Home, find_home
from railhead_lab.progress import Progress
from railhead_lab.state import Place

Verb = Callable[[argparse.Namespace, Home, Progress], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit status: 0 done, 1 could not be done, 2 wrong usage, 130 interrupted."""
    options = build_parser().parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    progress = Progress()
    verb: Verb = options.verb
    try:
        return verb(options, find_home(os.environ), progress)
    except LabError as error:
        progress.note(f"lab: {error}")
        return 1
    except KeyboardInterrupt:
        progress.note("lab: interrupted")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; each verb's function is its `verb`."""
    parser = argparse.ArgumentParser(prog="lab", description="Virtual machines to prove railhead.cluster on.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    def add(name: str, verb: Verb, text: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=text, description=text)
        sub.add_argument("--name", default="default", help="the lab's name (default: %(default)s)")
        sub.set_defaults(verb=verb)
        return sub

    wish = labs.DEFAULTS
    sub = add("up", _up, "Bring a lab up; building, booting and caching what is not there yet.")
    sub.add_argument("--image", choices=sorted(definitions.load()), help=f"default: {wish.image}")
    sub.add_argument("--nodes", type=int, metavar="N", help=f"default: {wish.nodes}")
    sub.add_argument("--memory", type=int, metavar="MIB", help=f"of each node; default: {wish.memory}")
    sub.add_argument("--cpus", type=int, metavar="N", help=f"of each node; default: {wish.cpus}")
    sub.add_argument("--ssh-port-base", type=int, metavar="PORT", help="node 1's SSH port; default: free ports")
    hub = "all first ports in one network, all second ones in another, instead of cables between two nodes"
    sub.add_argument("--hub", action="store_true", default=None, help=hub)
    add("down", _down, "End a lab and remove all of it; images stay.")
    sub = add("status", _status, "Show what is up.")
    sub.add_argument("--json", action="store_true", help="for programs")
    sub = add("ssh", _ssh, "Open a shell on a node, or run a command there.")
    sub.add_argument("node")
    sub.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    sub = add("console", _console, "Show a node's serial console and follow it.")
    sub.add_argument("node")
    sub.add_argument("--no-follow", action="store_true", help="only what is there now")
    sub = add("reset", _reset, "Put a node, or all, back to the snapshot that `up` starts from; no boot.")
    sub.add_argument("node", nargs="?")
    sub = add("reboot", _reboot, "Reboot a node, or all, and wait for the new boot.")
    sub.add_argument("node", nargs="?")
    sub.add_argument(
        "--boot-loader",
        action="store_true",
        help="by the boot loader on the node's disk, now and until a reset; the default is the image's kernel",
    )
    sub = add("power-cut", _power_cut, "Take a node's power away, without a sync, and boot it again.")
    sub.add_argument("node")
    sub.add_argument("--stay-off", action="store_true", help="do not boot it again; `lab up` will")
    sub = add("inventory", _inventory, "Print the lab as Ansible's dynamic inventory.")
    kind = sub.add_mutually_exclusive_group()
    kind.add_argument("--list", action="store_true", help="all of it (the default)")
    kind.add_argument("--host", metavar="NODE", help="the variables of one host")
    add("clean", _clean, "Remove cached images and snapshots; not while labs are there.")
    sub = add("images", _images, "Build images.")
    sub.add_argument("action", choices=["build"])
    sub.add_argument("image", nargs="+", choices=sorted(definitions.load()))
    sub = add("repo", _repo, "Build signed APT repositories of small packages, listed in a TOML file.")
    sub.add_argument("action", choices=["build"])
    sub.add_argument("packages", type=Path, metavar="FILE")
    sub.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where they and key.asc are put")
    sub.add_argument("--set", action="append", default=[], type=setting, metavar="KEY=VALUE", help="replaces @KEY@")
    add("check", _check, "Check what the host brings.")
    _add_openstack(verbs)
    _add_kubernetes(verbs)
    return parser


def _add_openstack(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "A small OpenStack whose servers are the machines of a lab."
    group = verbs.add_parser("openstack", help=text, description=text)
    actions = group.add_subparsers(metavar="ACTION", required=True)

    def add(name: str, verb: Verb, text: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=text, description=text)
        sub.add_argument("--name", default="openstack", help="the control plane's name, and its lab's (%(default)s)")
        sub.set_defaults(verb=verb)
        return sub

    sub = add("up", _openstack_up, "Bring the control plane up; its servers get machines when they are created.")
    sub.add_argument("--image", choices=sorted(definitions.load()), help=f"default: {labs.DEFAULTS.image}")
    sub.add_argument("--nodes", type=int, metavar="N", help="machines for servers; 0: servers have none")
    sub.add_argument("--memory", type=int, metavar="MIB", help=f"of each node; default: {labs.DEFAULTS.memory}")
    sub.add_argument("--cpus", type=int, metavar="N", help=f"of each node; default: {labs.DEFAULTS.cpus}")
    add("down", _openstack_down, "End the control plane and its machines, and remove both; caches stay.")
    sub = add("status", _openstack_status, "Show what runs, and which calls it has answered.")
    sub.add_argument("--json", action="store_true", help="for programs")
    sub = add("fault", _openstack_fault, "Ask for a fault, or take all wishes back.")
    wishes = "; ".join(f"{kind}: {meaning}" for kind, meaning in faults.KINDS.items())
    sub.add_argument("kind", choices=[*faults.KINDS, "clear"], help=wishes)
    sub.add_argument("--on", default="", help="a server's name, or a part of a call, such as `action rebuild`")
    sub.add_argument("--times", type=int, default=1, help="how often; 0: until cleared (default: %(default)s)")
    sub.add_argument("--seconds", type=float, default=5.0, help="how slow (default: %(default)s)")


def _add_kubernetes(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "What a cluster of the lab's machines is installed from: packages and images."
    group = verbs.add_parser("kubernetes", help=text, description=text)
    actions = group.add_subparsers(metavar="ACTION", required=True)

    def add(name: str, verb: Verb, text: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=text, description=text)
        sub.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where packages and images lie")
        sub.set_defaults(verb=verb)
        return sub

    sub = add("build", _kubernetes_build, "Build what is not there yet; the first time, for half an hour and longer.")
    sub.add_argument("--release", action="append", required=True, metavar="X.Y.Z", help="may be repeated")
    sub = add("serve", _kubernetes_serve, "Serve what was built, until ended; a line says when it is ready.")
    port = "of 127.0.0.1 (default: %(default)s, which is what the version files name)"
    sub.add_argument("--registry-port", type=int, default=5055, metavar="PORT", help=port)
    sub.add_argument(
        "--packages-port", type=int, default=5056, metavar="PORT", help="of 127.0.0.1 (default: %(default)s)"
    )


def command_of(words: Sequence[str]) -> list[str]:
    """Return a remote command without the `--` that sets it apart."""
    return list(words[1:] if words[:1] == ["--"] else words)


def setting(word: str) -> tuple[str, str]:
    """Return KEY and VALUE of an argument KEY=VALUE."""
    key, sign, value = word.partition("=")
    if not sign or not key:
        raise argparse.ArgumentTypeError(f"{word!r} is not KEY=VALUE")
    return key, value


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _up(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    wish = labs.Wish(options.image, options.nodes, options.memory, options.cpus, options.ssh_port_base, options.hub)
    labs.up(home, options.name, wish, progress)
    print(describe(labs.status(home, options.name)))
    return 0


def _down(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    labs.down(home, options.name, progress)
    return 0


def _status(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    status = labs.status(home, options.name)
    print(json.dumps(status, indent=2) if options.json else describe(status))
    return 0


def describe(status: dict[str, Any]) -> str:
    """Return `labs.status` as text."""
    if status["state"] == "absent":
        return f"The lab {status['name']!r} is not up."
    lines = [
        f"{status['name']}: {status['state']}, {status['image']} (Linux {status['kernel']}),"
        f" {status['memory']} MiB and {status['cpus']} CPUs a node",
        f"  {status['accel']}: {status['accel_reason']}",
    ]
    for node in status["nodes"]:
        ports = ", ".join(
            f"{port['netdev']} {port['address']} <-> {port['peer'] or 'nothing'}" for port in node["ports"]
        )
        lines.append(f"  {node['name']}: {node['state']}, SSH on 127.0.0.1:{node['ssh_port']}, {ports}")
    return "\n".join(lines)


def _ssh(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    argv = ssh.arguments(labs.target_of(home, options.name, options.node), command_of(options.command))
    os.execvp(argv[0], argv)


def _console(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    log = labs.machine_of(home, options.name, options.node).serial_log
    follow = [] if options.no_follow else ["--follow=name", "--retry"]
    os.execvp("tail", ["tail", "-n", "+1", *follow, "--", str(log)])


def _reset(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    labs.reset(home, options.name, options.node, progress)
    return 0


def _reboot(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    labs.reboot(home, options.name, options.node, options.boot_loader, progress)
    return 0


def _power_cut(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    labs.power_cut(home, options.name, options.node, options.stay_off, progress)
    return 0


def _inventory(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    place = Place(home, options.name)
    state = place.require()
    if options.host is not None:
        answer = inventory.host_vars(state, place).get(options.host, {})
    else:
        answer = inventory.listing(state, place)
    print(json.dumps(answer, indent=2))
    return 0


def _clean(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    labs.clean(home, progress)
    return 0


def _images(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    for name in options.image:
        image = images.ensure(home, name, progress)
        print(f"{image.name}: Linux {image.kernel}, {image.folder}")
    return 0


def _repo(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    try:
        text = options.packages.read_text(encoding="utf-8")
    except OSError as error:
        raise LabError(f"Cannot read {options.packages}", str(error.strerror), "name a file with packages") from error
    for folder in repository.build(repository.parse(text, dict(options.set)), options.out):
        print(options.out / folder)
    return 0


def _check(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    need = hostcheck.Need(build=True, nodes=labs.DEFAULTS.nodes or 0, memory=labs.DEFAULTS.memory or 0)
    findings = hostcheck.judge(hostcheck.probe(home), need)
    for finding in findings:
        print(f"{'missing' if finding.fatal else 'note'}: {finding.found}\n  -> {finding.advice}")
    if not any(finding.fatal for finding in findings):
        print("This host can run the lab.")
        return 0
    return 1


def _openstack_up(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    wish = labs.Wish(options.image, options.nodes, options.memory, options.cpus)
    control.up(home, options.name, wish, progress)
    print(describe_openstack(control.status(home, options.name)))
    return 0


def _openstack_down(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    control.down(home, options.name, progress)
    return 0


def _openstack_status(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    status = control.status(home, options.name)
    print(json.dumps(status, indent=2) if options.json else describe_openstack(status))
    return 0


def describe_openstack(status: dict[str, Any]) -> str:
    """Return `control.status` as text."""
    if status["state"] == "absent":
        return f"The control plane {status['name']!r} is not up."
    ended = [name for name, pid in status["processes"].items() if pid is None]
    nodes = ", ".join(f"{node['name']} (SSH on 127.0.0.1:{node['ssh_port']})" for node in status["nodes"])
    lines = [
        f"{status['name']}: {status['state']}, {len(status['processes'])} processes",
        f"  OS_CLIENT_CONFIG_FILE={status['clouds']}, clouds `lab`, `lab-plain`, `lab-admin` and `lab-ironic`",
        f"  machines for servers: {nodes or 'none'}",
    ]
    return "\n".join(lines + [f"  {name} has ended" for name in ended])


def _openstack_fault(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    path = control.site_of(home, options.name).faults
    if options.kind == "clear":
        faults.clear(path)
    else:
        faults.ask(path, faults.Fault(options.kind, options.on, options.times, options.seconds))
    return 0


def _kubernetes_build(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    for path in build.build(home, options.out, options.release, progress):
        print(path)
    return 0


def _kubernetes_serve(options: argparse.Namespace, home: Home, progress: Progress) -> int:
    serve.serve(options.out, options.registry_port, options.packages_port, progress)
    return 0
