# SPDX-License-Identifier: GPL-3.0-or-later
"""`lab kubernetes serve`: a registry with the images and a server of the packages, on the loopback, until ended.

Machines of the lab see both at 10.0.2.2.
"""

import http.client
import json
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from railhead_lab.commands import run
from railhead_lab.errors import LabError
from railhead_lab.kubernetes import layout
from railhead_lab.progress import Progress

_READY_SECONDS = 60.0
_ADVICE = "run `lab/install-host-packages kubernetes`"


class _Files(SimpleHTTPRequestHandler):
    """Serves a folder, keeps connections, and says nothing."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return


def serve(out: Path, registry_port: int, packages_port: int, progress: Progress) -> None:
    """Serve what was built into `out`; return when interrupted, LabError when the registry ends by itself."""
    attempt = f"Cannot serve {out}"
    out = out.absolute()
    if not list(out.glob("versions-*.yml")):
        raise LabError(attempt, "there is nothing of `lab kubernetes build`", f"run it with --out {out}")
    for port in (registry_port, packages_port):
        require_free(port, attempt)
    handler = partial(_Files, directory=str(out / "packages"))
    with (
        _registry(out, registry_port) as registry,
        ThreadingHTTPServer(("127.0.0.1", packages_port), handler) as server,
    ):
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            _wait(registry, registry_port, out)
            push(out, registry_port, progress)
            progress.note(f"ready: images at 127.0.0.1:{registry_port}, packages at 127.0.0.1:{packages_port}")
            registry.wait()
            raise LabError(attempt, "the registry has ended by itself", f"look at {_log(out)}")
        except KeyboardInterrupt:
            progress.note("lab: no longer served")
        finally:
            server.shutdown()
            thread.join()


def require_free(port: int, attempt: str) -> None:
    """Refuse a port of the loopback that somebody listens at."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            advice = f"`ss -ltnp sport = :{port}` says by whom; end that, or choose another port"
            raise LabError(attempt, f"port {port} of 127.0.0.1 is in use", advice) from error


def registry_settings(folder: Path, port: int) -> str:
    """Return the registry's configuration; JSON is YAML too."""
    return json.dumps(
        {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(folder)}},
            "http": {"addr": f"127.0.0.1:{port}"},
        }
    )


def layouts(out: Path) -> list[tuple[str, str, Path]]:
    """Return name, tag and folder of all images that were built into `out`."""
    found = sorted((out / "images").glob("*/*/index.json"))
    return [(path.parents[1].name, path.parents[0].name, path.parent) for path in found]


def push(out: Path, port: int, progress: Progress) -> None:
    """Push the images that the registry has not."""
    wanted = [row for row in layouts(out) if digest_at(port, row[0], row[1]) != layout.read(row[2])[0]]
    for number, (name, tag, folder) in enumerate(wanted, start=1):
        with progress.step(f"pushing {name}:{tag} ({number} of {len(wanted)})"):
            argv = ["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false"]
            run(
                [*argv, f"oci:{folder}:{tag}", f"docker://127.0.0.1:{port}/{name}:{tag}"],
                attempt=f"Cannot push {name}:{tag}",
                advice=f"look at {_log(out)}",
            )


def digest_at(port: int, name: str, tag: str) -> str:
    """Return the digest that the registry has for an image, or nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
        connection.request("HEAD", f"/v2/{name}/manifests/{tag}", headers=accept)
        return connection.getresponse().headers.get("Docker-Content-Digest", "")
    finally:
        connection.close()


@contextmanager
def _registry(out: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    with tempfile.TemporaryDirectory(prefix="railhead-lab-") as scratch:
        settings = Path(scratch) / "registry.yml"
        settings.write_text(registry_settings(out / "registry", port), encoding="utf-8")
        with _log(out).open("wb") as log:
            try:
                # A process group of its own: an interrupt from the terminal comes to us alone.
                process = subprocess.Popen(
                    ["docker-registry", "serve", str(settings)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    process_group=0,
                )
            except FileNotFoundError as error:
                raise LabError("Cannot start the registry", "docker-registry is not installed", _ADVICE) from error
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(registry: "subprocess.Popen[bytes]", port: int, out: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            digest_at(port, "pause", "none")
        except OSError as error:
            if registry.poll() is not None or time.monotonic() > deadline:
                words = _log(out).read_text(encoding="utf-8", errors="replace").splitlines()[-12:]
                raise LabError("Cannot start the registry", "\n    ".join(["it does not answer", *words])) from error
            time.sleep(0.1)
        else:
            return


def _log(out: Path) -> Path:
    return out / "registry.log"
