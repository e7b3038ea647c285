# SPDX-License-Identifier: GPL-3.0-or-later
"""Take single collections out of the PyPI package `ansible`, which carries them, and leave all its other files.

`collections_of_ansible.py VERSION FOLDER NAMESPACE.NAME...` puts each below FOLDER/ansible_collections.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path


def main() -> int:
    """Download the package, and unpack what is asked for."""
    version, folder, *names = sys.argv[1:]
    print(f"== {', '.join(names)}, out of ansible {version}", flush=True)
    prefixes = tuple(f"ansible_collections/{name.replace('.', '/')}/" for name in names)
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--dest", scratch, f"ansible=={version}"], check=True)
        [wheel] = Path(scratch).glob("ansible-*.whl")
        with zipfile.ZipFile(wheel) as package:
            package.extractall(folder, [name for name in package.namelist() if name.startswith(prefixes)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
