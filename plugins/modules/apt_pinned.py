#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apt_pinned
short_description: Install packages at exact versions from a vendor's signed repository
version_added: 0.1.0
description:
  - Owns one named set of repositories with their keys, packages at exact versions, and packages that must not be
    installed beside them. A pin keeps C(apt upgrade) from moving the packages.
  - Everything is tried beside the host's own APT first, in check mode as well. The key is fetched, the repository's
    signature verified, and C(apt-get --simulate) asked what it would do. So a wrong key, a repository that cannot be
    reached, a version that is not there, a downgrade and the removal of other packages are refused before anything has
    changed, and check mode predicts the steps on a host that has never seen the repository.
  - All packages are fetched before the first is installed or removed. When that fails, the files that this run has
    written are taken away again.
  - When nothing is to be done, nothing is asked of the network.
author: The railhead.cluster maintainers (@railhead)
requirements:
  - apt 2.2 or newer on the host (Debian 11, Ubuntu 22.04)
extends_documentation_fragment:
  - railhead.cluster.attributes
options:
  name:
    description:
      - Name of the set. Its files are C(/etc/apt/sources.list.d/railhead-NAME.sources),
        C(/etc/apt/preferences.d/railhead-NAME) and C(/etc/apt/keyrings/railhead-NAME.REPOSITORY.asc) or C(.gpg).
    type: str
    required: true
  repositories:
    description:
      - The repositories of the set. Those of an earlier run that are not named any more are taken away.
      - A repository belongs to one set, as APT wants one key for it.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the repository, for the file of its key and for messages.
        type: str
        required: true
      uris:
        description: Where it is.
        type: list
        elements: str
        required: true
      suites:
        description: Its suites, or V(./) for a flat repository.
        type: list
        elements: str
        required: true
      components:
        description: Its components. A suite that ends with a slash has none.
        type: list
        elements: str
      signed_by:
        description:
          - The key that signs it. A URL, the text of the key in ASCII armor, or an absolute path on the host.
          - The key at a URL is fetched again whenever something else changes, so that a renewed one is taken.
        type: str
        required: true
  packages:
    description: The packages of the set.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the package.
        type: str
        required: true
      version:
        description:
          - The exact version. With V(*) at its end any version that begins so.
          - Left out, the newest one is installed, and stays what it is in later runs.
        type: str
  conflicts:
    description:
      - Patterns of packages that must not be installed, such as V(mlnx-*), or V(*=*mlnx*) with the version after the
        equals sign. They are removed in the same transaction, with their configuration.
    type: list
    elements: str
    default: []
  pins:
    description:
      - Versions that APT must choose for packages which come along with O(packages), where a vendor's packages depend
        on each other by a lowest version only.
      - When a package of O(packages) moves, what is installed and fits a pin moves to the version of the pin too, where
        a repository has that. By themselves, pins move nothing.
    type: list
    elements: dict
    default: []
    suboptions:
      packages:
        description:
          - Names of packages, patterns, or with C(src:) what is built from source packages of that name or pattern,
            separated by spaces, as the field Package of apt_preferences(5) has them.
        type: str
        required: true
      version:
        description: The exact version. With V(*) at its end any version that begins so.
        type: str
        required: true
  allow_downgrade:
    description: Consent to a version that is older than the installed one, of any package.
    type: bool
    default: false
  allow_removal:
    description: Consent to the removal of packages, of O(conflicts) and of what else cannot stay beside the new ones.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Install DOCA-OFED from a mirror
  railhead.cluster.apt_pinned:
    name: rdma
    repositories:
      - name: doca
        uris: ["https://mirror.example/doca/2.9.5/ubuntu24.04/x86_64/"]
        suites: [./]
        signed_by: https://mirror.example/doca/GPG-KEY-Mellanox.pub
    packages:
      - {name: doca-ofed, version: 2.9.5-0.1.8}
    conflicts: [mlnx-ofed-all]

- name: Install a driver with libraries of the same version
  railhead.cluster.apt_pinned:
    name: gpu
    repositories:
      - name: cuda
        uris: ["https://mirror.example/cuda/debian13/x86_64/"]
        suites: [./]
        signed_by: https://mirror.example/cuda/debian13/x86_64/key.pub
    packages:
      - {name: nvidia-open, version: "580.65.06-*"}
    pins:
      - {packages: "src:*nvidia*:any src:cuda-drivers:any", version: "580.65.06-*"}

- name: Take another set away, with its packages
  railhead.cluster.apt_pinned:
    name: tools
    conflicts: ["mft*"]
    allow_removal: true
"""

RETURN = r"""
commands:
  description: The steps that were taken, or would be taken in check mode, as argument lists.
  returned: always
  type: list
  elements: list
  sample:
    - [install, /etc/apt/sources.list.d/railhead-rdma.sources, "sha256:0f3c"]
    - [apt-get, update]
packages:
  description: The version of each package of O(packages) as read last, V(null) for one that is not installed.
  returned: success
  type: dict
  sample: {doca-ofed: 2.9.5-0.1.8}
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._apt.observe import Have, observe_pinned
from ansible_collections.railhead.cluster.plugins.module_utils._apt.plan import plan_pinned, way_back
from ansible_collections.railhead.cluster.plugins.module_utils._apt.request import want_from
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.module import Task, run_task
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Step


def build(params: Mapping[str, Any]) -> Task[Have]:
    want = want_from(params)
    seen: list[Have] = []

    def observe(host: Host) -> Have:
        # The way back leads to what was there first.
        seen.append(observe_pinned(host, want))
        return seen[-1]

    def back(done: Sequence[Step]) -> Sequence[Step]:
        return way_back(seen[0], done) if seen else ()

    return Task(
        observe=observe,
        plan=lambda have: plan_pinned(have, want),
        returns=lambda have: {
            "packages": {package.name: have.installed.get(package.name) for package in want.packages}
        },
        way_back=back,
    )


def main() -> None:
    repository = {
        "name": {"type": "str", "required": True},
        "uris": {"type": "list", "elements": "str", "required": True},
        "suites": {"type": "list", "elements": "str", "required": True},
        "components": {"type": "list", "elements": "str"},
        "signed_by": {"type": "str", "required": True, "no_log": False},
    }
    package = {"name": {"type": "str", "required": True}, "version": {"type": "str"}}
    pin = {"packages": {"type": "str", "required": True}, "version": {"type": "str", "required": True}}
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "repositories": {"type": "list", "elements": "dict", "default": [], "options": repository},
            "packages": {"type": "list", "elements": "dict", "default": [], "options": package},
            "conflicts": {"type": "list", "elements": "str", "default": []},
            "pins": {"type": "list", "elements": "dict", "default": [], "options": pin},
            "allow_downgrade": {"type": "bool", "default": False},
            "allow_removal": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run_task(module, build)


if __name__ == "__main__":
    main()
