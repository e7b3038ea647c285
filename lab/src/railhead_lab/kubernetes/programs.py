# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds programs from Go modules by version, once; they are kept under a hash of what they are made of.

`go install` refuses modules with `replace` directives. So each is required by a small main module of ours, which
repeats those directives that name a version, and its packages are built from there.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from railhead_lab.commands import describe_failure, run
from railhead_lab.errors import LabError
from railhead_lab.kubernetes.catalogue import Program
from railhead_lab.locks import locked
from railhead_lab.paths import Home
from railhead_lab.progress import Progress

# To be raised when this module builds something else from the same inputs.
BUILD_VERSION = 1
#: The first Go that fetches a newer one by itself when a module asks for it.
OLDEST_GO = (1, 21)
#: Programs of Debian's packages.
NEEDED = {
    "docker-registry": "docker-registry",
    "gcc": "gcc",
    "go": "golang-go",
    "gpg": "gnupg",
    "mmdebstrap": "mmdebstrap",
    "skopeo": "skopeo",
}
_ADVICE = "run `lab/install-host-packages kubernetes`"


def require_host() -> str:
    """Refuse a host without the programs that a build needs; return Go's version, such as go1.26.8."""
    missing = sorted(package for program, package in NEEDED.items() if shutil.which(program) is None)
    if missing:
        raise LabError("Cannot build for Kubernetes on this host", f"{', '.join(missing)} is not installed", _ADVICE)
    words = run(["go", "version"], attempt="Cannot ask Go for its version").split()
    version = words[2] if len(words) > 2 else ""
    match = re.match(r"go(\d+)\.(\d+)", version)
    if match is None or (int(match[1]), int(match[2])) < OLDEST_GO:
        oldest = ".".join(map(str, OLDEST_GO))
        raise LabError("Cannot build for Kubernetes on this host", f"Go is {version}, older than {oldest}", _ADVICE)
    return version


def program_hash(program: Program, go: str, version: int = BUILD_VERSION) -> str:
    """Return twelve hex digits that change with anything a program is built from."""
    inputs = {"program": asdict(program), "go": go, "version": version}
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:12]


def main_module(program: Program, module: Mapping[str, Any]) -> str:
    """Return the go.mod of a main module that requires the program's; `module`: what `go mod edit -json` says of it.

    A replacement by a folder is left out, for there is no such folder here, but for those of Kubernetes: its parts are
    published with the version v0.MINOR.PATCH, apart from the samples.
    """
    lines = [f"module railhead.example/{program.name}", f"go {module['Go']}"]
    lines += [
        f"require {path} {version}" for path, version in {program.module: program.version, **program.requires}.items()
    ]
    for row in module.get("Replace") or ():
        old, new = row["Old"], row["New"]
        if new.get("Version"):
            left = " ".join(filter(None, [old["Path"], old.get("Version")]))
            lines.append(f"replace {left} => {new['Path']} {new['Version']}")
        elif "/staging/" in new["Path"] and "/sample-" not in new["Path"]:
            part = re.sub(r"^v1\.", "v0.", program.version)
            lines.append(f"replace {old['Path']} => {old['Path']} {part}")
    return "\n".join(lines) + "\n"


def build_arguments(program: Program, out: Path) -> list[str]:
    """Return the argv that builds all programs of a module at once, so that what they share is compiled once."""
    flags = ["-s", "-w", *(f"-X {name}={value}" for name, value in sorted(program.variables.items()))]
    if program.external_linker_flags:
        flags.append(f"'-extldflags={program.external_linker_flags}'")
    fixed = ["go", "build", "-mod=mod", "-trimpath", "-buildvcs=false"]
    return [*fixed, f"-ldflags={' '.join(flags)}", "-o", f"{out}/", *program.packages]


def ensure(home: Home, program: Program, go: str, progress: Progress) -> Path:
    """Return the folder with the built programs; build them when they are not there."""
    folder = home.programs / f"{program.name}-{program.version}-{program_hash(program, go)}"
    if folder.is_dir():
        return folder
    with locked(home, f"program-{program.name}-{program.version}", progress):
        if not folder.is_dir():
            home.programs.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".build-", dir=home.programs) as scratch:
                out = Path(scratch) / "out"
                out.mkdir()
                with progress.step(f"building {program.name} {program.version}"):
                    _build(program, Path(scratch), out)
                out.rename(folder)
    return folder


def _build(program: Program, scratch: Path, out: Path) -> None:
    attempt = f"Cannot build {program.name} {program.version}"
    fetch = ["go", "mod", "download", "-json", f"{program.module}@{program.version}"]
    fetched = json.loads(_go(fetch, scratch, attempt))
    if program.source:
        source = str(Path(fetched["Dir"]) / program.source)
        run(["gcc", "-Os", "-static", "-s", "-o", str(out / program.files[0]), source], attempt=attempt)
        return
    module = json.loads(_go(["go", "mod", "edit", "-json", fetched["GoMod"]], scratch, attempt))
    (scratch / "go.mod").write_text(main_module(program, module), encoding="utf-8")
    _go(build_arguments(program, out), scratch, attempt, cgo=program.cgo)
    missing = [name for name in program.files if not (out / name).is_file()]
    if missing:
        raise LabError(attempt, f"Go has not made {', '.join(missing)}", "mend software.toml")


def _go(argv: Sequence[str], cwd: Path, attempt: str, cgo: bool = False) -> str:
    own = {"GOOS": "linux", "GOARCH": "amd64", "GOWORK": "off", "GOTOOLCHAIN": "auto", "CGO_ENABLED": str(int(cgo))}
    environ = {**os.environ, **own, "LC_ALL": "C"}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=cwd, env=environ)
    if done.returncode != 0:
        # `go mod download -json` says on stdout what went wrong.
        words = "\n".join(line for line in (done.stderr + done.stdout).splitlines() if "go: downloading" not in line)
        advice = "read the lines above: mostly a module proxy that does not answer, or lacks this version"
        raise LabError(attempt, describe_failure(argv, done.returncode, words), advice)
    return done.stdout
