# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is to Kubernetes, read from its files: nothing asks kubeadm or the API server."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host

PACKAGES = ("kubeadm", "kubelet", "kubectl", "cri-tools")
KUBERNETES = "/etc/kubernetes"
PKI = f"{KUBERNETES}/pki"
KUBELET = "/var/lib/kubelet"
#: A socket that listens has this state in /proc/net/tcp (include/net/tcp_states.h).
LISTENS = "0A"


def read_node(host: Host, files: Sequence[str], modules: Sequence[str], sysctls: Sequence[str]) -> Mapping[str, Any]:
    manifest = host.read(f"{KUBERNETES}/manifests/kube-apiserver.yaml")
    addresses = addresses_from(host.read_json(["ip", "-j", "address", "show"]))
    return {
        "joined": host.read(f"{KUBERNETES}/kubelet.conf") is not None,
        "api_server_endpoint": advertised(manifest or ""),
        "api_server_version": image_version(manifest or ""),
        "packages": packages_from(_dpkg(host)),
        "policies": {kind: policy_of(host.read(f"{KUBELET}/{kind}_manager_state")) for kind in ("cpu", "memory")},
        "certificates_end": _first_end(host),
        "swap": swap_from(host.read("/proc/swaps") or ""),
        "cgroup": 2 if host.read("/sys/fs/cgroup/cgroup.controllers") is not None else 1,
        "memory": memory_from(host.read("/proc/meminfo") or ""),
        "kernel": host.read("/proc/sys/kernel/osrelease") or "",
        "ports": listening(f"{host.read('/proc/net/tcp') or ''}\n{host.read('/proc/net/tcp6') or ''}"),
        "addresses": addresses,
        "default_address": default_address(host.read_json(["ip", "-j", "route", "show", "default"]), addresses),
        "networks": networks_from(host.read_json(["ip", "-j", "route", "show"])),
        "modules": [name for name in modules if host.is_directory(f"/sys/module/{name}")],
        "sysctls": {name: host.read("/proc/sys/" + name.replace(".", "/")) for name in sysctls},
        "files": {path: host.read(path) for path in files},
    }


def _dpkg(host: Host) -> str:
    # It complains of packages that it does not know, and names the others all the same.
    return host.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status} ${Version}\n", *PACKAGES]
    ).stdout


def packages_from(text: str) -> dict[str, str]:
    """Versions of the packages that are installed, from lines C(NAME STATUS VERSION)."""
    rows = [line.split() for line in text.splitlines()]
    return {row[0]: row[2] for row in rows if len(row) == 3 and row[1] == "installed"}


def advertised(manifest: str) -> str | None:
    """C(ADDRESS:PORT) of the API server, by what kubeadm notes on its static pod."""
    found = re.search(
        r"(?m)^\s*kubeadm\.kubernetes\.io/kube-apiserver\.advertise-address\.endpoint:\s*(\S+)$", manifest
    )
    return found.group(1).strip("'\"") if found else None


def image_version(manifest: str) -> str | None:
    """Version of the API server from its static pod, C(1.35.1) for the tag C(v1.35.1)."""
    found = re.search(r"(?m)^\s*image:\s*\S+/kube-apiserver:v([0-9.]+)", manifest)
    return found.group(1) if found else None


def policy_of(state: str | None) -> str | None:
    """The policy by which the kubelet last shared out processors or memory."""
    try:
        return None if state is None else json.loads(state).get("policyName")
    except ValueError:
        return None


def _first_end(host: Host) -> int | None:
    """When the first certificate ends, as seconds since 1970. Those of the CAs are not kubeadm's to renew."""
    paths = [
        f"{folder}/{name}"
        for folder in (PKI, f"{PKI}/etcd")
        for name in host.list_directory(folder)
        if name.endswith(".crt") and name not in ("ca.crt", "front-proxy-ca.crt")
    ]
    return min((_end_of(host, path) for path in paths), default=None)


def _end_of(host: Host, path: str) -> int:
    answer = host.read_output(["openssl", "x509", "-noout", "-enddate", "-in", path])
    return end_from(path, answer)


def end_from(path: str, answer: str) -> int:
    """C(notAfter=Nov 22 06:02:28 2027 GMT) as seconds since 1970."""
    try:
        end = datetime.strptime(answer.strip(), "notAfter=%b %d %H:%M:%S %Y GMT")
    except ValueError as error:
        raise RailheadError(f"Cannot read when {path} ends: openssl said {answer.strip()!r}.") from error
    return int(end.replace(tzinfo=timezone.utc).timestamp())


def swap_from(text: str) -> list[str]:
    """Files and devices in use for swapping; the first line of C(/proc/swaps) is a heading."""
    return [line.split()[0] for line in text.splitlines()[1:] if line.strip()]


def memory_from(text: str) -> int:
    """Memory of the host in MiB."""
    found = re.search(r"(?m)^MemTotal:\s+([0-9]+) kB", text)
    return int(found.group(1)) // 1024 if found else 0


def listening(text: str) -> list[int]:
    """TCP ports on which some program listens, from C(/proc/net/tcp) (proc_net_tcp in the kernel's documentation)."""
    rows = [line.split() for line in text.splitlines()]
    return sorted({int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == LISTENS})


def addresses_from(links: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Addresses of the host with their devices; those of loopback and of one link only are no address of a node."""
    return [
        {"device": link["ifname"], "mtu": link["mtu"], "address": found["local"], "prefix": found["prefixlen"]}
        for link in links
        for found in link.get("addr_info", ())
        if found.get("scope") == "global" and "local" in found
    ]


def default_address(routes: Sequence[Mapping[str, Any]], addresses: Sequence[Mapping[str, Any]]) -> str | None:
    """The address that the host has on the device of its default route."""
    for route in routes:
        if route.get("prefsrc"):
            return str(route["prefsrc"])
        for found in addresses:
            if found["device"] == route.get("dev") and ":" not in found["address"]:
                return str(found["address"])
    return None


def networks_from(routes: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Networks that the host reaches, but not by what a CNI has set up."""
    return [
        {"network": str(route["dst"]), "device": str(route.get("dev", ""))}
        for route in routes
        if route.get("dst") not in (None, "default")
        and not re.match(r"cni|flannel|cali|veth", str(route.get("dev", "")))
    ]
