# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories of small packages: what is read, what APT's index says, and that the signature holds."""

import hashlib
import subprocess
from datetime import UTC, datetime

import pytest

from railhead_lab import cli, repository
from railhead_lab.errors import LabError

TEXT = """
[[package]]
repository = "doca/3.1.0"
name = "doca-ofed"
version = "1:3.1.0-091513"
depends = ["mlnx-ofed-kernel-dkms (>= 25.07)", "linux-headers-@kernel@"]
postinst = '''#!/bin/sh
touch /done
'''
files."/usr/bin/ofed_info" = '''#!/bin/sh
echo DOCA
'''
files."/etc/doca" = "text"
"""
(DOCA,) = repository.parse(TEXT, {"kernel": "6.12"})


def test_a_package_is_read():
    assert DOCA.relations == {"depends": ("mlnx-ofed-kernel-dkms (>= 25.07)", "linux-headers-6.12")}
    assert DOCA.file_name == "doca-ofed_3.1.0-091513_all.deb"


def test_control_and_index_are_as_apt_reads_them():
    assert repository.control(DOCA).splitlines() == [
        "Package: doca-ofed",
        "Version: 1:3.1.0-091513",
        "Architecture: all",
        "Maintainer: Railhead lab <lab@railhead.example>",
        "Depends: mlnx-ofed-kernel-dkms (>= 25.07), linux-headers-6.12",
        "Description: stands for a vendor's package of this name in the lab",
    ]
    assert repository.entry(DOCA, b"deb").splitlines()[-3:] == [
        "Filename: ./doca-ofed_3.1.0-091513_all.deb",
        "Size: 3",
        f"SHA256: {hashlib.sha256(b'deb').hexdigest()}",
    ]
    text = repository.release(b"index", datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC))
    assert "Date: Sat, 21 Nov 2026 12:00:00 GMT\n" in text
    assert f"SHA256:\n {hashlib.sha256(b'index').hexdigest()} 5 Packages\n" in text


@pytest.mark.parametrize(
    ("text", "values", "words"),
    [
        (TEXT, {}, "no value is given for @kernel@"),
        ("[[package]]\nname = 'x'", {}, "KeyError"),
        ("[[package]]\nrepository = '../x'\nname = 'x'\nversion = '1'", {}, "is no folder"),
        ("[[package]]\nrepository = 'x'\nname = 'x'\nversion = '1'\nsection = 'x'", {}, "unknown keys section"),
        ("[[package]]\nrepository = 'x'\nname = 'x'\nversion = '1'\nfiles.'/x' = { path = 'y' }", {}, "source = "),
        ("[[package]", {}, "TOMLDecodeError"),
    ],
)
def test_a_wrong_file_is_refused(text, values, words):
    with pytest.raises(LabError, match=words):
        repository.parse(text, values)


def test_without_packages_there_is_no_repository(tmp_path):
    with pytest.raises(LabError, match="there is no package"):
        repository.build([], tmp_path)


def test_settings_are_pairs():
    assert cli.setting("kernel=6.12=x") == ("kernel", "6.12=x")
    options = cli.build_parser().parse_args(["repo", "build", "p.toml", "--out", "o", "--set", "a=1", "--set", "b=2"])
    assert dict(options.set) == {"a": "1", "b": "2"}
    with pytest.raises(SystemExit):
        cli.build_parser().parse_args(["repo", "build", "p.toml", "--out", "o", "--set", "kernel"])


def test_a_built_repository_is_signed_by_its_key(tmp_path):
    (tmp_path / "p.toml").write_text(TEXT)
    out = tmp_path / "out"
    assert cli.main(["repo", "build", str(tmp_path / "p.toml"), "--out", str(out), "--set", "kernel=6.12"]) == 0
    folder = out / "doca" / "3.1.0"
    keyring = tmp_path / "key.gpg"
    subprocess.run(["gpg", "--batch", "--dearmor", "-o", keyring, out / "key.asc"], check=True)
    subprocess.run(["gpgv", "--keyring", keyring, folder / "InRelease"], check=True, capture_output=True)
    index = (folder / "Packages").read_bytes()
    assert hashlib.sha256(index).hexdigest() in (folder / "InRelease").read_text()
    assert hashlib.sha256((folder / DOCA.file_name).read_bytes()).hexdigest() in index.decode()
    shown = subprocess.run(["dpkg-deb", "-c", folder / DOCA.file_name], check=True, capture_output=True, text=True)
    assert "-rwxr-xr-x root/root" in shown.stdout.replace("         ", " ")


def test_a_program_of_this_host_is_put_into_a_package(tmp_path):
    (tmp_path / "program").write_bytes(b"\x7fELF\x80")
    text = """
[[package]]
repository = "x"
name = "x"
version = "1"
files."/usr/bin/x" = { source = "@here@/program" }
"""
    packages = repository.parse(text, {"here": str(tmp_path)})
    repository.build(packages, tmp_path / "out")
    subprocess.run(["dpkg-deb", "-x", tmp_path / "out/x/x_1_all.deb", tmp_path / "root"], check=True)
    assert (tmp_path / "root/usr/bin/x").read_bytes() == b"\x7fELF\x80"
    assert (tmp_path / "root/usr/bin/x").stat().st_mode & 0o777 == 0o755
    (tmp_path / "program").unlink()
    with pytest.raises(LabError, match="program: No such file"):
        repository.build(packages, tmp_path / "again")
