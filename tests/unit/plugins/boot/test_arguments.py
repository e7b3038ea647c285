# SPDX-License-Identifier: GPL-3.0-or-later
"""Any arguments after any others, over reboots and killed runs, on a model of a host with GRUB."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._boot.arguments import Boot, Want, plan_boot
from ansible_collections.railhead.cluster.plugins.module_utils._boot.cmdline import (
    Arguments,
    lacking,
    load_arguments,
    parse_cmdline,
)
from ansible_collections.railhead.cluster.plugins.module_utils._boot.loaders import GRUB, Loader, parse_defaults
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import InstallFile, Step

OTHERS = parse_cmdline("console=ttyS0 quiet")
TEXTS = ["iommu=pt", "iommu=off", "nosmt", 'note="a b"', "hugepagesz=2M hugepages=8", "hugepagesz=1G hugepages=2"]
WANTS = st.lists(st.sampled_from(TEXTS), unique=True).filter(lambda texts: not {"iommu=pt", "iommu=off"} <= set(texts))


class GrubHost:
    """What the files and update-grub are to each other: the configuration is what the files said when it was made."""

    def __init__(self) -> None:
        self.text = ""
        self.line: Arguments = OTHERS
        self.running: Arguments = OTHERS

    def boot(self) -> Boot:
        loader = Loader(
            GRUB,
            stored=self.stored,
            left=_left(self.text),
            entries={"vmlinuz-1": self.line},
            next="vmlinuz-1",
            others={"/etc/default/grub": OTHERS},
        )
        return Boot(self.running, loader, "6.12.1")

    @property
    def stored(self) -> Arguments:
        return parse_defaults({"ours": self.text}, "")[0].get("ours", ())

    def apply(self, step: Step) -> None:
        if isinstance(step, InstallFile):
            self.text = step.content.decode()
        else:
            assert step.shown == ["update-grub"]
            self.line = (*OTHERS, *self.stored)

    def reboot(self) -> None:
        self.running = self.line


def _left(text: str) -> Arguments:
    lines = [line for line in text.splitlines() if line.startswith("# No longer wanted")]
    return parse_cmdline(lines[0].partition(": ")[2]) if lines else ()


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(st.tuples(WANTS, st.integers(0, 2), st.booleans()), min_size=1, max_size=5))
def test_the_last_run_counts(runs: list[tuple[list[str], int, bool]]) -> None:
    """A run is what is wanted, how many of its steps are taken before it is killed, and whether a reboot follows."""
    host = GrubHost()
    for texts, most, reboots in runs:
        want = Want(_loaded(texts))
        for step in plan_boot(host.boot(), want).steps[:most]:
            host.apply(step)
        if reboots:
            host.reboot()

    planned = plan_boot(host.boot(), want)
    for step in planned.steps:
        host.apply(step)
    again = plan_boot(host.boot(), want)
    assert again.steps == ()
    assert host.line == again.next == (*OTHERS, *want.arguments)
    assert (planned.next, planned.add, planned.remove) == (again.next, again.add, again.remove)
    # Without a change of words there is nothing to reboot for; with one there is.
    changes = lacking(host.running, host.line) or lacking(host.line, host.running)
    assert again.reboot_required == bool(changes)

    host.reboot()
    after = plan_boot(host.boot(), want)
    assert (after.steps, after.add, after.remove, after.reboot_required) == ((), (), (), False)


def _loaded(texts: list[str]) -> Arguments:
    words = [word for text in texts for word in ([text] if '"' in text else text.split())]
    return load_arguments(words)


def test_nothing_is_removed_that_others_say_too() -> None:
    host = GrubHost()
    host.running = host.line = (*OTHERS, *load_arguments(["nosmt"]))
    boot = host.boot()
    assert boot.loader is not None
    loader = replace(boot.loader, left=load_arguments(["quiet", "nosmt"]))
    planned = plan_boot(replace(boot, loader=loader), Want())
    assert [argument.text for argument in planned.remove] == ["nosmt"]
