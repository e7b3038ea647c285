# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed APT repositories of small packages, in place of vendors' repositories that cannot be reached.

Flat repositories, one folder each: packages, Packages, Release and InRelease (Debian's wiki, DebianRepository/Format).
"""

import hashlib
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from railhead_lab.commands import run
from railhead_lab.errors import LabError

_OWNER = "Railhead lab <lab@railhead.example>"
_RELATIONS = ("pre-depends", "depends", "conflicts", "breaks", "replaces", "provides")
_SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
_KEYS = {"repository", "name", "version", "architecture", "files", *_RELATIONS, *_SCRIPTS}
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


@dataclass(frozen=True)
class Package:
    """A package. `files` are {absolute path: text, or a program on this host}.

    Programs become executable, and so does text that starts with `#!`.
    """

    repository: str
    name: str
    version: str
    architecture: str = "all"
    relations: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: Mapping[str, str | Path] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """The name of its archive; there, a version has no epoch."""
        return f"{self.name}_{self.version.partition(':')[2] or self.version}_{self.architecture}.deb"


def parse(text: str, values: Mapping[str, str]) -> list[Package]:
    """Read the packages of a TOML text; `@KEY@` in it stands for a value."""
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    left = sorted(set(re.findall(r"@[a-z_]+@", text)))
    if left:
        raise LabError("Cannot read the packages", f"no value is given for {', '.join(left)}", "give --set KEY=VALUE")
    try:
        return [_package(row) for row in tomllib.loads(text).get("package", [])]
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise LabError("Cannot read the packages", f"{type(error).__name__}: {error}", "mend the file") from error


def _package(row: Mapping[str, Any]) -> Package:
    unknown = sorted(set(row) - _KEYS)
    if unknown:
        raise LabError("Cannot read the packages", f"unknown keys {', '.join(unknown)}", f"known: {sorted(_KEYS)}")
    if not _FOLDER.fullmatch(row["repository"]):
        raise LabError(
            "Cannot read the packages", f"{row['repository']!r} is no folder", "write one such as doca/3.1.0"
        )
    return Package(
        row["repository"],
        row["name"],
        row["version"],
        row.get("architecture", "all"),
        {key: tuple(row[key]) for key in _RELATIONS if key in row},
        {path: _content(path, value) for path, value in row.get("files", {}).items()},
        {key: row[key] for key in _SCRIPTS if key in row},
    )


def _content(path: str, value: Any) -> str | Path:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or set(value) != {"source"}:
        raise LabError("Cannot read the packages", f"{path} is {value!r}", 'write its text, or { source = "FILE" }')
    return Path(value["source"])


def control(package: Package) -> str:
    """Return the text of DEBIAN/control."""
    fields = {
        "Package": package.name,
        "Version": package.version,
        "Architecture": package.architecture,
        "Maintainer": _OWNER,
        **{key.title(): ", ".join(values) for key, values in package.relations.items()},
        "Description": "stands for a vendor's package of this name in the lab",
    }
    return "".join(f"{key}: {value}\n" for key, value in fields.items())


def entry(package: Package, archive: bytes) -> str:
    """Return what the index says of a package."""
    return control(package) + (
        f"Filename: ./{package.file_name}\nSize: {len(archive)}\nSHA256: {hashlib.sha256(archive).hexdigest()}\n"
    )


def release(index: bytes, now: datetime) -> str:
    """Return the text of Release for a repository whose only index is Packages."""
    return (
        "Origin: railhead-lab\nLabel: railhead-lab\n"
        f"Date: {format_datetime(now, usegmt=True)}\n"
        f"SHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n"
    )


def build(packages: Iterable[Package], out: Path, now: datetime | None = None) -> list[str]:
    """Build all repositories below `out`, and `key.asc`, which signs them; return their folders.

    The key is made for this one time: its private part is gone afterwards.
    """
    attempt = f"Cannot build the repositories in {out}"
    folders: dict[str, list[Package]] = {}
    for package in packages:
        folders.setdefault(package.repository, []).append(package)
    if not folders:
        raise LabError(attempt, "there is no package", "list some as [[package]]")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        gpg = ("gpg", "--homedir", scratch, "--batch", "--yes", "--quiet")
        try:
            key = ("--passphrase", "", "--quick-generate-key", _OWNER, "ed25519", "sign", "never")
            run([*gpg, "--pinentry-mode", "loopback", *key], attempt=attempt)
            run([*gpg, "--armor", "--output", str(out / "key.asc"), "--export"], attempt=attempt)
            for name, members in folders.items():
                folder = out / name
                folder.mkdir(parents=True, exist_ok=True)
                index = "\n".join(entry(package, _archive(package, folder, attempt)) for package in members)
                (folder / "Packages").write_text(index, encoding="utf-8")
                (folder / "Release").write_text(release(index.encode(), now or datetime.now(UTC)), encoding="utf-8")
                signed = ("--digest-algo", "SHA512", "--output", str(folder / "InRelease"), "--clearsign")
                run([*gpg, *signed, str(folder / "Release")], attempt=attempt)
        finally:
            run(["gpgconf", "--homedir", scratch, "--kill", "all"], attempt=attempt)
    return list(folders)


def _archive(package: Package, folder: Path, attempt: str) -> bytes:
    """Build the package into `folder`, and return its archive."""
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        contents: dict[str, str | Path] = {"/DEBIAN/control": control(package)}
        contents |= {f"/DEBIAN/{name}": text for name, text in package.scripts.items()}
        for path, content in {**contents, **package.files}.items():
            file = tree / path.lstrip("/")
            file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            if isinstance(content, Path):
                _copy(content, file, attempt)
            else:
                file.write_text(content, encoding="utf-8")
            file.chmod(0o755 if isinstance(content, Path) or content.startswith("#!") else 0o644)
        tree.chmod(0o755)
        target = folder / package.file_name
        run(["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(tree), str(target)], attempt=attempt)
        return target.read_bytes()


def _copy(source: Path, target: Path, attempt: str) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise LabError(attempt, f"{source}: {error.strerror}", "name a file that is there as `source`") from error
