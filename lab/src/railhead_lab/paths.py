# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lab keeps things. Everything lies under one folder, the home."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from railhead_lab.errors import LabError

DATA = Path(__file__).parent / "data"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


@dataclass(frozen=True)
class Home:
    """The home folder: `images/`, `programs/`, `labs/`, `locks/`, the SSH key pair, the result of the KVM probe."""

    root: Path

    @property
    def images(self) -> Path:
        """`<image>-<hash>/`: a built image and the golden nodes made from it."""
        return self.root / "images"

    @property
    def labs(self) -> Path:
        """`<name>/`: one running (or switched off) lab."""
        return self.root / "labs"

    @property
    def locks(self) -> Path:
        """Lock files; they outlive what they lock."""
        return self.root / "locks"

    @property
    def programs(self) -> Path:
        """`<name>-<hash>/`: built programs, and what the lab's container images stand on."""
        return self.root / "programs"

    @property
    def key(self) -> Path:
        """The private SSH key of all labs; its public part has the suffix `.pub`."""
        return self.root / "id_ed25519"

    @property
    def probes(self) -> Path:
        """What was found out about KVM: {"<qemu>|<host kernel>|<guest kernel>": {"works", "reason"}}."""
        return self.root / "kvm.json"

    def openstack(self, name: str) -> Path:
        """Return the folder of the control plane `name`, which lies beside the caches of all of them."""
        return self.root / "openstack" / "sites" / self.lab(name).name

    def lab(self, name: str) -> Path:
        """Return the folder of the lab `name`; refuse names that are no plain words."""
        if not _NAME.fullmatch(name):
            raise LabError(
                f"Cannot use {name!r} as the name of a lab",
                "a name is up to 31 lower-case letters, digits and hyphens, and starts with no hyphen",
                "choose another --name",
            )
        return self.labs / name


def find_home(environ: Mapping[str, str]) -> Home:
    """Return the home that the environment asks for: RAILHEAD_LAB_HOME, else the user's cache folder."""
    own = environ.get("RAILHEAD_LAB_HOME")
    if own:
        return Home(Path(own).absolute())
    own_cache = environ.get("XDG_CACHE_HOME")
    cache = Path(own_cache) if own_cache else Path(environ.get("HOME") or Path.home()) / ".cache"
    return Home(cache.absolute() / "railhead-lab")
