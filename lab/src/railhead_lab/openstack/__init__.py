# SPDX-License-Identifier: GPL-3.0-or-later
"""A small OpenStack as an ordinary process tree, whose compute driver drives the lab's machines."""
