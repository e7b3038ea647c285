# SPDX-License-Identifier: GPL-3.0-or-later
"""Images as OCI layouts (the specifications image-layout, config and layer of opencontainers.org).

Equal contents give equal digests: no time, no user and no name of the host goes into them.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

_TYPE = "application/vnd.oci.image"
#: Tells what an image was made of, in the index of its layout.
MADE_OF = "example.railhead.lab.made-of"
#: Compresses nearly as well as the default, in half the time.
_LEVEL = 4


@dataclass(frozen=True)
class Layer:
    """A compressed layer on disk. The digests (sha256:...) are of the archive as it lies there and of the bare one."""

    path: Path
    digest: str
    size: int
    bare: str


class _Hashing(io.RawIOBase):
    """Writes to a file, and hashes what is written."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self.file = file
        self.hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.hash.update(data)
        self.size += len(data)
        self.file.write(data)
        return len(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self.hash.hexdigest()}"


def compress(source: IO[bytes], target: Path) -> Layer:
    """Compress a tar archive into `target`."""
    with target.open("wb") as file:
        outer = _Hashing(file)
        with gzip.GzipFile(filename="", mode="wb", fileobj=outer, compresslevel=_LEVEL, mtime=0) as packer:
            inner = _Hashing(packer)
            shutil.copyfileobj(source, inner, 1 << 20)
    return Layer(target, outer.digest, outer.size, inner.digest)


def pack(files: Mapping[str, Path | bytes], target: Path) -> Layer:
    """Make a layer of executable files, {absolute path: its content or where it lies}, and of an empty /tmp."""
    with tarfile.open(target.with_suffix(".tar"), "w", format=tarfile.GNU_FORMAT) as archive:
        folders = {str(parent).lstrip("/") for path in files for parent in PurePosixPath(path).parents}
        for name in sorted((folders | {"tmp"}) - {""}):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            archive.addfile(entry)
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.mode = 0o755
            if isinstance(content, Path):
                entry.size = content.stat().st_size
                with content.open("rb") as source:
                    archive.addfile(entry, source)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    with target.with_suffix(".tar").open("rb") as source:
        layer = compress(source, target)
    target.with_suffix(".tar").unlink()
    return layer


def write(folder: Path, tag: str, settings: Mapping[str, Any], layers: Sequence[Layer], made_of: str) -> str:
    """Write a layout with one image, and return its digest.

    `settings` are Entrypoint, Cmd and Env of its configuration.
    """
    shutil.rmtree(folder, ignore_errors=True)
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for layer in layers:
        _link(layer.path, blobs / layer.digest.removeprefix("sha256:"))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": dict(settings),
        "rootfs": {"type": "layers", "diff_ids": [layer.bare for layer in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_TYPE}.manifest.v1+json",
        "config": _blob(blobs, f"{_TYPE}.config.v1+json", config),
        "layers": [
            {"mediaType": f"{_TYPE}.layer.v1.tar+gzip", "digest": layer.digest, "size": layer.size} for layer in layers
        ],
    }
    described = _blob(blobs, f"{_TYPE}.manifest.v1+json", manifest)
    marks = {"org.opencontainers.image.ref.name": tag, MADE_OF: made_of}
    index = {"schemaVersion": 2, "manifests": [{**described, "annotations": marks}]}
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', encoding="utf-8")
    # The index comes last: with it, the layout is complete.
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return str(described["digest"])


def read(folder: Path) -> tuple[str, str]:
    """Return the digest of a layout's image, and what it was made of; two empty strings where there is no layout."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "", ""
    (entry,) = index["manifests"]
    return entry["digest"], entry["annotations"][MADE_OF]


def _blob(blobs: Path, media_type: str, content: Mapping[str, Any]) -> dict[str, Any]:
    data = json.dumps(content, sort_keys=True).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
