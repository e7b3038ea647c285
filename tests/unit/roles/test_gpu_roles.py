# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles of GPU nodes compute in their vars, and the files that they write, for hosts that the lab has not."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.railhead.cluster.plugins.module_utils._apt.request import want_from

ROLES = Path(__file__).parents[3] / "roles"
# `containerd --version` of Debian 13 and of Docker's packages.
CONTAINERD_17 = "containerd github.com/containerd/containerd 1.7.24~ds1 1.7.24~ds1-6+b4\n"
CONTAINERD_22 = "containerd containerd.io v2.2.6 1c4457e00facac03ce1d75f7b6777a7a851e5c41\n"
IMPORTS = 'imports = ["/etc/containerd/conf.d/*.toml"]\n'


def render(role: str, name: str, facts: dict[str, Any], *files: str) -> Any:
    """The value of a variable of a role on a host with these facts; C(files) are further files of C(vars)."""
    loader = DataLoader()
    paths = [ROLES / role / "defaults" / "main.yml", *(ROLES / role / "vars" / file for file in ("main.yml", *files))]
    variables = {
        key: value
        for path in paths
        for key, value in loader.load_from_file(str(path), trusted_as_template=True).items()
    }
    variables = {**variables, **facts}
    if name.endswith(".j2"):
        variables["ansible_managed"] = "Ansible managed"
        text = loader.get_text_file_contents(str(ROLES / role / "templates" / name))
        return Templar(loader, variables).template(trust_as_template(text))
    return Templar(loader, variables).template(variables[name])


def driver(version: str = "580.105.08", **have: Any) -> dict[str, Any]:
    """Facts of a host with one GPU whose driver is not loaded."""
    gpu = {"pci_address": "0000:18:00.0", "kernel_driver": None, "uuid": None, "persistence_mode": None}
    return {
        "gpu_driver_version": version,
        "ansible_facts": {"architecture": "x86_64"},
        "__gpu_driver_node": {"os": {"id": "ubuntu", "version_id": "24.04"}, "kernel": {"modules": ["nvidia", "igb"]}},
        "__gpu_driver_have": {"driver": None, "gpus": [gpu], "nvswitches": [], "users": [], **have},
    }


@pytest.mark.parametrize(
    ("system", "version", "nvswitches", "packages"),
    [
        (
            "Ubuntu.yml",
            "570.148.08",
            ["0000:07:00.0"],
            [
                "libnvidia-compute-570",
                "libnvidia-cfg1-570",
                "nvidia-dkms-570-open",
                "nvidia-compute-utils-570",
                "nvidia-utils-570",
                "nvidia-fabricmanager-570",
            ],
        ),
        (
            "Ubuntu.yml",
            "590.48.01",
            ["0000:07:00.0"],
            [
                "libnvidia-compute",
                "libnvidia-cfg1",
                "nvidia-dkms-open",
                "nvidia-persistenced",
                "nvidia-modprobe",
                "nvidia-fabricmanager",
            ],
        ),
        (
            "Debian.yml",
            "580.105.08",
            ["0000:07:00.0"],
            [
                "nvidia-driver-cuda",
                "nvidia-kernel-open-dkms",
                "nvidia-persistenced",
                "nvidia-modprobe",
                "libcuda1",
                "nvidia-fabricmanager",
            ],
        ),
    ],
)
def test_packages_by_distribution_and_branch(
    system: str, version: str, nvswitches: list[str], packages: list[str]
) -> None:
    found = render("gpu_driver", "__gpu_driver_pinned", driver(version, nvswitches=nvswitches), system)
    assert found == [{"name": package, "version": f"{version}-*"} for package in packages]


@pytest.mark.parametrize(
    ("choice", "nvswitches", "wanted"),
    [("auto", [], False), ("auto", ["0000:07:00.0"], True), ("always", [], True), ("never", ["0000:07:00.0"], False)],
)
def test_when_the_fabric_manager_is_wanted(choice: str, nvswitches: list[str], wanted: bool) -> None:
    facts = {**driver(nvswitches=nvswitches), "gpu_driver_fabric_manager": choice}
    assert render("gpu_driver", "__gpu_driver_fabric", facts) is wanted


@pytest.mark.parametrize(
    ("repository", "architecture", "uri"),
    [
        ("https://mirror.example/cuda/repos", "x86_64", "https://mirror.example/cuda/repos/ubuntu2404/x86_64/"),
        ("https://mirror.example/cuda/repos", "aarch64", "https://mirror.example/cuda/repos/ubuntu2404/sbsa/"),
        ("http://192.0.2.1:8000/nvidia/", "x86_64", "http://192.0.2.1:8000/nvidia/"),
    ],
)
def test_the_repository_of_the_driver(repository: str, architecture: str, uri: str) -> None:
    facts = {**driver(), "gpu_driver_repository": repository, "ansible_facts": {"architecture": architecture}}
    assert render("gpu_driver", "__gpu_driver_repositories", facts) == [
        {"name": "nvidia-cuda", "uris": [uri], "suites": ["/"], "signed_by": f"{uri}3bf863cc.pub"}
    ]


@pytest.mark.parametrize(
    ("system", "version", "key"),
    [("debian", "12", "3bf863cc.pub"), ("debian", "13", "8793F200.pub"), ("ubuntu", "24.04", "3bf863cc.pub")],
)
def test_the_key_of_the_repository(system: str, version: str, key: str) -> None:
    node = {**driver()["__gpu_driver_node"], "os": {"id": system, "version_id": version}}
    (repository,) = render("gpu_driver", "__gpu_driver_repositories", {**driver(), "__gpu_driver_node": node})
    assert repository["signed_by"].rpartition("/")[2] == key


@pytest.mark.parametrize("system", ["Debian.yml", "Ubuntu.yml"])
@pytest.mark.parametrize("version", ["580.105.08", "595.71.05"])
def test_apt_takes_what_the_role_says(system: str, version: str) -> None:
    names = {"repositories": "repositories", "packages": "pinned", "conflicts": "conflicts", "pins": "pins"}
    said = {
        option: render("gpu_driver", f"__gpu_driver_{name}", driver(version), system) for option, name in names.items()
    }
    repositories = [{"components": None, **repository} for repository in said.pop("repositories")]
    consents = {"allow_downgrade": False, "allow_removal": False}
    want = want_from({"name": "gpu-driver", "repositories": repositories, **said, **consents})
    assert want.pin_of("libnvidia-ml1", "nvidia-graphics-drivers") is not None
    proprietary = {"Debian.yml": "nvidia-kernel-dkms", "Ubuntu.yml": f"nvidia-dkms-{version[:3]}"}[system]
    assert want.found_conflicts({proprietary: "1", "libnvidia-ml1": "1"}) == [proprietary]


LOADED = {"version": "570.148.08", "open": True, "complaint": None}
READY = {"pci_address": "0000:18:00.0", "kernel_driver": "nvidia", "uuid": "GPU-1", "persistence_mode": True}
DAEMON = {"pid": 9, "name": "nvidia-persiste"}
USER = {"pid": 55, "name": "python3"}
START = [["modprobe", "nvidia"], ["systemctl", "start", "nvidia-persistenced.service"]]
STOP = [["systemctl", "stop", "nvidia-persistenced.service"], ["modprobe", "--remove", "nvidia"]]


@pytest.mark.parametrize(
    ("version", "have", "steps"),
    [
        pytest.param("580.105.08", {}, START, id="none is loaded"),
        pytest.param("580.105.08", {"gpus": []}, [], id="no GPU"),
        pytest.param("570.148.08", {"driver": LOADED, "gpus": [READY], "users": [DAEMON, USER]}, [], id="in place"),
        pytest.param("580.105.08", {"driver": LOADED, "gpus": [READY], "users": [DAEMON]}, STOP + START, id="another"),
        pytest.param(
            "570.148.08", {"driver": {**LOADED, "open": False}, "gpus": [READY]}, STOP[1:] + START, id="proprietary"
        ),
        pytest.param("580.105.08", {"driver": LOADED, "gpus": [READY], "users": [DAEMON, USER]}, [], id="in use"),
        pytest.param("580.105.08", {"gpus": [{**READY, "kernel_driver": "nouveau"}]}, [], id="nouveau"),
        pytest.param(
            "570.148.08",
            {"driver": LOADED, "gpus": [{**READY, "persistence_mode": False}]},
            [["systemctl", "restart", "nvidia-persistenced.service"]],
            id="not persistent",
        ),
    ],
)
def test_how_the_loaded_driver_is_exchanged(version: str, have: dict[str, Any], steps: list[list[str]]) -> None:
    assert render("gpu_driver", "__gpu_driver_steps", driver(version, **have)) == steps


@pytest.mark.parametrize(
    ("have", "blocked"),
    [
        ({}, False),
        ({"driver": LOADED, "gpus": [READY], "users": [DAEMON]}, False),
        ({"driver": LOADED, "gpus": [READY], "users": [DAEMON, USER]}, True),
        ({"gpus": [{**READY, "kernel_driver": "nouveau"}]}, True),
        ({"driver": {**LOADED, "version": "580.105.08"}, "gpus": [READY], "users": [USER]}, False),
    ],
)
def test_what_asks_for_a_reboot(have: dict[str, Any], blocked: bool) -> None:
    assert render("gpu_driver", "__gpu_driver_blocked", driver(**have)) is blocked


def containerd(said: str, config: str | None) -> dict[str, Any]:
    """Facts of a host with that containerd and that config.toml."""
    content = {} if config is None else {"content": b64encode(config.encode()).decode()}
    return {
        "__container_toolkit_containerd_said": {"stdout": said},
        "__container_toolkit_config_read": content,
        "ansible_facts": {"architecture": "x86_64"},
        "container_toolkit_version": "1.18.2",
    }


@pytest.mark.parametrize(
    ("said", "config", "expected"),
    [
        (CONTAINERD_22, None, (True, True, False, "io.containerd.cri.v1.runtime")),
        (CONTAINERD_22, f"version = 3\n{IMPORTS}", (True, False, True, "io.containerd.cri.v1.runtime")),
        (CONTAINERD_22, f"version = 2\n{IMPORTS}", (True, False, True, "io.containerd.grpc.v1.cri")),
        (CONTAINERD_22, 'disabled_plugins = ["cri"]\n', (True, False, False, "io.containerd.grpc.v1.cri")),
        (CONTAINERD_22, f"version = 3\n#{IMPORTS}", (True, False, False, "io.containerd.cri.v1.runtime")),
        (CONTAINERD_17, None, (False, True, False, "io.containerd.grpc.v1.cri")),
        (CONTAINERD_17, "version = 2\n[plugins]\n", (False, False, False, "io.containerd.grpc.v1.cri")),
    ],
)
def test_how_containerd_is_told(said: str, config: str | None, expected: tuple[bool, bool, bool, str]) -> None:
    facts = containerd(said, config)
    names = ("merges", "own_config", "imported", "section")
    assert tuple(render("container_toolkit", f"__container_toolkit_{name}", facts) for name in names) == expected


@pytest.mark.parametrize(("said", "there"), [(CONTAINERD_17, True), (CONTAINERD_22, True), ("", False)])
def test_a_host_without_containerd(said: str, there: bool) -> None:
    assert render("container_toolkit", "__container_toolkit_has_containerd", containerd(said, None)) is there


def test_the_configuration_that_this_role_wrote_is_its_own() -> None:
    facts = containerd(CONTAINERD_17, None)
    written = render("container_toolkit", "config-1.7.toml.j2", facts)
    assert render("container_toolkit", "__container_toolkit_own_config", containerd(CONTAINERD_17, written)) is True


@pytest.mark.parametrize(("config", "version"), [(None, 3), (f"version = 2\n{IMPORTS}", 2)])
def test_the_runtime_has_the_format_of_the_file_that_imports_it(config: str | None, version: int) -> None:
    tomllib = pytest.importorskip("tomllib")
    facts = containerd(CONTAINERD_22, config)
    runtime = tomllib.loads(render("container_toolkit", "runtime.toml.j2", facts))
    main = tomllib.loads(render("container_toolkit", "config.toml.j2", facts))
    assert runtime["version"] == main["version"] == version
    (section,) = runtime["plugins"].values()
    assert section["containerd"]["runtimes"]["nvidia"]["options"] == {
        "BinaryName": "/usr/bin/nvidia-container-runtime",
        "SystemdCgroup": True,
    }


def test_the_whole_configuration_keeps_what_else_belongs_into_it() -> None:
    tomllib = pytest.importorskip("tomllib")
    extra = '[plugins."io.containerd.grpc.v1.cri".cni]\n  bin_dir = "/usr/lib/cni"'
    facts = {**containerd(CONTAINERD_17, None), "container_toolkit_containerd_extra": extra}
    cri = tomllib.loads(render("container_toolkit", "config-1.7.toml.j2", facts))["plugins"][
        "io.containerd.grpc.v1.cri"
    ]
    assert cri["cni"] == {"bin_dir": "/usr/lib/cni"}
    assert cri["enable_cdi"] is True
    assert sorted(cri["containerd"]["runtimes"]) == ["nvidia", "runc"]


@pytest.mark.parametrize(
    ("spec", "described"), [("", False), ("/usr/lib/libcuda.so.570.148.08", False), ("libcuda.so.580.105.08", True)]
)
def test_a_description_of_another_driver_is_made_anew(spec: str, described: bool) -> None:
    facts = {
        **containerd("", None),
        "__container_toolkit_gpu": {"driver": {"version": "580.105.08"}},
        "__container_toolkit_spec_read": {"content": b64encode(spec.encode()).decode()},
    }
    assert render("container_toolkit", "__container_toolkit_described", facts) is described


def test_the_driver_is_built_after_ofed() -> None:
    site = yaml.safe_load((ROLES.parent / "playbooks" / "site.yml").read_text(encoding="utf-8"))
    roles = [role["role"].rpartition(".")[2] for play in site for role in play.get("roles", ())]
    order = ["rdma_stack", "gpu_driver", "container_toolkit", "gpu_direct"]
    assert [role for role in roles if role in order] == order


@pytest.mark.parametrize(
    ("method", "gdrcopy", "modules"),
    [
        ("dma_buf", "", []),
        ("peermem", "", ["nvidia-peermem"]),
        ("dma_buf", "2.5.1", ["gdrdrv"]),
        ("peermem", "2.5.1", ["nvidia-peermem", "gdrdrv"]),
    ],
)
def test_modules_of_gpu_direct(method: str, gdrcopy: str, modules: list[str]) -> None:
    facts = {"gpu_direct_method": method, "gpu_direct_gdrcopy_version": gdrcopy}
    assert render("gpu_direct", "__gpu_direct_modules", facts) == modules


@pytest.mark.parametrize("name", ["nvidia", "nvidia-open"])
def test_the_driver_is_built_again_by_the_name_that_dkms_has(name: str) -> None:
    rows = [("mlnx-ofed-kernel", "25.07", "6.12.57"), (name, "580.1", "6.1.0"), (name, "580.1", "6.12.57")]
    dkms = [{"module": module, "version": version, "kernel": kernel} for module, version, kernel in rows]
    facts = {"__gpu_direct_driver": {"running": "6.12.57", "dkms": dkms}}
    assert render("gpu_direct", "__gpu_direct_built", facts) == dkms[2:]


@pytest.mark.parametrize(
    ("method", "reason", "rebuild"), [("peermem", "x", True), ("peermem", None, False), ("dma_buf", "x", False)]
)
def test_a_rebuild_is_for_peermem_only(method: str, reason: str | None, rebuild: bool) -> None:
    facts = {"gpu_direct_method": method, "__gpu_direct_have": {"peermem": {"rebuild": reason}}}
    assert render("gpu_direct", "__gpu_direct_rebuild", facts) is rebuild
