# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs a program of this collection, with all of the collection that it imports, into one executable file."""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Callable, Mapping

_COLLECTION = "ansible_collections.railhead.cluster."
#: The interpreter that runs at boot: the distribution's, whatever Ansible itself uses.
_SHEBANG = b"#!/usr/bin/python3\n"


def pack(entry: str, source_of: Callable[[str], str]) -> bytes:
    """A zipapp (Python documentation, zipapp) that runs C(main()) of the module C(entry).

    The bytes depend on the sources only: entries are sorted, stored uncompressed, and dated 1980.
    """
    sources = closure(entry, source_of)
    files = {name.replace(".", "/") + ".py": text for name, text in sources.items()}
    packages = {"/".join(path.split("/")[:depth]) for path in files for depth in range(1, path.count("/") + 1)}
    files.update({f"{package}/__init__.py": "" for package in packages})
    files["__main__.py"] = f"import sys\nfrom {entry} import main\nsys.exit(main())\n"
    return _SHEBANG + _zip(files)


def closure(entry: str, source_of: Callable[[str], str]) -> dict[str, str]:
    """Sources by module name: C(entry) and what it imports of this collection, directly or not."""
    found: dict[str, str] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = source_of(name)
            waiting += _imports(found[name])
    return found


def _imports(source: str) -> list[str]:
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    return [node.module for node in nodes if node.module and node.module.startswith(_COLLECTION)]


def _zip(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            archive.writestr(zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0)), files[path])
    return buffer.getvalue()
