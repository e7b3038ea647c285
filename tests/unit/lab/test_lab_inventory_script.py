# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory script that Ansible runs."""

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "inventories" / "lab" / "lab"


def run(folder, *arguments, **environ):
    path = os.pathsep.join([str(folder), "/usr/bin", "/bin"])
    return subprocess.run(
        [str(SCRIPT), *arguments], capture_output=True, text=True, check=False, env={"PATH": path, **environ}
    )


def make_lab(folder):
    (folder / "lab").write_text('#!/bin/sh\necho "$@"\n')
    (folder / "lab").chmod(0o755)


def test_it_asks_for_the_default_lab(tmp_path):
    make_lab(tmp_path)
    assert run(tmp_path, "--list").stdout == "inventory --name default --list\n"


def test_it_asks_for_the_lab_of_the_environment(tmp_path):
    make_lab(tmp_path)
    assert run(tmp_path, "--list", RAILHEAD_LAB_NAME="two").stdout == "inventory --name two --list\n"


def test_it_says_when_the_command_is_missing(tmp_path):
    done = run(tmp_path, "--list")
    assert done.returncode == 1
    assert "not on PATH" in done.stderr
