# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done with a control plane: up, down, status, faults."""

import shutil
import time
from collections.abc import Callable
from typing import Any

from railhead_lab import labs
from railhead_lab.errors import LabError
from railhead_lab.hostcheck import free_ports
from railhead_lab.locks import locked
from railhead_lab.openstack import calls, faults, process, rest, services, settings, software, template
from railhead_lab.openstack.site import PHYSICAL_NETWORKS, PORT_NAMES, Site, read_site
from railhead_lab.paths import Home
from railhead_lab.progress import Progress
from railhead_lab.state import Place

#: What a fresh control plane has for its user: two images that differ in what they leave on a machine, two sizes.
IMAGES: dict[str, dict[str, int]] = {"node-a": {}, "node-b": {}, "node-big": {"min_disk": 99}}
#: One that was never uploaded.
EMPTY_IMAGE = "node-empty"
FLAVORS = {"node": (1, 1024, 6), "node.large": (2, 2048, 6), "node.huge": (999, 2048, 6)}
#: Clouds of clouds.yaml and the roles of their accounts: one may ask for ports with an e-switch, the other may not.
ACCOUNTS = {"lab": ("member", "reader", "fabric"), "lab-plain": ("member", "reader")}
_LOCK = "openstack-{}"
_COMPUTE_SECONDS = 600.0


def up(home: Home, name: str, wish: labs.Wish, progress: Progress) -> Site:
    """Bring a control plane up, and the lab whose machines it has; they have no power until servers are created."""
    folder = home.openstack(name)
    with locked(home, _LOCK.format(name), progress):
        site = read_site(folder)
        if site is not None:
            dead = _ended(site)
            if dead:
                raise LabError(
                    f"Cannot use the control plane {name!r}",
                    f"{', '.join(dead)} has ended",
                    f"look at {site.log}; then run `lab openstack down --name {name}` and up again",
                )
            progress.note(f"The control plane {name!r} is already up.")
            return site
        return _create(home, name, wish, progress)


def _create(home: Home, name: str, wish: labs.Wish, progress: Progress) -> Site:
    venv = software.ensure(home, progress)
    preload = software.find_preload()
    databases = template.ensure(home, venv, preload, progress)
    nodes: tuple[str, ...] = ()
    if wish.nodes != 0:
        state = labs.prepare(home, name, wish, progress)
        nodes = tuple(node.name for node in state.nodes)
    ports = dict(zip(PORT_NAMES, free_ports(len(PORT_NAMES)), strict=True))
    site = Site(home.openstack(name), venv, ports, name, nodes)
    shutil.rmtree(site.folder, ignore_errors=True)
    try:
        for path in (site.log, site.run):
            path.mkdir(parents=True)
        site.folder.chmod(0o700)
        with progress.step("starting OpenStack"):
            _start(site, databases, preload, progress)
        with progress.step("giving it images, sizes and networks"):
            _furnish(site)
    except BaseException:
        process.stop(site)
        (site.folder / "site.json").unlink(missing_ok=True)  # the logs stay, until the next `up` or `down`
        if nodes:
            labs.down(home, name, progress)
        raise
    return site


def _start(site: Site, databases: Any, preload: str, progress: Progress) -> None:
    template.write_settings(site)
    template.take(databases, site)
    site.write()

    def run(wanted: list[services.Service]) -> None:
        for service in wanted:
            process.start(site, service)
        for service in wanted:
            progress.detail(f"waiting for {service.name}")
            process.wait(site, [service])

    run(services.database_services(site, preload))
    template.sql(site, template.endpoints(site), "keystone")
    run(services.first(site))
    run(services.second(site))
    run([services.compute(site)])
    progress.detail("waiting for nova-compute")
    session = rest.sign_in(site)

    def known() -> bool:
        found = session.call("nova", "GET", "/v2.1/os-hypervisors/detail")["hypervisors"]
        return any(host["state"] == "up" for host in found)

    _until(site, known, "nova-compute is not known to Nova")


def _until(site: Site, reached: Callable[[], bool], trouble: str) -> None:
    deadline = time.monotonic() + _COMPUTE_SECONDS
    while not reached():
        dead = _ended(site)
        if dead or time.monotonic() > deadline:
            name = dead[0] if dead else "nova-compute"
            words = process.last_words(site, name, f"{name} has ended" if dead else trouble)
            raise LabError("Cannot start OpenStack", words, f"look at {site.log}")
        time.sleep(1)


def _ended(site: Site) -> list[str]:
    return sorted(name for name, pid in process.running(site).items() if pid is None)


def _furnish(site: Site) -> None:
    admin = rest.sign_in(site)
    for name, needs in {**IMAGES, EMPTY_IMAGE: {}}.items():
        wish = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "public", **needs}
        image = admin.call("glance", "POST", "/v2/images", wish)
        if name == EMPTY_IMAGE:
            continue
        admin.call("glance", "PUT", f"/v2/images/{image['id']}/file", f"{name}\n".encode())
    for name, (vcpus, ram, disk) in FLAVORS.items():
        flavor = {"name": name, "vcpus": vcpus, "ram": ram, "disk": disk}
        admin.call("nova", "POST", "/v2.1/flavors", {"flavor": flavor})
    user = rest.sign_in(site, "lab", "lab")
    for number, physical in enumerate(PHYSICAL_NETWORKS, start=1):
        network = {
            "name": physical,
            "project_id": user.project,
            "mtu": 9000,
            "provider:network_type": "vlan",
            "provider:physical_network": physical,
            "provider:segmentation_id": 100 * number,
        }
        made = admin.call("neutron", "POST", "/v2.0/networks", {"network": network})["network"]
        subnet = {
            "network_id": made["id"],
            "project_id": user.project,
            "ip_version": 4,
            "cidr": f"203.0.113.{128 * (number - 1)}/25",
            "enable_dhcp": False,
            "gateway_ip": None,
        }
        admin.call("neutron", "POST", "/v2.0/subnets", {"subnet": subnet})
    text = settings.clouds(site, {name: _credential(user, name, roles) for name, roles in ACCOUNTS.items()})
    site.clouds.write_text(text, encoding="utf-8")
    site.clouds.chmod(0o600)


def _credential(user: rest.Session, name: str, roles: tuple[str, ...]) -> tuple[str, str]:
    wish = {"name": name, "roles": [{"name": role} for role in roles]}
    path = f"/v3/users/{user.user}/application_credentials"
    made = user.call("keystone", "POST", path, {"application_credential": wish})["application_credential"]
    return made["id"], made["secret"]


def down(home: Home, name: str, progress: Progress) -> None:
    """End everything of a control plane and of its lab, and remove it; what was cached stays."""
    with locked(home, _LOCK.format(name), progress):
        site = read_site(home.openstack(name))
        if site is None and not home.openstack(name).exists():
            progress.note(f"The control plane {name!r} is not up.")
            return
        if site is not None:
            process.stop(site)
            if site.nodes:
                labs.down(home, site.lab, progress)
        shutil.rmtree(home.openstack(name), ignore_errors=True)
    progress.note(f"The control plane {name!r} is gone.")


def status(home: Home, name: str) -> dict[str, Any]:
    """Return what is to be said: {"name", "state": absent | up | partly up, "processes", "clouds", "nodes", ...}."""
    site = read_site(home.openstack(name))
    if site is None:
        return {"name": name, "state": "absent"}
    processes = process.running(site)
    log = site.api_log.read_text(encoding="utf-8").splitlines() if site.api_log.exists() else []
    nodes = []
    if site.nodes:
        place = Place(home, site.lab)
        nodes = [{"name": node.name, "ssh_port": node.ssh_port} for node in place.require().nodes]
    return {
        "name": name,
        "state": "up" if all(processes.values()) else "partly up",
        "folder": str(site.folder),
        "clouds": str(site.clouds),
        "processes": processes,
        "nodes": nodes,
        "key": str(home.key),
        "calls": calls.count(log),
        "faults": {
            "wanted": [f"{fault.kind} {fault.on}".strip() for fault in faults.wanted(site.faults)],
            "granted": faults.granted(site.faults),
        },
    }


def site_of(home: Home, name: str) -> Site:
    """Return a site that is up; LabError when there is none."""
    site = read_site(home.openstack(name))
    if site is None:
        raise LabError(
            f"Cannot use the control plane {name!r}", "it is not up", f"run `lab openstack up --name {name}`"
        )
    return site
