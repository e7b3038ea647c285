# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel command lines: words, what they set, and whether one line carries what another asks for. Pure.

Words are parted and unquoted as the kernel does it (next_arg() in lib/cmdline.c).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError

#: What the kernel hands on to init comes after this word.
_END = "--"
#: What boot loaders and their generators put in; nobody's tuning.
_OF_THE_LOADER = ("BOOT_IMAGE", "initrd", "root", "rootflags", "rootfstype", "ro", "rw", "init", "rdinit")
#: Words that belong together, since their order matters: each hugepagesz is followed by its hugepages.
_HUGEPAGES = ("default_hugepagesz", "hugepagesz", "hugepages")
#: Words that add to each other, where for all others the last one counts.
_ADD_UP = ("console", "earlycon")
#: What stands for itself to the shell, to GRUB's own language and to the kernel.
_PLAIN = re.compile(r"[A-Za-z0-9_./:,@%+=^~!-]*")


@dataclass(frozen=True)
class Argument:
    """One word. C(value) None is a word without C(=), an empty one a word that ends with it."""

    key: str
    value: str | None = None

    @property
    def topic(self) -> str:
        """What it is about: the kernel takes C(-) and C(_) in names for the same (parameq() in kernel/params.c)."""
        name = self.key.replace("-", "_")
        return "hugepages" if name in _HUGEPAGES else name

    @property
    def text(self) -> str:
        """As it is written on a command line, with double quotes around a value that needs them."""
        if self.value is None:
            return self.key
        return f"{self.key}={self.value}" if _PLAIN.fullmatch(self.value) else f'{self.key}="{self.value}"'


Arguments = tuple[Argument, ...]


def parse_cmdline(text: str) -> Arguments:
    """The arguments of the kernel in C(/proc/cmdline), in order; those of init are left out."""
    found = []
    for word in re.findall(r'(?:"[^"]*"?|[^\s"])+', text):
        if word == _END:
            break
        found.append(_parse(word))
    return tuple(found)


def _parse(word: str) -> Argument:
    key, equals, value = (_unquoted(word) if word.startswith('"') else word).partition("=")
    return Argument(key, _unquoted(value) if equals else None)


def _unquoted(text: str) -> str:
    return text[1:].removesuffix('"') if text.startswith('"') else text


def load_arguments(texts: Iterable[str]) -> Arguments:
    """Arguments that somebody asks for; an error says which one is none, or cannot be stored."""
    found: list[Argument] = []
    for text in texts:
        argument = _load(text)
        taken = [each for each in found if each.topic == argument.topic]
        if taken and argument.topic not in (*_ADD_UP, "hugepages"):
            raise RailheadError(
                f"Cannot give the kernel {argument.text} and {taken[0].text}: only the last one would count; leave one"
                " of them out."
            )
        found.append(argument)
    return tuple(found)


def _load(text: str) -> Argument:
    attempt = f"Cannot give the kernel the argument {text!r}: "
    words = parse_cmdline(text)
    if re.search(r"[^ -~]|[$`\\']", text):
        raise RailheadError(
            f"{attempt}a boot loader would change it; use printable ASCII without dollar signs, backquotes, backslashes"
            " and single quotes."
        )
    if len(words) != 1:
        raise RailheadError(
            f"{attempt}it is {len(words)} words to the kernel; give each its own entry, and a value with blanks double"
            ' quotes: key="two words".'
        )
    argument = words[0]
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:-]*", argument.key) or '"' in (argument.value or ""):
        raise RailheadError(f"{attempt}give a name, or name=value.")
    if argument.key in _OF_THE_LOADER:
        raise RailheadError(
            f"{attempt}the boot loader says this to the kernel, or what makes its configuration; leave it out."
        )
    return argument


def topics(arguments: Arguments) -> dict[str, Arguments]:
    """Arguments by what they are about, each in order."""
    found: dict[str, Arguments] = {}
    for argument in arguments:
        found[argument.topic] = (*found.get(argument.topic, ()), argument)
    return found


def lacking(line: Arguments, want: Arguments) -> Arguments:
    """What of C(want) does not count on C(line): for each topic the last words must be the wanted ones, in order."""
    have = topics(line)
    return tuple(
        argument
        for topic, wanted in topics(want).items()
        if have.get(topic, ())[-len(wanted) :] != wanted
        for argument in wanted
    )


def without(line: Arguments, unwanted: Arguments) -> Arguments:
    """A line less the last occurrence of each of C(unwanted)."""
    left = list(reversed(line))
    for argument in unwanted:
        if argument in left:
            left.remove(argument)
    return tuple(reversed(left))


def contradicting(others: Mapping[str, Arguments], want: Arguments) -> dict[str, Arguments]:
    """What other files say about the topics of C(want) and otherwise, by file."""
    wanted = topics(want)
    found = {
        path: tuple(
            argument
            for topic, said in topics(arguments).items()
            if topic in wanted and topic not in _ADD_UP and said != wanted[topic]
            for argument in said
        )
        for path, arguments in others.items()
    }
    return {path: arguments for path, arguments in found.items() if arguments}


def texts_of(arguments: Iterable[Argument]) -> list[str]:
    return [argument.text for argument in arguments]


def joined(arguments: Iterable[Argument]) -> str:
    return " ".join(texts_of(arguments))


def iommu_arguments(cpuinfo: str) -> Arguments:
    """What makes the IOMMU translate nothing for the host's own devices, while it stays there for virtual machines.

    From the kernel's admin-guide/kernel-parameters.txt. Only Intel's is off where the kernel was built so;
    C(amd_iommu=on) is no option at all.
    """
    if "GenuineIntel" in cpuinfo:
        return (Argument("intel_iommu", "on"), Argument("iommu", "pt"))
    if re.search("AuthenticAMD|HygonGenuine", cpuinfo):
        return (Argument("iommu", "pt"),)
    if "CPU implementer" in cpuinfo:
        return (Argument("iommu.passthrough", "1"),)
    raise RailheadError(
        "Cannot say how this kernel is told to pass the IOMMU by: /proc/cpuinfo names neither Intel, AMD, Hygon nor"
        " ARM; leave iommu out, and give the arguments that your platform knows."
    )
