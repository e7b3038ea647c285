# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel command lines as the kernel reads them, and what somebody asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._boot.cmdline import (
    Argument,
    contradicting,
    iommu_arguments,
    joined,
    lacking,
    load_arguments,
    parse_cmdline,
    texts_of,
    without,
)
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", ()),
        ("root=/dev/vda ro\n", (Argument("root", "/dev/vda"), Argument("ro"))),
        ("a= b=c=d", (Argument("a", ""), Argument("b", "c=d"))),
        # The quotes around a value, around a whole word, and inside of a value; see next_arg() in lib/cmdline.c.
        ('dyndbg="file a.c +p" x', (Argument("dyndbg", "file a.c +p"), Argument("x"))),
        ('"dyndbg=file a.c +p" x', (Argument("dyndbg", "file a.c +p"), Argument("x"))),
        ('a=b" c"d', (Argument("a", 'b" c"d'),)),
        ('a="never closed b', (Argument("a", "never closed b"),)),
        ("quiet -- single emergency", (Argument("quiet"),)),
    ],
)
def test_words(text: str, arguments: tuple[Argument, ...]) -> None:
    assert parse_cmdline(text) == arguments


VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\"$`\\'"), max_size=12)
KEYS = st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True)
ARGUMENTS = st.builds(Argument, KEYS, st.none() | VALUES)


@given(st.lists(ARGUMENTS))
def test_what_is_written_is_read_back(arguments: list[Argument]) -> None:
    assert parse_cmdline(joined(arguments)) == tuple(arguments)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["iommu=pt intel_iommu=on"], ["it is 2 words", "its own entry"]),
        ([""], ["it is 0 words"]),
        (["memmap=4G$16G"], ["'memmap=4G$16G'", "a boot loader would change it"]),
        (["a=`reboot`"], ["a boot loader would change it"]),
        (["a=\nb"], ["a boot loader would change it"]),
        (["=x"], ["give a name"]),
        (['a=b"c"'], ["give a name, or name=value"]),
        (["root=/dev/sda2"], ["'root=/dev/sda2'", "the boot loader says this"]),
        (["iommu=pt", "iommu=off"], ["iommu=off and iommu=pt", "only the last one would count"]),
        (["processor.max_cstate=1", "processor.max-cstate=2"], ["only the last one would count"]),
    ],
)
def test_what_cannot_be_stored_is_refused(texts: list[str], words: list[str]) -> None:
    with pytest.raises(RailheadError) as refused:
        load_arguments(texts)
    for word in words:
        assert word in str(refused.value)


def test_what_adds_up_may_be_given_twice() -> None:
    texts = ["console=tty0", "console=ttyS0", "hugepagesz=2M", "hugepages=8", "hugepagesz=1G", "hugepages=2"]
    assert texts_of(load_arguments(texts)) == texts


@pytest.mark.parametrize(
    ("line", "want", "missing"),
    [
        ("ro iommu=pt quiet", ["iommu=pt"], []),
        ("iommu=off iommu=pt", ["iommu=pt"], []),
        ("iommu=pt iommu=off", ["iommu=pt"], ["iommu=pt"]),
        ("iommu=pt,strict", ["iommu=pt"], ["iommu=pt"]),
        ("a_b=1", ["a-b=1"], ["a-b=1"]),
        # Each number of huge pages is for the size before it.
        ("hugepages=8 hugepagesz=2M", ["hugepagesz=2M", "hugepages=8"], ["hugepagesz=2M", "hugepages=8"]),
        ("hugepagesz=2M hugepages=80", ["hugepagesz=2M", "hugepages=8"], ["hugepagesz=2M", "hugepages=8"]),
    ],
)
def test_what_a_line_lacks(line: str, want: list[str], missing: list[str]) -> None:
    assert texts_of(lacking(parse_cmdline(line), load_arguments(want))) == missing


def test_the_last_of_two_goes() -> None:
    assert joined(without(parse_cmdline("a=1 b a=1 c"), parse_cmdline("a=1 d"))) == "a=1 b c"


def test_who_contradicts() -> None:
    others = {
        "/etc/default/grub": parse_cmdline("quiet iommu=off console=tty0"),
        "/etc/default/grub.d/x.cfg": parse_cmdline("hugepages=4"),
        "/etc/default/grub.d/y.cfg": parse_cmdline("iommu=pt"),
    }
    want = load_arguments(["iommu=pt", "hugepagesz=2M", "hugepages=4", "console=ttyS0"])
    assert {path: joined(found) for path, found in contradicting(others, want).items()} == {
        "/etc/default/grub": "iommu=off",
        "/etc/default/grub.d/x.cfg": "hugepages=4",
    }


@pytest.mark.parametrize(
    ("cpuinfo", "line"),
    [
        ("vendor_id\t: GenuineIntel\n", "intel_iommu=on iommu=pt"),
        ("vendor_id\t: AuthenticAMD\n", "iommu=pt"),
        ("vendor_id\t: HygonGenuine\n", "iommu=pt"),
        ("CPU implementer\t: 0x41\n", "iommu.passthrough=1"),
    ],
)
def test_the_iommu_of_each_processor(cpuinfo: str, line: str) -> None:
    assert joined(iommu_arguments(cpuinfo)) == line


def test_an_unknown_processor_is_refused() -> None:
    with pytest.raises(RailheadError, match="neither Intel, AMD, Hygon nor ARM"):
        iommu_arguments("hart\t: 0\n")
