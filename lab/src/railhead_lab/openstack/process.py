# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the processes of a control plane, waits until they answer, and ends them all.

Each is the head of a process group of its own, recorded with its start time, so that a number used again by others
never counts. They stay in the session of who started them, and with that in its share of the CPUs.
"""

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Iterable

from railhead_lab.errors import LabError
from railhead_lab.machine import note_pid, noted_pid
from railhead_lab.openstack.services import Service, environ
from railhead_lab.openstack.site import Site

#: Long, for hosts that are busy with other things; a process that ends is noticed at once.
READY_SECONDS = 900.0
_END_SECONDS = 30.0


def start(site: Site, service: Service) -> None:
    """Start one process; its output goes to its log."""
    site.log.mkdir(parents=True, exist_ok=True)
    site.run.mkdir(parents=True, exist_ok=True)
    with (site.log / f"{service.name}.log").open("ab") as log:
        try:
            process = subprocess.Popen(
                service.argv,
                cwd=site.folder,
                env=environ(site, service, os.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        except FileNotFoundError as error:
            raise LabError(
                f"Cannot start {service.name}",
                f"{service.argv[0]} is not installed",
                "run `lab/install-host-packages openstack`",
            ) from error
    note_pid(site.run / f"{service.name}.pid", process.pid)


def running(site: Site) -> dict[str, int | None]:
    """Return the process id of every process that was started, or None where it has ended."""
    return {path.stem: noted_pid(path) for path in sorted(site.run.glob("*.pid"))}


def wait(site: Site, services: Iterable[Service], seconds: float = READY_SECONDS) -> None:
    """Return when all of them answer; LabError with the end of its log when one ends or does not answer in time."""
    deadline = time.monotonic() + seconds
    for service in services:
        while not answers(site, service):
            attempt = f"Cannot start {service.name}"
            if noted_pid(site.run / f"{service.name}.pid") is None:
                raise LabError(attempt, last_words(site, service.name, "it has ended"), f"look at {site.log}")
            if time.monotonic() > deadline:
                raise LabError(attempt, last_words(site, service.name, "no answer in time"), f"look at {site.log}")
            time.sleep(0.2)


def answers(site: Site, service: Service) -> bool:
    """Tell whether a process answers."""
    if service.url:
        return status_of(service.url) is not None
    log = site.log / f"{service.name}.log"
    return not service.says or service.says in log.read_text(encoding="utf-8", errors="replace")


def status_of(url: str) -> int | None:
    """Return the HTTP status of a GET, or None where nobody answers."""
    place, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(place, timeout=60)
    try:
        connection.request("GET", f"/{path}")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def last_words(site: Site, name: str, what: str) -> str:
    """Return `what` with the end of a log."""
    log = site.log / f"{name}.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return "\n    ".join([what, *(line[:300] for line in lines[-12:])])


def stop(site: Site) -> None:
    """End everything at once: nothing of it is kept, so nothing is asked to end by itself."""
    files = sorted(site.run.glob("*.pid"))
    for path in files:
        pid = noted_pid(path)
        if pid is not None:
            os.killpg(pid, signal.SIGKILL)
    deadline = time.monotonic() + _END_SECONDS
    for path in files:
        while noted_pid(path) is not None:
            if time.monotonic() > deadline:
                raise LabError(f"Cannot end {path.stem}", "it is still there 30 s after SIGKILL")
            time.sleep(0.05)
        path.unlink()
