# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a control plane keeps its things, and at which ports of 127.0.0.1 it listens."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

#: What every service listens at; the numbers are free ones, chosen by `lab openstack up`.
PORT_NAMES = ("keystone", "placement", "glance", "neutron", "nova", "ironic", "rabbit", "rabbit_peers", "epmd")
#: The host that nova-compute, the rows of Neutron's agents and the scheduler speak of.
COMPUTE_HOST = "lab-compute"
REGION = "lab"
#: Loopback only, thrown away with the lab, and no secret.
PASSWORD = "lab"  # noqa: S105
#: The same, as bcrypt; Ironic on its own reads its accounts from a file of them.
PASSWORD_HASH = "$2b$04$X47zMnOqyXbrxnqUTz1VfOXJQTKX.4LcTGDxPYQO7sn3TzueiPQTO"  # noqa: S105
USER = "lab"
PHYSICAL_NETWORKS = ("rail1", "rail2")


@dataclass(frozen=True)
class Site:
    """One control plane: its folder, the environment it runs from, its ports by name, and the lab whose nodes it has.

    `nodes` are the names of the lab's machines; a control plane without any has servers without a machine.
    """

    folder: Path
    venv: Path
    ports: dict[str, int]
    lab: str
    nodes: tuple[str, ...] = ()

    @property
    def etc(self) -> Path:
        """Configuration, a folder for each service."""
        return self.folder / "etc"

    @property
    def log(self) -> Path:
        """Logs, a file for each process, and `api.jsonl`: a line for each request."""
        return self.folder / "log"

    @property
    def run(self) -> Path:
        """Process ids, the socket of the database, requested faults."""
        return self.folder / "run"

    @property
    def state(self) -> Path:
        """What the services keep: images, locks."""
        return self.folder / "state"

    @property
    def database(self) -> Path:
        """The data of MariaDB."""
        return self.folder / "mysql"

    @property
    def ironic_database(self) -> Path:
        """The data of Ironic, a file: all of Ironic is one process."""
        return self.folder / "ironic.sqlite"

    @property
    def socket(self) -> Path:
        """The only way to MariaDB."""
        return self.run / "mysql.sock"

    @property
    def faults(self) -> Path:
        """Requested faults; see faults.py."""
        return self.run / "faults.json"

    @property
    def api_log(self) -> Path:
        """One JSON object a line for each request that an API has answered."""
        return self.log / "api.jsonl"

    @property
    def clouds(self) -> Path:
        """The clouds.yaml of this control plane."""
        return self.folder / "clouds.yaml"

    def url(self, service: str, path: str = "") -> str:
        """Return the address of a service."""
        return f"http://127.0.0.1:{self.ports[service]}{path}"

    def write(self) -> None:
        """Record the site in its folder."""
        data = {**asdict(self), "folder": str(self.folder), "venv": str(self.venv)}
        (self.folder / "site.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def read_site(folder: Path) -> Site | None:
    """Return the site recorded in a folder, or None."""
    try:
        data = json.loads((folder / "site.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Site(Path(data["folder"]), Path(data["venv"]), data["ports"], data["lab"], tuple(data["nodes"]))
