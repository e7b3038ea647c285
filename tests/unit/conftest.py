# SPDX-License-Identifier: GPL-3.0-or-later
"""What all unit tests share."""

from hypothesis import settings

# A busy machine is slow, and that is no failure: an example of a few milliseconds was seen to take 448 there.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
