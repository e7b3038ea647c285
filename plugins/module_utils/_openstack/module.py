# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How work on a cloud becomes the answer of a module. What the modules here have in common of their options."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import NotTakenError, RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.cloud import Cloud, Time
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.fleet import apply, observe
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.nodes import plan_nodes
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.nodes_state import fleet_from
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.rebuild import (
    Machine,
    Patience,
    RebuildPlan,
    Seen,
    Work,
    carry_out,
    plan_rebuild,
)
from ansible_collections.railhead.cluster.plugins.module_utils._openstack.refusals import CloudError

CLOUD_ARGUMENTS: Mapping[str, Any] = {"cloud": {"type": "str"}, "region_name": {"type": "str"}}
WAIT_ARGUMENTS: Mapping[str, Any] = {
    "force": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": True},
    "timeout": {"type": "float", "default": 1800.0},
    "poll": {"type": "float", "default": 5.0},
    "progress": {"type": "path"},
}


def connect(params: Mapping[str, Any]) -> Cloud:
    """The cloud that the options name."""
    return Cloud(params["cloud"], params["region_name"])


def run_rebuild(module: AnsibleModule, build: Callable[[Mapping[str, Any]], Work]) -> None:
    """Rebuild and exit: C(changed), C(commands), C(diff), images, states, seconds; what went wrong by its kind."""
    params = module.params
    begin = time.monotonic()
    commands: list[list[str]] = []
    states: list[dict[str, Any]] = []

    def report(seen: Seen) -> None:
        states.append({"state": seen.state, "seconds": seen.seconds})
        if params["progress"]:
            line = {"time": round(time.time(), 1), **states[-1]}
            with open(params["progress"], "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def so_far() -> dict[str, Any]:
        return {"commands": commands, "states": states, "seconds": round(time.monotonic() - begin, 1)}

    planned, have, last = RebuildPlan(), None, None
    try:
        work = build(params)
        have = last = work.observe()
        image = work.image(have)
        planned = plan_rebuild(have, image, params["force"])
        if module.check_mode:
            commands += [call.shown for call in planned.calls]
        else:
            patience = Patience(params["wait"], params["timeout"], params["poll"], Time(), report)
            last = carry_out(work, planned, image, patience, lambda call: commands.append(call.shown))
    except RailheadError as error:
        reason = error.kind if isinstance(error, CloudError) else "refused"
        module.fail_json(msg=str(error), reason=reason, changed=bool(commands), **so_far(), **_images(have, planned))
    else:
        module.exit_json(
            changed=planned.changed,
            diff={"before": dict(planned.before), "after": dict(planned.after)},
            machine={"id": last.id, "name": last.name, "state": last.state, "image": last.image},
            **so_far(),
            **_images(have, planned),
        )


def run_nodes(module: AnsibleModule) -> None:
    """Bring the nodes of a cluster about and exit: C(changed), C(commands), C(diff), and the servers as read last."""
    commands: list[list[str]] = []
    try:
        cloud, want = connect(module.params), fleet_from(module.params)
        have = observe(cloud, want)
        planned = plan_nodes(have, want)
        if module.check_mode:
            commands += [change.shown for change in planned.changes]
        elif planned.changes:
            deadline = module.params["timeout"]
            apply(cloud, planned, have, clock=Time(), deadline=deadline, made=lambda one: commands.append(one.shown))
            have = observe(cloud, want)
            left = plan_nodes(have, want).changes
            if left:
                raise NotTakenError(f"All calls were made, and yet there is still to do: {[one.shown for one in left]}")
    except RailheadError as error:
        reason = error.kind if isinstance(error, CloudError) else "refused"
        module.fail_json(msg=str(error), reason=reason, changed=bool(commands), commands=commands)
    else:
        wanted = {node.name for node in want.nodes}
        servers = [server for server in have.servers if server.name in wanted]
        module.exit_json(
            changed=bool(planned.changes),
            commands=commands,
            diff={"before": dict(planned.before), "after": dict(planned.after)},
            servers=[{"name": one.name, "id": one.id, "status": one.status} for one in servers],
        )


def run_info(module: AnsibleModule, read: Callable[[Cloud], Mapping[str, Any]]) -> None:
    """Exit with what was read; nothing changes."""
    try:
        found = read(connect(module.params))
    except RailheadError as error:
        reason = error.kind if isinstance(error, CloudError) else "refused"
        module.fail_json(msg=str(error), reason=reason)
    else:
        module.exit_json(changed=False, **found)


def _images(have: Machine | None, planned: RebuildPlan) -> dict[str, Any]:
    return {"image_before": have.image if have else "", "image_after": str(planned.after.get("image", ""))}
