# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents that a role has left on the host: JSON files, read and checked by the code of its modules."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError

Want = TypeVar("Want")


def read_document(path: str, text: str, load: Callable[[object], Want]) -> Want:
    """What C(load) makes of the text of a file."""
    try:
        return load(json.loads(text))
    except ValueError as error:
        raise RailheadError(
            f"Cannot read {path}: it is not JSON ({error}); run the role that wrote it again."
        ) from error
    except RailheadError as error:
        raise RailheadError(f"Cannot use {path}: {error}") from error
