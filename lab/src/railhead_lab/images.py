# SPDX-License-Identifier: GPL-3.0-or-later
"""Images: built by mmdebstrap once, kept under a hash of all that goes into them."""

import hashlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from railhead_lab import definitions, hostcheck, ssh
from railhead_lab.commands import describe_failure, run
from railhead_lab.definitions import Definition
from railhead_lab.errors import LabError
from railhead_lab.locks import locked
from railhead_lab.paths import DATA, Home
from railhead_lab.progress import Progress

# To be raised when this module builds something else from the same inputs.
BUILD_VERSION = 1
# In which an ordinary user owns files as root and as others.
_USER_NAMESPACE = ("unshare", "--user", "--map-root-user", "--map-auto", "--")


@dataclass(frozen=True)
class Image:
    """A built image. `folder` holds base.qcow2, vmlinuz, initrd and manifest.json."""

    name: str
    hash: str
    folder: Path
    kernel: str
    host_key: str


def image_hash(
    definition: Definition, files: Mapping[str, bytes], public_key: str, version: int = BUILD_VERSION
) -> str:
    """Return twelve hex digits that change with anything an image is built from.

    `files` are the build's scripts and the guest's files: {path: content}.
    """
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in sorted(files.items())}
    inputs = {"definition": asdict(definition), "files": digests, "key": public_key, "version": version}
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:12]


def build_files() -> dict[str, bytes]:
    """Return the build's scripts and the guest's files: {path under data/: content}."""
    return {
        str(path.relative_to(DATA)): path.read_bytes()
        for path in sorted(DATA.rglob("*"))
        if path.is_file() and path.name != "images.toml"
    }


def bootstrap_arguments(definition: Definition, scratch: Path, root: bool) -> list[str]:
    """Return mmdebstrap's argv. `scratch` holds the build's files and the public key; the archive is stdout.

    No mirror is named: mmdebstrap takes the one the host is configured for, or Debian's own.
    """
    argv = ["mmdebstrap", f"--mode={'root' if root else 'unshare'}", "--variant=minbase", "--format=tar"]
    argv += [f"--include={','.join(definition.packages)}"]
    # The package lists stay, so that APT works in the guest at once; so does the empty machine-id.
    argv += ["--skip=cleanup/apt/lists", "--skip=cleanup/reproducible"]
    argv += ["--dpkgopt=force-unsafe-io"]
    argv += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "locale", "man")]
    argv += ["--dpkgopt=path-include=/usr/share/doc/*/copyright"]
    argv += ['--aptopt=Acquire::Languages "none"', '--aptopt=APT::Install-Recommends "false"']
    argv += [f'--essential-hook=sh {scratch}/essential.sh "$1" {scratch}/guest']
    words = [definition.suite, definition.kernel_suite, f"{scratch}/key.pub", *definition.modules]
    argv += [f'--customize-hook=sh {scratch}/customize.sh "$1" {" ".join(words)}']
    return [*argv, definition.suite]


def load(folder: Path) -> Image:
    """Read the manifest of a built image."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return Image(manifest["name"], manifest["hash"], folder, manifest["kernel"], manifest["host_key"])


def ensure(home: Home, name: str, progress: Progress) -> Image:
    """Return the image `name`, built now if it is not there."""
    definition = definitions.get(name)
    home.images.mkdir(parents=True, exist_ok=True)
    with locked(home, f"image-{name}", progress):
        public_key = ssh.ensure_key(home)
        files = build_files()
        digest = image_hash(definition, files, public_key)
        folder = home.images / f"{name}-{digest}"
        if (folder / "manifest.json").exists():
            return load(folder)
        hostcheck.require(hostcheck.probe(home), hostcheck.Need(build=True))
        out = home.images / f".build-{name}"
        _remove(out)
        out.mkdir()
        try:
            _build(definition, files, public_key, out, progress)
            manifest = {
                "name": name,
                "hash": digest,
                "kernel": (out / "kernel").read_text(encoding="ascii").strip(),
                "host_key": " ".join((out / "ssh_host_ed25519_key.pub").read_text(encoding="ascii").split()[:2]),
                "definition": asdict(definition),
            }
            (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
            out.rename(folder)
        finally:
            _remove(out)
        return load(folder)


def _remove(out: Path) -> None:
    """Remove a build's folder, also what the user namespace of an ordinary user left in it."""
    if out.exists():
        prefix = [] if os.geteuid() == 0 else [*_USER_NAMESPACE]
        run([*prefix, "rm", "-rf", "--", str(out)], attempt=f"Cannot remove {out}")


def _build(definition: Definition, files: Mapping[str, bytes], public_key: str, out: Path, progress: Progress) -> None:
    root = os.geteuid() == 0
    # Not /tmp, which is often in memory; file-hierarchy(7) gives large files this place.
    base = Path(os.environ.get("TMPDIR", "/var/tmp"))  # noqa: S108
    # Readable by the other users that mmdebstrap's user namespace maps.
    with tempfile.TemporaryDirectory(prefix="railhead-lab-", dir=base) as temporary:
        scratch = Path(temporary)
        scratch.chmod(0o755)
        for path, content in {**files, "key.pub": f"{public_key}\n".encode()}.items():
            target = scratch / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        for entry in scratch.rglob("*"):
            entry.chmod(0o755 if entry.is_dir() else 0o644)
        archive = out / "rootfs.tar"
        attempt = f"Cannot build the image {definition.name}"
        with progress.step(f"building the image {definition.name}"):
            _stream(bootstrap_arguments(definition, scratch, root), archive, base, attempt, progress)
        with progress.step(f"making the disk of {definition.name}"):
            pack = ["sh", str(scratch / "pack.sh"), str(archive), str(out), definition.disk_size]
            if not root:
                pack[:0] = _USER_NAMESPACE
            run(pack, attempt=attempt)
            archive.unlink()
            disks = [str(out / "base.raw"), str(out / "base.qcow2")]
            run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", *disks], attempt=attempt)
            (out / "base.raw").unlink()


def _stream(argv: Sequence[str], archive: Path, scratch: Path, attempt: str, progress: Progress) -> None:
    """Run mmdebstrap with its stdout in `archive`; its own headlines become the step's detail."""
    lines: list[str] = []
    environ = {**os.environ, "TMPDIR": str(scratch), "LC_ALL": "C.UTF-8"}
    with (
        archive.open("wb") as stdout,
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environ,
            start_new_session=True,
        ) as process,
    ):
        assert process.stderr is not None
        try:
            for line in process.stderr:
                lines.append(line.rstrip())
                head, _, text = lines[-1].partition(": ")
                if head in ("I", "railhead-lab"):
                    progress.detail(text.removesuffix("..."))
            status = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGINT)
            raise
    if status != 0:
        raise LabError(
            attempt,
            describe_failure(argv, status, "\n".join(lines), 25),
            "read the lines above: mostly a mirror that does not answer, or a full disk",
        )
