# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that speak to OpenStack have in common."""

from __future__ import annotations


class ModuleDocFragment:
    # How a cloud is named
    DOCUMENTATION = r"""
options:
  cloud:
    description:
      - Name of a cloud in C(clouds.yaml). Without it C(OS_CLOUD) names one, or the other variables C(OS_*) describe it.
      - Application credentials are the best fit; no secret needs to be in a playbook or an inventory then.
    type: str
  region_name:
    description:
      - Name of the region, where the cloud has several.
    type: str
requirements:
  - openstacksdk 1.0 or newer on the host that runs the module, which is the controller as a rule
"""

    # How a rebuild is waited for
    REBUILD = r"""
options:
  force:
    description:
      - Whether to rebuild also a machine that runs the image already.
    type: bool
    default: false
  wait:
    description:
      - Whether to wait until the machine runs the image.
    type: bool
    default: true
  timeout:
    description:
      - Seconds to wait for each call. The cloud goes on afterwards; a later run waits for the same rebuild and asks for
        no other.
    type: float
    default: 1800.0
  poll:
    description:
      - Seconds between two looks at the machine.
    type: float
    default: 5.0
  progress:
    description:
      - A file on the host that runs the module, to which a line of JSON is added for each state that is seen, and at
        least every 15 seconds. It can be followed while the module waits.
    type: path
"""
