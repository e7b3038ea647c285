# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs a file of ours on the host: whole, atomically, and only when it differs."""

from __future__ import annotations

import hashlib

from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import InstallFile, Plan


def observe_file(host: Host, path: str) -> str | None:
    """SHA-256 of the file, in hexadecimal digits; None when there is none, or it cannot be executed."""
    content = host.read_program(path)
    return None if content is None else digest(content)


def plan_file(have: str | None, path: str, content: bytes) -> Plan:
    want = digest(content)
    before, after = {"path": path, "sha256": have}, {"path": path, "sha256": want}
    if have == want:
        return Plan((), before, after)
    return Plan((InstallFile(path, content, want, f"install {path}"),), before, after)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
