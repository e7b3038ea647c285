# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what a playbook run did to the file that RAILHEAD_RUN_LOG names, as one JSON object.

"{mode}" in that name becomes "check" or "run".

{"stats": {HOST: {"ok": n, "changed": n, "failed": n, "unreachable": n, "skipped": n}},
 "changes": [{"host", "task", "item", "commands"}]}, the changes in the order of host and time.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: run_log
type: aggregate
short_description: Writes what a run did as JSON
description: The file is named by the environment variable RAILHEAD_RUN_LOG.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "run_log"

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[dict[str, Any]] = []

    def _note(self, result: Any, item: Any = None) -> None:
        answer = result.result
        if answer.get("changed") and "results" not in answer:
            change = {"host": result.host.get_name(), "task": result.task.get_name(), "item": item}
            self.changes.append({**change, "commands": answer.get("commands")})

    def v2_runner_on_ok(self, result: Any) -> None:
        self._note(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._note(result, str(result.result.get("item")))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        names = {
            "ok": "ok",
            "changed": "changed",
            "failures": "failed",
            "unreachable": "unreachable",
            "skipped": "skipped",
        }
        hosts = {host: stats.summarize(host) for host in sorted(stats.processed)}
        table = {host: {names[key]: row[key] for key in names} for host, row in hosts.items()}
        log = {"stats": table, "changes": sorted(self.changes, key=lambda change: change["host"])}
        mode = "check" if context.CLIARGS.get("check") else "run"
        path = Path(os.environ["RAILHEAD_RUN_LOG"].replace("{mode}", mode))
        path.write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")
