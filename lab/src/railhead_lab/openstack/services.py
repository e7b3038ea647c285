# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a control plane: what is started, with what, and how to tell that it answers. Pure."""

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from railhead_lab.openstack import settings
from railhead_lab.openstack.site import Site

SOURCE = Path(__file__).parents[2]
_NODE = "lab@localhost"


@dataclass(frozen=True)
class Service:
    """One process. It answers once `url` does, or once its log says `says`; without either, once it runs."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    says: str = ""


def program(site: Site, name: str) -> str:
    """Return a program of the environment."""
    return str(site.venv / "bin" / name)


def mariadb(site: Site, user: str, preload: str = "") -> Service:
    """Return the database. `preload` is libeatmydata: what is thrown away needs no fsync."""
    argv = ["mariadbd", "--no-defaults", f"--datadir={site.database}", f"--socket={site.socket}"]
    argv += [f"--user={user}", "--skip-networking", f"--pid-file={site.database / 'mariadbd.pid'}", "--skip-log-bin"]
    argv += ["--max-connections=400", "--performance-schema=off", "--innodb-buffer-pool-size=128M"]
    argv += ["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"]
    env = {"LD_PRELOAD": preload} if preload else {}
    return Service("mariadb", tuple(argv), env, says="ready for connections")


def epmd(site: Site) -> Service:
    """Return Erlang's port mapper, as a process of ours: the broker would start one that outlives it."""
    return Service("epmd", ("epmd", "-address", "127.0.0.1", "-port", str(site.ports["epmd"])))


def rabbit(site: Site) -> Service:
    """Return the message broker; without Debian's wrapper, which wants to be root or the user rabbitmq."""
    folder = site.folder / "rabbit"
    env = {
        "HOME": str(folder),
        "RABBITMQ_CONF_ENV_FILE": str(site.etc / "rabbit" / "env.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(site.etc / "rabbit" / "enabled_plugins"),
        "RABBITMQ_NODENAME": _NODE,
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(site.ports["rabbit"]),
        "RABBITMQ_DIST_PORT": str(site.ports["rabbit_peers"]),
        "RABBITMQ_MNESIA_BASE": str(folder),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(site.ports["epmd"]),
    }
    return Service("rabbit", ("/usr/lib/rabbitmq/bin/rabbitmq-server",), env, says="Server startup complete")


def api(site: Site, name: str, module: str, path: str = "/") -> Service:
    """Return an API: its WSGI application behind our own small server."""
    argv = (program(site, "python"), "-m", "railhead_lab.openstack.serve", name, module, str(site.ports[name]))
    return Service(name, argv, python_path(site), site.url(name, path))


def ironic(site: Site) -> Service:
    """Return Ironic, its API and its conductor in one process; it writes its own log of requests only."""
    argv = (program(site, "ironic"), "--config-file", str(site.etc / "ironic" / "ironic.conf"))
    return Service("ironic", argv, url=site.url("ironic"))


def worker(site: Site, name: str, says: str) -> Service:
    """Return one of Nova's workers, by its program in the environment."""
    return Service(name, (program(site, name), "--config-file", str(site.etc / "nova" / "nova.conf")), says=says)


def compute(site: Site) -> Service:
    """Return nova-compute with the lab's driver. Its Python finds the lab where this one does."""
    argv = (program(site, "python"), "-m", "railhead_lab.openstack.compute", str(site.etc / "nova" / "nova.conf"))
    return Service("nova-compute", argv, python_path(site))


def python_path(site: Site) -> dict[str, str]:
    """Return the variables by which a process in the environment finds the lab and this site."""
    return {"PYTHONPATH": str(SOURCE), "RAILHEAD_LAB_SITE": str(site.folder)}


def database_services(site: Site, preload: str) -> list[Service]:
    """Return what must answer before anything else is started."""
    return [mariadb(site, user_name(), preload)]


def first(site: Site) -> list[Service]:
    """Return what the workers need to be there."""
    return [
        epmd(site),
        rabbit(site),
        keystone_api(site),
        api(site, "placement", "placement.wsgi.api"),
        api(site, "glance", "glance.wsgi.api", "/healthcheck"),
        ironic(site),
    ]


def keystone_api(site: Site) -> Service:
    """Return Keystone."""
    return api(site, "keystone", "keystone.wsgi.api", "/v3")


def second(site: Site) -> list[Service]:
    """Return what needs the broker."""
    return [
        api(site, "neutron", "neutron.wsgi.api"),
        api(site, "nova", "nova.wsgi.osapi_compute"),
        worker(site, "nova-conductor", says="Starting conductor node"),
        worker(site, "nova-scheduler", says="Starting scheduler node"),
    ]


def environ(site: Site, service: Service, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a process."""
    kept = {key: inherited[key] for key in ("HOME", "PATH", "RAILHEAD_LAB_HOME", "XDG_CACHE_HOME") if key in inherited}
    path = f"{site.venv / 'bin'}:{kept.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
    return {**kept, "PATH": path, "LC_ALL": "C", **settings.environment(site), **service.env}


def user_name() -> str:
    """Return who runs this."""
    return pwd.getpwuid(os.geteuid()).pw_name
