# SPDX-License-Identifier: GPL-3.0-or-later
"""Just enough of OpenStack's APIs for the lab itself, without its SDK: JSON over HTTP on the loopback."""

import http.client
import json
from dataclasses import dataclass
from typing import Any

from railhead_lab.errors import LabError
from railhead_lab.openstack.site import PASSWORD, Site

_SECONDS = 300.0


@dataclass(frozen=True)
class Session:
    """A token, and the site whose services take it."""

    site: Site
    token: str
    project: str
    user: str

    def call(self, service: str, method: str, path: str, body: object = None) -> Any:
        """Send one request and return the answer; LabError when it is refused."""
        return request(self.site, service, method, path, body, token=self.token)[0]


def sign_in(site: Site, user: str = "admin", project: str = "admin") -> Session:
    """Get a token by password."""
    domain = {"id": "default"}
    identity = {"methods": ["password"], "password": {"user": {"name": user, "domain": domain, "password": PASSWORD}}}
    body = {"auth": {"identity": identity, "scope": {"project": {"name": project, "domain": domain}}}}
    answer, token = request(site, "keystone", "POST", "/v3/auth/tokens", body)
    return Session(site, token, answer["token"]["project"]["id"], answer["token"]["user"]["id"])


def request(
    site: Site, service: str, method: str, path: str, body: object = None, *, token: str = ""
) -> tuple[Any, str]:
    """Return the answer, and the token that came with it."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/octet-stream" if isinstance(body, bytes) else "application/json"}
    if token:
        headers["X-Auth-Token"] = token
    connection = http.client.HTTPConnection("127.0.0.1", site.ports[service], timeout=_SECONDS)
    try:
        connection.request(method, path, raw, headers)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except OSError as error:
        raise LabError(f"Cannot {method} {path}", f"{service}: {error}", f"look at {site.log}") from error
    finally:
        connection.close()
    if answer.status >= 400:
        raise LabError(f"Cannot {method} {path}", f"{service} answered {answer.status}: {text[:300]}")
    return (json.loads(text) if text else None), answer.getheader("X-Subject-Token", "")
