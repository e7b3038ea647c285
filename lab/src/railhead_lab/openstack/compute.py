# SPDX-License-Identifier: GPL-3.0-or-later
"""nova-compute with the lab's driver: `python -m railhead_lab.openstack.compute NOVA.CONF`.

Nova loads drivers from the package nova.virt only; this adds the folder with ours to it.
"""

import sys
from pathlib import Path


def main() -> None:
    """Run nova-compute until killed."""
    import nova.cmd.compute  # noqa: PLC0415  # only in the control plane's environment
    import nova.virt  # noqa: PLC0415

    nova.virt.__path__.append(str(Path(__file__).with_name("driver")))
    sys.argv = ["nova-compute", "--config-file", *sys.argv[1:]]
    nova.cmd.compute.main()


if __name__ == "__main__":
    main()
