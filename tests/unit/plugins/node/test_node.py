# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is, from files of systems that were looked at."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._node.management import (
    Management,
    connection_address,
    holder_of,
    observe_management,
)
from ansible_collections.railhead.cluster.plugins.module_utils._node.observe import parse_os_release, parse_pci_address
from ansible_collections.railhead.cluster.plugins.module_utils._node.owners import (
    observe_owners,
    parse_interfaces,
    parse_nmcli,
)

from ..replay import ReplayHost

ADDRESSES = [
    {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1"}]},
    {"ifname": "bond0.5", "addr_info": [{"family": "inet6", "local": "2001:db8::17"}, {"local": "192.0.2.17"}]},
]


@pytest.mark.parametrize(
    ("environments", "address"),
    [
        (["HOME=/root\0SSH_CONNECTION=192.0.2.1 50122 192.0.2.17 22\0TERM=x\0"], "192.0.2.17"),
        (["SSH_CONNECTION=2001:db8::1 50122 2001:db8::17 22"], "2001:db8::17"),
        (["HOME=/root", "SUDO_USER=a\0SSH_CONNECTION=192.0.2.1 1 192.0.2.17 22\0"], "192.0.2.17"),
        (["MY_SSH_CONNECTION=192.0.2.1 1 192.0.2.17 22"], None),
        ([""], None),
        ([], None),
    ],
)
def test_connection_address(environments: list[str], address: str | None) -> None:
    assert connection_address(environments) == address


@pytest.mark.parametrize(
    ("address", "netdev"), [("192.0.2.17", "bond0.5"), ("2001:DB8:0::17", "bond0.5"), ("192.0.2.99", None)]
)
def test_holder_of(address: str, netdev: str | None) -> None:
    assert holder_of(address, ADDRESSES) == netdev


def management_host(parent_pid: str) -> ReplayHost:
    files: dict[str, Any] = {
        "/sys/class/net/bond0.5/lower_bond0": "",
        "/sys/class/net/bond0/lower_eno1": "",
        "/sys/class/net/bond0/lower_eno2": "",
        "/proc/77/environ": "SSH_CONNECTION=192.0.2.1 50122 192.0.2.17 22\0",
        "/proc/77/stat": "77 (sshd (odd) name) S 1 77 77 0",
        "/proc/66/stat": f"66 (sudo) S {parent_pid} 66 66 0",
    }
    return ReplayHost([{"argv": ["ip", "-j", "addr", "show"], "stdout": json.dumps(ADDRESSES)}], files)


def test_management_is_found_through_sudo_and_down_to_the_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getpid", lambda: 66)
    found = observe_management(management_host("77"))
    assert found == Management("192.0.2.17", ("bond0.5", "bond0", "eno1", "eno2"))


def test_no_ssh_means_no_management_and_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getpid", lambda: 66)
    host = management_host("1")
    assert observe_management(host) == Management()
    assert len(host.runs) == 1


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
