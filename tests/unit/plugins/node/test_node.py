# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is, from files of systems that were looked at."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._node.management import (
    Management,
    observe_management,
    ssh_address,
)
from ansible_collections.railhead.cluster.plugins.module_utils._node.observe import parse_os_release, parse_pci_address
from ansible_collections.railhead.cluster.plugins.module_utils._node.owners import (
    observe_owners,
    parse_interfaces,
    parse_nmcli,
)

from ..replay import ReplayHost

ANCESTORS = {
    "/proc/self/environ": "HOME=/root\0",
    "/proc/self/status": "Name:\tpython3\nPPid:\t30\n",
    "/proc/30/environ": "SUDO_USER=admin\0",
    "/proc/30/status": "Name:\tsudo\nPPid:\t20\n",
    "/proc/20/environ": "SSH_CONNECTION=203.0.113.9 40000 203.0.113.1 22\0USER=admin\0",
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "203.0.113.1"),
        ({"/proc/self/environ": "SSH_CONNECTION=203.0.113.9 40000 fe80::1%d2 22\0"}, "fe80::1%d2"),
        ({"/proc/20/environ": "USER=admin\0", "/proc/20/status": "PPid:\t0\n"}, None),
        ({"/proc/self/status": None}, None),
        ({"/proc/20/environ": "SSH_CONNECTION=\0"}, None),
    ],
)
def test_the_address_that_the_connection_came_in_by(changes: dict[str, Any], expected: str | None) -> None:
    files = {path: content for path, content in {**ANCESTORS, **changes}.items() if content is not None}
    assert ssh_address(ReplayHost(files=files)) == expected


def test_an_environment_that_may_not_be_read_does_not_end_the_search() -> None:
    class Container(ReplayHost):
        def read(self, path: str) -> str | None:
            if path == "/proc/30/environ":
                raise RailheadError("Cannot read /proc/30/environ: Permission denied.")
            return super().read(path)

    assert ssh_address(Container(files=ANCESTORS)) == "203.0.113.1"


MANAGED = {
    **ANCESTORS,
    "/sys/class/net/bond0.5/lower_bond0": "",
    "/sys/class/net/bond0/lower_eno1": "",
    "/sys/class/net/bond0/lower_eno2": "",
}
# ip -j address show to ADDRESS of iproute2 6.15.0 prints an empty object for each device that does not match.
SHOWN = '[{},{"ifname":"bond0.5","addr_info":[{"family":"inet","local":"203.0.113.1","prefixlen":24}]},{}]'


def test_management_is_found_through_sudo_and_down_to_the_ports() -> None:
    host = ReplayHost([{"argv": ["ip", "-j", "address", "show", "to", "203.0.113.1"], "stdout": SHOWN}], MANAGED)
    assert observe_management(host) == Management("203.0.113.1", ("bond0.5", "bond0", "eno1", "eno2"))
    assert not host.runs


def test_no_ssh_means_no_management_and_no_process() -> None:
    assert observe_management(ReplayHost()) == Management()


def test_os_release() -> None:
    text = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\n# x\nVERSION_ID="13"\nID=debian\n'
    found = parse_os_release(text)
    assert found == {"id": "debian", "version_id": "13", "pretty_name": "Debian GNU/Linux 13 (trixie)"}
    assert parse_os_release("") == {"id": "", "version_id": "", "pretty_name": ""}


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/sys/devices/pci0000:00/0000:00:06.0/0000:01:00.0", "0000:01:00.0"),
        ("/sys/devices/pci0000:00/0000:00:02.0/virtio2", "0000:00:02.0"),
        ("/sys/devices/pci10000:e1/10000:e1:00.1", "10000:e1:00.1"),
        ("/sys/class/net/lo/device", None),
    ],
)
def test_pci_address(path: str, address: str | None) -> None:
    assert parse_pci_address(path) == address


def test_owners() -> None:
    host = ReplayHost(
        files={
            "/sys/class/net/eno1/ifindex": "2",
            "/sys/class/net/ens1/ifindex": "3",
            "/sys/class/net/ens2/ifindex": "4",
            "/run/systemd/netif/links/2": "# private\nADMIN_STATE=configured\nOPER_STATE=routable\n",
            "/run/systemd/netif/links/3": "ADMIN_STATE=unmanaged\nOPER_STATE=off\n",
            "/etc/network/interfaces": "auto lo\niface lo inet loopback\nsource /etc/network/interfaces.d/*\n",
            "/etc/network/interfaces.d/ports": "auto eno1 ens2\n  iface eno1 inet dhcp\niface ens2 inet manual\n",
        }
    )
    assert observe_owners(host) == {"eno1": ("networkd", "ifupdown"), "ens2": ("ifupdown",)}


def test_network_manager_is_asked_where_it_runs() -> None:
    terse = "eno1:connected\nens1:unmanaged\nens2:disconnected\nodd\\:name:connected\nlo:connected (externally)\n"
    assert parse_nmcli(terse) == {"eno1", "ens2", "odd:name", "lo"}
    argv = ["nmcli", "--terse", "--fields", "DEVICE,STATE", "device"]
    host = ReplayHost([{"argv": argv, "stdout": "eno1:connected\n"}], {"/run/NetworkManager/devices/2": ""})
    assert observe_owners(host) == {"eno1": ("NetworkManager",)}


def test_interfaces_files() -> None:
    assert parse_interfaces(["iface lo inet loopback\n#iface eth9 inet dhcp\niface bond0 inet static\n"]) == {"bond0"}
