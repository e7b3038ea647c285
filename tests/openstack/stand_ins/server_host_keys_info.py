#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands for the module of that name: every server has the key of the file RAILHEAD_STAND_IN/key."""

from __future__ import annotations

import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    words = ("cloud", "region_name", "server", "timeout", "poll", "lines")
    options = {word: {"type": "str"} for word in words} | {"not_keys": {"type": "list", "elements": "str"}}
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    key = (Path(os.environ["RAILHEAD_STAND_IN"]) / "key").read_text(encoding="utf-8")
    module.exit_json(changed=False, host_keys=[key])


if __name__ == "__main__":
    main()
