# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m railhead_lab` is `lab`."""

import sys

from railhead_lab.cli import main

if __name__ == "__main__":
    sys.exit(main())
