# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines with SR-IOV NICs, cabled to each other, to prove railhead.cluster on."""

__version__ = "0.1.0"
