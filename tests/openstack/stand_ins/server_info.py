#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands for openstack.cloud.server_info: all servers run."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule(argument_spec={"cloud": {"type": "str"}}, supports_check_mode=True)
    module.exit_json(changed=False, servers=[{"name": name, "status": "ACTIVE"} for name in ("m1", "n1", "n2")])


if __name__ == "__main__":
    main()
