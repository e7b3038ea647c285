# SPDX-License-Identifier: GPL-3.0-or-later
"""What all unit tests share."""

from ansible.plugins.loader import init_plugin_loader
from hypothesis import settings

# Templates of roles use filters of the collection; they are found if this is done before anything of it is imported.
init_plugin_loader([])

# A busy machine is slow, and that is no failure: an example of a few milliseconds was seen to take 448 there.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
