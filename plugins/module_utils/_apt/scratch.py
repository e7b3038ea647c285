# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree beside the one of APT, in which a repository is tried out before anything of the host is changed.

It has the host's own configuration, sources, lists and preferences as links, and the host's packages. What is added to
it, or fetched into it, APT itself never sees.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

#: Hooks that leave traces on the host when lists are fetched, and settings that keep this tree apart (apt.conf(5)).
_CONFIGURATION = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Get::List-Cleanup "false";
Dir::State::Lists "{tree}/lists";
Dir::Cache "{tree}/cache";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::SourceParts "{tree}/sources.list.d";
Dir::Etc::PreferencesParts "{tree}/preferences.d";
"""
#: For all, as APT fetches and verifies as a user of its own.
_READABLE = 0o755
_SEPARATE = ("lock", "partial", "auxfiles")


@dataclass(frozen=True)
class Scratch:
    """C(tree) is the directory; its files have the names that they would have on the host."""

    tree: str

    @property
    def environment(self) -> str:
        """What makes apt-get work there, as env(1) takes it."""
        return f"APT_CONFIG={self.tree}/apt.conf"

    def path(self, path: str) -> str:
        """Where a file of the host lies in the tree: its last directory and its name."""
        directory, name = os.path.split(path)
        return f"{self.tree}/{os.path.basename(directory)}/{name}"

    def write(self, files: Mapping[str, bytes]) -> None:
        """Put files in place of what the host has under these names."""
        for path, content in files.items():
            there = self.path(path)
            if os.path.lexists(there):
                os.unlink(there)
            with open(there, "wb") as file:
                file.write(content)
            os.chmod(there, 0o644)


@contextmanager
def scratch(hidden: tuple[str, ...], root: str = "") -> Iterator[Scratch]:
    """A tree without the host's C(hidden) files, for as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="railhead-apt-") as tree:
        os.chmod(tree, _READABLE)
        links = {
            "apt.conf.d": f"{root}/etc/apt/apt.conf.d",
            "sources.list.d": f"{root}/etc/apt/sources.list.d",
            "preferences.d": f"{root}/etc/apt/preferences.d",
            "lists": f"{root}/var/lib/apt/lists",
        }
        for name in (*links, "keyrings", "lists/partial", "cache", "cache/archives", "cache/archives/partial"):
            os.mkdir(f"{tree}/{name}")
            os.chmod(f"{tree}/{name}", _READABLE)
        for name, directory in links.items():
            for entry in _names(directory):
                if entry not in _SEPARATE and f"{directory}/{entry}" not in hidden:
                    os.symlink(f"{directory}/{entry}", f"{tree}/{name}/{entry}")
        with open(f"{tree}/apt.conf", "w", encoding="utf-8") as file:
            file.write(f'Dir::Etc::Parts "{tree}/apt.conf.d";\n')
        # The last name: what is set there counts.
        with open(f"{tree}/apt.conf.d/zzzz-railhead", "w", encoding="utf-8") as file:
            file.write(_CONFIGURATION.format(tree=tree))
        yield Scratch(tree)


def _names(directory: str) -> list[str]:
    return sorted(os.listdir(directory)) if os.path.isdir(directory) else []
