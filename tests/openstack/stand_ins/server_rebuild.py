#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands for the module of that name: a server is a file in RAILHEAD_STAND_IN that holds the name of its image."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    words = ("cloud", "region_name", "server", "image", "timeout", "poll", "progress")
    options = {word: {"type": "str"} for word in words} | {"force": {"type": "bool"}, "wait": {"type": "bool"}}
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    cloud, name, image = Path(os.environ["RAILHEAD_STAND_IN"]), module.params["server"], module.params["image"]
    file, fails = cloud / name, cloud / f"{name}.fails"
    if module.check_mode and (cloud / f"{name}.slow").exists():
        time.sleep(5)
    have = file.read_text(encoding="utf-8")
    changed = have != image or bool(module.params["force"])
    answer = {"image_before": have, "image_after": image, "commands": [["rebuild", name, image]] if changed else []}
    if changed and not module.check_mode:
        with (cloud / "calls").open("a", encoding="utf-8") as calls:
            calls.write(f"{name}\n")
        if fails.exists():
            fails.unlink()
            module.fail_json(msg="Cannot rebuild, it ended in ERROR: no disk", reason="node_error", **answer)
        file.write_text(image, encoding="utf-8")
        (cloud / f"{name}.marker").unlink(missing_ok=True)  # the disk is wiped
    module.exit_json(changed=changed, **answer)


if __name__ == "__main__":
    main()
