# SPDX-License-Identifier: GPL-3.0-or-later
"""`lab kubernetes build`: a folder with packages, images and, for each release, a file that says where they are."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from railhead_lab import repository
from railhead_lab.errors import LabError
from railhead_lab.kubernetes import bases, catalogue, layout, programs
from railhead_lab.kubernetes.catalogue import Image, Software
from railhead_lab.paths import Home
from railhead_lab.progress import Progress

# To be raised when this module or `layout` makes something else from the same inputs.
BUILD_VERSION = 1
PACKAGES = Path(__file__).with_name("packages.toml")
#: Where the lab's machines find the registry: the host, as QEMU's user network shows it, at the port that is served.
REGISTRY = "10.0.2.2:5055"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def build(home: Home, out: Path, releases: Sequence[str], progress: Progress) -> list[Path]:
    """Build all for the releases into `out`, as far as it is not there yet; return the version files."""
    wanted = [catalogue.load(release) for release in dict.fromkeys(releases)]
    if not wanted:
        raise LabError("Cannot build for Kubernetes", "no release is given", "give --release 1.35.1, say")
    go = programs.require_host()
    out.mkdir(parents=True, exist_ok=True)
    for path in out.glob("versions-*.yml"):
        path.unlink()
    built: dict[str, str] = {}
    packages: list[repository.Package] = []
    texts = {}
    for software in wanted:
        folders = {name: programs.ensure(home, program, go, progress) for name, program in software.programs.items()}
        layers = {name: bases.ensure(home, base, progress) for name, base in software.bases.items()}
        digests = {
            name: _image(out / "images" / name / image.tag, image, folders, layers, progress)
            for name, image in software.images.items()
        }
        values = {"release": software.release, "minor": software.minor, "programs": str(folders["kubernetes"])}
        text = PACKAGES.read_text(encoding="utf-8")
        built[software.release] = hashlib.sha256(f"{values}{text}".encode()).hexdigest()
        own = repository.parse(text, values)
        packages += own
        texts[out / f"versions-{software.release}.yml"] = version_file(software, own, digests)
    _packages(out / "packages", packages, built, progress)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return list(texts)


def version_file(software: Software, packages: Sequence[repository.Package], digests: Mapping[str, str]) -> str:
    """Return the variables that the collection's playbooks read the versions from, as YAML."""
    lines = ["---", "# Written by `lab kubernetes build`.", "kubernetes_versions:"]
    lines += [f"  kubernetes: {json.dumps(software.release)}", "  packages:"]
    lines += [f"    {package.name}: {json.dumps(package.version)}" for package in packages]
    lines += ["  images:"]
    for name, image in software.images.items():
        lines.append(f"    {name}: {json.dumps(f'{REGISTRY}/{name}:{image.tag}@{digests[name]}')}")
    return "\n".join(lines) + "\n"


def image_settings(image: Image) -> dict[str, Any]:
    """Return Entrypoint, Cmd and Env of an image's configuration."""
    settings = {"Entrypoint": list(image.entrypoint), "Cmd": list(image.command), "Env": [_PATH, *image.environment]}
    return {key: value for key, value in settings.items() if value}


def _image(
    folder: Path, image: Image, programs_of: Mapping[str, Path], layers: Mapping[str, layout.Layer], progress: Progress
) -> str:
    """Write the layout of an image where it is not there yet, and return its digest."""
    used = {path: source for path, source in image.files.items() if not source.startswith("#!")}
    inputs = {
        "image": asdict(image),
        "base": layers[image.base].digest if image.base else "",
        "programs": sorted({programs_of[source.partition("/")[0]].name for source in used.values()}),
        "version": BUILD_VERSION,
    }
    made_of = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
    digest, found = layout.read(folder)
    if found == made_of:
        return digest
    files: dict[str, Path | bytes] = {path: text.encode() for path, text in image.files.items() if path not in used}
    for path, source in used.items():
        program, _, file = source.partition("/")
        files[path] = programs_of[program] / file
    with progress.step(f"making the image {image.name}:{image.tag}"), tempfile.TemporaryDirectory() as scratch:
        stack = [layers[image.base]] if image.base else []
        stack += [layout.pack(files, Path(scratch) / "layer.tar.gz")]
        return layout.write(folder, image.tag, image_settings(image), stack, made_of)


def _packages(
    folder: Path, packages: Sequence[repository.Package], built: Mapping[str, str], progress: Progress
) -> None:
    """Build the repository, unless it is there with just these packages; its key is another one each time."""
    stamp = folder / "made-of.json"
    text = json.dumps(dict(built), sort_keys=True)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == text:
        return
    shutil.rmtree(folder, ignore_errors=True)
    with progress.step("making the packages"):
        repository.build(packages, folder)
    stamp.write_text(text, encoding="utf-8")
