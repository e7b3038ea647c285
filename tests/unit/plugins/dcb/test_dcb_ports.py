# SPDX-License-Identifier: GPL-3.0-or-later
"""Which network device a port is, and what cannot be one."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core import ethtool
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.observe import observe_ports
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.ports import find_netdev, is_present, valid_port

from ..replay import ReplayHost

NET = "/sys/class/net"
PCI = "/sys/bus/pci/devices"
PF, VF, IB = "0000:08:00.0", "0000:08:00.2", "0000:09:00.0"
#: A card with a port ens1f0np0 in switchdev mode, its VF ens1f0v0 and the representor of it; a bond, a VLAN, a bridge.
FILES: dict[str, Any] = {
    f"{PCI}/{PF}/net/ens1f0np0/address": "",
    f"{PCI}/{PF}/net/rep0/address": "",
    f"{PCI}/{VF}/net/ens1f0v0/address": "",
    f"{PCI}/{IB}/uevent": "",
    f"{NET}/ens1f0np0/device": {"link": f"../../../{PF}"},
    f"{NET}/ens1f0np0/phys_port_name": "p0\n",
    f"{NET}/ens1f0np0/carrier": "1\n",
    f"{NET}/rep0/device": {"link": f"../../../{PF}"},
    f"{NET}/rep0/phys_port_name": "pf0vf0\n",
    f"{NET}/ens1f0v0/device": {"link": f"../../../{VF}"},
    f"{NET}/ens1f0v0/device/physfn": {"link": f"../{PF}"},
    f"{NET}/bond0/bonding/slaves": "ens1f0np0 ens1f1np1\n",
    f"{NET}/bond1/bonding/slaves": "\n",
    f"{NET}/vlan5/lower_ens1f0np0": {"link": "x"},
    f"{NET}/br0/bridge/stp_state": "0",
}


@pytest.mark.parametrize("port", ["ens1f0np0", PF])
def test_a_port(port: str) -> None:
    assert find_netdev(ReplayHost(files=FILES), valid_port(port)) == "ens1f0np0"
    assert is_present(ReplayHost(files=FILES), port)


def test_a_port_that_is_not_there_yet() -> None:
    assert not any(is_present(ReplayHost(files=FILES), port) for port in ("eth9", "0000:0a:00.0", IB))


@pytest.mark.parametrize(
    ("port", "words"),
    [
        (
            "eth9",
            "no network device of that name; ports here: ens1f0np0, ens1f0v0, rep0. A port that gets its name later",
        ),
        ("0000:0a:00.0", "there is no PCI device of that address"),
        (IB, "it has 0 network devices; see that its driver is bound, and that it is in Ethernet mode"),
        ("bond0", "it is a bond, which has no DCB of its own; give its ports ens1f0np0, ens1f1np1"),
        ("bond1", "give its ports \\(it has none now\\)"),
        ("vlan5", "there is no device behind it; it runs over ens1f0np0; give the port itself"),
        ("br0", "there is no device behind it; give a port of a card"),
        ("rep0", "it is a representor, which has no DCB"),
        ("ens1f0v0", f"it is a virtual function.*PCI address {PF}"),
        (VF, f"it is a virtual function.*PCI address {PF}"),
    ],
)
def test_what_is_no_port(port: str, words: str) -> None:
    with pytest.raises(RailheadError, match=f"Cannot set the QoS of {port}: .*{words}"):
        find_netdev(ReplayHost(files=FILES), port)


@pytest.mark.parametrize(
    ("port", "words"),
    [(None, "Cannot use None as a port"), ("", "Cannot use '' as a port"), (8.0, "in quotes"), ("a b", "one word")],
)
def test_what_is_no_name(port: object, words: str) -> None:
    with pytest.raises(RailheadError, match=words):
        valid_port(port)


def test_addresses_are_spelled_as_the_kernel_does() -> None:
    assert valid_port("0000:0A:00.0") == "0000:0a:00.0"


def test_one_port_by_two_names() -> None:
    with pytest.raises(RailheadError, match=f"QoS of {PF}: it is ens1f0np0, as ens1f0np0 is; leave one of the two out"):
        observe_ports(ReplayHost(files=FILES), ["ens1f0np0", PF])


def test_no_port_starts_no_process() -> None:
    assert observe_ports(ReplayHost(), []) == {}


def test_the_management_connection_and_lldpad_are_seen() -> None:
    files = {
        **FILES,
        "/proc/self/environ": "SSH_CONNECTION=192.0.2.1 5 192.0.2.17 22\0",
        "/proc/net/unix": "Num RefCount\nffff: 00000002 00000000 00000000 0002 01 20 @/com/intel/lldpad\n",
        "pause ens1f0np0": [True, False],
    }
    empty = "".join(f"Attribute read: Operation not supported\nCommand failed -:{line}\n" for line in range(1, 7))
    asked = "".join(f"{what} show dev ens1f0np0\n" for what in ("pfc", "ets", "app", "buffer", "dcbx", "apptrust"))
    host = ReplayHost(
        [
            {"argv": ["dcb", "-j", "-s", "-f", "-b", "-"], "stdin": asked, "rc": 1, "stderr": empty},
            {"argv": ["ip", "-j", "address", "show", "to", "192.0.2.17"], "stdout": '[{"ifname":"ens1f0np0"}]'},
        ],
        files,
    )
    state = observe_ports(host, [PF])[PF]
    assert (state.carrier, state.carries_management, state.overwritten, state.pause) == (
        True,
        True,
        True,
        (True, False),
    )


def test_global_pause_as_the_kernel_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """struct ethtool_pauseparam: command, autoneg, rx_pause, tx_pause (linux/ethtool.h)."""
    asked: list[bytes] = []

    def answer(_socket: object, _netdev: str, request: bytes, _room: int = 0) -> bytes:
        asked.append(request)
        return request[:4] + bytes([1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])

    monkeypatch.setattr(ethtool, "_ask", answer)
    assert ethtool.read_pause("eth0") == (True, False)
    assert asked == [bytes([0x12, *[0] * 15])]


def test_a_device_without_global_pause() -> None:
    assert ethtool.read_pause("lo") is None
    assert ethtool.read_pause("nosuch0") is None
