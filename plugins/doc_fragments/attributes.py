# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module of this collection promises."""

from __future__ import annotations


class ModuleDocFragment:
    # Modules that change something
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode, changes nothing there, and returns exactly the steps that a run would take.
    support: full
  diff_mode:
    description: Returns what changes, in the same words in check mode and in a run.
    support: full
  idempotent:
    description: A second run with the same options returns RV(ignore:changed=false) and starts no changing command.
    support: full
  platform:
    description: The operating systems that the module works on.
    platforms: linux
    support: full
"""

    # Modules that only read
    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode; the module only reads.
    support: full
  diff_mode:
    description: There is nothing to show, the module only reads.
    support: N/A
  idempotent:
    description: The module only reads.
    support: full
  platform:
    description: The operating systems that the module works on.
    platforms: linux
    support: full
"""
