# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the VFs of a port: real outputs of ip, and files as sysfs has them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.observe import (
    Port,
    observe_port,
    parse_contexts,
    parse_vfs,
)
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.request import Attributes

from ..replay import ReplayHost

FIXTURES = Path(__file__).parent.parent / "fixtures" / "sriov" / "6.15.0"
DEVICES = "/sys/bus/pci/devices"
PORT = f"{DEVICES}/0000:01:00.0"


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))[0]["vfinfo_list"]


@pytest.mark.parametrize(
    ("name", "index", "attributes"),
    [
        ("igb-fresh", 1, Attributes("96:bd:22:76:4b:82", 0, 0, "802.1Q", True, False, "auto", 0, 0)),
        ("igb-set", 0, Attributes("02:00:00:00:00:01", 100, 3, "802.1Q", False, True, "auto", 0, 0)),
        (
            "netdevsim-set",
            0,
            Attributes("02:00:00:00:00:01", 100, 3, "802.1ad", False, True, "enable", 10, 100),
        ),
    ],
)
def test_vfs_as_ip_shows_them(name: str, index: int, attributes: Attributes) -> None:
    assert parse_vfs(fixture(name))[index] == attributes


def test_guids_have_a_space_in_their_keys_and_what_is_silent_is_none() -> None:
    shown = {
        "vf": 0,
        "link_type": "infiniband",
        "address": "00:00:00:00:fe:80:00:00:00:00:00:00:00:00:00:00:00:00:00:00",
        "vlan_list": [{}],
        "node guid": "00:11:22:33:44:55:66:77",
        "port guid": "00:11:22:33:44:55:66:78",
        "link_state": "auto",
    }
    assert parse_vfs([shown])[0] == Attributes(
        vlan=0,
        qos=0,
        vlan_proto="802.1Q",
        link_state="auto",
        node_guid="00:11:22:33:44:55:66:77",
        port_guid="00:11:22:33:44:55:66:78",
    )


def test_contexts() -> None:
    assert parse_contexts([{"ifname": "mlx5_2", "pd": 3, "ctx": 2}, {"ifname": "rxe0", "pd": 1}]) == {
        "mlx5_2": 2,
        "rxe0": 0,
    }


def vf_files(index: int, address: str, **more: Any) -> dict[str, Any]:
    path = f"{DEVICES}/{address}"
    return {
        f"{PORT}/virtfn{index}": {"link": f"../{address}"},
        f"{path}/physfn": {"link": "../0000:01:00.0"},
        **{f"{path}/{key}": value for key, value in more.items()},
    }


BASE: dict[str, Any] = {
    f"{PORT}/sriov_numvfs": "1\n",
    f"{PORT}/sriov_totalvfs": "7\n",
    f"{PORT}/sriov_drivers_autoprobe": "1\n",
    f"{PORT}/net/enp1s0": "",
    "/sys/class/net/enp1s0/device": {"link": "/sys/devices/pci0000:00/0000:00:04.0/0000:01:00.0"},
    "/sys/class/net/enp1s0/device/subsystem": {"link": "../../../../bus/pci"},
}
LINK = {"argv": ["ip", "-j", "link", "show", "dev", "enp1s0"]}


def observe(files: dict[str, Any], name: str = "enp1s0", runs: Any = None, addresses: Any = ()) -> Port:
    shown = [{"ifname": "enp1s0", "link_type": "ether", "address": "52:54:00:bb:01:01", "vfinfo_list": []}]
    has_netdevs = any(re.search(r"/0000:01:1\d\.\d/net/\w", path) for path in files)
    addr = {"argv": ["ip", "-j", "addr", "show"], "stdout": json.dumps(list(addresses))}
    host = ReplayHost([{**LINK, "stdout": json.dumps(shown)}, *([addr] if has_netdevs else []), *(runs or ())], files)
    found = observe_port(host, name)
    assert not host.runs
    return found


@pytest.mark.parametrize(
    ("more", "user"),
    [
        ({"driver": {"link": "../../../../bus/pci/drivers/igbvf"}, "net/enp1s0v0/x": ""}, None),
        ({"net/": ""}, "its network device is in another network namespace"),
        ({"infiniband/": ""}, "its RDMA device is in another network namespace"),
        ({"driver": {"link": "../../bus/pci/drivers/vfio-pci"}}, "it is bound to vfio-pci"),
    ],
)
def test_users_in_sysfs(more: dict[str, Any], user: str | None) -> None:
    found = observe({**BASE, **vf_files(0, "0000:01:10.0", **more)})
    assert [vf.users for vf in found.vfs] == [(user,) if user else ()]


@pytest.mark.parametrize(
    ("flags", "scope", "users"),
    [
        (["UP"], "global", ("its network device enp1s0v0 has the address 198.51.100.7",)),
        (["UP"], "link", ()),
        ([], "global", ()),
    ],
)
def test_addresses_of_a_device_that_is_up_count(flags: list[str], scope: str, users: tuple[str, ...]) -> None:
    shown = {"ifname": "enp1s0v0", "flags": flags, "addr_info": [{"local": "198.51.100.7", "scope": scope}]}
    files = {**BASE, **vf_files(0, "0000:01:10.0", **{"net/enp1s0v0/x": ""})}
    assert observe(files, addresses=[shown]).vfs[0].users == users


def test_devices_above_rdma_users_and_representors_count() -> None:
    files = {
        **BASE,
        **vf_files(0, "0000:01:10.0", **{"net/enp1s0v0/x": "", "infiniband/mlx5_2/x": ""}),
        "/sys/class/net/enp1s0v0/upper_br0": {"link": "../br0"},
        f"{PORT}/net/enp1s0r0": "",
        "/sys/class/net/enp1s0r0/phys_port_name": "pf0vf0\n",
        "/sys/class/net/enp1s0r0/upper_ovs-system": {"link": "../ovs-system"},
    }
    rdma = {"argv": ["rdma", "-j", "resource", "show"], "stdout": '[{"ifname": "mlx5_2", "ctx": 1}]'}
    assert observe(files, runs=[rdma]).vfs[0].users == (
        "its representor enp1s0r0 is in ovs-system",
        "its network device enp1s0v0 is in br0",
        "processes use its RDMA device mlx5_2",
    )


def test_the_port_by_its_pci_address() -> None:
    found = observe(BASE, name="0000:01:00.0")
    assert (found.netdev, found.directory, found.count, found.total_vfs) == ("enp1s0", PORT, 1, 7)


def test_a_vf_without_its_link_back_is_not_complete() -> None:
    """T8: the kernel counts it before it can be found."""
    files = {**BASE, f"{PORT}/virtfn0": {"link": "../0000:01:10.0"}}
    assert not observe(files).complete


def test_the_permanent_address_counts_in_a_bond() -> None:
    shown = [{"ifname": "enp1s0", "address": "52:54:00:bb:01:02", "permaddr": "52:54:00:bb:01:01"}]
    host = ReplayHost([{**LINK, "stdout": json.dumps(shown)}], BASE)
    assert observe_port(host, "enp1s0").address == "52:54:00:bb:01:01"


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("nosuch", {}, "no network device of that name.*enp1s0"),
        ("enp1s0", {f"{PORT}/sriov_numvfs": None}, "has no sriov_numvfs.*SRIOV_EN"),
        ("enp1s0", {"/sys/class/net/enp1s0/phys_port_name": "pf0vf3"}, "it is a representor"),
        ("0000:01:00.0", {f"{PORT}/net/enp1s1": ""}, "Cannot tell which port.*enp1s0, enp1s1"),
    ],
)
def test_what_is_no_port_is_refused(name: str, more: dict[str, Any], words: str) -> None:
    files = {path: content for path, content in {**BASE, **more}.items() if content is not None}
    with pytest.raises(RailheadError, match=words):
        observe_port(ReplayHost(files=files), name)


SSH = {"/proc/self/environ": "SSH_CONNECTION=198.51.100.9 4000 198.51.100.1 22\0"}


@pytest.mark.parametrize(
    ("holder", "more", "carries"),
    [
        ("enp1s0", {}, ("enp1s0",)),
        ("bond0", {"/sys/class/net/bond0/lower_enp1s0": {"link": "../enp1s0"}}, ("enp1s0",)),
        ("enp1s0v0", {"/sys/class/net/enp1s0v0/device": {"link": "/sys/devices/x/0000:01:10.0"}}, ("enp1s0v0",)),
        ("mgmt0", {}, ()),
    ],
)
def test_the_management_connection_over_the_port_or_a_vf(
    holder: str, more: dict[str, Any], carries: tuple[str, ...]
) -> None:
    addresses = [{"ifname": holder, "addr_info": [{"local": "198.51.100.1", "scope": "global"}]}]
    addr = {"argv": ["ip", "-j", "address", "show", "to", "198.51.100.1"], "stdout": json.dumps(addresses)}
    files = {**BASE, **vf_files(0, "0000:01:10.0"), **SSH, **more}
    assert observe(files, runs=[addr], addresses=addresses).carries == carries
