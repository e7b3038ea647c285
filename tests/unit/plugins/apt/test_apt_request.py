# SPDX-License-Identifier: GPL-3.0-or-later
"""What is accepted of variables, and the files that it becomes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._apt.request import (
    Package,
    Want,
    matches,
    render_preferences,
    render_sources,
    want_from,
)
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError

ARMORED = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nx\n-----END PGP PUBLIC KEY BLOCK-----"


def repository(**more: Any) -> dict[str, Any]:
    plain = {"name": "doca", "uris": ["https://host/doca/"], "suites": ["./"], "components": None}
    return {**plain, "signed_by": "https://host/key.pub", **more}


def ask(**more: Any) -> Want:
    plain: dict[str, Any] = {"name": "rdma", "repositories": [], "packages": [], "conflicts": [], "pins": []}
    return want_from({**plain, "allow_downgrade": False, "allow_removal": False, **more})


@pytest.mark.parametrize(
    ("version", "pattern", "expected"),
    [
        ("3.1.0-091513", "3.1.0-091513", True),
        ("3.1.01", "3.1.0", False),
        ("3.1.01", "3.1.0*", True),
        ("3x1.0", "3.1.0", False),
        ("13.1.0", "3.1.0*", False),
        ("2507mlnx58-1", "*mlnx*", True),
        ("50.0", "*mlnx*", False),
        ("1:2.3", "2.3", False),
    ],
)
def test_versions_are_compared_exactly(version: str, pattern: str, expected: bool) -> None:
    assert matches(version, pattern) is expected


def test_sources_are_deb822() -> None:
    want = ask(
        repositories=[
            repository(),
            repository(name="cuda", suites=["stable"], components=["main", "extra"], signed_by="/usr/share/k.gpg"),
        ]
    )
    assert render_sources(want, {"doca": "/etc/apt/keyrings/railhead-rdma.doca.asc", "cuda": "/usr/share/k.gpg"}) == (
        "# Written by railhead.cluster.apt_pinned; changes are lost.\n"
        "# doca\n"
        "# Key: https://host/key.pub\n"
        "Types: deb\n"
        "URIs: https://host/doca/\n"
        "Suites: ./\n"
        "Signed-By: /etc/apt/keyrings/railhead-rdma.doca.asc\n"
        "\n"
        "# cuda\n"
        "Types: deb\n"
        "URIs: https://host/doca/\n"
        "Suites: stable\n"
        "Components: main extra\n"
        "Signed-By: /usr/share/k.gpg\n"
    )
    assert render_sources(ask(), {}) == ""


def test_only_packages_with_a_version_are_pinned() -> None:
    want = ask(packages=[{"name": "doca-ofed", "version": "3.1.0*"}, {"name": "dkms", "version": None}])
    assert render_preferences(want).splitlines()[1:] == [
        "Package: doca-ofed",
        "Pin: version 3.1.0*",
        "Pin-Priority: 999",
    ]
    assert render_preferences(ask(packages=[{"name": "dkms", "version": ""}])) == ""


def test_pins_hold_what_comes_along_after_what_is_named() -> None:
    want = ask(
        packages=[{"name": "nvidia-open", "version": "580.65.06-1"}],
        pins=[{"packages": " src:*nvidia*:any  src:cuda-drivers:any", "version": "580.65.06-*"}],
    )
    assert render_preferences(want) == (
        "# Written by railhead.cluster.apt_pinned; changes are lost.\n"
        "Package: nvidia-open\n"
        "Pin: version 580.65.06-1\n"
        "Pin-Priority: 999\n"
        "\n"
        "Package: src:*nvidia*:any src:cuda-drivers:any\n"
        "Pin: version 580.65.06-*\n"
        "Pin-Priority: 999\n"
    )


@pytest.mark.parametrize(
    ("name", "source", "version"),
    [
        ("libcuda1", "nvidia-graphics-drivers", "580*"),
        ("nvidia-x", "other", None),
        ("cuda-drivers", "cuda-drivers", "580*"),
        ("cuda-drivers-fabric", "fabric", None),
        ("imex", "other", "1"),
        ("imex", "nvidia-imex", "580*"),
    ],
)
def test_the_first_pin_that_fits_counts(name: str, source: str, version: str | None) -> None:
    found = ask(
        pins=[
            {"packages": "src:*nvidia*:any src:cuda-drivers:any", "version": "580*"},
            {"packages": "x imex", "version": "1"},
        ]
    ).pin_of(name, source)
    assert (found.version if found else None) == version


@pytest.mark.parametrize(
    ("conflicts", "found"),
    [
        (["mlnx-*"], ["mlnx-tools"]),
        (["*=*mlnx*"], ["rdma-core"]),
        (["rdma-core=56*"], []),
        (["rdma-core", "mlnx-tools=1"], ["mlnx-tools", "rdma-core"]),
        (["mlnx"], []),
    ],
)
def test_conflicts_are_patterns_of_names_and_versions(conflicts: list[str], found: list[str]) -> None:
    installed = {"mlnx-tools": "1", "rdma-core": "2507mlnx58-1", "xmlnx-tools": "1"}
    assert ask(conflicts=conflicts).found_conflicts(installed) == found


def test_any_version_will_do_when_none_is_given() -> None:
    assert Package("dkms").is_at("3")
    assert not Package("dkms").is_at(None)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"name": "a/b"}, "'a/b' as name"),
        ({"name": "a.b"}, "'a.b' as name"),
        ({"repositories": [repository(name="../x")]}, "as the name of a repository"),
        ({"repositories": [repository(uris=["host/doca"])]}, "as uris of doca"),
        ({"repositories": [repository(uris=["https://host/ x"])]}, "as uris of doca"),
        ({"repositories": [repository(uris=[])]}, "give at least one of uris"),
        ({"repositories": [repository(suites=["stable"])]}, "without components"),
        ({"repositories": [repository(components=["main"])]}, "a path that ends with a slash has none"),
        ({"repositories": [repository(signed_by="key.asc")]}, "as signed_by of the repository doca"),
        ({"repositories": [repository(signed_by="https://host/a b")]}, "as signed_by"),
        ({"repositories": [repository(), repository()]}, "doca is there twice"),
        ({"packages": [{"name": "a", "version": "1"}]}, "'a' as the name of a package"),
        ({"packages": [{"name": "dkms-"}]}, "'dkms-' as the name of a package"),
        ({"packages": [{"name": "dkms", "version": "1*1"}]}, "'1*1' as the version"),
        ({"packages": [{"name": "dkms", "version": "1 2"}]}, "'1 2' as the version of dkms"),
        ({"packages": [{"name": "dkms"}, {"name": "dkms", "version": "1"}]}, "dkms is there twice"),
        ({"conflicts": ["*"]}, "that is every package"),
        ({"conflicts": ["a b"]}, "'a b' as conflicts"),
        ({"pins": [{"packages": " ", "version": "1"}]}, "'' as packages of pins"),
        ({"pins": [{"packages": "libc6 src:a:any:any", "version": "1"}]}, "'src:a:any:any' as packages of pins"),
        ({"pins": [{"packages": "libc6 src:*:any", "version": "1"}]}, "'src:*:any' in pins: that is every package"),
        ({"pins": [{"packages": "libc6", "version": ""}]}, "'' as a version of pins"),
        ({"pins": [{"packages": "libc6", "version": "1\nPin-Priority: 9"}]}, "as a version of pins"),
        ({"packages": [{"name": "mlnx-tools"}], "conflicts": ["mlnx-*"]}, "conflicts also names"),
    ],
)
def test_wrong_variables_are_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(RailheadError, match=re.escape(words)):
        ask(**more)


def test_keys_are_told_apart() -> None:
    want = ask(repositories=[repository(signed_by=ARMORED), repository(name="p", signed_by="/k.gpg")])
    text, path = want.repositories
    assert want.key_path(text, True) == "/etc/apt/keyrings/railhead-rdma.doca.asc"
    assert want.key_path(text, False) == "/etc/apt/keyrings/railhead-rdma.doca.gpg"
    assert want.key_path(path, True) == "/k.gpg"
