# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH host keys on a server's console, as cloud-init prints them (its module keys_to_console). Pure."""

from __future__ import annotations

import base64
import binascii
import re

BEGIN = "-----BEGIN SSH HOST KEY KEYS-----"
END = "-----END SSH HOST KEY KEYS-----"
_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) ([A-Za-z0-9+/]+={0,2})(?:\s|$)")


def host_keys(console: str) -> tuple[str, ...]:
    """The keys of the last whole block, each as C(type base64); none where there is no block.

    A console can begin in the middle of a line, and has the kernel's messages between any two lines.
    """
    end = console.rfind(END)
    begin = console.rfind(BEGIN, 0, end) if end >= 0 else -1
    if begin < 0:
        return ()
    found = []
    for line in console[begin:end].splitlines():
        match = _KEY.search(line)
        if match and _fits(match.group(1), match.group(2)):
            found.append(f"{match.group(1)} {match.group(2)}")
    return tuple(dict.fromkeys(found))


def _fits(kind: str, text: str) -> bool:
    """Whether the key says of itself what stands before it (RFC 4253, 6.6): a torn line does not."""
    try:
        blob = base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    length = int.from_bytes(blob[:4], "big")
    return blob[4 : 4 + length] == kind.encode() and len(blob) > 4 + length + 32
