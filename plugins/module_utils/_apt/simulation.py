# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What apt-get would do, read from its simulation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError


@dataclass(frozen=True)
class Simulation:
    """Versions by package: C(installed) and C(changed) (old, new) come, C(removed) go. C(downgraded) are among the
    changed ones.
    """

    installed: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    removed: Mapping[str, str] = field(default_factory=dict)
    downgraded: tuple[str, ...] = ()


def parse_simulation(text: str) -> Simulation:
    """Read C(apt-get --simulate install) with LC_ALL=C.

    Lines are "Inst NAME [OLD] (NEW ORIGIN [ARCH])", without [OLD] for a new package, and "Remv NAME [OLD]" or, with
    --purge, "Purg NAME [OLD]" (apt-private/private-output and apt-pkg/algorithms.cc of APT 2.6 and 3.0). Which way a
    version goes is only in the list of the packages that "will be DOWNGRADED".
    """
    installed: dict[str, str] = {}
    changed: dict[str, tuple[str, str]] = {}
    removed: dict[str, str] = {}
    for line in text.splitlines():
        match = re.match(r"(Inst|Remv|Purg) (\S+)(?: \[([^]]+)\])?(?: \((\S+))?", line)
        if not match:
            if line.startswith(("Inst ", "Remv ", "Purg ")):
                raise RailheadError(f"Cannot understand what apt-get would do: found {line!r}.")
            continue
        verb, name, old, new = match.groups()
        if verb != "Inst":
            removed[name] = old or ""
        elif old:
            changed[name] = (old, new or "")
        else:
            installed[name] = new or ""
    downgraded = re.search(r"^The following packages will be DOWNGRADED:\n((?:[ \t]+.*\n)+)", text, re.MULTILINE)
    return Simulation(installed, changed, removed, tuple(downgraded.group(1).split()) if downgraded else ())
