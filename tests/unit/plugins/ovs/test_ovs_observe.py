# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading Open vSwitch: real outputs of ovs-vsctl, and files as Debian and the RHEL family have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.observe import (
    READ,
    Bridge,
    Ovs,
    OvsPort,
    observe_ovs,
    parse_ovs,
    require_ovs,
)

from ..replay import ReplayHost

FIXTURES = Path(__file__).parent.parent / "fixtures" / "ovs"
VERSIONS = ("3.1.0", "3.5.0")
TOOL = {"/usr/bin/ovs-vsctl": "", "/lib/systemd/system/openvswitch-switch.service": ""}
DATABASE = {**TOOL, "/run/openvswitch/db.sock": ""}
RUNNING = {**DATABASE, "/run/openvswitch/ovs-vswitchd.pid": "812\n", "/proc/812/comm": "ovs-vswitchd\n"}


def fixture(version: str, name: str) -> str:
    return (FIXTURES / version / f"{name}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("version", VERSIONS)
def test_bridges(version: str) -> None:
    assert parse_ovs(fixture(version, "bridges"), True, "openvswitch") == Ovs(
        True,
        {"hw-offload": "true", "tc-policy": "none", "dpdk-extra": "-a 0000:08:00.0,representor=[0-1]"},
        (
            Bridge(
                "br0",
                (OvsPort("bond0"), OvsPort("bond7"), OvsPort("rail0_0", 100), OvsPort("rail0_1", trunks=(10, 20))),
            ),
            Bridge("br1", (OvsPort("nosuch", error="could not open network device nosuch (No such device)"),)),
            Bridge("br2"),
        ),
        "openvswitch",
        version,
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_an_empty_database(version: str) -> None:
    assert parse_ovs(fixture(version, "empty"), False, "openvswitch") == Ovs(False, {}, service="openvswitch")


@pytest.mark.parametrize("text", ["", "nonsense", '{"headings":["name"],"data":[]}', '{"headings":'])
def test_what_is_no_answer_is_an_error(text: str) -> None:
    with pytest.raises(RailheadError, match="expected four tables"):
        parse_ovs(text, True, "openvswitch")


def read_from(files: dict[str, Any], *outputs: str) -> Ovs | None:
    host = ReplayHost([{"argv": list(READ), "stdout": output} for output in outputs], files)
    found = observe_ovs(host)
    assert not host.runs
    return found


def test_not_installed_takes_no_process() -> None:
    assert read_from({}) is None
    with pytest.raises(RailheadError, match="install openvswitch-switch"):
        require_ovs(ReplayHost())


def test_without_the_database_nothing_is_known() -> None:
    assert read_from(TOOL) == Ovs(False, {}, known=False)


@pytest.mark.parametrize(
    ("files", "running"),
    [
        (DATABASE, False),
        ({**DATABASE, "/run/openvswitch/ovs-vswitchd.pid": "812\n", "/proc/813/comm": ""}, False),
        ({**DATABASE, "/run/openvswitch/ovs-vswitchd.pid": "\n", "/proc/813/comm": ""}, False),
        (RUNNING, True),
    ],
)
def test_running_is_a_process(files: dict[str, Any], running: bool) -> None:
    found = read_from(files, fixture("3.5.0", "bridges"))
    assert found is not None
    assert (found.running, found.known, len(found.bridges)) == (running, True, 3)


@pytest.mark.parametrize(
    ("unit", "service"),
    [
        ("/usr/lib/systemd/system/openvswitch-switch.service", "openvswitch-switch"),
        ("/lib/systemd/system/openvswitch-switch.service", "openvswitch-switch"),
        ("/usr/lib/systemd/system/openvswitch.service", "openvswitch"),
        ("/nowhere", "openvswitch-switch"),
    ],
)
def test_the_service_of_the_distribution(unit: str, service: str) -> None:
    found = read_from({"/usr/bin/ovs-vsctl": "", unit: ""})
    assert found is not None
    assert found.service == service
