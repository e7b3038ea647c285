# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role reimage takes from elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]


def test_a_node_gets_the_roles_of_the_site_playbook(tmp_path: Path) -> None:
    site = yaml.safe_load((ROOT / "playbooks" / "site.yml").read_text(encoding="utf-8"))
    wanted = [role["role"] for play in site for role in play.get("roles", [])]
    reimage = ROOT / "roles" / "reimage"
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"role_path": str(reimage), "wanted": wanted},
        "vars_files": [str(reimage / folder / "main.yml") for folder in ("defaults", "vars")],
        "tasks": [{"ansible.builtin.assert": {"that": "reimage_roles == wanted"}}],
    }
    (tmp_path / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "-c", "local"]
    subprocess.run([*command, tmp_path / "play.yml"], check=True, timeout=120)
