# SPDX-License-Identifier: GPL-3.0-or-later
"""The databases as every control plane starts with them: schemas, accounts, services, the rows that stand for agents.

Made once for an environment, by a control plane of its own that is thrown away, and copied by every `up`. What differs
between control planes is not in it: Nova's cells take their URLs from the configuration, and endpoints are set by `up`.
"""

import grp
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from railhead_lab.commands import run
from railhead_lab.hostcheck import free_ports
from railhead_lab.locks import locked
from railhead_lab.openstack import process, rest, services, settings
from railhead_lab.openstack.services import Service, program, user_name
from railhead_lab.openstack.site import COMPUTE_HOST, PASSWORD, PHYSICAL_NETWORKS, PORT_NAMES, REGION, Site
from railhead_lab.parallel import for_each
from railhead_lab.paths import Home
from railhead_lab.progress import Progress

#: To be raised when this module makes something else of the same packages.
VERSION = 2
DATABASES = ("keystone", "placement", "glance", "neutron", "nova_api", "nova_cell0", "nova")
#: Service -> its type in the catalog, and the path of its endpoint.
CATALOG = {
    "keystone": ("identity", "/v3"),
    "placement": ("placement", ""),
    "glance": ("image", ""),
    "neutron": ("network", ""),
    "nova": ("compute", "/v2.1"),
}
_KEYS = ("fernet-keys", "credential-keys")


def template_name(environment: str, version: int = VERSION) -> str:
    """Return the folder's name for the databases of an environment."""
    return f"database-{hashlib.sha256(f'{environment} {version}'.encode()).hexdigest()[:12]}"


def ensure(home: Home, venv: Path, preload: str, progress: Progress) -> Path:
    """Return the folder with `mysql/` and Keystone's keys; make it when it is not there."""
    folder = home.root / "openstack" / template_name(venv.name)
    with locked(home, folder.name, progress):
        if not folder.exists():
            scratch = folder.with_suffix(f".{os.getpid()}")
            shutil.rmtree(scratch, ignore_errors=True)
            ports = dict(zip(PORT_NAMES, free_ports(len(PORT_NAMES)), strict=True))
            site = Site(scratch, venv, ports, folder.name)
            try:
                with progress.step("making OpenStack's databases, once"):
                    _make(site, preload, progress)
                process.stop(site)
                scratch.rename(folder)
            finally:
                process.stop(site)
                shutil.rmtree(scratch, ignore_errors=True)
    return folder


def take(template: Path, site: Site) -> None:
    """Copy the databases and the keys to a site."""
    for source, target in (
        (template / "mysql", site.database),
        (template / site.ironic_database.name, site.ironic_database),
        *((template / "etc" / "keystone" / name, site.etc / "keystone" / name) for name in _KEYS),
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        run(
            ["cp", "--archive", "--reflink=auto", "--", str(source), str(target)],
            attempt=f"Cannot copy OpenStack's databases to {target}",
            advice="see that the disk has space left",
        )


def endpoints(site: Site) -> str:
    """Return the SQL that puts the site's addresses into the catalog."""
    cases = " ".join(f"when '{kind}' then '{site.url(name, path)}'" for name, (kind, path) in CATALOG.items())
    return f"update endpoint e join service s on s.id = e.service_id set e.url = case s.type {cases} end"  # noqa: S608


def write_settings(site: Site) -> None:
    """Write all configuration files, and make the folders that they name."""
    for path, text in settings.files(site).items():
        file = site.etc / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for path, source in settings.PASTE_FILES.items():
        shutil.copyfile(site.venv / "etc" / source, site.etc / path)
    for name in ("glance/images", "glance/staging", "glance/tasks", "neutron", "nova/instances", "ironic/locks"):
        (site.state / name).mkdir(parents=True, exist_ok=True)
    (site.folder / "rabbit").mkdir(exist_ok=True)


def sql(site: Site, statement: str, database: str = "") -> None:
    """Run a statement."""
    argv = ["mariadb", "--no-defaults", "--user=root", f"--socket={site.socket}", f"--execute={statement}"]
    run([*argv, *([database] if database else [])], attempt="Cannot prepare OpenStack's databases")


def _make(site: Site, preload: str, progress: Progress) -> None:
    attempt = "Cannot prepare OpenStack's databases"
    for folder in (site.folder, site.log, site.run):
        folder.mkdir(parents=True)
    write_settings(site)
    install = ["mariadb-install-db", "--no-defaults", f"--user={user_name()}", f"--datadir={site.database}"]
    run([*install, "--auth-root-authentication-method=normal", "--skip-test-db"], attempt=attempt)
    _start(site, services.database_services(site, preload))
    for name in DATABASES:
        sql(site, f"create database {name} character set utf8mb4")

    def chain(commands: Sequence[Sequence[str]]) -> None:
        for command in commands:
            _run(site, command)

    progress.detail("schemas")
    for_each(chain, migrations(site))
    sql(site, agents(), "neutron")
    progress.detail("accounts")
    keystone = [services.keystone_api(site)]
    site.write()
    _start(site, keystone)
    _accounts(rest.sign_in(site))
    # An orderly end: what is copied must not need a recovery.
    run(["mariadb-admin", "--no-defaults", "--user=root", f"--socket={site.socket}", "shutdown"], attempt=attempt)


def migrations(site: Site) -> list[list[list[str]]]:
    """Return what makes the schemas: chains of commands that may run beside each other."""
    keystone = [program(site, "keystone-manage"), "--config-dir", str(site.etc / "keystone")]
    group = grp.getgrgid(os.getegid()).gr_name
    owner = ["--keystone-user", user_name(), "--keystone-group", group]
    neutron = ["--config-file", str(site.etc / "neutron" / "neutron.conf")]
    neutron += ["--config-file", str(site.etc / "neutron" / "ml2_conf.ini")]
    nova = [program(site, "nova-manage"), "--config-file", str(site.etc / "nova" / "nova.conf")]
    where = "{scheme}://{username}@{hostname}"
    cell0 = f"{where}/nova_cell0?{{query}}"
    cell1 = ["--name", "cell1", "--database_connection", f"{where}/{{path}}?{{query}}"]
    cell1 += ["--transport-url", "{scheme}://{username}:{password}@{hostname}:{port}/"]
    bootstrap = ["--bootstrap-password", PASSWORD, "--bootstrap-region-id", REGION]
    for interface in ("public", "internal", "admin"):
        bootstrap += [f"--bootstrap-{interface}-url", site.url("keystone", "/v3")]
    return [
        [
            [*keystone, "fernet_setup", *owner],
            [*keystone, "credential_setup", *owner],
            [*keystone, "db_sync"],
            [*keystone, "bootstrap", *bootstrap],
        ],
        [
            [program(site, "glance-manage"), "--config-dir", str(site.etc / "glance"), "db_sync"],
            [program(site, "placement-manage"), "--config-dir", str(site.etc / "placement"), "db", "sync"],
            [
                program(site, "ironic-dbsync"),
                "--config-file",
                str(site.etc / "ironic" / "ironic.conf"),
                "create_schema",
            ],
        ],
        [[program(site, "neutron-db-manage"), *neutron, "upgrade", "head"]],
        [
            [*nova, "api_db", "sync"],
            [*nova, "cell_v2", "map_cell0", "--database_connection", cell0],
            [*nova, "cell_v2", "create_cell", *cell1],
            [*nova, "db", "sync"],
        ],
    ]


def agents() -> str:
    """Return the SQL for two agents that answered last in a far future: with them, Neutron binds ports."""
    bridges = {name: f"br-{name}" for name in PHYSICAL_NETWORKS}
    devices = {name: [f"pf-{name}"] for name in PHYSICAL_NETWORKS}
    rows = {
        ("Open vSwitch agent", "neutron-openvswitch-agent"): {"bridge_mappings": bridges, "datapath_type": "system"},
        ("NIC Switch agent", "neutron-sriov-nic-agent"): {"device_mappings": devices},
    }
    columns = "id, agent_type, `binary`, topic, host, admin_state_up, created_at, started_at, heartbeat_timestamp"
    values = ", ".join(
        f"(uuid(), '{kind}', '{binary}', 'N/A', '{COMPUTE_HOST}', 1, now(), now(), '2099-01-01',"
        f" '{json.dumps(configurations)}', 0)"
        for (kind, binary), configurations in rows.items()
    )
    return f"insert into agents ({columns}, configurations, `load`) values {values}"  # noqa: S608


def _accounts(session: rest.Session) -> None:
    """Make the account of the services, the project of the lab's user, and the catalog."""

    def call(method: str, path: str, body: object = None) -> object:
        return session.call("keystone", method, f"/v3/{path}", body)

    def made(kind: str, **fields: str) -> str:
        answer = session.call("keystone", "POST", f"/v3/{kind}s", {kind: fields})
        return str(answer[kind]["id"])

    roles = {role["name"]: role["id"] for role in session.call("keystone", "GET", "/v3/roles")["roles"]}
    for name, granted in (("services", ("admin", "service")), ("lab", ("member", "reader", "fabric"))):
        project = made("project", name=name, domain_id="default")
        user = made("user", name=name, domain_id="default", password=PASSWORD, default_project_id=project)
        for role in granted:
            if role not in roles:
                roles[role] = made("role", name=role)
            identifier = roles[role]
            call("PUT", f"projects/{project}/users/{user}/roles/{identifier}")
    for name, (kind, _path) in CATALOG.items():
        if kind == "identity":
            continue
        service = made("service", name=name, type=kind)
        for interface in ("public", "internal"):
            made("endpoint", service_id=service, interface=interface, region_id=REGION, url="http://127.0.0.1")


def _start(site: Site, wanted: list[Service]) -> None:
    for service in wanted:
        process.start(site, service)
    process.wait(site, wanted)


def _run(site: Site, argv: Sequence[str]) -> None:
    command = Service(Path(argv[0]).name, tuple(argv))
    env = services.environ(site, command, os.environ)
    words = [f"{key}={value}" for key, value in env.items()]
    run(["env", "-i", *words, *argv], attempt="Cannot prepare OpenStack's databases")
