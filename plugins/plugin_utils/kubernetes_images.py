# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where images of a version file are copied from and to, in the words of skopeo. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError

DIRECTORY = "dir:"
REGISTRY = "docker://"

_REFERENCE = re.compile(
    r"(?P<registry>[a-z0-9.-]+(?::[0-9]+)?)/(?P<path>[a-z0-9._/-]+):(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]*)"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_TARGET = re.compile(r"dir:/.+|docker://[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9._/-]+)?")


@dataclass(frozen=True)
class Image:
    registry: str
    path: str
    tag: str
    digest: str

    def at(self, place: str) -> str:
        """Its place in a directory, or in another registry, for skopeo."""
        root = place.rstrip("/")
        return f"{root}/{self.path}/{self.tag}" if place.startswith(DIRECTORY) else f"{root}/{self.path}:{self.tag}"

    def origin(self) -> str:
        """Its own place. skopeo takes no tag beside a digest, and the digest says more."""
        tail = f"@{self.digest}" if self.digest else f":{self.tag}"
        return f"{REGISTRY}{self.registry}/{self.path}{tail}"


def parse(name: str, text: str) -> Image:
    found = _REFERENCE.fullmatch(text)
    if not found:
        raise RailheadError(
            f"Cannot copy the image {name}: {text!r} is no whole reference; write it as REGISTRY/NAME:TAG, or"
            " REGISTRY/NAME:TAG@sha256:DIGEST."
        )
    return Image(found["registry"], found["path"], found["tag"], found["digest"] or "")


def copies(images: Mapping[str, str], target: str, source: str = "") -> list[dict[str, str]]:
    """For each image its name, C(source) and C(destination) for skopeo, its digest or "", and its C(reference) then.

    C(source) is a target of an earlier run, or "" for the images' own registries.
    """
    for what, place in (("to", target), *((("from", source),) if source else ())):
        if not _TARGET.fullmatch(place):
            raise RailheadError(
                f"Cannot copy images {what} {place!r}: use dir:/ABSOLUTE/PATH, or docker://REGISTRY[:PORT][/PREFIX]."
            )
    found = [_copy(name, parse(name, text), target, source) for name, text in images.items()]
    owners: dict[str, str] = {}
    for each in found:
        owner = owners.setdefault(each["destination"], each["source"])
        if owner != each["source"]:
            raise RailheadError(
                f"Cannot copy both {owner} and {each['source']} to {each['destination']}: without their registries they"
                " have one name; mirror one of them under another prefix of the target."
            )
    return found


def _copy(name: str, image: Image, target: str, source: str) -> dict[str, str]:
    destination = image.at(target)
    kept = f"{image.registry}/{image.path}:{image.tag}"
    return {
        "name": name,
        "source": image.at(source) if source else image.origin(),
        "destination": destination,
        "digest": image.digest,
        # A directory has no name that a node could ask for.
        "reference": kept if target.startswith(DIRECTORY) else destination[len(REGISTRY) :],
    }
