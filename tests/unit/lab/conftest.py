# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's package, without installing it, and a node to try things on."""

import dataclasses
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "lab" / "src"))

from railhead_lab import qemu  # found through the line above
from railhead_lab.topology import ports_of


def spec_of(index=1, **changes):
    spec = qemu.NodeSpec(
        index=index,
        memory=2048,
        cpus=2,
        accel="tcg",
        image=Path("/i"),
        ssh_port=2201,
        ports=ports_of(index, 2),
        label="railhead-lab-x-node1",
    )
    return dataclasses.replace(spec, **changes)


@pytest.fixture
def make_spec():
    """Return a function that makes a node of a lab of two."""
    return spec_of
