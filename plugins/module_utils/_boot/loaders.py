# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot loaders that take kernel arguments from a file of ours: GRUB, and those that kernel-install makes entries for.

GRUB: Debian's grub-mkconfig reads /etc/default/grub and then /etc/default/grub.d/*.cfg, all of them shell.
kernel-install(8): executables in /etc/kernel/install.d run in the order of their names, so ours after the one that
writes an entry; a second C(options) line of an entry adds to the first (Boot Loader Specification, type 1).
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.railhead.cluster.plugins.module_utils._boot.cmdline import Arguments, joined, parse_cmdline
from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host

GRUB, KERNEL_INSTALL = "grub", "kernel-install"
#: Files of ours, by boot loader, and their modes.
DROP_INS = {
    GRUB: ("/etc/default/grub.d/90-railhead.cfg", 0o644),
    KERNEL_INSTALL: ("/etc/kernel/install.d/95-railhead.install", 0o755),
}
_DEFAULTS, _DIRECTORY, _CONFIGURATION = "/etc/default/grub", "/etc/default/grub.d", "/boot/grub/grub.cfg"
#: The one that stays out of the entries for recovery, and the one that all entries have.
_OURS, _ALL = "GRUB_CMDLINE_LINUX_DEFAULT", "GRUB_CMDLINE_LINUX"
_BASE = "/etc/kernel/cmdline"
#: Where a boot partition can be mounted, in the order of kernel-install(8).
_BOOT = ("/efi", "/boot", "/boot/efi")
#: Boot loaders that say their name, do it here (Boot Loader Interface); UTF-16 after four bytes of attributes.
_LOADER_INFO = "/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
_LEFT = "# No longer wanted, but in effect until the next boot: "
_HEAD = (
    "# Written by railhead.cluster.kernel_args; what is changed here is lost.\n"
    "# Arguments of the kernel that the tuning of this host asks for.\n"
)


@dataclass(frozen=True)
class Loader:
    """A boot loader of this host.

    C(stored) is what our file adds, C(left) what it added once and the running kernel may still have. C(entries) are
    the command lines of the next boot by kernel release, less recovery; C(next) is the one of them that it boots into.
    C(others) are arguments by the other file that stores them, C(resets) is a file that makes ours ineffective.
    C(unusable) says why nothing can be stored.
    """

    name: str
    stored: Arguments = ()
    left: Arguments = ()
    entries: Mapping[str, Arguments] = field(default_factory=dict)
    next: str = ""
    others: Mapping[str, Arguments] = field(default_factory=dict)
    resets: str = ""
    unusable: str = ""

    @property
    def path(self) -> str:
        return DROP_INS[self.name][0]

    def line(self) -> Arguments:
        """The command line of the next boot."""
        return self.entries.get(self.next, ())


def booted_by(host: Host, running: Arguments) -> str | None:
    """The boot loader that started this kernel; None when there was none, or one that leaves no trace."""
    said = (host.read(_LOADER_INFO) or "").replace("\0", "")
    if "systemd-boot" in said:
        return KERNEL_INSTALL
    # GRUB names the kernel's file on the command line; so does extlinux, which has no such configuration.
    named = "GRUB" in said or any(argument.key == "BOOT_IMAGE" for argument in running)
    return GRUB if named and host.identity(_CONFIGURATION) else None


def observe_loader(host: Host, name: str, release: str) -> Loader:
    """Files only, no process."""
    return _observe_grub(host) if name == GRUB else _observe_kernel_install(host, release)


def drop_in(name: str, want: Arguments, left: Arguments) -> str:
    """Text of our file. Without arguments it stays, to say what the running kernel may still have of it."""
    notes = f"{_LEFT}{joined(left)}\n" if left else ""
    words = joined(want)
    if name == GRUB:
        body = "# Entries for recovery do not have them, and start as before.\n" + notes
        if want:
            quoted = words.replace('"', '\\"')
            body += f'{_OURS}="${_OURS} {quoted}"\n'
        return _HEAD + body
    body = "# Runs after the plugin that has written the entry, and adds to it.\n" + notes
    if want:
        body += (
            f"arguments='{words}'\n"
            '[ "$1" = add ] && [ "$KERNEL_INSTALL_LAYOUT" = bls ] || exit 0\n'
            "entry=$KERNEL_INSTALL_BOOT_ROOT/loader/entries/$KERNEL_INSTALL_ENTRY_TOKEN-$2\n"
            'for file in "$entry.conf" "$entry"+*.conf; do\n'
            '    [ ! -f "$file" ] || printf \'options    %s\\n\' "$arguments" >>"$file"\n'
            "done\n"
        )
    return f"#!/bin/sh\n{_HEAD}{body}"


# GRUB


def _observe_grub(host: Host) -> Loader:
    ours, _mode = DROP_INS[GRUB]
    text = host.read(ours) or ""
    names = [name for name in host.list_directory(_DIRECTORY) if name.endswith(".cfg")]
    paths = [_DEFAULTS, *(f"{_DIRECTORY}/{name}" for name in names)]
    others, resets = parse_defaults({path: host.read(path) or "" for path in paths}, ours)
    configuration = host.read(_CONFIGURATION)
    unusable = ""
    if configuration is None:
        unusable = f"there is no {_CONFIGURATION}; run update-grub"
    elif not host.is_installed("update-grub"):
        unusable = "update-grub is not installed, only Debian and Ubuntu have it; install the package grub2-common"
    entries = parse_configuration(configuration or "")
    return Loader(
        GRUB,
        stored=parse_defaults({ours: text}, "")[0].get(ours, ()),
        left=_parse_left(text),
        entries=entries,
        next=next(iter(entries), ""),
        others=others,
        resets=resets,
        unusable=unusable,
    )


def parse_defaults(files: Mapping[str, str], ours: str) -> tuple[dict[str, Arguments], str]:
    """Arguments that files of shell assignments give Linux, by file, in the order in which the files are read.

    What a later file discards is left out. The second part is the file that discards what C(ours) has added.
    """
    given: dict[str, list[tuple[str, Arguments]]] = {_OURS: [], _ALL: []}
    resets = ""
    for path, text in files.items():
        if path == ours:
            continue
        for match in re.finditer(rf"^\s*(?:export\s+)?({_OURS}|{_ALL})=", text, re.MULTILINE):
            variable, words = match.group(1), _shell_value(path, text[match.end() :])
            keeps = re.search(rf"\$\{{?{variable}\b", words) is not None
            if not keeps:
                given[variable].clear()
                # Also when ours is still to be written: the files are read by their names.
                resets = path if variable == _OURS and path > ours > _DIRECTORY else resets
            given[variable].append((path, parse_cmdline(re.sub(r"\$\{?\w+\}?", " ", words))))
    found: dict[str, Arguments] = {}
    for path, arguments in (*given[_ALL], *given[_OURS]):
        found[path] = (*found.get(path, ()), *arguments)
    return {path: arguments for path, arguments in found.items() if arguments}, resets


def _shell_value(path: str, text: str) -> str:
    """What C(text) begins with, to the end of the word; quotes can reach over lines."""
    if not text or text[0].isspace():
        return ""
    lexer = shlex.shlex(text.replace("\\\n", ""), posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return lexer.get_token() or ""
    except ValueError as error:
        line = text.partition("\n")[0]
        raise RailheadError(f"Cannot read the kernel arguments in {path}: {line!r} is no shell ({error}).") from error


def parse_configuration(text: str) -> dict[str, Arguments]:
    """Command lines in grub.cfg by the file of the kernel, less those of entries for recovery (C(single)).

    The first entry, which is what boots by default, is that of the newest kernel.
    """
    found: dict[str, Arguments] = {}
    for kernel, words in re.findall(r"^\s*linux(?:16|efi)?\s+(\S+)[ \t]*(.*)$", text, re.MULTILINE):
        arguments = parse_cmdline(re.sub(r"\$\{?\w+\}?", " ", words))
        if all(argument.key not in ("single", "recovery") for argument in arguments):
            found.setdefault(os.path.basename(kernel), arguments)
    return found


# kernel-install


def _observe_kernel_install(host: Host, release: str) -> Loader:
    ours, _mode = DROP_INS[KERNEL_INSTALL]
    text = host.read(ours) or ""
    stored = re.search(r"^arguments='(.*)'$", text, re.MULTILINE)
    base = host.read(_BASE)
    root = next((each for each in _BOOT if host.is_directory(f"{each}/loader/entries")), "")
    token = host.read("/etc/kernel/entry-token") or host.read("/etc/machine-id") or ""
    entries = _read_entries(host, f"{root}/loader/entries", token)
    unusable = ""
    if not root:
        unusable = f"there is no loader/entries in {', '.join(_BOOT)}; run 'bootctl install' first"
    elif base is None:
        unusable = (
            f"there is no {_BASE}, so kernel-install copies the arguments of the running kernel into each new entry,"
            " and none would ever go again; write those that this host needs in any case into it"
        )
    elif release not in entries:
        unusable = (
            f"{root}/loader/entries has no entry of the running kernel {release}; unified kernel images have their"
            " arguments inside, and take none by a file"
        )
    return Loader(
        KERNEL_INSTALL,
        stored=parse_cmdline(stored.group(1)) if stored else (),
        left=_parse_left(text),
        entries=entries,
        next=release,
        others={_BASE: parse_cmdline(base)} if base else {},
        unusable=unusable,
    )


def _read_entries(host: Host, directory: str, token: str) -> dict[str, Arguments]:
    """Command lines by kernel release. Counted attempts to boot are part of a file's name (C(+3-1))."""
    found = {}
    for name in host.list_directory(directory):
        match = re.fullmatch(rf"{re.escape(token)}-(.+?)(\+[0-9-]+)?\.conf", name)
        if token and match:
            found[match.group(1)] = parse_entry(host.read(f"{directory}/{name}") or "")
    return found


def parse_entry(text: str) -> Arguments:
    """The command line of an entry of the Boot Loader Specification: all its C(options) in order."""
    return parse_cmdline(" ".join(re.findall(r"^options[ \t]+(.*)$", text, re.MULTILINE)))


def _parse_left(text: str) -> Arguments:
    found = re.search(rf"^{re.escape(_LEFT)}(.*)$", text, re.MULTILINE)
    return parse_cmdline(found.group(1)) if found else ()
