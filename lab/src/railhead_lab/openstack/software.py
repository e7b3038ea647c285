# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment that OpenStack runs from: made once from pinned packages, kept under a hash of their list."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from railhead_lab.commands import run
from railhead_lab.errors import LabError
from railhead_lab.locks import locked
from railhead_lab.paths import Home
from railhead_lab.progress import Progress

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
#: Tried in this order: the releases of OpenStack that are pinned were seen to work with the first.
_PYTHONS = ("python3.11", "python3.12", "python3.13")
#: Programs of Debian's packages, and where they lie when not on PATH.
PROGRAMS = {
    "mariadbd": "mariadb-server",
    "mariadb-install-db": "mariadb-server",
    "epmd": "rabbitmq-server",
    "/usr/lib/rabbitmq/bin/rabbitmq-server": "rabbitmq-server",
}


def environment_name(requirements: bytes, python: str) -> str:
    """Return the folder's name for what is installed and the Python it is installed for."""
    return f"venv-{hashlib.sha256(requirements + python.encode()).hexdigest()[:12]}"


def ensure(home: Home, progress: Progress) -> Path:
    """Return the environment; make it when it is not there."""
    require_programs()
    python = find_python()
    requirements = REQUIREMENTS.read_bytes()
    folder = home.root / "openstack" / environment_name(requirements, python)
    if (folder / "complete").exists():
        return folder
    with locked(home, folder.name, progress):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            attempt = "Cannot install OpenStack"
            with progress.step("installing OpenStack from its packages, once"):
                run([python, "-m", "venv", str(folder)], attempt=attempt)
                pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
                run([*pip, "--requirement", str(REQUIREMENTS)], attempt=attempt)
            (folder / "complete").touch()
    return folder


def require_programs() -> None:
    """Refuse a host without the database and the broker."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    missing = sorted({package for program, package in PROGRAMS.items() if shutil.which(program, path=path) is None})
    if missing:
        raise LabError(
            "Cannot run OpenStack on this host",
            f"{', '.join(missing)} is not installed",
            "run `lab/install-host-packages openstack`",
        )


def find_python() -> str:
    """Return an interpreter that OpenStack's packages are for."""
    for name in (*_PYTHONS, sys.executable):
        found = shutil.which(name)
        if found is not None and _makes_environments(found):
            return found
    return sys.executable


def find_preload() -> str:
    """Return the library that leaves fsync out, or nothing where it is not installed."""
    return next((str(path) for path in sorted(Path("/usr/lib").glob("*/libeatmydata.so"))), "")


def _makes_environments(python: str) -> bool:
    done = subprocess.run([python, "-c", "import ensurepip, ssl, venv"], capture_output=True, check=False)
    return done.returncode == 0
