# SPDX-License-Identifier: GPL-3.0-or-later
"""Where images are copied from and to."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.railhead.cluster.plugins.filter.kubernetes_images import FilterModule

kubernetes_images = FilterModule().filters()["kubernetes_images"]

DIGEST = "sha256:" + "0123456789abcdef" * 4
PAUSE = "registry.k8s.io/pause:3.10"
MULTUS = f"ghcr.io/k8snetworkplumbingwg/multus-cni:v4.3.0-thick@{DIGEST}"


@pytest.mark.parametrize(
    ("image", "target", "source", "expected"),
    [
        (
            PAUSE,
            "docker://registry.example:5000",
            "",
            (f"docker://{PAUSE}", "docker://registry.example:5000/pause:3.10", "", "registry.example:5000/pause:3.10"),
        ),
        (
            MULTUS,
            "docker://registry.example/mirror/",
            "",
            (
                f"docker://ghcr.io/k8snetworkplumbingwg/multus-cni@{DIGEST}",
                "docker://registry.example/mirror/k8snetworkplumbingwg/multus-cni:v4.3.0-thick",
                DIGEST,
                "registry.example/mirror/k8snetworkplumbingwg/multus-cni:v4.3.0-thick",
            ),
        ),
        (PAUSE, "dir:/srv/images", "", (f"docker://{PAUSE}", "dir:/srv/images/pause/3.10", "", PAUSE)),
        (
            MULTUS,
            "docker://192.0.2.1:5000",
            "dir:/srv/images",
            (
                "dir:/srv/images/k8snetworkplumbingwg/multus-cni/v4.3.0-thick",
                "docker://192.0.2.1:5000/k8snetworkplumbingwg/multus-cni:v4.3.0-thick",
                DIGEST,
                "192.0.2.1:5000/k8snetworkplumbingwg/multus-cni:v4.3.0-thick",
            ),
        ),
    ],
)
def test_places(image: str, target: str, source: str, expected: tuple[str, ...]) -> None:
    (found,) = kubernetes_images({"name": image}, target, source)
    assert found.pop("name") == "name"
    assert tuple(found[key] for key in ("source", "destination", "digest", "reference")) == expected


def test_what_a_mirror_has_can_be_mirrored_again() -> None:
    first = kubernetes_images({"multus": MULTUS}, "dir:/srv/images")
    again = {each["name"]: f"{each['reference']}@{each['digest']}" for each in first}
    assert again == {"multus": MULTUS}
    (second,) = kubernetes_images(again, "docker://registry.example", "dir:/srv/images")
    assert second["source"] == first[0]["destination"]


@pytest.mark.parametrize(
    ("images", "target", "source", "message"),
    [
        ({"pause": "pause:3.10"}, "dir:/srv", "", "'pause:3.10' is no whole reference"),
        ({"pause": "registry.k8s.io/pause"}, "dir:/srv", "", "is no whole reference"),
        ({"pause": f"{PAUSE}@sha256:12"}, "dir:/srv", "", "is no whole reference"),
        ({"pause": PAUSE}, "dir:srv", "", "Cannot copy images to 'dir:srv'"),
        ({"pause": PAUSE}, "registry.example", "", "Cannot copy images to 'registry.example'"),
        ({"pause": PAUSE}, "dir:/srv", "oci:/srv", "Cannot copy images from 'oci:/srv'"),
        ({"a": "one.example/x:1", "b": "two.example/x:1"}, "dir:/srv", "", "they have one name"),
    ],
)
def test_refusals(images: dict[str, str], target: str, source: str, message: str) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        kubernetes_images(images, target, source)
    assert message in str(refused.value)
