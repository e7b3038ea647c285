# SPDX-License-Identifier: GPL-3.0-or-later
"""Small Debian systems that images stand on: made by mmdebstrap once, kept under a hash of what they are made of."""

import hashlib
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

from railhead_lab.commands import run
from railhead_lab.kubernetes import layout
from railhead_lab.kubernetes.catalogue import Base
from railhead_lab.locks import locked
from railhead_lab.paths import Home
from railhead_lab.progress import Progress

# To be raised when this module builds something else from the same inputs.
BUILD_VERSION = 1


def base_hash(base: Base, version: int = BUILD_VERSION) -> str:
    """Return twelve hex digits that change with anything a base is built from."""
    inputs = {"base": asdict(base), "version": version}
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:12]


def bootstrap_arguments(base: Base, archive: Path, root: bool) -> list[str]:
    """Return mmdebstrap's argv; as for the lab's machines, no mirror is named."""
    argv = ["mmdebstrap", f"--mode={'root' if root else 'unshare'}", "--variant=essential", "--format=tar", "--quiet"]
    argv += [f"--include={','.join(base.packages)}", "--skip=output/dev", "--dpkgopt=force-unsafe-io"]
    argv += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "locale", "man")]
    argv += ["--dpkgopt=path-include=/usr/share/doc/*/copyright"]
    argv += ['--aptopt=Acquire::Languages "none"', '--aptopt=APT::Install-Recommends "false"']
    argv += [f'--customize-hook=chroot "$1" {check} >/dev/null' for check in base.checks]
    return [*argv, base.suite, str(archive)]


def ensure(home: Home, base: Base, progress: Progress) -> layout.Layer:
    """Return the base as a layer; build it when it is not there."""
    folder = home.programs / f"base-{base.name}-{base_hash(base)}"
    if not folder.is_dir():
        with locked(home, f"program-base-{base.name}", progress):
            if not folder.is_dir():
                _build(home, base, folder, progress)
    kept = json.loads((folder / "layer.json").read_text(encoding="utf-8"))
    return layout.Layer(folder / "layer.tar.gz", kept["digest"], kept["size"], kept["bare"])


def _build(home: Home, base: Base, folder: Path, progress: Progress) -> None:
    home.programs.mkdir(parents=True, exist_ok=True)
    attempt = f"Cannot build the base {base.name} of images"
    # As for the lab's machines: not /tmp, and readable by the users that mmdebstrap's user namespace maps.
    place = Path(os.environ.get("TMPDIR", "/var/tmp"))  # noqa: S108
    with (
        tempfile.TemporaryDirectory(prefix=".build-", dir=home.programs) as kept,
        tempfile.TemporaryDirectory(prefix="railhead-lab-", dir=place) as temporary,
        progress.step(f"building the base {base.name} of images"),
    ):
        Path(temporary).chmod(0o755)
        archive = Path(kept) / "base.tar"
        argv = bootstrap_arguments(base, archive, os.geteuid() == 0)
        advice = "read the lines above: mostly a mirror that does not answer, or a full disk"
        # No file is younger than the epoch, so that a later build of the same packages gives the same layer.
        environ = ["env", f"TMPDIR={temporary}", "SOURCE_DATE_EPOCH=0"]
        run([*environ, *argv], attempt=attempt, advice=advice)
        out = Path(kept) / "out"
        out.mkdir()
        with archive.open("rb") as source:
            layer = layout.compress(source, out / "layer.tar.gz")
        text = json.dumps({"digest": layer.digest, "size": layer.size, "bare": layer.bare})
        (out / "layer.json").write_text(text, encoding="utf-8")
        out.rename(folder)
