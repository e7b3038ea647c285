# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources of a cluster: tables of hosts and configurations, refusals, and what holds for every cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.filter import kubernetes_rdma as filter_module

kubernetes_rdma = filter_module.FilterModule().filters()["kubernetes_rdma"]


def device(address: str | None, netdev: str | None) -> dict[str, Any]:
    """What rdma_info returns for a device, as far as it counts here."""
    return {"pci_address": address, "ports": [{"port": 1, "netdev": netdev}]}


def port(address: str, netdev: str, vfs: int = 0, driver: str | None = "mlx5_core") -> dict[str, Any]:
    """What fabric_info returns for a port; its virtual functions are the next PCI functions."""
    functions = [{"vf": vf, "pci_address": f"{address[:-1]}{vf + 2}", "driver": driver} for vf in range(vfs)]
    return {"port": address, "netdev": netdev, "vfs": functions}


def host(*netdevs: str, vfs: int = 0, driver: str | None = "mlx5_core") -> dict[str, Any]:
    """A host with a port for each name, in the order of PCI addresses."""
    addresses = {f"0000:{number:02x}:00.0": netdev for number, netdev in enumerate(netdevs, 2)}
    return {
        "devices": [device(*each) for each in addresses.items()],
        "ports": [port(address, netdev, vfs, driver) for address, netdev in addresses.items()],
    }


def selected(hosts: dict[str, Any], model: str = "shared", **options: Any) -> dict[str, list[str]]:
    """Each resource with the network devices, or virtual functions, that it is made of."""
    config = kubernetes_rdma(hosts, model, **options)["config"]
    if model == "shared":
        return {each["resourceName"]: each["selectors"]["ifNames"] for each in config["configList"]}
    return {each["resourceName"]: each["selectors"][0]["pfNames"] for each in config["resourceList"]}


@pytest.mark.parametrize(
    ("hosts", "resources"),
    [
        pytest.param({"a": host("rail0", "rail1")}, {"rail0": ["rail0"], "rail1": ["rail1"]}, id="named as rails"),
        pytest.param(
            {"a": host("rail1"), "b": host("rail0", "rail1")}, {"rail0": ["rail0"], "rail1": ["rail1"]}, id="a part"
        ),
        pytest.param({"a": host("eth1", "eth2")}, {"rail0": ["eth1"], "rail1": ["eth2"]}, id="by PCI address"),
        pytest.param(
            {"a": host("ens1f0", "ens2f0"), "b": host("enp5s0")},
            {"rail0": ["enp5s0", "ens1f0"], "rail1": ["ens2f0"]},
            id="union",
        ),
        pytest.param({"a": host("rail2", "rail10")}, {"rail2": ["rail2"], "rail10": ["rail10"]}, id="by number"),
        pytest.param({"a": host("eth1"), "b": {"devices": [], "ports": []}}, {"rail0": ["eth1"]}, id="one without"),
        pytest.param({"a": host("eth1", vfs=2)}, {"rail0": ["eth1"]}, id="with virtual functions"),
    ],
)  # fmt: skip
def test_one_resource_a_rail(hosts: dict[str, Any], resources: dict[str, list[str]]) -> None:
    found = selected(hosts)
    assert found == resources
    assert list(found) == list(resources)


def test_a_virtual_function_is_no_rail() -> None:
    have = host("rail0", vfs=1)
    have["devices"].append(device("0000:02:00.2", "eth7"))
    assert selected({"a": have}) == {"rail0": ["rail0"]}


def test_a_bond_is_found_by_its_port() -> None:
    have = {"devices": [device("0000:08:00.0", "bond0")], "ports": [port("0000:08:00.0", "ens1f0np0")]}
    assert selected({"a": have}) == {"rail0": ["ens1f0np0"]}


def test_a_port_that_the_fabric_does_not_list() -> None:
    assert selected({"a": {"devices": [device("0000:08:00.0", "ens1")], "ports": []}}) == {"rail0": ["ens1"]}


def test_software_devices_are_left_out() -> None:
    have = host("rail0")
    have["devices"].append(device(None, "dummy0"))
    assert selected({"a": have}) == {"rail0": ["rail0"]}


def test_the_configuration_of_the_shared_plugin() -> None:
    options = {"prefix": "rdma", "shares": 7, "update_interval": 0}
    assert kubernetes_rdma({"a": host("rail0")}, "shared", **options)["config"] == {
        "periodicUpdateInterval": 0,
        "configList": [
            {"resourceName": "rail0", "resourcePrefix": "rdma", "rdmaHcaMax": 7, "selectors": {"ifNames": ["rail0"]}}
        ],
    }


def test_the_configuration_of_the_exclusive_plugin() -> None:
    hosts = {"a": host("rail0", vfs=2), "b": host("rail0", vfs=4)}
    assert kubernetes_rdma(hosts, "exclusive")["config"] == {
        "resourceList": [
            {
                "resourceName": "rail0",
                "resourcePrefix": "rdma",
                "selectors": [{"pfNames": ["rail0#0-3"], "drivers": ["mlx5_core"], "isRdma": True}],
            }
        ]
    }


def test_virtual_functions_of_machines_are_not_given_away() -> None:
    have = host("rail0", vfs=5)
    have["ports"][0]["vfs"][1]["driver"] = "vfio-pci"
    have["ports"][0]["vfs"][2]["driver"] = None
    assert selected({"a": have}, "exclusive") == {"rail0": ["rail0#0,3-4"]}


def test_what_each_node_must_report() -> None:
    hosts = {"a": host("rail0", "rail1"), "b": host("rail1"), "c": {"devices": [], "ports": []}}
    found = kubernetes_rdma(hosts, "shared", prefix="example.org")
    assert found["resources"] == ["example.org/rail0", "example.org/rail1"]
    assert found["nodes"] == {"a": ["example.org/rail0", "example.org/rail1"], "b": ["example.org/rail1"], "c": []}


def test_resources_by_hand() -> None:
    asked = [{"name": "fast", "interfaces": ["eth1", "ens1"], "shares": 3}]
    found = kubernetes_rdma({"a": host("eth1", "eth2"), "b": host("ens1")}, "shared", resources=asked)
    (entry,) = found["config"]["configList"]
    assert (entry["resourceName"], entry["selectors"]["ifNames"], entry["rdmaHcaMax"]) == ("fast", ["eth1", "ens1"], 3)
    assert found["nodes"] == {"a": ["rdma/fast"], "b": ["rdma/fast"]}


def test_the_plugin_starts_anew_for_other_virtual_functions_only() -> None:
    def checksum(model: str, **have: Any) -> str:
        return str(kubernetes_rdma({"a": host("rail0", vfs=8), "b": host("rail0", **have)}, model)["checksum"])

    assert checksum("exclusive", vfs=2) == checksum("exclusive", vfs=2)
    assert checksum("exclusive", vfs=2) != checksum("exclusive", vfs=4)
    assert checksum("exclusive", vfs=2) != checksum("exclusive", vfs=2, driver="igbvf")
    assert checksum("shared", vfs=2) == checksum("shared", vfs=4)


def network(hosts: dict[str, Any], model: str, **entry: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Metadata and CNI plugins of one network."""
    (made,) = kubernetes_rdma(hosts, model, networks=[{"name": "net", **entry}])["networks"]
    config = json.loads(made["spec"]["config"])
    assert (made["kind"], config["name"], config["cniVersion"]) == ("NetworkAttachmentDefinition", "net", "0.3.1")
    return made["metadata"], config["plugins"]


def test_a_macvlan_network() -> None:
    metadata, plugins = network({"a": host("rail0")}, "shared", resource="rail0", mtu=9000, chain=[{"type": "tuning"}])
    assert metadata == {"name": "net", "namespace": "default"}
    assert plugins == [
        {
            "type": "macvlan",
            "master": "rail0",
            "mode": "bridge",
            "mtu": 9000,
            "ipam": {"type": "static"},
            "capabilities": {"ips": True},
        },
        {"type": "tuning"},
    ]


def test_an_ipoib_network_with_addresses_of_its_own() -> None:
    ipam = {"type": "host-local", "ranges": [[{"subnet": "198.51.100.0/24"}]]}
    _, plugins = network({"a": host("rail0")}, "shared", type="ipoib", master="ib0", ipam=ipam, namespace="ai")
    assert plugins == [{"type": "ipoib", "master": "ib0", "ipam": ipam}]


@pytest.mark.parametrize(
    ("entry", "first"),
    [
        ({}, {"type": "sriov"}),
        ({"vlan": 7, "options": {"trust": "on"}}, {"type": "sriov", "vlan": 7, "trust": "on"}),
        ({"type": "ovs", "bridge": "br0"}, {"type": "ovs", "bridge": "br0"}),
    ],
)
def test_a_network_of_virtual_functions(entry: dict[str, Any], first: dict[str, Any]) -> None:
    metadata, plugins = network({"a": host("rail0", vfs=2)}, "exclusive", resource="rail0", **entry)
    assert metadata["annotations"] == {"k8s.v1.cni.cncf.io/resourceName": "rdma/rail0"}
    assert plugins == [{**first, "ipam": {"type": "static"}, "capabilities": {"ips": True}}, {"type": "rdma"}]


SHARED = {"a": host("rail0", vfs=2), "b": host("rail0")}
BOTH = [{"name": "two", "interfaces": ["eth1", "eth2"]}]


@pytest.mark.parametrize(
    ("hosts", "model", "options", "message"),
    [
        (SHARED, "mixed", {}, "must be shared or exclusive"),
        ({"a": host("eth1", "eth2"), "b": host("eth2")}, "shared", {}, "eth2 is in both"),
        ({"a": {"devices": [], "ports": []}}, "shared", {}, "no RDMA device on a PCI function on a;"),
        ({"a": host("rail0")}, "exclusive", {}, "has virtual functions"),
        ({"a": host("rail0", vfs=2, driver="vfio-pci")}, "exclusive", {}, "has virtual functions"),
        (SHARED, "shared", {"resources": [{"name": "my-rail", "interfaces": ["rail0"]}]}, "letters, digits and under"),
        (SHARED, "shared", {"resources": [{"name": "rail0"}]}, "it has no interfaces"),
        (SHARED, "shared", {"resources": [{"name": "rail0", "ifNames": ["x"]}]}, "it has ifNames; the keys are"),
        (SHARED, "shared", {"resources": [{"name": "r", "interfaces": [each]} for each in "xy"]}, "r twice"),
        (SHARED, "shared", {"resources": [{"name": each, "interfaces": ["x"]} for each in "rs"]}, "x is in both"),
        (SHARED, "exclusive", {"resources": [{"name": "r", "interfaces": ["rail0", "eth9"]}]}, "on eth9; make"),
        (SHARED, "shared", {"networks": [{"name": "Net"}]}, "Cannot name a network 'Net'"),
        (SHARED, "shared", {"networks": [{"name": "net", "type": "sriov"}]}, "one model, and this one has macvlan and"),
        (SHARED, "exclusive", {"networks": [{"name": "net", "type": "macvlan"}]}, "this one has sriov and ovs"),
        (SHARED, "shared", {"networks": [{"name": "net", "resource": "rail7"}]}, "no resource 'rail7'; use one"),
        (SHARED, "shared", {"networks": [{"name": "net"}]}, "no master, and no resource is named"),
        (SHARED, "shared", {"resources": BOTH, "networks": [{"name": "n", "resource": "two"}]}, "two is eth1, eth2"),
        (SHARED, "exclusive", {"networks": [{"name": "net", "type": "sriov"}]}, "no resource is named; use one"),
        (SHARED, "exclusive", {"networks": [{"name": "n", "type": "ovs", "resource": "rail0"}]}, "it has no bridge"),
        (SHARED, "shared", {"networks": [{"name": "net", "mastre": "x"}]}, "it has mastre; the keys are"),
        (SHARED, "shared", {"interval": 3}, "Cannot read the options of kubernetes_rdma"),
    ],
)  # fmt: skip
def test_refusals(hosts: dict[str, Any], model: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        kubernetes_rdma(hosts, model, **options)
    assert message in str(refused.value)


def test_bare_hosts_are_accepted_where_that_is_asked_for() -> None:
    networks = [{"name": "net", "resource": "rail0"}]
    found = kubernetes_rdma({"a": {"devices": [], "ports": []}}, "shared", networks=networks, complete=False)
    assert found["resources"] == found["networks"] == []


@given(st.dictionaries(st.text("abc", min_size=1), st.sets(st.integers(0, 11)), min_size=1))
def test_each_port_is_in_one_resource_and_the_order_of_hosts_does_not_matter(rails: dict[str, set[int]]) -> None:
    hosts = {name: host(*(f"rail{rail}" for rail in sorted(have))) for name, have in rails.items()}
    found = kubernetes_rdma(hosts, "shared", complete=False)
    assert found == {
        **kubernetes_rdma(dict(reversed(hosts.items())), "shared", complete=False),
        "nodes": found["nodes"],
    }
    listed = [name for each in found["config"].get("configList", []) for name in each["selectors"]["ifNames"]]
    assert sorted(listed) == sorted({f"rail{rail}" for have in rails.values() for rail in have})
    for name, have in rails.items():
        assert sorted(found["nodes"].get(name, [])) == sorted(f"rdma/rail{rail}" for rail in have)
