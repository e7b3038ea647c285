# SPDX-License-Identifier: GPL-3.0-or-later
"""What boot loaders make of our files, by a real shell where that is what reads them."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._boot.cmdline import (
    Arguments,
    joined,
    load_arguments,
    parse_cmdline,
)
from ansible_collections.railhead.cluster.plugins.module_utils._boot.loaders import (
    GRUB,
    KERNEL_INSTALL,
    drop_in,
    parse_configuration,
    parse_defaults,
    parse_entry,
)
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError

OURS = "/etc/default/grub.d/90-railhead.cfg"
# As update-grub of Debian 13 (GRUB 2.12) made it on a node of the lab, less what is around the lines; the last one is
# composed from Ubuntu's 10_linux, whose entries have a variable.
GRUB_CFG = """\
menuentry 'Debian GNU/Linux' --class debian {
\tlinux\t/boot/vmlinuz-6.12.117+deb13-amd64 root=UUID=14f2f89e-6e81 ro console=ttyS0  quiet
}
submenu 'Advanced options for Debian GNU/Linux' {
\tmenuentry 'Debian GNU/Linux, with Linux 6.12.117+deb13-amd64' {
\t\tlinux\t/boot/vmlinuz-6.12.117+deb13-amd64 root=UUID=14f2f89e-6e81 ro console=ttyS0  quiet iommu=pt
\t}
\tmenuentry 'Debian GNU/Linux, with Linux 6.12.117+deb13-amd64 (recovery mode)' {
\t\tlinux\t/boot/vmlinuz-6.12.117+deb13-amd64 root=UUID=14f2f89e-6e81 ro single dis_ucode_ldr console=ttyS0
\t}
\tmenuentry 'Ubuntu, with Linux 6.8.0-60-generic' {
\t\tlinux\t/boot/vmlinuz-6.8.0-60-generic root=UUID=14f2f89e-6e81 ro  quiet splash $vt_handoff
\t}
}
"""


def test_entries_of_grub() -> None:
    found = {kernel: joined(arguments) for kernel, arguments in parse_configuration(GRUB_CFG).items()}
    assert found == {
        "vmlinuz-6.12.117+deb13-amd64": "root=UUID=14f2f89e-6e81 ro console=ttyS0 quiet",
        "vmlinuz-6.8.0-60-generic": "root=UUID=14f2f89e-6e81 ro quiet splash",
    }


def test_arguments_of_all_files() -> None:
    files = {
        "/etc/default/grub": (
            'GRUB_CMDLINE_LINUX_DEFAULT="quiet iommu=off"  # the installer\nGRUB_CMDLINE_LINUX=console=ttyS0\n'
            '#GRUB_CMDLINE_LINUX="no"\nGRUB_DISTRIBUTOR=`( . /etc/os-release )`\n'
        ),
        "/etc/default/grub.d/50-cloud.cfg": "GRUB_CMDLINE_LINUX_DEFAULT='console=tty1'\n",
        "/etc/default/grub.d/kdump.cfg": (
            'export GRUB_CMDLINE_LINUX_DEFAULT="${GRUB_CMDLINE_LINUX_DEFAULT} crashkernel=512M-:192M"\n'
        ),
    }
    others, resets = parse_defaults(files, OURS)
    assert {path: joined(arguments) for path, arguments in others.items()} == {
        "/etc/default/grub": "console=ttyS0",
        "/etc/default/grub.d/50-cloud.cfg": "console=tty1",
        "/etc/default/grub.d/kdump.cfg": "crashkernel=512M-:192M",
    }
    assert resets == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('="quiet \\\n  iommu=off"\nGRUB_TIMEOUT=0\n', "quiet iommu=off"),
        ("='quiet\niommu=off'\n", "quiet iommu=off"),
        ('="quiet"\' iommu=off\' # "no\n', "quiet iommu=off"),
        ("=\nGRUB_TIMEOUT=0\n", ""),
        ("=", ""),
    ],
)
def test_a_value_ends_where_a_shell_ends_it(text: str, words: str) -> None:
    others, _resets = parse_defaults({"/etc/default/grub": f"GRUB_CMDLINE_LINUX{text}"}, OURS)
    assert joined(others.get("/etc/default/grub", ())) == words


def test_a_file_that_is_no_shell_is_named() -> None:
    with pytest.raises(RailheadError, match="/etc/default/grub: '\"quiet' is no shell"):
        parse_defaults({"/etc/default/grub": 'GRUB_CMDLINE_LINUX="quiet\nGRUB_TIMEOUT=0\n'}, OURS)


@pytest.mark.parametrize(
    ("name", "value", "resets"),
    [
        ("95-site.cfg", '"mitigations=off"', True),
        ("95-site.cfg", '"$GRUB_CMDLINE_LINUX_DEFAULT mitigations=off"', False),
        ("80-site.cfg", '"mitigations=off"', False),
    ],
)
def test_a_later_file_that_discards_ours(name: str, value: str, resets: bool) -> None:
    path = f"/etc/default/grub.d/{name}"
    _others, found = parse_defaults({path: f"GRUB_CMDLINE_LINUX_DEFAULT={value}\n"}, OURS)
    assert found == (path if resets else "")


def test_options_of_an_entry_add_up() -> None:
    text = "title      Debian\noptions    root=UUID=1 ro\nlinux      /a/linux\noptions    iommu=pt\n"
    assert joined(parse_entry(text)) == "root=UUID=1 ro iommu=pt"


TEXTS = st.lists(
    st.sampled_from(
        ["iommu=pt", "quiet", 'note="two words; {a} & <b> | #c *"', "isolcpus=1-3,!2", "x=", "nohz_full=1~", "a.b=%d"]
    ),
    unique=True,
)
WANTED = TEXTS.map(load_arguments)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(WANTED, WANTED)
def test_a_shell_reads_our_file_for_grub_as_it_was_meant(wanted: Arguments, left: Arguments) -> None:
    text = drop_in(GRUB, wanted, left)
    script = f'GRUB_CMDLINE_LINUX_DEFAULT="quiet splash"\n{text}\nprintf %s "$GRUB_CMDLINE_LINUX_DEFAULT"\n'
    shell = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, check=True)
    assert parse_cmdline(shell.stdout) == (*parse_cmdline("quiet splash"), *wanted)
    assert parse_defaults({OURS: text}, "")[0].get(OURS, ()) == wanted


@settings(max_examples=20, derandomize=True, deadline=None)
@given(wanted=WANTED)
def test_kernel_install_runs_our_file(tmp_path_factory: pytest.TempPathFactory, wanted: Arguments) -> None:
    folder = tmp_path_factory.mktemp("boot")
    entries = folder / "loader" / "entries"
    entries.mkdir(parents=True)
    for name in ("id-6.1.0-1.conf", "id-6.1.0-1+3.conf", "id-6.1.0-10.conf", "other-6.1.0-1.conf"):
        (entries / name).write_text("options    root=UUID=1 ro\n", encoding="utf-8")
    plugin = folder / "95-railhead.install"
    plugin.write_text(drop_in(KERNEL_INSTALL, wanted, ()), encoding="utf-8")
    # The environment and the arguments that kernel-install(8) gives its plugins.
    environment = {"KERNEL_INSTALL_LAYOUT": "bls", "KERNEL_INSTALL_BOOT_ROOT": str(folder), "PATH": "/usr/bin:/bin"}
    environment["KERNEL_INSTALL_ENTRY_TOKEN"] = "id"  # noqa: S105

    def run(verb: str, **changes: str) -> None:
        argv = ["sh", str(plugin), verb, "6.1.0-1", str(folder / "id" / "6.1.0-1"), "/boot/vmlinuz-6.1.0-1"]
        subprocess.run(argv, env={**environment, **changes}, check=True)

    run("remove")
    run("add", KERNEL_INSTALL_LAYOUT="uki")
    run("add")
    found = {path.name: parse_entry(path.read_text(encoding="utf-8")) for path in entries.iterdir()}
    base = parse_cmdline("root=UUID=1 ro")
    assert found == {
        "id-6.1.0-1.conf": (*base, *wanted),
        "id-6.1.0-1+3.conf": (*base, *wanted),
        "id-6.1.0-10.conf": base,
        "other-6.1.0-1.conf": base,
    }
