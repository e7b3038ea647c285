# SPDX-License-Identifier: GPL-3.0-or-later
"""`ansible-test sanity` on the installed artifact, with a home directory of its own below build."""

from __future__ import annotations

import ast
import configparser
import importlib
import itertools
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

from tiers import junit
from tiers.process import Line, stream
from tiers.result import Part
from tiers.workspace import BIN, BUILD, INSTALLED

HOME = BUILD / "home"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
RUNNING = re.compile(r'Running sanity test "(?P<name>[^"]+)"')


def run() -> list[Part]:
    """Count each sanity test that found files to look at."""
    bootstrap_pip_without_download()
    write_pip_configuration()
    # ansible-test asks git for the files. Without a repository of its own here it would ask ours, which ignores build.
    subprocess.run(["git", "init", "--quiet"], cwd=INSTALLED, check=True)
    shutil.rmtree(INSTALLED / "tests" / "output", ignore_errors=True)
    finished = stream(
        [BIN / "ansible-test", "sanity", "--local", "--requirements", "--python", PYTHON, "--junit"],
        cwd=INSTALLED,
        env={"HOME": str(HOME)},
    )
    reports = sorted((INSTALLED / "tests" / "output" / "junit").glob("*.xml"))
    parts = [part for report in reports if applicable(report) for part in junit.read(report)]
    if finished.status != 0 and all(part.outcome != "failed" for part in parts):
        parts.append(Part(f"ansible-test ended with status {finished.status}", "failed"))
    seconds = durations(finished.lines, finished.seconds)
    return [Part(part.name, part.outcome, seconds.get(part.name.rpartition("::")[2], 0.0)) for part in parts]


def applicable(report: Path) -> bool:
    """Say whether a test had anything to test: one about PowerShell has not, and is not a skipped test of ours."""
    return "No tests applicable." not in report.read_text(encoding="utf-8")


def durations(lines: tuple[Line, ...], end: float) -> dict[str, float]:
    """Return how long each test took; ansible-test itself does not say."""
    starts = [(match["name"], line.at) for line in lines if (match := RUNNING.search(line.text))]
    return {name: until - at for (name, at), (_, until) in itertools.pairwise([*starts, ("", end)])}


def bootstrap_pip_without_download() -> None:
    """Leave what ansible-test would download to make its environments: Python carries a pip of its own."""
    requirements = importlib.import_module("ansible_test._internal.python_requirements")
    version = requirements.get_venv_packages(types.SimpleNamespace(version=PYTHON))["pip"]
    script = HOME / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text("import ensurepip\n\nensurepip.bootstrap()\n", encoding="utf-8")


def write_pip_configuration() -> None:
    """Give pip in the other home the same settings: ansible-test drops the variables that may hold them."""
    listing = subprocess.run([BIN / "pip", "config", "list"], check=True, capture_output=True, text=True).stdout
    settings = configparser.RawConfigParser()
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.rpartition(".")
        section = "global" if section == ":env:" else section
        if not settings.has_section(section):
            settings.add_section(section)
        settings.set(section, option, ast.literal_eval(value).replace("\n", "\n  "))
    path = HOME / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream_:
        settings.write(stream_)
