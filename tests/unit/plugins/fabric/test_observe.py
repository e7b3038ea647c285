# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the fabric of a host: recorded outputs of programs, files as the kernel's documentation has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.eswitch import Settings
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.addressing import Addressing
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.document import load_document
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.observe import (
    Fabric,
    missing_hardware,
    observe_fabric,
)
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.rules import RULES_FILE
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import Route
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.observe import READ
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.request import Attributes

from ..replay import ReplayHost

FIXTURES = Path(__file__).parent.parent / "fixtures"
PCI = "/sys/bus/pci/devices"
MLX5, IGB = "0000:08:00.0", "0000:01:00.0"
Files = dict[str, Any]


class Tree(ReplayHost):
    """C(moved) are network devices in other namespaces, C(offload) the hw-tc-offload of those whose driver has it."""

    def __init__(self, runs: list[dict[str, Any]], files: Files) -> None:
        super().__init__(runs, files)
        self.moved: dict[str, dict[str, str]] = {}
        self.offload: dict[str, bool] = {}

    def pci_netdevs(self, namespace: str) -> dict[str, str]:
        return self.moved.get(namespace, {})

    def read_feature(self, netdev: str, feature: str) -> bool | None:
        assert feature == "hw-tc-offload"
        return self.offload.get(netdev)


def link(name: str, address: str = "", **more: Any) -> dict[str, Any]:
    return {
        "ifname": name,
        "flags": ["UP"],
        "link_type": "ether",
        "address": address,
        "mtu": 1500,
        "addr_info": [],
        **more,
    }


def netdev(name: str, device: str, bus: str = "pci", phys_port_name: str | None = None) -> Files:
    """A network device as /sys/class/net and the directory of its device have it."""
    files: Files = {
        f"/sys/class/net/{name}/device": {"link": f"/sys/devices/{bus}/{device}"},
        f"/sys/class/net/{name}/device/subsystem": {"link": f"../../bus/{bus}"},
        f"/sys/bus/{bus}/devices/{device}/net/{name}/mtu": "1500\n",
    }
    if phys_port_name is not None:
        files[f"/sys/class/net/{name}/phys_port_name"] = f"{phys_port_name}\n"
    return files


def function(address: str, driver: str, name: str, vfs: int = 0, total: int = 64) -> Files:
    """Documentation/ABI/testing/sysfs-bus-pci of the kernel: sriov_*, virtfnN, physfn, driver_override."""
    base = f"{PCI}/{address}"
    files: Files = {
        f"{base}/driver": {"link": f"../../bus/pci/drivers/{driver}"},
        f"{base}/sriov_numvfs": f"{vfs}\n",
        f"{base}/sriov_totalvfs": f"{total}\n",
        f"{base}/sriov_drivers_autoprobe": "0\n",
        **netdev(name, address),
    }
    for index in range(vfs):
        vf = f"{address[:8]}{2 + index // 8:02x}.{index % 8}"
        files[f"{base}/virtfn{index}"] = {"link": f"../{vf}"}
        files[f"{base}/virtfn{index}/driver_override"] = "(null)\n"
        files[f"{PCI}/{vf}/physfn"] = {"link": f"../{address}"}
    return files


def mlx5_files(vfs: int = 2) -> Files:
    """Composed of networking/devlink/devlink-port.rst and of lag/debugfs.c of mlx5: a port that bonds in hardware."""
    files = {**function(MLX5, "mlx5_core", "rail0", vfs), f"/sys/kernel/debug/mlx5/{MLX5}/lag/state": "active\n"}
    files["/sys/class/net/rail0/phys_port_name"] = "p0\n"
    for index in range(vfs):
        files |= netdev(f"rail0_{index}", MLX5, phys_port_name=f"pf0vf{index}")
    return files


def ip(*links: dict[str, Any]) -> dict[str, Any]:
    return {"argv": ["ip", "-j", "-d", "address", "show"], "stdout": json.dumps(links)}


def routes(*of_ipv4: dict[str, Any], of_ipv6: tuple[dict[str, Any], ...] = ()) -> list[dict[str, Any]]:
    shown = {"-4": of_ipv4, "-6": of_ipv6}
    return [
        {"argv": ["ip", "-j", family, "route", "show"], "stdout": json.dumps(found)} for family, found in shown.items()
    ]


def devlink(*handles: str, **answers: Any) -> dict[str, Any]:
    """One line for each answer: networking/devlink/devlink-params.rst has what the parameter looks like."""
    lines = (f"dev eswitch show {handle}\ndev param show {handle} name flow_steering_mode\n" for handle in handles)
    stdout = ",".join(json.dumps({key: value}) for key, value in answers.items())
    return {"argv": ["devlink", "-j", "-f", "-b", "-"], "stdin": "".join(lines), "rc": 1, "stdout": stdout}


def mlx5_devlink() -> dict[str, Any]:
    param = {
        "name": "flow_steering_mode",
        "type": "driver-specific",
        "values": [{"cmode": "runtime", "value": "smfs"}],
    }
    shown = {"mode": "switchdev", "inline-mode": "none", "encap-mode": "basic"}
    return devlink(f"pci/{MLX5}", dev={f"pci/{MLX5}": shown}, param={f"pci/{MLX5}": [param]})


def observed(host: ReplayHost, document: dict[str, Any]) -> Fabric:
    found = observe_fabric(host, load_document(document))
    assert not host.runs
    return found


def test_igb_as_recorded() -> None:
    shown = json.loads((FIXTURES / "sriov" / "6.15.0" / "igb-set.json").read_text(encoding="utf-8"))[0]
    files = {**function(IGB, "igb", "enp1s0", vfs=2, total=7), f"{PCI}/{IGB}/virtfn1/driver_override": "vfio-pci\n"}
    files |= {f"{PCI}/0000:01:02.1/driver": {"link": "../../bus/pci/drivers/vfio-pci"}}
    have = observed(
        Tree([ip(shown), devlink(f"pci/{IGB}", dev={})], files),
        {"ports": [{"port": IGB, "count": 2, "hw_tc_offload": True}]},
    )
    state = have.ports[IGB]
    assert (state.function, state.driver, state.handle, state.eswitch) == (IGB, "igb", "", Settings())
    assert (state.steering_mode, state.lag, state.hw_tc_offload) == (None, None, None)
    assert (state.port.netdev, state.port.address, state.port.count) == ("enp1s0", "52:54:00:bb:01:01", 2)
    assert (state.port.total_vfs, state.port.drivers_autoprobe) == (7, False)
    assert state.port.vfs[0].attributes == Attributes("02:00:00:00:00:01", 100, 3, "802.1Q", False, True, "auto", 0, 0)
    assert [vf.driver for vf in state.port.vfs] == [None, "vfio-pci"]
    assert [vf.users for vf in state.port.vfs] == [(), ("it is bound to vfio-pci",)]
    assert state.overrides == {0: "", 1: "vfio-pci"}


def test_netdevsim_in_switchdev_mode() -> None:
    files = {
        "/sys/bus/netdevsim/devices/netdevsim10/sriov_numvfs": "2\n",
        "/sys/bus/netdevsim/devices/netdevsim10/driver": {"link": "../../bus/netdevsim/drivers/netdevsim"},
        **netdev("eni10np1", "netdevsim10", "netdevsim", "p1"),
        **netdev("eni10r0", "netdevsim10", "netdevsim", "pf0vf0"),
        **netdev("eni10r1", "netdevsim10", "netdevsim", "pf0vf1"),
        "/sys/class/net/eni10r1/upper_ovs-system": "",
    }
    batch = (FIXTURES / "devlink" / "6.15.0" / "eswitch-batch.txt").read_text(encoding="utf-8")
    runs = [
        ip(link("eni10np1"), link("eni10r0"), link("eni10r1")),
        {**devlink("netdevsim/netdevsim10"), "stdout": batch.replace("legacy", "switchdev")},
    ]
    host = Tree(runs, files)
    host.offload["eni10np1"] = False
    have = observed(host, {"ports": [{"port": "eni10np1", "hw_tc_offload": True}]})
    state = have.ports["eni10np1"]
    assert (state.function, state.driver, state.handle) == ("netdevsim10", "netdevsim", "netdevsim/netdevsim10")
    assert (state.eswitch, state.hw_tc_offload) == (Settings("switchdev"), False)
    assert state.representors == {0: "eni10r0", 1: "eni10r1"}
    assert (state.port.netdev, state.port.is_pci, state.port.total_vfs) == ("eni10np1", False, None)
    assert [vf.users for vf in state.port.vfs] == [(), ("its representor eni10r1 is in ovs-system",)]
    assert state.overrides == {}


def test_mlx5_that_bonds() -> None:
    files = {**mlx5_files(), "/run/netns/pod0": {"identity": 7}, RULES_FILE: "# rules\n", "/sys/module/bonding/x": ""}
    vf0 = "0000:08:02.0"
    files |= {f"{PCI}/{vf0}/driver": {"link": "../../bus/pci/drivers/mlx5_core"}, f"{PCI}/{vf0}/net/": ""}
    files[f"{PCI}/{MLX5}/virtfn0/net/"] = ""
    host = Tree([ip(link("rail0"), link("rail0_0"), link("rail0_1")), mlx5_devlink()], files)
    host.moved["/run/netns/pod0"] = {vf0: "eth0"}
    have = observed(host, {"ports": [{"port": MLX5, "count": 2}]})
    state = have.ports[MLX5]
    assert (state.handle, state.eswitch) == (f"pci/{MLX5}", Settings("switchdev", "none", "basic"))
    assert (state.steering_mode, state.lag) == ("smfs", "active")
    assert state.representors == {0: "rail0_0", 1: "rail0_1"}
    assert state.places == {0: ("pod0", "eth0")}
    assert state.port.vfs[0].users == ("its network device is in another network namespace",)
    assert (have.rules, have.has_bonding, have.spaces.names) == ("# rules", True, ("pod0",))


def test_guids_of_infiniband() -> None:
    guids = {"node guid": "00:11:22:33:44:55:66:77", "port guid": "00:11:22:33:44:55:66:78"}
    vf = {"vf": 0, "link_type": "infiniband", "address": "00", "vlan_list": [{}], "link_state": "auto", **guids}
    shown = link("ibp8s0f0", "00:00:10:49", link_type="infiniband", vfinfo_list=[vf])
    host = Tree([ip(shown), mlx5_devlink()], function(MLX5, "mlx5_core", "ibp8s0f0", 1))
    port = observed(host, {"ports": [{"port": MLX5, "count": 1}]}).ports[MLX5].port
    assert port.link_type == "infiniband"
    attributes = port.vfs[0].attributes
    assert (attributes.node_guid, attributes.port_guid) == (guids["node guid"], guids["port guid"])


@pytest.mark.parametrize("vfs", [1, 64])
def test_the_number_of_processes_does_not_depend_on_vfs(vfs: int) -> None:
    """What is asked is recorded; one process more is an error of the recording."""
    files = mlx5_files(vfs)
    for index in range(vfs):
        vf = f"0000:08:{2 + index // 8:02x}.{index % 8}"
        files[f"{PCI}/{vf}/infiniband/mlx5_{index}/node_type"] = "1: CA\n"
    rdma = {"argv": ["rdma", "-j", "resource", "show"], "stdout": '[{"ifname":"mlx5_0","ctx":2}]'}
    host = Tree([ip(link("rail0")), rdma, mlx5_devlink(), *routes()], files)
    have = observed(host, {"ports": [{"port": MLX5, "count": vfs}], "addresses": [{"device": "rail0"}]})
    assert len(have.ports[MLX5].port.vfs) == vfs
    assert have.ports[MLX5].port.vfs[0].users == ("processes use its RDMA device mlx5_0",)


@pytest.mark.parametrize(
    "entry",
    [
        {"port": MLX5},
        {"port": "rail0"},
        {"port": "94:6d:ae:08:00:00"},
        {"port": "enp8s0f0", "name": "rail0"},
        {"port": "94:6D:AE:08:00:00", "name": "rail7"},
    ],
)
def test_a_port_by_any_of_its_names(entry: dict[str, str]) -> None:
    shown = ip(link("rail0", "02:00:00:00:00:01", permaddr="94:6d:ae:08:00:00"), link("eth1", "94:6d:ae:08:00:01"))
    have = observed(Tree([shown, mlx5_devlink()], mlx5_files(0)), {"ports": [entry]})
    assert [state.function for state in have.ports.values()] == [MLX5]
    assert missing_hardware(have) == ()


@pytest.mark.parametrize("port", ["0000:99:00.0", "eth9", "94:6d:ae:08:00:09", "rail0_0"])
def test_a_port_that_is_not_there(port: str) -> None:
    shown = ip(link("rail0"), link("bond0", "94:6d:ae:08:00:09", linkinfo={"info_kind": "bond"}))
    have = observed(Tree([shown], mlx5_files(1)), {"ports": [{"port": port}]})
    assert have.missing == (port,)
    assert missing_hardware(have) == (f"port {port}",)


def test_an_address_of_two_ports_is_no_name() -> None:
    shown = ip(link("rail0", "94:6d:ae:08:00:00"), link("rail1", "94:6d:ae:08:00:00"))
    with pytest.raises(RailheadError, match="rail0, rail1 have that address; give the PCI address instead"):
        observed(Tree([shown], mlx5_files(0)), {"ports": [{"port": "94:6d:ae:08:00:00"}]})


def test_addresses_and_routes() -> None:
    given = {"family": "inet", "local": "198.51.100.1", "prefixlen": 24, "scope": "global"}
    leased = {**given, "local": "198.51.100.77", "dynamic": True}
    virtual = {**given, "local": "198.51.100.100", "prefixlen": 32, "protocol": "keepalived"}
    own = {"family": "inet6", "local": "fe80::1", "prefixlen": 64, "scope": "link"}
    shown = ip(link("br0", addr_info=[given, leased, virtual, own]), link("lo"))
    runs = [
        shown,
        *routes(
            {"dst": "default", "gateway": "198.51.100.254", "dev": "br0", "protocol": "static", "flags": []},
            {"dst": "203.0.113.0/24", "dev": "br0", "metric": 7, "flags": []},
            {"dst": "203.0.113.0/25", "dev": "br0", "protocol": "boot", "metric": 7, "flags": []},
            {"dst": "198.51.100.0/24", "dev": "br0", "protocol": "kernel", "scope": "link", "flags": []},
            {"dst": "192.0.2.0/24", "dev": "lo", "protocol": "static", "flags": []},
            of_ipv6=({"dst": "default", "gateway": "fe80::9", "dev": "br0", "protocol": "static", "metric": 1024},),
        ),
    ]
    have = observed(Tree(runs, {}), {"addresses": [{"device": "br0"}]})
    assert have.addressing["br0"] == Addressing(
        ("198.51.100.1/24",),
        (
            Route("0.0.0.0/0", "198.51.100.254"),
            Route("203.0.113.0/25", "", 7),
            Route("::/0", "fe80::9", 1024),
        ),
        ("198.51.100.77/24", "198.51.100.100/32"),
    )


@pytest.mark.parametrize(
    "document", [{"bonds": [{"name": "bond0", "members": ["eth0"]}]}, {"bridges": [{"name": "br0"}]}]
)
def test_routes_that_a_bond_or_a_bridge_takes_are_read_for_the_way_back(document: dict[str, Any]) -> None:
    route = {"dst": "default", "gateway": "198.51.100.254", "dev": "eth0", "protocol": "static"}
    have = observed(Tree([ip(link("eth0")), *routes(route)], {}), document)
    assert have.addressing["eth0"].routes == (Route("0.0.0.0/0", "198.51.100.254"),)


def test_the_management_connection_over_a_bridge_and_a_bond() -> None:
    ovs = (FIXTURES / "ovs" / "3.5.0" / "bridges.json").read_text(encoding="utf-8")
    files = {
        "/proc/self/environ": "SSH_CONNECTION=192.0.2.9 40000 198.51.100.1 22\0",
        "/usr/bin/ovs-vsctl": "",
        "/run/openvswitch/db.sock": "",
    }
    shown = ip(
        link("br0", addr_info=[{"local": "198.51.100.1", "prefixlen": 24, "scope": "global"}]),
        link("bond0", linkinfo={"info_kind": "bond"}),
        link("rail0", master="bond0"),
        link("eth5"),
    )
    have = observed(Tree([shown, {"argv": list(READ), "stdout": ovs}], files), {})
    assert have.management == {"br0", "bond0", "rail0"}
    assert have.ovs is not None
    assert have.ovs.config["hw-offload"] == "true"
