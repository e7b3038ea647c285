# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: kubernetes_images
short_description: Where the images of a version file are copied from and to
version_added: 0.1.0
description:
  - Gives each image of a version file its place in a directory or a registry, in the words of C(skopeo). The role
    P(railhead.cluster.kubernetes_mirror#role) copies them.
author: The railhead.cluster maintainers (@railhead)
positional: _input
options:
  _input:
    description:
      - The images by name, each as C(REGISTRY/NAME:TAG) or C(REGISTRY/NAME:TAG@sha256:DIGEST).
    type: dict
    required: true
  target:
    description:
      - A directory as C(dir:/PATH), or a registry as C(docker://HOST[:PORT][/PREFIX]).
    type: str
    required: true
  source:
    description:
      - The target of an earlier run, to copy from there. The default is the registry that each image names.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show where images go
  ansible.builtin.debug:
    msg: "{{ kubernetes_versions.images | railhead.cluster.kubernetes_images('docker://registry.example:5000') }}"
"""

RETURN = r"""
_value:
  description: >-
    For each image its C(name), its C(source) and C(destination) for skopeo, its C(digest) where the version file names
    one, and the C(reference) that nodes ask for afterwards, without the digest.
  type: list
  elements: dict
  sample:
    - name: pause
      source: docker://registry.k8s.io/pause:3.10
      destination: docker://registry.example:5000/pause:3.10
      digest: ""
      reference: registry.example:5000/pause:3.10
"""

from collections.abc import Callable, Mapping

from ansible.errors import AnsibleFilterError

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.plugin_utils.kubernetes_images import copies


def kubernetes_images(images: Mapping[str, str], target: str, source: str = "") -> list[dict[str, str]]:
    try:
        return copies({str(name): str(text) for name, text in images.items()}, str(target), str(source))
    except RailheadError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., list[dict[str, str]]]]:
        return {"kubernetes_images": kubernetes_images}
