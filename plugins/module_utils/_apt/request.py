# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted of APT: repositories with their keys, packages at exact versions, packages that must not be there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError

KEYRINGS = "/etc/apt/keyrings"
#: APT tells the two forms of a key apart by these suffixes (sources.list(5), Signed-By).
KEY_SUFFIXES = (".asc", ".gpg")
_HEADER = "# Written by railhead.cluster.apt_pinned; changes are lost.\n"
#: Above what any source gets by itself (500, 990 for the target release), and below 1000, from where on APT goes back
#: to an older version without being asked (apt_preferences(5)).
_PRIORITY = 999


@dataclass(frozen=True)
class Repository:
    """One stanza of sources. C(signed_by) is a URL, the text of a key in ASCII armor, or an absolute path."""

    name: str
    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str

    @property
    def key_is_text(self) -> bool:
        return self.signed_by.startswith("-----BEGIN")

    @property
    def key_is_path(self) -> bool:
        return self.signed_by.startswith("/")


@dataclass(frozen=True)
class Package:
    """C(version) is exact, ends with C(*), or is empty for any."""

    name: str
    version: str = ""

    def is_at(self, version: str | None) -> bool:
        return version is not None and (not self.version or matches(version, self.version))

    @property
    def word(self) -> str:
        return f"{self.name}={self.version}" if self.version else self.name


@dataclass(frozen=True)
class Want:
    """All of one set, which owns the files that its name is in."""

    name: str
    repositories: tuple[Repository, ...] = ()
    packages: tuple[Package, ...] = ()
    conflicts: tuple[Package, ...] = ()
    pins: tuple[Package, ...] = ()
    allow_downgrade: bool = False
    allow_removal: bool = False

    @property
    def sources_path(self) -> str:
        return f"/etc/apt/sources.list.d/railhead-{self.name}.sources"

    @property
    def preferences_path(self) -> str:
        return f"/etc/apt/preferences.d/railhead-{self.name}"

    def key_path(self, repository: Repository, armored: bool) -> str:
        """Where the key of a repository is kept; a key that the host has itself stays where it is."""
        if repository.key_is_path:
            return repository.signed_by
        return f"{KEYRINGS}/railhead-{self.name}.{repository.name}{KEY_SUFFIXES[not armored]}"

    def found_conflicts(self, installed: Mapping[str, str]) -> list[str]:
        """Names of installed packages that must not be there. Those of the set are moved to their version instead."""
        own = {package.name for package in self.packages}
        return sorted(
            name for name, version in installed.items() if name not in own and self.forbids(Package(name, version))
        )

    def pin_of(self, name: str, source: str) -> Package | None:
        """The first of the pins that fits a package, by its name or by that of its source package."""
        for pin in self.pins:
            for word in pin.name.split():
                glob = word.removeprefix("src:").partition(":")[0]
                if fnmatchcase(source if word.startswith("src:") else name, glob):
                    return pin
        return None

    def forbids(self, package: Package) -> bool:
        return any(fnmatchcase(package.name, one.name) and one.is_at(package.version) for one in self.conflicts)


def matches(version: str, pattern: str) -> bool:
    """Whether a version is the wanted one: 3.1.0 is not 3.1.01, which 3.1.0* is. Only C(*) is special."""
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), version) is not None


def want_from(params: Mapping[str, Any]) -> Want:
    name = _word(params["name"], "name", r"[a-z0-9][a-z0-9_-]*", "doca")
    repositories = tuple(_repository(entry) for entry in params["repositories"])
    packages = tuple(_package(entry) for entry in params["packages"])
    for kind, names in (("repositories", [one.name for one in repositories]), ("packages", [p.name for p in packages])):
        twice = sorted({one for one in names if names.count(one) > 1})
        if twice:
            raise RailheadError(f"Cannot use {kind} of {name}: {', '.join(twice)} is there twice; give each once.")
    want = Want(
        name,
        repositories,
        packages,
        tuple(_conflict(glob) for glob in params["conflicts"]),
        tuple(_pin(entry) for entry in params["pins"]),
        params["allow_downgrade"],
        params["allow_removal"],
    )
    both = [one.name for one in packages if want.forbids(Package(one.name, one.version.rstrip("*")))]
    if both:
        raise RailheadError(
            f"Cannot install {', '.join(both)} of {name}, which conflicts also names; take it out of one of the two."
        )
    return want


def render_sources(want: Want, key_paths: Mapping[str, str]) -> str:
    """The file of sources (sources.list(5), deb822); empty without repositories. Keys are by name of the repository."""
    stanzas = [_stanza(repository, key_paths[repository.name]) for repository in want.repositories]
    return _HEADER + "\n".join(stanzas) if stanzas else ""


def render_preferences(want: Want) -> str:
    """The file of preferences (apt_preferences(5)) that keeps each version; empty when none is given.

    Of the records that fit a package the first counts, so that one of its own goes before one by pattern.
    """
    pins = [
        f"Package: {package.name}\nPin: version {package.version}\nPin-Priority: {_PRIORITY}\n"
        for package in (*want.packages, *want.pins)
        if package.version
    ]
    return _HEADER + "\n".join(pins) if pins else ""


def _stanza(repository: Repository, key_path: str) -> str:
    # A key from another URL is another key, though its file has the same name.
    origin = "" if repository.key_is_text or repository.key_is_path else f"# Key: {repository.signed_by}\n"
    fields = {
        "Types": "deb",
        "URIs": " ".join(repository.uris),
        "Suites": " ".join(repository.suites),
        "Components": " ".join(repository.components),
        "Signed-By": key_path,
    }
    return f"# {repository.name}\n{origin}" + "".join(f"{key}: {value}\n" for key, value in fields.items() if value)


def _repository(entry: Mapping[str, Any]) -> Repository:
    name = _word(entry["name"], "the name of a repository", r"[a-z0-9][a-z0-9_-]*", "doca")
    uris = tuple(_word(uri, f"uris of {name}", r"[a-z][a-z0-9+-]*:\S+", "https://host/path/") for uri in entry["uris"])
    suites = tuple(_word(suite, f"suites of {name}", r"[^\s#]+", "stable, or ./") for suite in entry["suites"])
    components = tuple(_word(one, f"components of {name}", r"[^\s#]+", "main") for one in entry["components"] or ())
    if not uris or not suites:
        raise RailheadError(f"Cannot use the repository {name}: give at least one of uris and of suites.")
    flat = [suite for suite in suites if suite.endswith("/")]
    if flat and components:
        raise RailheadError(
            f"Cannot use components with the suite {flat[0]} of the repository {name}: a path that ends with a slash"
            " has none; leave components out."
        )
    if not flat and not components:
        raise RailheadError(
            f"Cannot use the suite {suites[0]} of the repository {name} without components: give them, such as main."
        )
    signed_by = entry["signed_by"].strip()
    if not re.match(r"/|https?://\S+\Z|file:/\S+\Z|-----BEGIN PGP PUBLIC KEY BLOCK-----", signed_by):
        raise RailheadError(
            f"Cannot use {signed_by[:60]!r} as signed_by of the repository {name}: give a URL, the text of the key in"
            " ASCII armor, or an absolute path on the node."
        )
    return Repository(name, uris, suites, components, signed_by)


def _package(entry: Mapping[str, Any]) -> Package:
    name = _word(entry["name"], "the name of a package", r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.](:[a-z0-9]+)?", "doca-ofed")
    version = entry.get("version") or ""
    return Package(name, _word(version, f"the version of {name}", _VERSION + r"\*?", "3.1.0*") if version else "")


_VERSION = r"[A-Za-z0-9][A-Za-z0-9.+~:-]*"


def _conflict(glob: str) -> Package:
    name, equals, version = glob.partition("=")
    _word(glob, "conflicts", r"[a-z0-9*?+.-]+(=[A-Za-z0-9.+~:*-]+)?", "mlnx-*, or *=*mlnx*")
    if not equals and set(name) <= set("*?"):
        raise RailheadError(f"Cannot use {glob!r} in conflicts: that is every package; name some.")
    return Package(name, version)


def _pin(entry: Mapping[str, Any]) -> Package:
    """Names and patterns as one field of preferences has them (apt_preferences(5), Package)."""
    words = entry["packages"].split()
    for word in words or [""]:
        _word(word, "packages of pins", r"(src:)?[a-z0-9*?+.-]+(:[a-z0-9]+)?", "src:*nvidia*:any")
        if set(word.removeprefix("src:").partition(":")[0]) <= set("*?"):
            raise RailheadError(f"Cannot use {word!r} in pins: that is every package; name some.")
    return Package(" ".join(words), _word(entry["version"], "a version of pins", _VERSION + r"\*?", "3.1.0*"))


def _word(value: str, what: str, pattern: str, example: str) -> str:
    if not re.fullmatch(pattern, value):
        raise RailheadError(f"Cannot use {value!r} as {what}: give one such as {example}.")
    return value
