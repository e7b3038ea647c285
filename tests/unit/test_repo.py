# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of this repository that no linter knows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ARTIFACT = ROOT / "build" / "collections" / "ansible_collections" / "railhead" / "cluster"
MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))
ROLES = sorted(path for path in (ROOT / "roles").glob("*") if path.is_dir())
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))

PUBLISHED = {
    "CHANGELOG.md", "COPYING", "FILES.json", "MANIFEST.json", "README.md", "changelogs", "docs", "inventories", "meta",
    "playbooks", "plugins", "roles",
}  # fmt: skip
MAKEFILES_OWN = {".git", "tests"}  # tests/output is where `make sanity` leaves its reports
LONGEST_MAIN = 40
LONGEST_LIST = 60
CONDITIONS = {"that", "when", "until", "changed_when", "failed_when"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def names(paths: list[Path]) -> list[str]:
    return [path.stem for path in paths]


def conditions(node: Any) -> Iterator[Any]:
    """Each condition of tasks, in blocks too."""
    for task in node if isinstance(node, list) else []:
        for key, value in {**task, **task.get("ansible.builtin.assert", {})}.items():
            if key in CONDITIONS:
                yield from value if isinstance(value, list) else [value]
            yield from conditions(value) if key in ("block", "rescue", "always") else ()


@pytest.mark.parametrize("kind", ["MODULES", "ROLES", "PLAYBOOKS"])
def test_the_tests_below_have_something_to_look_at(kind: str) -> None:
    assert globals()[kind]


def test_every_module_is_in_the_action_group() -> None:
    group = load(ROOT / "meta" / "runtime.yml")["action_groups"]["all"]
    assert group == names(MODULES)


def test_the_artifact_holds_what_users_need_and_nothing_else() -> None:
    assert {path.name for path in ARTIFACT.iterdir()} - MAKEFILES_OWN <= PUBLISHED
    assert {path.name for path in ARTIFACT.glob("inventories/*")} <= {"bare-metal", "openstack"}


@pytest.mark.parametrize("module", MODULES, ids=names(MODULES))
def test_main_of_a_module_is_short(module: Path) -> None:
    functions = [
        node for node in ast.parse(module.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)
    ]
    (main,) = [function for function in functions if function.name == "main"]
    assert main.end_lineno is not None
    assert main.end_lineno - main.lineno + 1 <= LONGEST_MAIN


@pytest.mark.parametrize("role", ROLES, ids=names(ROLES))
def test_a_role_has_the_files_that_its_users_read(role: Path) -> None:
    for name in ("README.md", "defaults/main.yml", "meta/argument_specs.yml"):
        assert (role / name).is_file(), f"{role.name}: {name} is missing"


@pytest.mark.parametrize("role", ROLES, ids=names(ROLES))
def test_defaults_and_argument_specs_of_a_role_agree(role: Path) -> None:
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"].get("options") or {}
    defaults = load(role / "defaults" / "main.yml") or {}
    required = {name for name, option in options.items() if option.get("required")}
    assert set(defaults) <= set(options)
    assert set(options) - set(defaults) <= required, "without a default a variable must be required"
    for name, value in defaults.items():
        if name in required:
            assert "undef(" in str(value), f"{name}: is required, and yet has a default"
        else:
            assert options[name].get("default") == value, name


@pytest.mark.parametrize("role", ROLES, ids=names(ROLES))
def test_public_variables_of_a_role_carry_its_name(role: Path) -> None:
    for name in load(role / "defaults" / "main.yml") or {}:
        assert name.startswith(f"{role.name}_")


def test_roles_reboot_behind_the_gate() -> None:
    tasks = [path for role in ROLES for path in (role / "tasks").glob("*.yml")]
    assert [path for path in tasks if "builtin.reboot" in path.read_text(encoding="utf-8")] == [
        ROOT / "roles" / "reboot" / "tasks" / "main.yml"
    ]


@pytest.mark.parametrize("path", [*PLAYBOOKS, *(role / "tasks" / "main.yml" for role in ROLES)], ids=str)
def test_playbooks_and_tables_of_contents_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_LIST, path


@pytest.mark.parametrize("role", ROLES, ids=names(ROLES))
def test_conditions_are_expressions(role: Path) -> None:
    """YAML takes one with a colon and a space in it for a mapping, which fails only where it is reached."""
    for path in sorted((role / "tasks").glob("*.yml")):
        assert [found for found in conditions(load(path)) if not isinstance(found, (str, bool))] == [], path
