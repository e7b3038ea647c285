# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: kubernetes_unready
short_description: What DaemonSets and Deployments of Kubernetes lack
version_added: 0.1.0
description:
  - Tells from the status of DaemonSets and Deployments which of them are not rolled out, so that a task can wait for
    that, and say what it waits for.
author: The railhead.cluster maintainers (@railhead)
positional: _input
options:
  _input:
    description:
      - The objects, as the API server returns them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Wait until the DaemonSets are rolled out
  kubernetes.core.k8s_info:
    api_version: apps/v1
    kind: DaemonSet
    namespace: kube-system
  register: daemonsets
  until: daemonsets.resources | railhead.cluster.kubernetes_unready == []
  retries: 60
  delay: 10
"""

RETURN = r"""
_value:
  description: A sentence for each object that is not rolled out.
  type: list
  elements: str
  sample: [DaemonSet multus has 1 of 2 pods ready]
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.railhead.cluster.plugins.plugin_utils.kubernetes_workloads import unready


class FilterModule:
    def filters(self) -> dict[str, Callable[[list[Mapping[str, Any]]], list[str]]]:
        return {"kubernetes_unready": unready}
