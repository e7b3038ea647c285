# SPDX-License-Identifier: GPL-3.0-or-later
"""Images and golden nodes are cached under hashes of what they are made from."""

import dataclasses
from pathlib import Path

import pytest

from railhead_lab import definitions, golden, images, topology
from railhead_lab.errors import LabError
from railhead_lab.qemu import Version

BASE = definitions.Definition("x", "trixie", "trixie", ("udev",), ("siw",), "6G")
FILES = {"customize.sh": b"one", "pack.sh": b"two"}


@pytest.mark.parametrize(
    "changed",
    [
        (dataclasses.replace(BASE, packages=("sudo", "udev")), FILES, "key", 1),
        (dataclasses.replace(BASE, kernel_suite="trixie-backports"), FILES, "key", 1),
        (dataclasses.replace(BASE, disk_size="7G"), FILES, "key", 1),
        (BASE, {**FILES, "pack.sh": b"other"}, "key", 1),
        (BASE, {**FILES, "new": b""}, "key", 1),
        (BASE, FILES, "another key", 1),
        (BASE, FILES, "key", 2),
    ],
)
def test_every_input_changes_the_hash(changed):
    assert images.image_hash(*changed) != images.image_hash(BASE, FILES, "key", 1)


def test_the_order_of_the_files_does_not():
    turned = dict(reversed(FILES.items()))
    assert images.image_hash(BASE, turned, "key", 1) == images.image_hash(BASE, FILES, "key", 1)


def test_build_files_have_scripts_and_guest_files():
    names = set(images.build_files())
    assert {"customize.sh", "essential.sh", "pack.sh", "guest/etc/systemd/network/10-mgmt.link"} <= names


def test_the_three_images():
    found = definitions.load()
    assert {name: (image.suite, image.kernel_suite) for name, image in found.items()} == {
        "debian12": ("bookworm", "bookworm"),
        "debian13": ("trixie", "trixie"),
        "debian13-backports": ("trixie", "trixie-backports"),
    }
    own = {"debian13-backports": ("rdma_rxe",)}
    for name, image in found.items():
        assert image.modules == ("netdevsim", "siw", "lab_dcb", *own.get(name, ()))
        # The roles install these; a bare node has none of them.
        assert not {"rdma-core", "perftest", "openvswitch-switch"} & set(image.packages)


def test_an_unknown_image_is_answered_with_the_known():
    with pytest.raises(LabError, match=r"choose one of: .*debian13-backports"):
        definitions.get("debian11")


@pytest.mark.parametrize(("root", "mode"), [(True, "--mode=root"), (False, "--mode=unshare")])
def test_bootstrap_names_no_mirror_and_keeps_the_package_lists(root, mode):
    argv = images.bootstrap_arguments(BASE, Path("/s"), root)
    assert argv[:4] == ["mmdebstrap", mode, "--variant=minbase", "--format=tar"]
    assert argv[-1] == "trixie"
    assert not [word for word in argv if "://" in word]
    assert "--skip=cleanup/apt/lists" in argv
    assert '--customize-hook=sh /s/customize.sh "$1" trixie trixie /s/key.pub siw' in argv


@pytest.mark.parametrize("change", [{"memory": 4096}, {"cpus": 1}, {"accel": "kvm"}])
def test_a_golden_node_is_of_one_size_and_accelerator(make_spec, change):
    version = Version(10, 0, 2)
    key = golden.golden_key(make_spec(), "hash", version)
    assert golden.golden_key(make_spec(**change), "hash", version) != key


def test_a_golden_node_belongs_to_one_image_qemu_and_index(make_spec):
    key = golden.golden_key(make_spec(), "hash", Version(10, 0, 2))
    assert golden.golden_key(make_spec(), "other", Version(10, 0, 2)) != key
    assert golden.golden_key(make_spec(), "hash", Version(10, 0, 3)) != key
    assert golden.golden_key(make_spec(2), "hash", Version(10, 0, 2)) != key


def test_a_golden_node_serves_any_lab_name_port_folder_and_number_of_nodes(make_spec):
    version = Version(10, 0, 2)
    key = golden.golden_key(make_spec(), "hash", version)
    free = {"ssh_port": 4000, "label": "other", "image": Path("/elsewhere"), "ports": topology.ports_of(1, 1)}
    assert golden.golden_key(make_spec(**free), "hash", version) == key


def test_names_by_mac():
    links = '[{"ifname": "lo"}, {"ifname": "b", "address": "52:02"}, {"ifname": "a", "address": "52:01"}]'
    assert golden.names_by_mac(links, ["52:01", "52:02"]) == ["a", "b"]
    with pytest.raises(LabError, match="no link has the MAC 52:03"):
        golden.names_by_mac(links, ["52:01", "52:03"])
