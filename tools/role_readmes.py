# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the argument tables of the roles' READMEs from meta/argument_specs.yml, between two markers."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).parents[1] / "roles"
BEGIN = "<!-- BEGIN ARGUMENTS -->"
END = "<!-- END ARGUMENTS -->"
MARKUP = re.compile(r"\b[A-Z]{1,2}\(([^)]*)\)")


def main() -> int:
    """Write, or with `--check` only compare, every README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a README is out of date")
    check = parser.parse_args().check
    problems = [problem for role in sorted(ROLES.glob("*/")) if (problem := update(role, check=check))]
    print(*problems, sep="\n", end="\n" if problems else "")
    return 1 if problems else 0


def update(role: Path, *, check: bool) -> str | None:
    """Bring one README up to date; return what is wrong with it, if anything."""
    readme = role / "README.md"
    specs = role / "meta" / "argument_specs.yml"
    for path in (readme, specs):
        if not path.is_file():
            return f"roles/{role.name}: {path.relative_to(role)} is missing"
    text = readme.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        return f"roles/{role.name}/README.md: needs one line {BEGIN} and below it one line {END}"
    want = render(text, yaml.safe_load(specs.read_text(encoding="utf-8"))["argument_specs"]["main"])
    if want == text:
        return None
    if check:
        return f"roles/{role.name}/README.md: not what meta/argument_specs.yml says; run `make docs`"
    readme.write_text(want, encoding="utf-8")
    print(f"roles/{role.name}/README.md: written")
    return None


def render(readme: str, entry_point: dict[str, Any]) -> str:
    """Return the README with its table made anew."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    table = ["| Variable | Type | Default | Meaning |", "| --- | --- | --- | --- |"]
    table += ["| " + " | ".join(row) + " |" for row in rows(entry_point.get("options") or {})]
    body = "\n".join(table) if len(table) > 2 else "This role has no variables."
    return f"{before}{BEGIN}\n\n{body}\n\n{END}{after}"


def rows(options: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Yield a row for each option, and below it one for each of its suboptions."""
    for name, spec in options.items():
        kind = spec.get("type", "str")
        if kind == "list":
            kind = f"list of {spec.get('elements', 'any')}"
        yield f"`{prefix}{name}`", kind, default(spec), meaning(spec)
        nested = f"{prefix}{name}[]." if spec.get("type") == "list" else f"{prefix}{name}."
        yield from rows(spec.get("options") or {}, nested)


def default(spec: dict[str, Any]) -> str:
    """Say what holds when the variable is not set."""
    if spec.get("required"):
        return "**required**"
    value = spec.get("default")
    if value is None:
        return ""
    return code(value if isinstance(value, str) and value else json.dumps(value))


def meaning(spec: dict[str, Any]) -> str:
    """Return the description in one line, Ansible's markup as code, and the choices."""
    description = spec.get("description", "")
    sentences = [description] if isinstance(description, str) else list(description)
    if spec.get("choices"):
        sentences.append("One of " + ", ".join(code(str(choice)) for choice in spec["choices"]) + ".")
    text = " ".join(" ".join(sentences).split())
    return MARKUP.sub(r"`\1`", text).replace("|", "\\|")


def code(text: str) -> str:
    """Return text as code that cannot end the table's cell."""
    return "`" + text.replace("|", "\\|") + "`"


if __name__ == "__main__":
    sys.exit(main())
