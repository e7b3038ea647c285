# SPDX-License-Identifier: GPL-3.0-or-later
"""Serves one WSGI application of OpenStack: `python -m railhead_lab.openstack.serve NAME MODULE PORT`.

Runs in the control plane's environment. Each request becomes a line of api.jsonl, and requested faults of the API
are served here: before the application has seen anything of the request.
"""

import importlib
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from railhead_lab.openstack import calls, faults
from railhead_lab.openstack.site import Site, read_site

Environ = dict[str, Any]
Answer = Callable[..., Any]
Application = Callable[[Environ, Answer], Iterable[bytes]]

THREADS = 8
_LONGEST_BODY = 65536


def main() -> None:
    """Load the application and serve it until killed."""
    import waitress  # noqa: PLC0415  # only in the control plane's environment

    name, module, port = sys.argv[1:4]
    site = read_site(Path(os.environ["RAILHEAD_LAB_SITE"]))
    if site is None:
        sys.exit("there is no site in RAILHEAD_LAB_SITE")
    sys.argv = [name]
    application = importlib.import_module(module).application
    waitress.serve(Front(name, site, application), host="127.0.0.1", port=int(port), threads=THREADS, ident=None)


class Front:
    """What stands before an application: it counts, and it fails where that was asked for."""

    def __init__(self, name: str, site: Site, application: Application) -> None:
        self._name = name
        self._site = site
        self._application = application

    def __call__(self, environ: Environ, start_response: Answer) -> Iterable[bytes]:
        """Answer one request."""
        begin = time.monotonic()
        kind = calls.kind(environ["REQUEST_METHOD"], environ.get("PATH_INFO", "/"), _action(environ))
        seen: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            seen[:] = [status]
            return start_response(status, headers, *rest)

        slow = faults.take(self._site.faults, "api-slow", kind)
        if slow is not None:
            time.sleep(slow.seconds)
        if faults.take(self._site.faults, "api-500", kind) is not None:
            body = b'{"computeFault": {"code": 500, "message": "The lab was asked for this error."}}'
            start("500 Internal Server Error", [("Content-Type", "application/json")])
            answer: Iterable[bytes] = [body]
        else:
            answer = self._application(environ, start)
        self._log(kind, seen, begin)
        return answer

    def _log(self, kind: str, seen: list[str], begin: float) -> None:
        status = int(seen[0].split()[0]) if seen else 0
        line = {"service": self._name, "kind": kind, "status": status, "seconds": round(time.monotonic() - begin, 3)}
        with self._site.api_log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")


def _action(environ: Environ) -> bytes:
    """Return the body of a server action, and put it back for the application."""
    if environ["REQUEST_METHOD"] != "POST" or not environ.get("PATH_INFO", "").endswith("/action"):
        return b""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > _LONGEST_BODY:
        return b""
    body: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return body


if __name__ == "__main__":
    main()
