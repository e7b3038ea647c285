# SPDX-License-Identifier: GPL-3.0-or-later
"""The test runner behind `make test`: tiers, each made of parts that pass, fail or are skipped."""
