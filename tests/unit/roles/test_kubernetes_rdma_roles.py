# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifests of the roles for pods, and what the roles compute in their vars."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.railhead.cluster.plugins.filter import kubernetes_images, kubernetes_rdma, kubernetes_unready

ROLES = Path(__file__).parents[3] / "roles"
IMAGES = {
    name: f"registry.example/{name}:1@sha256:{'0' * 64}"
    for name in (
        "multus",
        "rdma-shared-device-plugin",
        "sriov-network-device-plugin",
        "sriov-cni",
        "rdma-cni",
        "ovs-cni",
        "nvidia-device-plugin",
        "mpi-operator",
    )
}


def port(netdev: str, vfs: int = 0) -> dict[str, Any]:
    functions = [{"vf": vf, "pci_address": f"0000:02:10.{vf}", "driver": "mlx5_core"} for vf in range(vfs)]
    return {"port": "0000:02:00.0", "netdev": netdev, "vfs": functions}


def host(node: str, vfs: int = 0) -> dict[str, Any]:
    devices = [{"pci_address": "0000:02:00.0", "ports": [{"port": 1, "netdev": "rail0"}]}]
    return {"inventory_hostname": node, "__kubernetes_rdma_host": {
        "node": node, "facts": {"devices": devices, "ports": [port("rail0", vfs)]},
    }}  # fmt: skip


def variables(role: str, **facts: Any) -> dict[str, Any]:
    loader = DataLoader()
    found: dict[str, Any] = {"inventory_hostname": "a", "groups": {}, "hostvars": {}, "ansible_play_hosts": []}
    for path in (ROLES / role / "defaults" / "main.yml", ROLES / role / "vars" / "main.yml"):
        found.update(loader.load_from_file(str(path), trusted_as_template=True))
    return {**found, f"{role}_images": IMAGES, **facts}


def templar(have: dict[str, Any]) -> Templar:
    made = Templar(DataLoader(), have)
    for module in (kubernetes_images, kubernetes_rdma, kubernetes_unready):
        for name, function in module.FilterModule().filters().items():
            made.environment.filters[f"railhead.cluster.{name}"] = function
    return made


def value(role: str, name: str, **facts: Any) -> Any:
    have = variables(role, **facts)
    return templar(have).template(have[name])


def manifests(role: str, template: str, **facts: Any) -> list[dict[str, Any]]:
    loader = DataLoader()
    text = loader.get_text_file_contents(str(ROLES / role / "templates" / template))
    made = templar(variables(role, **facts)).template(trust_as_template(text))
    return [each for each in yaml.safe_load_all(made) if each is not None]


def rdma(model: str, vfs: int = 2, **facts: Any) -> dict[str, Any]:
    hostvars = {name: host(name, vfs) for name in ("a", "b")}
    return {"kubernetes_rdma_model": model, "ansible_play_hosts": ["a", "b"], "hostvars": hostvars, **facts}


OVS = [{"name": "net", "type": "ovs", "bridge": "br0", "resource": "rail0"}]
MANIFESTS = [
    pytest.param("kubernetes_rdma", "multus.yml.j2", rdma("shared"), id="multus"),
    pytest.param("kubernetes_rdma", "shared.yml.j2", rdma("shared"), id="shared"),
    pytest.param("kubernetes_rdma", "exclusive.yml.j2", rdma("exclusive"), id="exclusive"),
    pytest.param(
        "kubernetes_rdma", "exclusive.yml.j2", rdma("exclusive", kubernetes_rdma_networks=OVS), id="exclusive with ovs"
    ),
    pytest.param("kubernetes_gpu", "device-plugin.yml.j2", {"__kubernetes_gpu_with_runtime": []}, id="no GPU"),
    pytest.param("kubernetes_gpu", "device-plugin.yml.j2", {"__kubernetes_gpu_with_runtime": ["a"]}, id="GPU"),
    pytest.param("kubernetes_mpi", "mpi-operator.yml.j2", {}, id="mpi"),
]


def pod_specs(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from (each["spec"]["template"]["spec"] for each in found if each["kind"] in ("DaemonSet", "Deployment"))


@pytest.mark.parametrize(("role", "template", "facts"), MANIFESTS)
def test_workloads_are_pinned_limited_and_select_their_own_pods(
    role: str, template: str, facts: dict[str, Any]
) -> None:
    found = manifests(role, template, **facts)
    workloads = [each for each in found if each["kind"] in ("DaemonSet", "Deployment")]
    assert workloads
    for each in workloads:
        assert each["spec"]["selector"]["matchLabels"] == each["spec"]["template"]["metadata"]["labels"]
    for spec in pod_specs(found):
        volumes = {volume["name"] for volume in spec.get("volumes", [])}
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert container["image"] in IMAGES.values()
            assert "memory" in container["resources"]["limits"]
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes


#: What cannot do its work otherwise, as its own manifest says upstream.
PRIVILEGED = {"multus", "rdma-shared-device-plugin", "sriov-network-device-plugin"}


@pytest.mark.parametrize(("role", "template", "facts"), MANIFESTS)
def test_only_those_that_must_are_privileged(role: str, template: str, facts: dict[str, Any]) -> None:
    found = manifests(role, template, **facts)
    for spec in pod_specs(found):
        for container in spec.get("initContainers", []) + spec["containers"]:
            context = container["securityContext"]
            if context.get("privileged"):
                assert container["image"].partition("/")[2].partition(":")[0] in PRIVILEGED
                assert container not in spec.get("initContainers", [])
            else:
                assert context["allowPrivilegeEscalation"] is False
                assert context["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize(("role", "template", "facts"), MANIFESTS)
def test_no_role_has_a_wildcard_and_a_pod_without_one_has_no_token(
    role: str, template: str, facts: dict[str, Any]
) -> None:
    found = manifests(role, template, **facts)
    rules = [rule for each in found if each["kind"] in ("Role", "ClusterRole") for rule in each["rules"]]
    assert not [rule for rule in rules if "*" in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]]
    for spec in pod_specs(found):
        assert ("serviceAccountName" in spec) != (spec.get("automountServiceAccountToken") is False)


def config_of(found: list[dict[str, Any]]) -> dict[str, Any]:
    (configmap,) = [each for each in found if each["kind"] == "ConfigMap"]
    (text,) = configmap["data"].values()
    return dict(json.loads(text))


def test_the_shared_plugin_gets_what_the_hosts_have() -> None:
    found = config_of(manifests("kubernetes_rdma", "shared.yml.j2", **rdma("shared")))
    assert [each["selectors"] for each in found["configList"]] == [{"ifNames": ["rail0"]}]


def test_the_exclusive_plugin_gets_what_the_hosts_have() -> None:
    found = config_of(manifests("kubernetes_rdma", "exclusive.yml.j2", **rdma("exclusive")))
    assert [each["selectors"][0]["pfNames"] for each in found["resourceList"]] == [["rail0#0-1"]]


@pytest.mark.parametrize(("fewer", "more"), [(2, 4)])
def test_the_exclusive_plugin_starts_anew_when_virtual_functions_change(fewer: int, more: int) -> None:
    def annotation(vfs: int) -> str:
        found = manifests("kubernetes_rdma", "exclusive.yml.j2", **rdma("exclusive", vfs))
        (plugin,) = [each for each in found if each["metadata"]["name"] == "sriov-network-device-plugin"]
        return str(plugin["spec"]["template"]["metadata"]["annotations"]["railhead.cluster/config"])

    assert annotation(fewer) == annotation(fewer)
    assert annotation(fewer) != annotation(more)


def test_multus_looks_for_plugins_where_containerd_does() -> None:
    found = manifests("kubernetes_rdma", "multus.yml.j2", **rdma("shared", kubernetes_rdma_cni_bin_dir="/opt/cni/bin"))
    assert config_of(found)["binDir"] == "/opt/cni/bin"
    (spec,) = pod_specs(found)
    (volume,) = [each for each in spec["volumes"] if each["name"] == "cni-bin"]
    (mount,) = [each for each in spec["containers"][0]["volumeMounts"] if each["name"] == "cni-bin"]
    assert volume["hostPath"]["path"] == mount["mountPath"] == "/opt/cni/bin"


@pytest.mark.parametrize(
    ("model", "networks", "images"),
    [
        ("shared", [], {"multus", "rdma-shared-device-plugin"}),
        ("exclusive", [], {"multus", "sriov-network-device-plugin", "sriov-cni", "rdma-cni"}),
        ("exclusive", OVS, {"multus", "sriov-network-device-plugin", "sriov-cni", "rdma-cni", "ovs-cni"}),
    ],
)
def test_images_that_a_model_needs(model: str, networks: list[Any], images: set[str]) -> None:
    facts = rdma(model, kubernetes_rdma_networks=networks)
    assert set(value("kubernetes_rdma", "__kubernetes_rdma_wanted_images", **facts)) == images


@pytest.mark.parametrize(
    ("definitions", "operators"),
    [
        (["mpijobs.kubeflow.org"], []),
        (["nicclusterpolicies.mellanox.com"], ["the network operator of NVIDIA"]),
        (["sriovnetworknodepolicies.sriovnetwork.openshift.io"], ["the SR-IOV network operator"]),
    ],
)
def test_operators_of_others_are_seen(definitions: list[str], operators: list[str]) -> None:
    read = {"resources": [{"metadata": {"name": name}} for name in definitions]}
    found = value("kubernetes_rdma", "__kubernetes_rdma_found_operators", __kubernetes_rdma_crds=read)
    assert found == operators


@pytest.mark.parametrize(
    ("isolation", "netns", "mode"),
    [({}, "shared", "shared"), ({"rdma_isolation_netns_mode": "exclusive"}, "shared", "exclusive")],
)
def test_the_mode_that_counts(isolation: dict[str, str], netns: str, mode: str) -> None:
    facts = {"__kubernetes_rdma_devices": {"system": {"netns": netns}, "devices": []}, **isolation}
    assert value("kubernetes_rdma", "__kubernetes_rdma_mode", **facts) == mode


def node(name: str, **allocatable: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"allocatable": {"cpu": "2", **allocatable}}}


@pytest.mark.parametrize(
    ("nodes", "missing"),
    [
        ([node("a", **{"rdma/rail0": "100"}), node("b", **{"rdma/rail0": "100"})], ""),
        ([node("a", **{"rdma/rail0": "100"}), node("b", **{"rdma/rail0": "0"})], "rdma/rail0 on b"),
        ([node("a", **{"rdma/rail0": "100"})], "rdma/rail0 on b"),
        ([], "rdma/rail0 on a rdma/rail0 on b"),
    ],
)
def test_resources_that_nodes_do_not_report(nodes: list[dict[str, Any]], missing: str) -> None:
    facts = rdma("shared", __kubernetes_rdma_nodes={"resources": nodes})
    assert " ".join(value("kubernetes_rdma", "__kubernetes_rdma_missing", **facts).split()) == missing


def test_what_pods_can_have_is_kept() -> None:
    nodes = {"resources": [node("a", **{"rdma/rail0": "7"}), node("c")]}
    facts = rdma("shared", __kubernetes_rdma_nodes=nodes)
    assert value("kubernetes_rdma", "__kubernetes_rdma_allocatable", **facts) == {"a": {"rdma/rail0": "7"}, "c": {}}


@pytest.mark.parametrize(
    ("gpus", "mig", "allocatable", "wrong"),
    [
        (0, False, {}, ""),
        (8, False, {"nvidia.com/gpu": "8"}, ""),
        (8, False, {"nvidia.com/gpu": "7"}, "a reports 7 of 8."),
        (0, False, {"nvidia.com/gpu": "1"}, "a reports 1 of 0."),
        (8, True, {"nvidia.com/mig-1g.10gb": "56"}, ""),
    ],
)
def test_gpus_that_nodes_do_not_report(gpus: int, mig: bool, allocatable: dict[str, str], wrong: str) -> None:
    have = {"node": "a", "runtime": True, "gpus": gpus, "mig": mig}
    facts = {
        "ansible_play_hosts": ["a"],
        "hostvars": {"a": {"__kubernetes_gpu_host": have}},
        "__kubernetes_gpu_nodes": {"resources": [node("a", **allocatable)]},
    }
    assert value("kubernetes_gpu", "__kubernetes_gpu_wrong", **facts) == wrong


SECTIONS = {"daemonsets", "dcgm", "dcgmExporter", "devicePlugin", "gfd", "nodeStatusExporter", "operator"}


@pytest.mark.parametrize(
    ("policies", "name", "sections"),
    [
        ([], "cluster-policy", SECTIONS),
        ([{"metadata": {"name": "gpu"}}], "gpu", set()),
    ],
)  # fmt: skip
def test_the_policy_of_the_gpu_operator(policies: list[Any], name: str, sections: set[str]) -> None:
    facts = {
        "__kubernetes_gpu_policies": {"resources": policies},
        "kubernetes_gpu_policy": {"driver": {"version": "x"}},
    }
    found = value("kubernetes_gpu", "__kubernetes_gpu_cluster_policy", **facts)
    assert found["metadata"]["name"] == name
    assert found["spec"]["driver"] == {"enabled": False, "version": "x"}
    assert found["spec"]["toolkit"] == {"enabled": False}
    assert set(found["spec"]) - {"driver", "toolkit"} == sections


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ([], ["kubeadm=1.35.1-1.1", "tiny=1:2.0-1"]),
        (["kubeadm_1.35.1-1.1_amd64.deb", "tiny_1%3a2.0-1_all.deb"], []),
        (["kubeadm_1.35.1-1.10_amd64.deb", "tiny_1%3a2.0-1_all.deb"], ["kubeadm=1.35.1-1.1"]),
    ],
)
def test_packages_that_a_mirror_lacks(files: list[str], missing: list[str]) -> None:
    facts = {
        "kubernetes_mirror_versions": {"packages": {"kubeadm": "1.35.1-1.1", "tiny": "1:2.0-1"}},
        "__kubernetes_mirror_found": {"files": [{"path": f"/srv/{name}"} for name in files]},
    }
    assert sorted(value("kubernetes_mirror", "__kubernetes_mirror_missing_packages", **facts)) == missing
