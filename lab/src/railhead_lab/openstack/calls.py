# SPDX-License-Identifier: GPL-3.0-or-later
"""What kind a request of an API is, and how many there were of each. Pure."""

import json
import re
from collections import Counter
from collections.abc import Iterable

_ID = re.compile(r"^([0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}|[0-9a-f]{32}|[0-9]+)$")
_VERSION = re.compile(r"^v[0-9.]+$")


def kind(method: str, path: str, body: bytes = b"") -> str:
    """Return a request without what differs from one to the next: `POST servers/ID/action rebuild`."""
    words = [word for word in path.split("/") if word and not _VERSION.match(word)]
    named = "/".join("ID" if _ID.match(word) else word for word in words)
    return " ".join([method, named or "/", *_action(body)])


def _action(body: bytes) -> list[str]:
    try:
        found = json.loads(body) if body else {}
    except ValueError:
        return []
    return sorted(found)[:1] if isinstance(found, dict) else []


def count(lines: Iterable[str]) -> dict[str, dict[str, int]]:
    """Count the lines of api.jsonl: {service: {kind: number}}; a refusal is counted as `kind -> status`."""
    counts: dict[str, Counter[str]] = {}
    for line in lines:
        call = json.loads(line)
        label = call["kind"] if call["status"] < 400 else f"{call['kind']} -> {call['status']}"
        counts.setdefault(call["service"], Counter())[label] += 1
    return {service: dict(sorted(kinds.items())) for service, kinds in sorted(counts.items())}
