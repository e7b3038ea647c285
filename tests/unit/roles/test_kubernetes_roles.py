# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles containerd and kubernetes compute in their vars, and the files that they write."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).parents[3]
ROLES = ROOT / "roles"
VERSIONS = yaml.safe_load((ROOT / "playbooks" / "vars" / "kubernetes-1.35.yml").read_text(encoding="utf-8"))[
    "kubernetes_versions"
]
RELEASE = VERSIONS["kubernetes"]
# `apt-cache policy containerd` of Debian 13, before it is installed, and of a host with containerd 2.
DEBIAN = "containerd:\n  Installed: (none)\n  Candidate: 1.7.24~ds1-6+b4\n  Version table:\n"
NEWER = "containerd.io:\n  Installed: 2.2.6-1~debian.13~trixie\n  Candidate: 2.2.9-1~debian.13~trixie\n"


def render(role: str, name: str, facts: dict[str, Any]) -> Any:
    """The value of a variable of a role, or a template of it, on a host with these facts."""
    loader = DataLoader()
    variables: dict[str, Any] = {}
    for path in [ROLES / role / "defaults" / "main.yml", *sorted((ROLES / role / "vars").glob("*.yml"))]:
        variables.update(loader.load_from_file(str(path), trusted_as_template=True))
    variables.update(facts)
    if name.endswith(".j2"):
        variables["ansible_managed"] = "Ansible managed"
        text = loader.get_text_file_contents(str(ROLES / role / "templates" / name))
        return Templar(loader, variables).template(trust_as_template(text))
    return Templar(loader, variables).template(variables[name])


def containerd(policy: str = DEBIAN, config: str | None = None, conffiles: str = "", **facts: Any) -> dict[str, Any]:
    """Facts of a host with this answer of APT, this config.toml and these lines of dpkg."""
    read = {} if config is None else {"content": b64encode(config.encode()).decode()}
    return {
        "__containerd_policy": {"stdout": policy},
        "__containerd_conffiles": {"stdout": conffiles},
        "__containerd_config_read": read,
        **facts,
    }


def cri(policy: str, **facts: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The sections of config.toml for images and for runtimes, which are one with containerd 1.7."""
    tomllib = pytest.importorskip("tomllib")
    config = tomllib.loads(render("containerd", "config.toml.j2", containerd(policy, **facts)))
    plugins = config["plugins"]
    if config["version"] == 2:
        return (plugins["io.containerd.grpc.v1.cri"],) * 2
    assert config["version"] == 3
    return plugins["io.containerd.cri.v1.images"], plugins["io.containerd.cri.v1.runtime"]


@pytest.mark.parametrize(("policy", "release", "config"), [(DEBIAN, "1.7", 2), (NEWER, "2.2", 3), ("", "1.7", 2)])
def test_the_format_follows_the_containerd_that_is_or_would_be_there(policy: str, release: str, config: int) -> None:
    assert render("containerd", "__containerd_version", containerd(policy)) == release
    assert render("containerd", "__containerd_format", containerd(policy)) == config


def test_a_version_that_is_asked_for_counts_more_than_what_is_there() -> None:
    facts = containerd(DEBIAN, containerd_packages=["containerd.io=2.2.6-1~debian.13~trixie", "runc"])
    assert render("containerd", "__containerd_version", facts) == "2.2"
    assert render("containerd", "__containerd_package", facts) == "containerd.io"


@pytest.mark.parametrize("policy", [DEBIAN, NEWER])
def test_the_configuration_has_what_was_asked_for(policy: str) -> None:
    images, runtimes = cri(
        policy,
        containerd_sandbox_image="registry.example:5000/pause:3.10.1@sha256:0123",
        containerd_runtimes=[{"name": "nvidia", "binary": "/usr/bin/nvidia-container-runtime"}],
        containerd_default_runtime="nvidia",
    )
    sandbox = images["sandbox_image"] if images is runtimes else images["pinned_images"]["sandbox"]
    assert sandbox == "registry.example:5000/pause:3.10.1@sha256:0123"
    assert images["registry"] == {"config_path": "/etc/containerd/certs.d"}
    assert runtimes["enable_cdi"] is True
    assert runtimes["cdi_spec_dirs"] == ["/etc/cdi", "/var/run/cdi"]
    assert runtimes["cni"] == {"bin_dir": "/usr/lib/cni", "conf_dir": "/etc/cni/net.d"}
    assert runtimes["containerd"]["default_runtime_name"] == "nvidia"
    assert runtimes["containerd"]["runtimes"] == {
        "runc": {"runtime_type": "io.containerd.runc.v2", "options": {"SystemdCgroup": True}},
        "nvidia": {
            "runtime_type": "io.containerd.runc.v2",
            "options": {"SystemdCgroup": True, "BinaryName": "/usr/bin/nvidia-container-runtime"},
        },
    }


def test_the_sandbox_image_of_containerd_itself_is_not_named() -> None:
    images, _ = cri(DEBIAN)
    assert "sandbox_image" not in images


def test_what_else_belongs_into_the_configuration_is_in_it() -> None:
    tomllib = pytest.importorskip("tomllib")
    facts = containerd(DEBIAN, containerd_extra="[metrics]\n  address = '127.0.0.1:1338'")
    assert tomllib.loads(render("containerd", "config.toml.j2", facts))["metrics"] == {"address": "127.0.0.1:1338"}


def test_a_mirror_becomes_a_file_of_hosts() -> None:
    tomllib = pytest.importorskip("tomllib")
    endpoints = [
        {"url": "http://192.0.2.5:5055"},
        {"url": "https://mirror.example", "capabilities": ["pull"], "skip_verify": True, "ca": "/etc/ssl/mirror.pem"},
    ]
    facts = containerd(containerd_mirrors=[{"registry": "192.0.2.5:5055", "endpoints": endpoints}])
    (file,) = render("containerd", "__containerd_hosts_files", facts)
    assert file["dest"] == "/etc/containerd/certs.d/192.0.2.5:5055/hosts.toml"
    assert "/etc/containerd/certs.d/192.0.2.5:5055" in render("containerd", "__containerd_directories", facts)
    assert tomllib.loads(render("containerd", "hosts.toml.j2", {**facts, "item": file}))["host"] == {
        "http://192.0.2.5:5055": {"capabilities": ["pull", "resolve"]},
        "https://mirror.example": {"capabilities": ["pull"], "skip_verify": True, "ca": "/etc/ssl/mirror.pem"},
    }
    assert render("containerd", "__containerd_failures", facts) == []


PACKAGED = 'version = 2\n[plugins]\n  [plugins."io.containerd.grpc.v1.cri"]\n'
CONFFILES = f" /etc/containerd/config.toml {md5(PACKAGED.encode(), usedforsecurity=False).hexdigest()}\n"


@pytest.mark.parametrize(
    ("config", "own"),
    [
        (None, True),
        (PACKAGED, True),
        (f"{PACKAGED}# changed\n", False),
        ("# This file is of the role containerd of railhead.cluster.\n", True),
        ("# This file is of the role container_toolkit of railhead.cluster.\n", False),
    ],
)
def test_a_configuration_of_somebody_else_is_replaced_with_consent_only(config: str | None, own: bool) -> None:
    facts = containerd(DEBIAN, config, CONFFILES)
    assert render("containerd", "__containerd_own_config", facts) is own
    assert (render("containerd", "__containerd_failures", facts) == []) is own
    facts["containerd_allow_replace_config"] = True
    assert render("containerd", "__containerd_failures", facts) == []


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"containerd_packages": []}, "containerd_packages is empty"),
        ({"containerd_packages": ["containerd=1.6.20~ds1-1"]}, "1.6"),
        ({"containerd_default_runtime": "nvidia"}, "there is only runc"),
        ({"containerd_runtimes": [{"name": "runc", "binary": "/bin/x"}]}, "have the same name"),
        ({"containerd_mirrors": [{"registry": "https://r", "endpoints": [{"url": "http://a"}]}]}, "without a scheme"),
        ({"containerd_mirrors": [{"registry": "r", "endpoints": [{"url": "a:5000"}]}]}, "with its scheme"),
        (
            {"containerd_mirrors": [{"registry": "r", "endpoints": [{"url": "http://a", "capabilities": ["read"]}]}]},
            "with read",
        ),
        ({"containerd_memlock": "unlimited"}, "locked memory to 'unlimited'"),
        ({"containerd_nofile": "1024-524288"}, "open files to '1024-524288'"),
    ],
)
def test_containerd_refuses(facts: dict[str, Any], word: str) -> None:
    (message,) = render("containerd", "__containerd_failures", containerd(DEBIAN, **facts))
    assert word in message


@pytest.mark.parametrize(
    ("memlock", "nofile"), [("infinity", "1024:524288"), ("8G", 65536), ("64M:8G", "1024:infinity")]
)
def test_containers_have_limits_of_systemd(memlock: str, nofile: str | int) -> None:
    facts = containerd(DEBIAN, containerd_memlock=memlock, containerd_nofile=nofile)
    assert render("containerd", "__containerd_failures", facts) == []
    lines = render("containerd", "limits.conf.j2", facts).splitlines()
    assert lines[-3:] == ["[Service]", f"LimitMEMLOCK={memlock}", f"LimitNOFILE={nofile}"]


@pytest.mark.parametrize("policy", [DEBIAN, NEWER])
def test_what_containerd_does_not_have_is_named(policy: str) -> None:
    facts = containerd(policy, containerd_sandbox_image="r/pause:3.10")
    text = render("containerd", "config.toml.j2", facts)
    # The same as TOML, with the quotes that `containerd config dump` of 1.7 and of 2 writes.
    dump = text.replace('"', "'") if policy == NEWER else text
    dump = dump.replace(".'runc'", ".runc").replace('."runc"', ".runc")
    assert render("containerd", "__containerd_missing", {**facts, "__containerd_dump": {"stdout": dump}}) == []
    for line, name in (("SystemdCgroup = true", "runc.options"), ("pause:3.10", "sandbox"), ("certs.d", "registry")):
        assert line in dump
        (missing,) = render(
            "containerd", "__containerd_missing", {**facts, "__containerd_dump": {"stdout": dump.replace(line, "x")}}
        )
        assert name in missing


NODE = {
    "joined": False,
    "api_server_endpoint": None,
    "api_server_version": None,
    "packages": {},
    "policies": {"cpu": None, "memory": None},
    "certificates_end": None,
    "swap": [],
    "cgroup": 2,
    "memory": 3911,
    "kernel": "7.2.12+deb13-amd64",
    "ports": [22],
    "addresses": [
        {"device": "eth0", "mtu": 1500, "address": "10.0.2.15", "prefix": 24},
        {"device": "ens5", "mtu": 9000, "address": "198.51.100.11", "prefix": 24},
    ],
    "default_address": "10.0.2.15",
    "networks": [
        {"network": "10.0.2.0/24", "device": "eth0"},
        {"network": "198.51.100.0/24", "device": "ens5"},
    ],
    "modules": ["br_netfilter", "overlay", "vxlan"],
    "sysctls": {},
    "files": {},
}
FILE = "/etc/kubernetes/railhead-kubeadm.yaml"
KUBELET_FILE = "/etc/kubernetes/railhead-kubelet.d/50-railhead.conf"
BEGUN_FILE = "/etc/kubernetes/railhead-kubelet-begun"
# With the 100Mi of the default threshold of evictions: what the NUMA nodes give is what the kubelet keeps.
NUMA = {
    "kubernetes_memory_manager_policy": "Static",
    "kubernetes_system_reserved": {"memory": "1Gi"},
    "kubernetes_reserved_memory": [
        {"numaNode": 0, "limits": {"memory": "512Mi"}},
        {"numaNode": 1, "limits": {"memory": "612Mi"}},
    ],
}


def node(host: str = "a", planes: tuple[str, ...] = ("a",), first: Any = None, **facts: Any) -> dict[str, Any]:
    """Facts of a host of a cluster with workers b and c; C(have) is merged over what was read of it."""
    have = {**NODE, "files": {FILE: None, KUBELET_FILE: None}, **facts.pop("have", {})}
    own = {"__kubernetes_node": have, "__kubernetes_address": "198.51.100.11"}
    hostvars = {name: {"__kubernetes_node": first or NODE, "__kubernetes_address": "198.51.100.11"} for name in planes}
    hostvars[host] = {**hostvars.get(host, {}), **own}
    return {
        "inventory_hostname": host,
        "ansible_check_mode": False,
        "groups": {"kubernetes_control_plane": list(planes), "kubernetes_workers": ["b", "c"]},
        "hostvars": hostvars,
        **own,
        "kubernetes_node_ip": "198.51.100.11",
        "kubernetes_version": VERSIONS["kubernetes"],
        "kubernetes_packages": VERSIONS["packages"],
        "kubernetes_images": VERSIONS["images"],
        **facts,
    }


def documents(facts: dict[str, Any], name: str = "__kubernetes_documents") -> dict[str, Any]:
    text = render("kubernetes", "documents.yaml.j2", {**facts, "documents": render("kubernetes", name, facts)})
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def test_a_good_node_is_accepted() -> None:
    for host in ("a", "b"):
        assert render("kubernetes", "__kubernetes_failures", node(host)) == []


def test_what_kubeadm_is_told_on_the_first_control_plane() -> None:
    told = documents(
        node(
            kubernetes_api_server_extra_args={"v": 2, "profiling": False},
            kubernetes_timeouts={"controlPlaneComponentHealthCheck": "10m0s"},
            kubernetes_patches={"kube-apiserver+strategic.yaml": {"spec": {}}},
            kubernetes_cert_sans=["api.example"],
            kubernetes_kube_proxy={"mode": "nftables"},
        )
    )
    assert list(told) == ["InitConfiguration", "ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration"]
    init, cluster = told["InitConfiguration"], told["ClusterConfiguration"]
    assert {init["apiVersion"], cluster["apiVersion"]} == {"kubeadm.k8s.io/v1beta4"}
    assert init["localAPIEndpoint"] == {"advertiseAddress": "198.51.100.11", "bindPort": 6443}
    assert init["nodeRegistration"]["kubeletExtraArgs"] == [
        {"name": "config-dir", "value": "/etc/kubernetes/railhead-kubelet.d"},
        {"name": "node-ip", "value": "198.51.100.11"},
    ]
    assert init["nodeRegistration"]["criSocket"] == "unix:///run/containerd/containerd.sock"
    assert init["patches"] == {"directory": "/etc/kubernetes/railhead-patches"}
    assert init["timeouts"] == {"controlPlaneComponentHealthCheck": "10m0s"}
    assert cluster["controlPlaneEndpoint"] == "198.51.100.11:6443"
    assert cluster["kubernetesVersion"] == "v" + VERSIONS["kubernetes"]
    assert cluster["imageRepository"] == "registry.k8s.io"
    assert cluster["dns"] == {"imageRepository": "registry.k8s.io/coredns", "imageTag": "v1.13.1"}
    assert cluster["etcd"]["local"]["imageTag"] == "3.6.6-0"
    assert cluster["apiServer"] == {
        "certSANs": ["api.example"],
        "extraArgs": [{"name": "v", "value": "2"}, {"name": "profiling", "value": "false"}],
    }
    assert told["KubeletConfiguration"]["cgroupDriver"] == "systemd"
    assert told["KubeProxyConfiguration"]["mode"] == "nftables"


def test_a_file_for_kubeadm_has_no_document_without_a_kind() -> None:
    facts = node()
    text = render(
        "kubernetes", "documents.yaml.j2", {**facts, "documents": render("kubernetes", "__kubernetes_documents", facts)}
    )
    parts = text.split("\n---\n")
    assert ["kind: " in part for part in parts] == [True] * 4


def test_images_of_a_registry_with_a_port_and_digests() -> None:
    images = {
        name: f"10.0.2.2:5055/{image.rpartition('/')[2]}@sha256:{'0' * 64}"
        for name, image in VERSIONS["images"].items()
    }
    facts = node(kubernetes_images=images)
    assert render("kubernetes", "__kubernetes_failures", facts) == []
    cluster = documents(facts)["ClusterConfiguration"]
    assert cluster["imageRepository"] == cluster["dns"]["imageRepository"] == "10.0.2.2:5055"
    assert (cluster["dns"]["imageTag"], cluster["etcd"]["local"]["imageTag"]) == ("v1.13.1", "3.6.6-0")
    rows = [
        "{} application/vnd.oci.image.manifest.v1+json {} 21.5".format(*image.split("@")) for image in images.values()
    ]
    pulled = {"__kubernetes_pulled": {"stdout_lines": ["REF TYPE DIGEST SIZE", *rows]}}
    assert render("kubernetes", "__kubernetes_moved_images", {**facts, **pulled}) == []
    pulled = {"__kubernetes_pulled": {"stdout_lines": rows[1:]}}
    assert render("kubernetes", "__kubernetes_moved_images", {**facts, **pulled}) == [images["kube-apiserver"]]


JOIN_WORDS = (
    f"kubeadm join 198.51.100.11:6443 --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash sha256:{'a' * 64}"
)


@pytest.mark.parametrize("host", ["b", "d"])
def test_what_a_join_is_told_in_memory(host: str) -> None:
    facts = node(
        host,
        ("a", "d", "e"),
        kubernetes_control_plane_endpoint="api.example:443",
        __kubernetes_token={"stdout": JOIN_WORDS},
        __kubernetes_certificates={"stdout": f"[upload-certs] Using certificate key:\n{'b' * 64}\n"},
    )
    (join,) = documents(facts, "__kubernetes_join_documents").values()
    assert join["discovery"]["bootstrapToken"] == {
        "token": "abcdef.0123456789abcdef",
        "apiServerEndpoint": "api.example:443",
        "caCertHashes": [f"sha256:{'a' * 64}"],
    }
    assert ("controlPlane" in join) is (host == "d")
    if host == "d":
        assert join["controlPlane"]["certificateKey"] == "b" * 64
    assert bool(join["nodeRegistration"]["taints"]) is (host == "d")


def test_no_secret_is_in_what_stays_on_a_node() -> None:
    facts = node("b", __kubernetes_token={"stdout": JOIN_WORDS})
    assert list(documents(facts)) == ["JoinConfiguration"]
    assert "discovery" not in documents(facts)["JoinConfiguration"]


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"kubernetes_version": "v1.35"}, "set kubernetes_version to a whole version"),
        (
            {"kubernetes_version": "v1.35", "have": {"joined": True, "packages": {"kubelet": f"{RELEASE}-1.1"}}},
            "set kubernetes_version to a whole version",
        ),
        ({"kubernetes_packages": {**VERSIONS["packages"], "kubelet": "1.35.1-1.1"}}, "kubelet must be there"),
        ({"kubernetes_images": {"pause": "p:1"}}, "Cannot find images for coredns, etcd"),
        ({"kubernetes_images": {**VERSIONS["images"], "kube-proxy": f"r/kube-proxy:v{RELEASE}"}}, "r/kube-proxy:v"),
        ({"planes": ("a", "d"), "kubernetes_virtual_ip": "198.51.100.9"}, "Cannot run etcd on 2 hosts"),
        ({"planes": ("a", "d", "e")}, "kubernetes_virtual_ip to a free address"),
        ({"host": "z"}, "neither in the group"),
        ({"kubernetes_node_name": "Node_A"}, "kubernetes_node_name"),
        ({"kubernetes_node_ip": "198.51.100.77"}, "kubernetes_node_ip to one of these"),
        ({"kubernetes_pod_subnet": "198.51.0.0/16"}, "198.51.0.0/16 (kubernetes_pod_subnet) and 198.51.100.0/24 (this"),
        ({"kubernetes_pod_subnet": "10.100.0.0/16"}, "10.96.0.0/12 (kubernetes_service_subnet)"),
        ({"kubernetes_pod_subnet": "fd00::/56"}, "one IPv4 network"),
        ({"have": {"kernel": "4.19.0"}}, "kernel 4.19.0"),
        ({"have": {"cgroup": 1}}, "version 1"),
        ({"have": {"swap": ["/dev/vda2"]}}, "/dev/vda2"),
        ({"have": {"ports": [22, 6443, 10250]}}, "10250, 6443"),
        ({"kubernetes_cpu_manager_policy": "static"}, "kubernetes_reserved_cpus"),
        ({"kubernetes_memory_manager_policy": "Static"}, "kubernetes_reserved_memory"),
        ({**NUMA, "kubernetes_kube_reserved": {"memory": "1Mi"}}, "512Mi + 612Mi of them"),
        ({**NUMA, "kubernetes_kubelet": {"evictionHard": {"nodefs.available": "10%"}}}, "1Gi + 0 + 0"),
        ({"kubernetes_timeouts": {"healthCheck": "1m"}}, "healthCheck"),
        ({"kubernetes_patches": {"apiserver.yaml": ""}}, "apiserver.yaml"),
        ({"kubernetes_control_plane_endpoint": "api.example"}, "HOST:PORT"),
    ],
)
def test_kubernetes_refuses(facts: dict[str, Any], word: str) -> None:
    messages = render("kubernetes", "__kubernetes_failures", node(**facts))
    assert [message for message in messages if word in message], messages


@pytest.mark.parametrize(
    "facts",
    [
        NUMA,
        {**NUMA, "kubernetes_kubelet": {"evictionHard": {"memory.available": "104857600"}}},
        # Left to the kubelet.
        {**NUMA, "kubernetes_kubelet": {"evictionHard": {"memory.available": "5%"}}},
        {**NUMA, "kubernetes_memory_manager_policy": "None", "kubernetes_system_reserved": {}},
    ],
)
def test_numa_nodes_may_give_what_the_kubelet_keeps(facts: dict[str, Any]) -> None:
    assert render("kubernetes", "__kubernetes_failures", node(**facts)) == []


def written(facts: dict[str, Any]) -> dict[str, str]:
    """The two files that the role leaves on a node."""
    kubeadm = {"documents": "{{ __kubernetes_documents }}", "patches": "{{ __kubernetes_patches_hash }}"}
    asked = {FILE: kubeadm, KUBELET_FILE: {"documents": "{{ [__kubernetes_kubelet] }}"}}
    return {
        path: render(
            "kubernetes",
            "documents.yaml.j2",
            {**facts, **{name: trust_as_template(text) for name, text in values.items()}},
        )
        for path, values in asked.items()
    }


def test_other_patches_leave_the_settings_of_the_kubelet_alone() -> None:
    before = written(node())
    after = written(node(kubernetes_patches={"etcd+strategic.yaml": "spec: {}"}))
    assert after[FILE] != before[FILE]
    assert after[KUBELET_FILE] == before[KUBELET_FILE]


def joined(release: str, **have: Any) -> dict[str, Any]:
    return {
        **NODE,
        "joined": True,
        "api_server_endpoint": "198.51.100.11:6443",
        "api_server_version": release,
        "packages": {"kubelet": f"{release}-1.1", "kubeadm": f"{release}-1.1"},
        **have,
    }


@pytest.mark.parametrize(
    ("running", "upgrading", "word"),
    [
        (RELEASE, False, None),
        ("1.35.1", True, None),
        ("1.34.9", True, None),
        ("1.35.1", False, "kubernetes_upgrade"),
        ("1.33.2", True, "one minor version at a time"),
        ("1.36.0", True, "an older version cannot take over"),
    ],
)
def test_versions_go_up_by_one_minor_in_the_playbook_for_that(running: str, upgrading: bool, word: str | None) -> None:
    facts = node(have=joined(running), kubernetes_allow_upgrade=True, __kubernetes_upgrading=upgrading)
    facts["__kubernetes_node"]["files"] = written(facts)
    messages = render("kubernetes", "__kubernetes_failures", facts)
    assert [message for message in messages if word and word in message] == messages
    assert bool(messages) is (word is not None)
    facts["kubernetes_allow_upgrade"] = False
    assert bool(render("kubernetes", "__kubernetes_failures", facts)) is (running != RELEASE)


def existing(host: str = "a", **facts: Any) -> dict[str, Any]:
    """A node that was made with the defaults, and is now wanted with other variables."""
    before = node(host, have=joined(RELEASE) if host == "a" else {**joined(RELEASE), "api_server_version": None})
    return node(host, have={**before["__kubernetes_node"], "files": written(before)}, **facts)


@pytest.mark.parametrize("host", ["a", "b"])
def test_a_node_that_is_what_it_should_be_has_nothing_to_change(host: str) -> None:
    facts = existing(host)
    for name in ("failures", "fixed_changes", "movable_changes", "stateful_changes"):
        assert render("kubernetes", f"__kubernetes_{name}", facts) == []
    for name in ("renew", "wants_drain", "kubelet_changes"):
        assert render("kubernetes", f"__kubernetes_{name}", facts) is False


@pytest.mark.parametrize(
    ("wanted", "consent", "change"),
    [
        ({"kubernetes_pod_subnet": "10.245.0.0/16"}, None, "ClusterConfiguration.networking"),
        ({"kubernetes_cluster_name": "other"}, None, "ClusterConfiguration.clusterName"),
        ({"kubernetes_kubelet_args": {"v": 2}}, None, "InitConfiguration.nodeRegistration"),
        ({"kubernetes_api_server_extra_args": {"v": 2}}, "reconfigure", "ClusterConfiguration.apiServer.extraArgs"),
        ({"kubernetes_kube_proxy": {"mode": "nftables"}}, "reconfigure", "KubeProxyConfiguration"),
        ({"kubernetes_patches": {"etcd+merge.yaml": "spec: {}"}}, "reconfigure", "kubernetes_patches"),
        ({"kubernetes_cpu_manager_policy": "static", "kubernetes_reserved_cpus": "0"}, "drain", "cpuManagerPolicy"),
    ],
)
def test_a_change_of_an_existing_node_wants_consent(wanted: dict[str, Any], consent: str | None, change: str) -> None:
    facts = existing(**wanted)
    (message,) = render("kubernetes", "__kubernetes_failures", facts)
    assert change in message
    allowed = {f"kubernetes_allow_{word}": True for word in ("reconfigure", "drain", "upgrade", "reset")}
    assert bool(render("kubernetes", "__kubernetes_failures", {**facts, **allowed})) is (consent is None)
    if consent:
        facts[f"kubernetes_allow_{consent}"] = True
        assert render("kubernetes", "__kubernetes_failures", facts) == []


def test_other_settings_of_the_kubelet_want_no_drain() -> None:
    facts = existing(kubernetes_topology_manager_policy="single-numa-node", kubernetes_kubelet={"maxPods": 50})
    assert render("kubernetes", "__kubernetes_failures", facts) == []
    kubelet = render("kubernetes", "__kubernetes_kubelet", facts)
    assert (kubelet["topologyManagerPolicy"], kubelet["maxPods"]) == ("single-numa-node", 50)
    assert render("kubernetes", "__kubernetes_kubelet_changes", facts) is True


@pytest.mark.parametrize("begun", ["drain", "restart"])
def test_a_change_of_the_kubelet_that_was_broken_off_goes_on(begun: str) -> None:
    facts = existing()
    facts["__kubernetes_node"]["files"][BEGUN_FILE] = f"{begun}\n"
    assert render("kubernetes", "__kubernetes_kubelet_changes", facts) is True
    assert render("kubernetes", "__kubernetes_wants_drain", facts) is (begun == "drain")
    messages = render("kubernetes", "__kubernetes_failures", facts)
    assert [message for message in messages if "kubernetes_allow_drain" in message] == messages
    assert len(messages) == (begun == "drain")


def test_nodes_are_drained_one_after_the_other() -> None:
    hosts = {name: {"__kubernetes_drains": drains} for name, drains in {"a": True, "b": False, "c": True}.items()}
    play = {"ansible_play_hosts_all": ["a", "b", "c", "gone"], "hostvars": {**hosts, "gone": {}}}
    for host, before in (("a", []), ("c", ["a"])):
        facts = {**play, "inventory_hostname": host}
        assert render("kubernetes", "__kubernetes_drained", facts) == ["a", "c"]
        assert render("kubernetes", "__kubernetes_waits_for", facts) == before


def test_the_kubelet_shares_out_anew_at_every_boot() -> None:
    assert [line for line in render("kubernetes", "tmpfiles.conf.j2", {}).splitlines() if line[0] != "#"] == [
        "r! /var/lib/kubelet/cpu_manager_state",
        "r! /var/lib/kubelet/memory_manager_state",
    ]


@pytest.mark.parametrize(
    ("endpoint", "planes", "there", "probe"),
    [
        ("", ("a",), False, False),
        ("198.51.100.11:6443", ("a",), False, False),
        ("198.51.100.99:6443", ("a",), False, True),
        ("api.example:6443", ("a",), False, False),
        ("api.example:6443", ("a", "d", "e"), False, True),
        ("", ("a",), True, True),
    ],
)
def test_an_endpoint_that_should_answer_is_tried(
    endpoint: str, planes: tuple[str, ...], there: bool, probe: bool
) -> None:
    first = joined(RELEASE) if there else None
    facts = node("b", planes, first, kubernetes_control_plane_endpoint=endpoint)
    assert render("kubernetes", "__kubernetes_probe", facts) is probe
    facts["__kubernetes_endpoint_answer"] = {"rc": 124, "stderr": "", "stderr_lines": []}
    assert bool(render("kubernetes", "__kubernetes_failures", facts)) is probe
    facts["__kubernetes_endpoint_answer"] = {"rc": 0}
    assert render("kubernetes", "__kubernetes_failures", facts) == []


@pytest.mark.parametrize(
    ("words", "there", "why"),
    [
        ([], False, "6443, your load balancer: no answer within 10 s."),
        (["h: connect: No route to host", "h: line 1: /dev/tcp/h/1: No route to host"], False, ": No route to host."),
        (["h: line 1: h: Name or service not known", "h: line 1: /dev/tcp/h/1: Inv"], False, "Name or service not"),
        (["h: connect: Connection refused", "h: line 1: /dev/tcp/h/1: Connection refused"], False, None),
        (
            ["h: connect: Connection refused", "h: line 1: /dev/tcp/h/1: Connection refused"],
            True,
            "Connection refused.",
        ),
    ],
)
def test_a_load_balancer_may_refuse_connections_before_there_is_a_cluster(
    words: list[str], there: bool, why: str | None
) -> None:
    first = joined(RELEASE) if there else None
    facts = node("b", ("a",), first, kubernetes_control_plane_endpoint="198.51.100.99:6443")
    facts["__kubernetes_endpoint_answer"] = {
        "rc": 1 if words else 124,
        "stderr": "\n".join(words),
        "stderr_lines": words,
    }
    messages = render("kubernetes", "__kubernetes_failures", facts)
    assert len(messages) == (why is not None)
    assert all(str(why) in message for message in messages), messages


@pytest.mark.parametrize(
    ("members", "first", "exists"), [((), "a", False), (("a", "d", "e"), "a", True), (("d", "e"), "d", True)]
)
def test_the_first_control_plane_joins_the_others_when_it_comes_back(
    members: tuple[str, ...], first: str, exists: bool
) -> None:
    facts = node("a", ("a", "d", "e"), kubernetes_virtual_ip="198.51.100.9")
    for host in members:
        facts["hostvars"][host] = {**facts["hostvars"][host], "__kubernetes_node": joined(RELEASE)}
    assert render("kubernetes", "__kubernetes_first", facts) == first
    assert render("kubernetes", "__kubernetes_is_first", facts) is (first == "a")
    assert render("kubernetes", "__kubernetes_exists", facts) is exists


def test_a_run_that_has_not_looked_at_all_control_planes_makes_no_cluster() -> None:
    facts = node("a", ("a", "d", "e"), kubernetes_virtual_ip="198.51.100.9")
    assert render("kubernetes", "__kubernetes_failures", facts) == []
    facts["hostvars"] |= {"d": {}, "e": {}}
    (message,) = render("kubernetes", "__kubernetes_failures", facts)
    assert "has not looked at d, e of the group kubernetes_control_plane" in message


@pytest.mark.parametrize(
    ("interface", "found"), [("", "10.0.2.15"), ("ens5", "198.51.100.11"), ("ens9", "")]
)  # fmt: skip
def test_the_address_of_a_node(interface: str, found: str) -> None:
    facts = node(kubernetes_node_ip="", kubernetes_node_interface=interface)
    assert render("kubernetes", "__kubernetes_found_address", facts) == found


@pytest.mark.parametrize(
    ("backend", "interface", "mtu"), [("vxlan", "", 8950), ("host-gw", "", 9000), ("vxlan", "eth0", 1450)]
)
def test_the_network_of_the_pods_of_a_node(backend: str, interface: str, mtu: int) -> None:
    facts = node(
        kubernetes_flannel_backend=backend,
        kubernetes_flannel_interface=interface,
        __kubernetes_seen={"resources": [{"spec": {"podCIDR": "10.244.3.0/24"}}]},
    )
    bridge, portmap = json.loads(json.dumps(render_json("conflist.json.j2", facts)))["plugins"]
    assert (bridge["type"], bridge["mtu"], bridge["ipMasq"]) == ("bridge", mtu, False)
    assert bridge["ipam"] == {"type": "host-local", "ranges": [[{"subnet": "10.244.3.0/24"}]]}
    assert portmap["type"] == "portmap"


def render_json(template: str, facts: dict[str, Any]) -> Any:
    text = render("kubernetes", template, facts)
    return json.loads(text) if isinstance(text, str) else text


@pytest.mark.parametrize(
    ("address", "left"),
    [
        ("198.51.100.3", ["7e0a07a39ff736d3"]),
        ("198.51.100.1", ["f3642ac0a0e3b91b"]),
        ("198.51.100", []),
        ("198x51.100.1", []),
        ("2001:db8::3", ["1d"]),
        ("", []),
    ],
)
def test_who_was_to_leave_etcd_is_found_by_the_address(address: str, left: list[str]) -> None:
    """As etcdctl 3.6.6 printed it after a join that had failed; the last row was added."""
    rows = """\
873b8982acf321f, started, node2, https://198.51.100.2:2380, https://198.51.100.2:2379, false
7e0a07a39ff736d3, unstarted, , https://198.51.100.3:2380, , true
f3642ac0a0e3b91b, started, node1, https://198.51.100.1:2380, https://198.51.100.1:2379, false
1d, started, node4, https://[2001:db8::3]:2380, https://[2001:db8::3]:2379, false
"""
    facts = {"__kubernetes_found_address": address, "__kubernetes_etcd_members": {"stdout_lines": rows.splitlines()}}
    assert render("kubernetes", "__kubernetes_etcd_left", facts) == left


def test_etcd_is_asked_in_the_pod_of_another_host() -> None:
    facts = node("a", ("a", "d", "e"), __kubernetes_api_host="d")
    assert "etcd-d" in render("kubernetes", "__kubernetes_etcdctl", facts)
    facts["hostvars"]["d"] = {**facts["hostvars"]["d"], "kubernetes_node_name": "d.example.org"}
    assert "etcd-d.example.org" in render("kubernetes", "__kubernetes_etcdctl", facts)


def test_flannel_may_do_what_it_must_and_no_more() -> None:
    text = render("kubernetes", "flannel.yaml.j2", node())
    found = {document["kind"]: document for document in yaml.safe_load_all(text)}
    assert found["ClusterRole"]["rules"] == [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
    ]
    (container,) = found["DaemonSet"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == VERSIONS["images"]["flannel"]
    assert container["securityContext"] == {
        "privileged": False,
        "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]},
    }
    assert json.loads(found["ConfigMap"]["data"]["net-conf.json"])["Network"] == "10.244.0.0/16"


@pytest.mark.parametrize(("days", "renew"), [(10, True), (31, False), (-1, True)])
def test_certificates_are_renewed_in_time(days: float, renew: bool) -> None:
    end = int((datetime.now(UTC) + timedelta(days=days)).timestamp())
    assert render("kubernetes", "__kubernetes_renew", node(have=joined(RELEASE, certificates_end=end))) is renew


def test_the_virtual_address_is_given_to_one_whose_api_server_is_ready() -> None:
    facts = node("d", ("a", "d", "e"), kubernetes_virtual_ip="198.51.100.9")
    text = render("kubernetes", "keepalived.conf.j2", facts)
    assert "interface ens5\n" in text
    assert "priority 99\n" in text
    assert "198.51.100.9\n" in text
    assert " https://198.51.100.11:6443/readyz" in text
    assert render("kubernetes", "__kubernetes_endpoint", facts) == "198.51.100.9:6443"
    facts = node("d", __kubernetes_address="2001:db8::1")
    assert render("kubernetes", "__kubernetes_readyz", facts) == "https://[2001:db8::1]:6443/readyz"


def test_the_api_server_of_one_host_is_asked_and_not_an_address_that_may_move() -> None:
    facts = node("d", ("a", "d"), kubernetes_virtual_ip="198.51.100.9", kubernetes_api_port=7443)
    facts["hostvars"]["a"]["__kubernetes_address"] = "2001:db8::1"
    assert render("kubernetes", "__kubernetes_api", facts) == "https://[2001:db8::1]:7443"
    facts["hostvars"]["a"]["__kubernetes_address"] = "198.51.100.20"
    assert render("kubernetes", "__kubernetes_api", facts) == "https://198.51.100.20:7443"
    tasks = [
        line
        for path in sorted((ROLES / "kubernetes" / "tasks").glob("*.yml"))
        for line in re.findall(r"kubernetes\.core\.\w+:\n((?: +\S.*\n)+)", path.read_text())
    ]
    assert len(tasks) > 5
    assert [task for task in tasks if 'host: "{{ __kubernetes_api }}"' not in task] == []


@pytest.mark.parametrize(
    ("endpoints", "host", "api"),
    [
        ([None, "198.51.100.13:6443"], "e", "https://198.51.100.13:6443"),
        # It is not the last one, although no API server is to run on the other just now.
        ([None], "d", "as in the kubeconfig"),
        ([], "", "as in the kubeconfig"),
    ],
)
def test_who_leaves_the_cluster_is_taken_off_by_one_with_an_api_server(
    endpoints: list[str | None], host: str, api: str
) -> None:
    tasks = DataLoader().load_from_file(str(ROLES / "kubernetes" / "tasks" / "reset.yml"), trusted_as_template=True)
    (asked,) = [task["vars"] for task in tasks if "block" in task and "vars" in task]
    others = [
        {"item": name, "joined": True, "api_server_endpoint": endpoint}
        for name, endpoint in zip("de", endpoints, strict=False)
    ]
    facts = {**node(), **asked, "__kubernetes_others": {"results": others}, "omit": "as in the kubeconfig"}
    assert render("kubernetes", "__kubernetes_api_host", facts) == host
    assert render("kubernetes", "__kubernetes_api", facts) == api


def test_the_others_that_may_have_the_address_come_in_the_order_of_the_inventory() -> None:
    planes = tuple("adefghijk")
    facts = node("d", planes, kubernetes_virtual_ip="198.51.100.9")
    for number, name in enumerate(planes):
        facts["hostvars"][name]["__kubernetes_address"] = f"198.51.100.{20 + number}"
    text = render("kubernetes", "keepalived.conf.j2", facts)
    peers = text.partition("unicast_peer {")[2].partition("}")[0].split()
    assert peers == [f"198.51.100.{20 + number}" for number in range(9) if number != 1]


def test_kubeadm_comes_before_the_others_in_an_upgrade() -> None:
    facts = node(have=joined("1.35.1", packages={"kubeadm": "1.35.1-1.1", "kubelet": "1.35.1-1.1"}))
    pinned = {row["name"]: row["version"] for row in render("kubernetes", "__kubernetes_pinned_kubeadm", facts)}
    assert pinned["kubeadm"] == VERSIONS["packages"]["kubeadm"]
    assert pinned["kubelet"] == "1.35.1-1.1"


def test_pods_are_let_in_again_after_an_upgrade_that_was_broken_off() -> None:
    upgrade = "/etc/kubernetes/railhead-upgrade.yaml"
    for content, begun in ((None, False), ("kind: UpgradeConfiguration", True)):
        facts = node(have=joined(RELEASE, files={FILE: None, KUBELET_FILE: None, upgrade: content}))
        assert render("kubernetes", "__kubernetes_upgrade_begun", facts) is begun


def test_checks_of_kubeadm_that_may_fail_are_given_to_it() -> None:
    assert render("kubernetes", "__kubernetes_ignore", node()) == []
    facts = node(kubernetes_ignore_preflight_errors=["NumCPU", "Mem"])
    assert render("kubernetes", "__kubernetes_ignore", facts) == ["--ignore-preflight-errors=NumCPU,Mem"]


def test_what_kubeadm_is_told_for_an_upgrade() -> None:
    facts = node(
        kubernetes_patches={"etcd+strategic.yaml": "spec: {}"}, kubernetes_ignore_preflight_errors=["CreateJob"]
    )
    upgrade = render("kubernetes", "__kubernetes_upgrade", facts)
    both = {"ignorePreflightErrors": ["CreateJob"], "patches": {"directory": "/etc/kubernetes/railhead-patches"}}
    assert upgrade["apply"] == {"kubernetesVersion": "v" + VERSIONS["kubernetes"], "forceUpgrade": True, **both}
    assert upgrade["node"] == both


def test_the_version_file_fits_together() -> None:
    assert render("kubernetes", "__kubernetes_odd_images", node()) == []
    assert render("kubernetes", "__kubernetes_odd_packages", node()) == []
