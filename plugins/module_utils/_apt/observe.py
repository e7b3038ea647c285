# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host has of a set of pinned packages, and, when that is not all of it, what APT would do about it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from typing import Optional

from ansible.module_utils.urls import ConnectionError as UrlError
from ansible.module_utils.urls import open_url

from ansible_collections.railhead.cluster.plugins.module_utils._apt.request import (
    KEY_SUFFIXES,
    KEYRINGS,
    Package,
    Repository,
    Want,
    render_preferences,
    render_sources,
)
from ansible_collections.railhead.cluster.plugins.module_utils._apt.scratch import Scratch, scratch
from ansible_collections.railhead.cluster.plugins.module_utils._apt.simulation import Simulation, parse_simulation
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host, Result

#: Fetches lists, counts all that goes wrong as an error, and leaves it to the next apt-get to read them.
UPDATE = ("apt-get", "update", "--error-on=any", "--option=pkgCacheFile::Generate=false")
#: How long APT tries to reach a repository.
PATIENCE = (
    "--option=Acquire::Retries=1",
    "--option=Acquire::http::Timeout=30",
    "--option=Acquire::https::Timeout=30",
)
_KEY_SECONDS = 30
_UPDATE_SECONDS = 900.0
_SIMULATE_SECONDS = 900.0
_NOTHING = "Nothing was changed on this host."

Contents = Mapping[str, Optional[str]]


@dataclass(frozen=True)
class Trial:
    """What a try beside the host's own APT gave: C(keys) by name of the repository, what would be installed, and
    C(along), installed packages that a pin has at another version.
    """

    keys: Mapping[str, bytes] = field(default_factory=dict)
    simulation: Simulation = field(default_factory=Simulation)
    along: tuple[Package, ...] = ()


@dataclass(frozen=True)
class Have:
    """C(installed) are versions by package, C(broken) those of packages that are only partly installed; C(files) the
    text of those of the set, None where there is none; C(trial) is None when nothing is to be done.
    """

    installed: Mapping[str, str]
    files: Contents
    trial: Trial | None = None
    keyrings: bool = True
    broken: Mapping[str, str] = field(default_factory=dict)

    @property
    def present(self) -> dict[str, str]:
        return {**self.installed, **self.broken}


def observe_pinned(host: Host, want: Want) -> Have:
    """One process when nothing is to be done. Otherwise the network is asked, and APT in a tree of its own."""
    installed, broken = parse_installed(host.read_output(_INSTALLED))
    have = Have(installed, _files(host, want), None, host.is_directory(KEYRINGS), broken)
    if is_settled(have, want):
        return have
    return replace(have, trial=_try(host, have, want))


_INSTALLED = ["dpkg-query", "--show", "--showformat=${Package}\\t${Version}\\t${db:Status-Status}\\n"]


def parse_installed(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """Versions by package, of what is wholly and of what is partly installed (dpkg-query(1), db:Status-Status).

    Of two architectures the first counts.
    """
    whole: dict[str, str] = {}
    partly: dict[str, str] = {}
    for line in text.splitlines():
        name, version, status = line.split("\t")
        if status == "installed" or status.startswith("triggers-"):
            whole.setdefault(name, version)
        elif status not in ("not-installed", "config-files"):
            partly.setdefault(name, version)
    return whole, partly


def is_settled(have: Have, want: Want) -> bool:
    return (
        not want.found_conflicts(have.present)
        and all(package.is_at(have.installed.get(package.name)) for package in want.packages)
        and not differing(have, want, {})
        and not unwanted(have, want, {})
    )


def wanted_files(have: Have, want: Want, keys: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """Content by path; None for a key that only the network can tell, and that is taken as it is."""
    files: dict[str, bytes | None] = {}
    paths: dict[str, str] = {}
    for repository in want.repositories:
        content = keys.get(repository.name)
        if repository.key_is_text:
            content = repository.signed_by.encode() + b"\n"
        armored = _is_armored(content) if content is not None else _stored_suffix(have, want, repository) == ".asc"
        paths[repository.name] = want.key_path(repository, armored)
        if not repository.key_is_path:
            files[paths[repository.name]] = content
    for path, text in (
        (want.sources_path, render_sources(want, paths)),
        (want.preferences_path, render_preferences(want)),
    ):
        if text:
            files[path] = text.encode()
    return files


def differing(have: Have, want: Want, keys: Mapping[str, bytes]) -> list[str]:
    """Paths of files that are missing, or not as wanted; keys first."""
    found = []
    for path, content in wanted_files(have, want, keys).items():
        now = have.files.get(path)
        if now is None or (content is not None and content.decode(errors="replace").rstrip("\n") != now):
            found.append(path)
    return found


def unwanted(have: Have, want: Want, keys: Mapping[str, bytes]) -> list[str]:
    """Paths of files of the set that have no use any more."""
    wanted = wanted_files(have, want, keys)
    return sorted(path for path, text in have.files.items() if text is not None and path not in wanted)


def words_to_install(have: Have, want: Want) -> list[str]:
    """What apt-get install is told; empty when all is there. NAME- takes a package away.

    Packages that are at their exact version are named with the others, so that APT does not move them.
    """
    conflicts = [f"{name}-" for name in want.found_conflicts(have.present)]
    missing = [package for package in want.packages if not package.is_at(have.installed.get(package.name))]
    if not conflicts and not missing:
        return []
    exact = [package for package in want.packages if package.version and not package.version.endswith("*")]
    named = [package for package in want.packages if package in missing or package in exact]
    along = have.trial.along if have.trial else ()
    return [package.word for package in (*named, *along)] + conflicts


def described(words: Sequence[str]) -> str:
    """Completes "Cannot ..."."""
    comes = " ".join(word for word in words if not word.endswith("-"))
    goes = " ".join(word[:-1] for word in words if word.endswith("-"))
    return " and ".join(part for part in (comes and f"install {comes}", goes and f"remove {goes}") if part)


def complaint(result: Result) -> str:
    """What apt-get complains of: its errors, and the dependencies that it cannot meet."""
    unmet = re.search(r"unmet dependencies:\n((?: .*\n?)+)", result.stdout)
    lines = [line for line in result.stderr.splitlines() if line.startswith("E: ")] or result.stderr.splitlines()
    lines += unmet.group(1).splitlines() if unmet else []
    said = [re.sub(r"\s+", " ", line).strip().rstrip(".;:") for line in lines if "Some index files failed" not in line]
    return "; ".join(said) or "nothing"


def advice_on_fetching(text: str) -> str:
    """What to do about a repository, from the words of apt-get."""
    if re.search(r"NO_PUBKEY|not signed|signature|BADSIG|EXPKEYSIG|REVKEYSIG|Sub-process|Missing key|Verif", text):
        return "Give as signed_by the key that the vendor signs this repository with."
    if "Conflicting values set for option Signed-By" in text:
        return "Another file in /etc/apt names this repository with another key; remove it there."
    return "Check uris and suites, and whether this host reaches them (a mirror or proxy may be needed)."


def parse_madison(text: str) -> dict[str, list[str]]:
    """Versions that there are, by package, newest first (C(apt-cache madison): NAME | VERSION | SOURCE)."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        fields = [part.strip() for part in line.split("|")]
        if len(fields) == 3 and fields[1] not in found.setdefault(fields[0], []):
            found[fields[0]].append(fields[1])
    return found


def _files(host: Host, want: Want) -> dict[str, str | None]:
    own = [name for name in host.list_directory(KEYRINGS) if name.startswith(f"railhead-{want.name}.")]
    paths = [want.sources_path, want.preferences_path, *(f"{KEYRINGS}/{name}" for name in own)]
    for repository in want.repositories:
        if repository.key_is_path and host.identity(repository.signed_by) is None:
            raise RailheadError(
                f"Cannot use the repository {repository.name}: its key {repository.signed_by} is not on this host; put"
                " it there first, or give signed_by as a URL or as text."
            )
    return {path: host.read(path) for path in paths}


def _stored_suffix(have: Have, want: Want, repository: Repository) -> str:
    stored = [suffix for suffix in KEY_SUFFIXES if have.files.get(want.key_path(repository, suffix == ".asc"))]
    return stored[0] if stored else KEY_SUFFIXES[0]


def _is_armored(key: bytes) -> bool:
    return key.lstrip().startswith(b"-----BEGIN")


def _try(host: Host, have: Have, want: Want) -> Trial:
    keys = {
        repository.name: _fetch_key(repository)
        for repository in want.repositories
        if not repository.key_is_path and not repository.key_is_text
    }
    with scratch((want.sources_path, want.preferences_path)) as tree:
        files = wanted_files(have, want, keys)
        # In the tree, the sources name the keys that lie there.
        own = [path for path in files if os.path.dirname(path) == KEYRINGS]
        contents = {path: content for path, content in files.items() if content is not None}
        if want.repositories:
            sources = contents[want.sources_path].decode()
            for path in own:
                sources = sources.replace(f"Signed-By: {path}\n", f"Signed-By: {tree.path(path)}\n")
            contents[want.sources_path] = sources.encode()
        tree.write(contents)
        if want.repositories:
            _update(host, tree, want)
        trial = Trial(keys, along=_find_along(host, tree, have, want))
        words = words_to_install(replace(have, trial=trial), want)
        return replace(trial, simulation=_simulate(host, tree, want, words)) if words else trial


def _fetch_key(repository: Repository) -> bytes:
    attempt = f"Cannot fetch the key of the repository {repository.name} from {repository.signed_by}: "
    try:
        with open_url(repository.signed_by, timeout=_KEY_SECONDS) as answer:
            key: bytes = answer.read()
    except (OSError, HTTPException, UrlError, ValueError) as error:
        raise RailheadError(
            f"{attempt}{error}. Check the URL, and whether this host reaches it (a mirror or proxy may be needed), or"
            f" give signed_by as text or as a path. {_NOTHING}"
        ) from error
    # A binary key begins with the tag of a packet, whose highest bit is set (RFC 9580, section 4.2).
    if not key.lstrip().startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----") and not key[:1] >= b"\x80":
        raise RailheadError(
            f"{attempt}what is there is no OpenPGP key, it begins with {key[:40]!r}. Give the URL of the key itself."
            f" {_NOTHING}"
        )
    return key


def _update(host: Host, tree: Scratch, want: Want) -> None:
    sources = tree.path(want.sources_path)
    only = (f"--option=Dir::Etc::SourceList={sources}", "--option=Dir::Etc::SourceParts=-")
    argv = ("env", tree.environment, *UPDATE, *PATIENCE, *only)
    result = host.run(argv, deadline=_UPDATE_SECONDS)
    if result.rc == 0:
        return
    said = complaint(result)
    where = ", ".join(uri for repository in want.repositories for uri in repository.uris)
    raise RailheadError(
        f"Cannot use the repositories of {want.name} ({where}): 'apt-get update' answered: {said}."
        f" {advice_on_fetching(said)} {_NOTHING}"
    )


_SOURCES = ["dpkg-query", "--show", "--showformat=${Package}\\t${source:Package}\\n"]


def _find_along(host: Host, tree: Scratch, have: Have, want: Want) -> tuple[Package, ...]:
    """Packages to move to the version of their pin, where there is one. APT leaves what is newer than is asked for."""
    if not want.pins or all(package.is_at(have.installed.get(package.name)) for package in want.packages):
        return ()
    named = {*(package.name for package in want.packages), *want.found_conflicts(have.present)}
    found = {}
    for line in host.read_output(_SOURCES).splitlines():
        name, source = line.split("\t")
        pin = want.pin_of(name, source)
        if pin and name in have.installed and name not in named and not pin.is_at(have.installed[name]):
            found[name] = Package(name, pin.version)
    offered = _offered(host, tree, list(found)) if found else {}
    return tuple(package for name, package in found.items() if any(map(package.is_at, offered.get(name, ()))))


def _offered(host: Host, tree: Scratch, names: Sequence[str]) -> dict[str, list[str]]:
    return parse_madison(host.run(("env", tree.environment, "apt-cache", "madison", *names)).stdout)


def _simulate(host: Host, tree: Scratch, want: Want, words: Sequence[str]) -> Simulation:
    options = ("--simulate", "--yes", "--allow-downgrades", "--purge", "--no-install-recommends")
    result = host.run(("env", tree.environment, "apt-get", *options, "install", *words), deadline=_SIMULATE_SECONDS)
    if result.rc == 0:
        return parse_simulation(result.stdout)
    said = complaint(result)
    names = [package.name for package in want.packages]
    offered = _offered(host, tree, names)
    found = "; ".join(f"{name} in {', '.join(offered.get(name, ['no version']))}" for name in names)
    raise RailheadError(
        f"Cannot {described(words)} ({want.name}): 'apt-get install' answered: {said}."
        + (f" There is {found}." if found else "")
        + " Give versions that there are and that fit each other; refresh the lists of the distribution with 'apt-get"
        f" update' when something of it is missing. {advice_on_sources(said)}{_NOTHING}"
    )


def advice_on_sources(text: str) -> str:
    return f"{advice_on_fetching(text)} " if "Signed-By" in text else ""
