# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one family of exceptions. Modules and the boot program catch it once, at their top."""

from __future__ import annotations


class RailheadError(Exception):
    """Says what was attempted, what was found and what to do, in one sentence for a person."""


class CommandError(RailheadError):
    """A program or a file write answered with an error."""


class NotTakenError(RailheadError):
    """All steps ran without an error, but the state read afterwards is not the wanted one."""
