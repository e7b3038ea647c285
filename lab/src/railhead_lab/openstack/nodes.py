# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's machines as servers: wiped and started from an image, with a host key of its own, or taken away.

A server has the machine of its name. One that is named after none has only a console: enough for what speaks to the
APIs alone.
"""

import base64
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path

from railhead_lab import images, labs, ssh
from railhead_lab.commands import run
from railhead_lab.locks import locked
from railhead_lab.openstack.site import Site
from railhead_lab.paths import Home
from railhead_lab.progress import Progress
from railhead_lab.state import LabState, NodeState, Place

#: Where a machine keeps what it was started from: the content of its image in Glance.
IMAGE_FILE = "/etc/railhead-lab-image"
_BEGIN, _END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"


@dataclass(frozen=True)
class HostKey:
    """A key of an SSH server; `public` is its type and its base64."""

    private: bytes
    public: str


@dataclass(frozen=True)
class Nodes:
    """What the compute driver does with the machines of a site."""

    home: Home
    site: Site
    progress: Progress

    def start(self, name: str, image: bytes, reachable: bool) -> None:
        """Wipe the machine and start it: the lab's snapshot, another host key, the image's content.

        The new key is printed to the console, as cloud-init does it. A machine that is not `reachable` has no SSH.
        """
        if name not in self.site.nodes:
            self._console_file(name).write_text(console_keys(make_key().public), encoding="ascii")
            return
        place, state, node = self._find(name)
        key = images.load(Path(state.image_folder)).host_key
        self._trust(place, node, key)
        labs.reset(self.home, self.site.lab, name, self.progress)
        new = make_key()
        ssh.check_output(place.target(node), first_boot(image, new, reachable), 300)
        self._trust(place, node, new.public)

    def _trust(self, place: Place, node: NodeState, key: str) -> None:
        """Have the lab's own SSH expect this key of the node; servers that are made at once share the file."""
        with locked(self.home, f"hosts-{self.site.lab}", self.progress):
            others = [
                line
                for line in place.known_hosts.read_text(encoding="ascii").splitlines(keepends=True)
                if not line.startswith(f"[127.0.0.1]:{node.ssh_port} ")
            ]
            place.known_hosts.write_text("".join(others) + ssh.known_hosts(key, [node.ssh_port]), encoding="ascii")

    def remove(self, name: str) -> None:
        """Take the machine's power away, and its disk."""
        if name not in self.site.nodes:
            self._console_file(name).unlink(missing_ok=True)
            return
        place, _, node = self._find(name)
        place.machine(node).kill()
        (place.folder / f"{node.name}.qcow2").unlink(missing_ok=True)

    def power(self, name: str, on: bool) -> None:
        """Cut the power, or boot the machine from its disk."""
        if name not in self.site.nodes:
            return
        place, _, node = self._find(name)
        if on:
            labs.boot(self.home, self.site.lab, name, self.progress)
        else:
            place.machine(node).kill()

    def runs(self, name: str) -> bool:
        """Tell whether the machine has power."""
        if name not in self.site.nodes:
            return self._console_file(name).exists()
        place, _, node = self._find(name)
        return place.machine(node).pid() is not None

    def console(self, name: str) -> bytes:
        """Return all that the machine has written to its console since it was started."""
        log = self._console_file(name)
        if name in self.site.nodes:
            place, _, node = self._find(name)
            log = place.machine(node).serial_log
        return log.read_bytes() if log.exists() else b""

    def _console_file(self, name: str) -> Path:
        return self.site.run / f"{name}.console"

    def _find(self, name: str) -> tuple[Place, LabState, NodeState]:
        place = Place(self.home, self.site.lab)
        state = place.require()
        [node] = state.select(name)
        return place, state, node


def first_boot(image: bytes, key: HostKey, reachable: bool) -> str:
    """Return the shell command that gives a machine its own host key and its image's content.

    The key is not made there: a snapshot brings the kernel's random numbers back too, and so the same key again. Its
    connection outlives the SSH server, which answers with the new key afterwards, or not at all.
    """
    content, private = base64.b64encode(image).decode(), base64.b64encode(key.private).decode()
    server = "restart ssh.service" if reachable else "disable --now ssh.service ssh.socket"
    script = f"""set -eu
rm -f /etc/ssh/ssh_host_*
(umask 077; printf %s {private} | base64 -d >/etc/ssh/ssh_host_ed25519_key)
printf '%s\\n' '{key.public}' >/etc/ssh/ssh_host_ed25519_key.pub
printf %s {content} | base64 -d >{IMAGE_FILE}
printf '\\n%s\\n%s\\n%s\\n' '{_BEGIN}' '{key.public}' '{_END}' >/dev/console
systemctl --quiet {server}
sync
"""
    return f"sh -c {shlex.quote(script)}"


def console_keys(key: str) -> str:
    """Return a host key as the console shows it."""
    return f"{_BEGIN}\n{key}\n{_END}\n"


def make_key() -> HostKey:
    """Make a host key."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key"
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
        run(argv, attempt="Cannot make a host key")
        public = " ".join(path.with_suffix(".pub").read_text(encoding="ascii").split()[:2])
        return HostKey(path.read_bytes(), public)
