# SPDX-License-Identifier: GPL-3.0-or-later
"""The definitions of the images, read from data/images.toml."""

import tomllib
from dataclasses import dataclass

from railhead_lab.errors import LabError
from railhead_lab.paths import DATA


@dataclass(frozen=True)
class Definition:
    """What an image is made of."""

    name: str
    suite: str
    kernel_suite: str
    packages: tuple[str, ...]
    modules: tuple[str, ...]
    disk_size: str


def parse(text: str) -> dict[str, Definition]:
    """Read definitions, by image name, from the text of images.toml."""
    data = tomllib.loads(text)
    common = data["common"]
    return {
        name: Definition(
            name=name,
            suite=image["suite"],
            kernel_suite=image["kernel_suite"],
            packages=tuple(sorted({*common["packages"], *image.get("packages", ())})),
            modules=(*common["modules"], *image.get("modules", ())),
            disk_size=common["disk_size"],
        )
        for name, image in data["images"].items()
    }


def load() -> dict[str, Definition]:
    """Return all definitions, by image name."""
    return parse((DATA / "images.toml").read_text(encoding="utf-8"))


def get(name: str) -> Definition:
    """Return the definition of one image."""
    definitions = load()
    if name not in definitions:
        raise LabError(
            f"Cannot use the image {name!r}",
            "there is no such image",
            f"choose one of: {', '.join(definitions)}",
        )
    return definitions[name]
