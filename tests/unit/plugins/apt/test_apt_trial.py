# SPDX-License-Identifier: GPL-3.0-or-later
"""The try beside the host's own APT: what is in the tree, what is asked, and how failures read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._apt import observe
from ansible_collections.railhead.cluster.plugins.module_utils._apt.request import Package, Repository, Want
from ansible_collections.railhead.cluster.plugins.module_utils._apt.scratch import Scratch, scratch
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Result

from ..replay import ReplayHost

KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host's own configuration of APT."""
    for path, text in {
        "etc/apt/apt.conf.d/20proxy": "proxy",
        "etc/apt/sources.list.d/debian.sources": "debian",
        "etc/apt/sources.list.d/railhead-rdma.sources": "earlier",
        "etc/apt/preferences.d/own": "pins",
        "var/lib/apt/lists/debian_Packages": "packages",
        "var/lib/apt/lists/lock": "",
        "var/lib/apt/lists/partial/x": "",
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def want(signed_by: str, *packages: Package) -> Want:
    return Want("rdma", (Repository("doca", ("https://host/doca/",), ("./",), (), signed_by),), packages)


def test_the_tree_has_what_the_host_has_but_the_files_of_the_set(root: Path) -> None:
    hidden = (f"{root}/etc/apt/sources.list.d/railhead-rdma.sources",)
    with scratch(hidden, str(root)) as tree:
        there = Path(tree.tree)
        assert there.stat().st_mode & 0o777 == 0o755
        assert (there / "apt.conf.d" / "20proxy").read_text() == "proxy"
        assert [path.name for path in sorted((there / "sources.list.d").iterdir())] == ["debian.sources"]
        assert sorted(path.name for path in (there / "lists").iterdir()) == ["debian_Packages", "partial"]
        assert not list((there / "lists" / "partial").iterdir())
        assert sorted(path.name for path in (there / "apt.conf.d").iterdir())[-1] == "zzzz-railhead"
        assert f'Dir::State::Lists "{there}/lists";' in (there / "apt.conf.d" / "zzzz-railhead").read_text()
        assert (there / "apt.conf").read_text() == f'Dir::Etc::Parts "{there}/apt.conf.d";\n'
        # APT replaces a list by renaming another over it; ours must never be written through.
        tree.write({"/var/lib/apt/lists/debian_Packages": b"new", "/etc/apt/keyrings/k.asc": b"key"})
        assert (there / "lists" / "debian_Packages").read_text() == "new"
        assert (there / "keyrings" / "k.asc").stat().st_mode & 0o777 == 0o644
    assert not there.exists()
    assert (root / "var/lib/apt/lists/debian_Packages").read_text() == "packages"


def test_a_host_without_lists_has_a_tree_too(tmp_path: Path) -> None:
    with scratch((), str(tmp_path)) as tree:
        assert [path.name for path in Path(tree.tree, "lists").iterdir()] == ["partial"]


class Apt(ReplayHost):
    """Answers apt-get in the tree, and keeps what it was asked and what lay there."""

    def __init__(self, answers: dict[str, Result], files: dict[str, Any] | None = None) -> None:
        super().__init__((), files)
        self.answers = answers
        self.asked: list[str] = []
        self.sources = ""

    def run(self, argv: Sequence[str], stdin: str | None = None, **_deadline: float) -> Result:
        assert stdin is None
        words = [word for word in argv if not word.startswith(("--option=Acquire", "--option=pkgCache", "APT_CONFIG="))]
        self.asked.append(" ".join(words))
        for word in argv:
            if word.startswith("--option=Dir::Etc::SourceList="):
                self.sources = Path(word.partition("SourceList=")[2]).read_text()
        return next(answer for verb, answer in self.answers.items() if verb in argv)


@pytest.fixture
def apart(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def rooted(hidden: tuple[str, ...]) -> Iterator[Scratch]:
        with scratch(hidden, str(root)) as tree:
            yield tree

    monkeypatch.setattr(observe, "scratch", rooted)


INSTALLED = Result(0, "dkms\t3.0\tinstalled\n")
FRESH = {"dpkg-query": INSTALLED, "update": Result(0), "install": Result(0, "Inst doca-ofed (3.1.0 x [all])\n")}


@pytest.mark.usefixtures("apart")
def test_a_repository_is_asked_with_the_key_in_the_tree() -> None:
    host = Apt(FRESH)
    have = observe.observe_pinned(host, want(KEY, Package("doca-ofed", "3.1.0")))
    assert have.trial is not None
    assert dict(have.trial.simulation.installed) == {"doca-ofed": "3.1.0"}
    assert "Signed-By: /" in host.sources and "/keyrings/railhead-rdma.doca.asc\n" in host.sources
    assert "Signed-By: /etc/apt" not in host.sources
    query, update, simulate = host.asked
    assert query.startswith("dpkg-query")
    assert update.startswith("env apt-get update --error-on=any --option=Dir::Etc::SourceList=")
    assert simulate.endswith("--purge --no-install-recommends install doca-ofed=3.1.0")


BUILT_FROM = {
    # To be moved; there already; not offered; a conflict; named; not of the driver.
    "libcuda1": ("595.71-1", "nvidia-graphics-drivers"),
    "libnvidia-ml1": ("580.65-1", "nvidia-graphics-drivers"),
    "nvidia-imex": ("595.71-1", "nvidia-imex"),
    "nvidia-kernel-dkms": ("595.71-1", "nvidia-graphics-drivers"),
    "nvidia-open": ("595.71-1", "nvidia-open"),
    "libc6": ("2.41", "glibc"),
}


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize(("version", "moves"), [("580.65-*", " libcuda1=580.65-*"), ("595.71-*", "")])
def test_what_a_pin_has_at_another_version_is_moved_with_the_packages(version: str, moves: str) -> None:
    versions = "".join(f"{name}\t{version}\tinstalled\n" for name, (version, _source) in BUILT_FROM.items())
    sources = "".join(f"{name}\t{source}\n" for name, (_version, source) in BUILT_FROM.items())
    offered = "".join(f"{name} | 580.65-1 | https://host ./ Packages\n" for name in BUILT_FROM if name != "nvidia-imex")
    asked_for = "--showformat=${Package}\\t${source:Package}\\n"
    host = Apt(
        {asked_for: Result(0, sources), "madison": Result(0, offered), **FRESH, "dpkg-query": Result(0, versions)}
    )
    asked = replace(
        want(KEY, Package("nvidia-open", version)),
        pins=(Package("src:*nvidia*:any", version),),
        conflicts=(Package("nvidia-kernel-dkms"),),
    )
    observe.observe_pinned(host, asked)
    wanted = f"nvidia-open={version}{moves} nvidia-kernel-dkms-" if moves else "nvidia-kernel-dkms-"
    assert host.asked[-1].endswith(f" install {wanted}")


@pytest.mark.usefixtures("apart")
def test_nothing_is_asked_of_a_host_that_has_all() -> None:
    asked = want("/usr/share/k.gpg", Package("dkms"))
    host = Apt(FRESH, {"/usr/share/k.gpg": "key"})
    files = observe.wanted_files(observe.observe_pinned(host, asked), asked, {})
    host = Apt(FRESH, {"/usr/share/k.gpg": "key", **{path: (text or b"").decode() for path, text in files.items()}})
    assert observe.observe_pinned(host, asked).trial is None
    assert len(host.asked) == 1


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (
            {
                "update": Result(
                    100, stderr="E: Failed to fetch https://host/doca/./InRelease  Could not resolve 'host'\n"
                )
            },
            r"Cannot use the repositories of rdma \(https://host/doca/\): .*Could not resolve 'host'\. Check uris .*"
            r"Nothing was changed",
        ),
        (
            {
                "install": Result(100, stderr="E: Version '3.1.0' for 'doca-ofed' was not found\n"),
                "madison": Result(0, " doca-ofed | 3.2.0-125000 | https://host/doca ./ Packages\n"),
            },
            r"Cannot install doca-ofed=3.1.0 .*was not found\. There is doca-ofed in 3.2.0-125000\..*Nothing was",
        ),
        (
            {"install": Result(100, stderr="E: Unable to locate package doca-ofed\n"), "madison": Result(100)},
            r"There is doca-ofed in no version\.",
        ),
    ],
)
def test_failures_say_what_to_do(answers: dict[str, Result], words: str) -> None:
    with pytest.raises(RailheadError, match=words):
        observe.observe_pinned(Apt({**FRESH, **answers}), want(KEY, Package("doca-ofed", "3.1.0")))


def test_a_key_that_is_not_there_is_missed_before_anything() -> None:
    host = Apt(FRESH)
    with pytest.raises(RailheadError, match=r"its key /nosuch\.gpg is not on this host"):
        observe.observe_pinned(host, want("/nosuch.gpg"))
    assert len(host.asked) == 1


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize(("content", "suffix"), [(KEY.encode(), "asc"), (b"\x99\x01\x0d", "gpg")])
def test_a_key_is_fetched_in_either_form(content: bytes, suffix: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(content)
    host = Apt(FRESH)
    have = observe.observe_pinned(host, want(f"file://{tmp_path}/key", Package("doca-ofed", "3.1.0")))
    assert have.trial is not None and have.trial.keys == {"doca": content}
    assert f"railhead-rdma.doca.{suffix}\n" in host.sources


@pytest.mark.usefixtures("apart")
def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("<html>")
    with pytest.raises(RailheadError, match=r"no OpenPGP key, it begins with b'<html>'"):
        observe.observe_pinned(Apt(FRESH), want(f"file://{tmp_path}/key"))
    with pytest.raises(RailheadError, match=r"Cannot fetch the key of the repository doca from file:///nosuch/key: "):
        observe.observe_pinned(Apt(FRESH), want("file:///nosuch/key"))
