# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done about a set of packages, what is refused, and the way back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._apt.observe import (
    Have,
    Trial,
    advice_on_fetching,
    complaint,
    described,
    is_settled,
    parse_installed,
    parse_madison,
    wanted_files,
    words_to_install,
)
from ansible_collections.railhead.cluster.plugins.module_utils._apt.plan import plan_pinned, way_back
from ansible_collections.railhead.cluster.plugins.module_utils._apt.request import Package, Repository, Want
from ansible_collections.railhead.cluster.plugins.module_utils._apt.simulation import Simulation
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Result
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import InstallFile

KEY = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n"
DOCA = Repository("doca", ("https://host/doca/",), ("./",), (), "https://host/key.pub")
WANT = Want("rdma", (DOCA,), (Package("doca-ofed", "3.1.0"), Package("dkms")))
KEY_PATH = "/etc/apt/keyrings/railhead-rdma.doca.asc"
SOURCES = WANT.sources_path
PREFERENCES = WANT.preferences_path
BARE = Have({"dkms": "3.0"}, {SOURCES: None, PREFERENCES: None})
TRIAL = Trial({"doca": KEY}, Simulation({"doca-ofed": "3.1.0"}))


def settled(want: Want, installed: dict[str, str], key: bytes = KEY) -> Have:
    files = wanted_files(BARE, want, {one.name: key for one in want.repositories})
    return Have(installed, {path: (text or b"").decode(errors="replace").rstrip("\n") for path, text in files.items()})


DONE = settled(WANT, {"doca-ofed": "3.1.0", "dkms": "3.0"})


def commands(have: Have, want: Want) -> list[str]:
    return [
        " ".join(word for word in step.shown if not word.startswith("sha256:"))
        for step in plan_pinned(have, want).steps
    ]


def test_a_bare_host_gets_key_sources_and_pins_before_its_packages() -> None:
    said = commands(replace(BARE, trial=TRIAL), WANT)
    assert said[:3] == [f"install {KEY_PATH}", f"install {SOURCES}", f"install {PREFERENCES}"]
    assert said[3].startswith("apt-get update --error-on=any") and f"SourceList={SOURCES}" in said[3]
    assert said[4].endswith("--no-remove --download-only install doca-ofed=3.1.0")
    assert said[5].endswith("--no-remove install doca-ofed=3.1.0")
    assert len(said) == 6


def test_a_host_without_a_place_for_keys_gets_one() -> None:
    assert commands(replace(BARE, trial=TRIAL, keyrings=False), WANT)[0] == "mkdir /etc/apt/keyrings"


def test_nothing_is_done_where_all_is_there() -> None:
    assert is_settled(DONE, WANT)
    assert commands(DONE, WANT) == []
    assert plan_pinned(DONE, WANT).before == plan_pinned(DONE, WANT).after


@pytest.mark.parametrize(
    "have",
    [
        replace(DONE, installed={"doca-ofed": "3.1.01", "dkms": "3.0"}),
        replace(DONE, installed={"doca-ofed": "3.1.0"}),
        replace(DONE, files={**DONE.files, KEY_PATH: None}),
        replace(DONE, files={**DONE.files, SOURCES: "# changed"}),
        replace(DONE, files={**DONE.files, PREFERENCES: None}),
        replace(DONE, files={**DONE.files, "/etc/apt/keyrings/railhead-rdma.cuda.asc": "x"}),
    ],
)
def test_each_difference_counts(have: Have) -> None:
    assert not is_settled(have, WANT)


def test_a_key_from_another_url_is_another_key() -> None:
    moved = replace(WANT, repositories=(replace(DOCA, signed_by="https://mirror/key.pub"),))
    assert not is_settled(DONE, moved)


def test_a_renewed_key_is_taken_with_the_next_change() -> None:
    have = replace(
        DONE, installed={"doca-ofed": "3.0", "dkms": "3.0"}, trial=replace(TRIAL, keys={"doca": KEY + b"y\n"})
    )
    assert commands(have, WANT)[0] == f"install {KEY_PATH}"


def test_a_binary_key_is_kept_as_one() -> None:
    have = replace(BARE, trial=replace(TRIAL, keys={"doca": b"\x99\x01"}))
    assert commands(have, WANT)[0] == "install /etc/apt/keyrings/railhead-rdma.doca.gpg"
    assert is_settled(settled(WANT, dict(DONE.installed), b"\x99\x01"), WANT)


def test_what_is_not_named_any_more_is_taken_away() -> None:
    empty = Want("rdma")
    assert sorted(commands(replace(DONE, trial=Trial()), empty)) == sorted(f"rm -f {path}" for path in DONE.files)


def test_a_package_without_version_stays_what_it_is() -> None:
    newer = replace(DONE, installed={"doca-ofed": "3.0", "dkms": "3.9"})
    assert words_to_install(newer, WANT) == ["doca-ofed=3.1.0"]
    assert words_to_install(replace(DONE, installed={"doca-ofed": "3.1.0"}), WANT) == ["doca-ofed=3.1.0", "dkms"]


def test_conflicts_go_in_the_same_transaction_with_consent() -> None:
    want = replace(WANT, conflicts=(Package("mlnx-*"),))
    have = replace(DONE, installed={**DONE.installed, "mlnx-tools": "1"}, broken={"mlnx-half": "2"})
    trial = replace(TRIAL, simulation=Simulation(removed={"mlnx-tools": "1", "mlnx-half": "2"}))
    assert words_to_install(have, want) == ["doca-ofed=3.1.0", "mlnx-half-", "mlnx-tools-"]
    with pytest.raises(
        RailheadError, match=r"removes mlnx-half 2, mlnx-tools 1 \(mlnx-half, mlnx-tools must not .*allow_removal"
    ):
        plan_pinned(replace(have, trial=trial), want)
    allowed = commands(replace(have, trial=trial), replace(want, allow_removal=True))
    assert allowed[-1].endswith("--purge install doca-ofed=3.1.0 mlnx-half- mlnx-tools-")


def test_a_downgrade_needs_consent_of_its_own() -> None:
    trial = replace(TRIAL, simulation=Simulation(changed={"doca-ofed": ("3.2", "3.1.0")}, downgraded=("doca-ofed",)))
    have = replace(DONE, installed={"doca-ofed": "3.2", "dkms": "3"}, trial=trial)
    with pytest.raises(RailheadError, match=r"downgrades doca-ofed from 3.2 to 3.1.0\. .*allow_downgrade"):
        plan_pinned(have, replace(WANT, allow_removal=True))
    allowed = commands(have, replace(WANT, allow_downgrade=True))
    assert "--allow-downgrades" in allowed[-1] and "--no-remove" in allowed[-1]


def test_what_comes_along_is_named_with_the_others() -> None:
    trial = replace(TRIAL, along=(Package("libcuda1", "580*"),))
    assert commands(replace(BARE, trial=trial), WANT)[-1].endswith("install doca-ofed=3.1.0 libcuda1=580*")


def test_the_diff_tells_what_comes_with_a_package() -> None:
    trial = replace(TRIAL, simulation=Simulation({"rdma-core": "2"}, {"doca-ofed": ("3.0", "3.1.0")}, {"old": "1"}))
    have = replace(DONE, installed={"doca-ofed": "3.0", "dkms": "3", "old": "1"}, trial=trial)
    plan = plan_pinned(have, replace(WANT, allow_removal=True))
    assert plan.before["packages"] == {"dkms": "3", "doca-ofed": "3.0", "old": "1", "rdma-core": None}
    assert plan.after["packages"] == {"dkms": "3", "doca-ofed": "3.1.0", "old": None, "rdma-core": "2"}


def test_the_way_back_before_all_is_fetched() -> None:
    have = replace(BARE, files={SOURCES: "# earlier", PREFERENCES: None}, trial=TRIAL)
    steps = plan_pinned(have, WANT).steps
    back = way_back(have, steps[:4])
    assert [step.shown[:3] for step in back if not isinstance(step, InstallFile)] == [
        ["rm", "-f", PREFERENCES],
        ["rm", "-f", KEY_PATH],
    ]
    assert [(step.path, step.content) for step in back if isinstance(step, InstallFile)] == [(SOURCES, b"# earlier\n")]


def test_no_way_back_once_all_is_fetched() -> None:
    assert way_back(BARE, plan_pinned(replace(BARE, trial=TRIAL), WANT).steps[:5]) == ()


def test_a_file_that_was_taken_away_comes_back() -> None:
    steps = plan_pinned(replace(DONE, trial=Trial()), Want("rdma")).steps
    back = way_back(DONE, steps)
    assert {step.path for step in back if isinstance(step, InstallFile)} == set(DONE.files)


VERSIONS = st.sampled_from(["1", "1.0", "2", "2mlnx1"])
NAMES = st.sampled_from(["doca-ofed", "mlnx-tools", "dkms", "rdma-core"])
PINS = st.dictionaries(NAMES, st.sampled_from(["1", "1.0", "2", "2*", ""]), max_size=3)


@settings(deadline=None)
@given(
    installed=st.dictionaries(NAMES, VERSIONS),
    pins=PINS,
    globs=st.sets(st.sampled_from(["mlnx-*", "x", "rdma-core=1*"])),
)
def test_what_the_words_say_leaves_nothing_to_say(
    installed: dict[str, str], pins: dict[str, str], globs: set[str]
) -> None:
    """A host that does what the words say, in place of apt-get, has nothing left to do."""
    conflicts = tuple(Package(*glob.split("=")) for glob in sorted(globs))
    packages = tuple(Package(name, version) for name, version in sorted(pins.items()))
    want = Want("x", packages=packages, conflicts=conflicts)
    have = settled(replace(want, conflicts=()), dict(installed))
    after = dict(installed)
    for word in words_to_install(have, want):
        name, _equals, version = word.partition("=")
        if word.endswith("-"):
            del after[word[:-1]]
        else:
            after[name] = version.replace("*", ".5") or "9"
    assert words_to_install(replace(have, installed=after), want) == []
    assert is_settled(replace(have, installed=after), want)


# Answers of apt-get on Debian 12 (2.6.1) and 13 (3.0.4).
WRONG_KEY_GPGV = (
    "W: An error occurred during the signature verification. GPG error: file:/r ./ InRelease: NO_PUBKEY"
    " A073062483E2CBAD\n"
    "E: Failed to fetch file:/r/./InRelease  The following signatures couldn't be verified because the public key is"
    " not available: NO_PUBKEY A073062483E2CBAD\n"
    "E: Some index files failed to download. They have been ignored, or old ones used instead.\n"
)
WRONG_KEY_SQV = (
    "E: Failed to fetch file:/r/./InRelease  Sub-process /usr/bin/sqv returned an error code (1), error message is:"
    " Missing key 15A64612EFB4D6DDAC28C195BC18D6B7797B32BD, which is needed to verify signature.\n"
)
NEW_AND_UNSIGNED = "E: The repository 'http://127.0.0.1/site ./ InRelease' is not signed.\n"
REFUSED = (
    "E: Failed to fetch http://127.0.0.1:9/doca/./InRelease  Could not connect to 127.0.0.1:9 (127.0.0.1). - connect"
    " (111: Connection refused)\n"
    "E: Some index files failed to download. They have been ignored, or old ones used instead.\n"
)
UNKNOWN_HOST = "E: Failed to fetch http://nosuch.example/r/./InRelease  Could not resolve 'nosuch.example'\n"
NO_RELEASE = "E: The repository 'file:/nosuch ./ Release' does not have a Release file.\n"
TWO_KEYS = "E: Conflicting values set for option Signed-By regarding source file:/r/ ./: /a.gpg != /b.asc\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (WRONG_KEY_GPGV, "the key that the vendor signs"),
        (WRONG_KEY_SQV, "the key that the vendor signs"),
        (NEW_AND_UNSIGNED, "the key that the vendor signs"),
        (REFUSED, "a mirror or proxy"),
        (UNKNOWN_HOST, "a mirror or proxy"),
        (NO_RELEASE, "Check uris and suites"),
        (TWO_KEYS, "Another file in /etc/apt"),
    ],
)
def test_the_advice_fits_the_answer(text: str, words: str) -> None:
    assert words in advice_on_fetching(text)


def test_only_the_complaint_is_repeated() -> None:
    assert complaint(Result(100, stderr=REFUSED)) == (
        "E: Failed to fetch http://127.0.0.1:9/doca/./InRelease Could not connect to 127.0.0.1:9 (127.0.0.1). - connect"
        " (111: Connection refused)"
    )
    stdout = "Some packages.\n\nThe following packages have unmet dependencies:\n tar : Breaks: dpkg-dev (< 1.14.26)\n"
    stderr = "E: Error, pkgProblemResolver::Resolve generated breaks, this may be caused by held packages.\n"
    assert complaint(Result(100, stdout, stderr)).endswith("held packages; tar : Breaks: dpkg-dev (< 1.14.26)")
    assert complaint(Result(1)) == "nothing"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a=1", "b-"], "install a=1 and remove b"),
        (["a=1", "c"], "install a=1 c"),
        (["b-"], "remove b"),
    ],
)
def test_the_attempt_is_said_in_words(words: list[str], expected: str) -> None:
    assert described(words) == expected


def test_installed_packages_are_those_that_are_whole() -> None:
    rows = ["a 1 installed", "b 2 half-configured", "c 3 config-files", "d 4 triggers-pending", "a 0 installed"]
    text = "\n".join([*(row.replace(" ", "\t") for row in rows), "e\t\tnot-installed\n"])
    assert parse_installed(text) == ({"a": "1", "d": "4"}, {"b": "2"})


def test_versions_that_there_are() -> None:
    text = " doca-ofed | 3.2.0-125000 | file:/r ./ Packages\n doca-ofed | 3.1.0-091513 | file:/r ./ Packages\n"
    assert parse_madison(text + text) == {"doca-ofed": ["3.2.0-125000", "3.1.0-091513"]}
