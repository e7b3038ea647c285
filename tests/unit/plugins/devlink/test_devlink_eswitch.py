# SPDX-License-Identifier: GPL-3.0-or-later
"""The e-switch: reading, planning, refusing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.device import (
    PortFunction,
    find_handle,
    on_management,
    parse_ports,
    valid_device,
)
from ansible_collections.railhead.cluster.plugins.module_utils._devlink.eswitch import (
    Eswitch,
    Settings,
    Want,
    observe_eswitch,
    parse_settings,
    plan_eswitch,
)

from ..replay import ReplayHost

FIXTURES = Path(__file__).parent.parent / "fixtures" / "devlink" / "6.15.0"
PF = "pci/0000:08:00.0"
DIRECTORY = "/sys/bus/pci/devices/0000:08:00.0"
LEGACY = Eswitch(PF, Settings("legacy", "none", "basic"))
SWITCHDEV = Eswitch(PF, Settings("switchdev", "none", "basic"))
ONLY_MODE = Eswitch(PF, Settings("legacy"))


def ask(mode: str | None = None, inline_mode: str | None = None, encap_mode: str | None = None, **more: Any) -> Want:
    return Want(PF, Settings(mode, inline_mode, encap_mode), **more)


@pytest.mark.parametrize(
    ("have", "want", "steps"),
    [
        (LEGACY, ask("legacy"), []),
        (LEGACY, ask("switchdev"), [("mode", "switchdev")]),
        (SWITCHDEV, ask("legacy"), [("mode", "legacy")]),
        (SWITCHDEV, ask("switchdev", "none", "basic"), []),
        (
            LEGACY,
            ask("switchdev", "transport", "none"),
            [("inline-mode", "transport"), ("encap-mode", "none"), ("mode", "switchdev")],
        ),
        (
            SWITCHDEV,
            ask("legacy", "transport", "none"),
            [("mode", "legacy"), ("inline-mode", "transport"), ("encap-mode", "none")],
        ),
        (LEGACY, ask(encap_mode="none"), [("encap-mode", "none")]),
        (ONLY_MODE, ask("switchdev"), [("mode", "switchdev")]),
        (replace(LEGACY, vfs=4), ask("switchdev", allow_mode_change=True), [("mode", "switchdev")]),
        (replace(SWITCHDEV, vfs=4, bound=("x (y)",)), ask("legacy", allow_mode_change=True), [("mode", "legacy")]),
        (replace(SWITCHDEV, vfs=4, bound=("x (y)",)), ask("switchdev"), []),
        (replace(LEGACY, carries=("pf0",)), ask("switchdev", allow_management=True), [("mode", "switchdev")]),
    ],
)
def test_plan(have: Eswitch, want: Want, steps: list[tuple[str, str]]) -> None:
    assert [step.shown for step in plan_eswitch(have, want).steps] == [
        ["devlink", "dev", "eswitch", "set", PF, *words] for words in steps
    ]


@pytest.mark.parametrize(
    ("have", "want", "words"),
    [
        (
            ONLY_MODE,
            ask(inline_mode="none"),
            "Cannot set inline_mode of pci/0000:08:00.0: its driver does not implement",
        ),
        (ONLY_MODE, ask("legacy", encap_mode="basic"), "Cannot set encap_mode"),
        (
            replace(LEGACY, vfs=1, bound=("0000:08:00.2 (mlx5_core)",)),
            ask("switchdev", allow_mode_change=True),
            r"drivers are bound to its VFs 0000:08:00.2 \(mlx5_core\).*drivers_autoprobe=false",
        ),
        (replace(LEGACY, vfs=4), ask("switchdev"), "from legacy to switchdev: it has 4 VFs.*allow_mode_change=true"),
        (replace(SWITCHDEV, bridged=("pf0vf0 in br0",)), ask("legacy"), "the representor pf0vf0 in br0 goes away"),
        (replace(LEGACY, carries=("bond0", "pf0")), ask("switchdev"), "over bond0, pf0.*allow_management=true"),
        (replace(LEGACY, carries=("pf0",)), ask(encap_mode="none"), "allow_management=true"),
    ],
)
def test_refusals(have: Eswitch, want: Want, words: str) -> None:
    with pytest.raises(RailheadError, match=words):
        plan_eswitch(have, want)


modes = st.builds(
    Settings,
    st.sampled_from(["legacy", "switchdev"]),
    st.sampled_from(["none", "link", "network", "transport"]),
    st.sampled_from(["none", "basic"]),
)


@given(modes, modes)
def test_what_is_there_takes_no_step_and_a_plan_reaches_what_is_wanted(before: Settings, after: Settings) -> None:
    plan = plan_eswitch(Eswitch(PF, before), Want(PF, after))
    reached = dict(vars(before))
    for step in plan.steps:
        key, value = step.shown[-2:]
        reached[key.replace("-", "_")] = value
    assert Settings(**reached) == after
    assert plan.after == {"device": PF, **vars(after)}
    assert plan_eswitch(Eswitch(PF, after), Want(PF, after)).steps == ()


def test_settings_of_a_card_and_of_a_simulated_one() -> None:
    card = {"mode": "switchdev", "inline-mode": "none", "encap-mode": "basic"}
    assert parse_settings(card) == Settings("switchdev", "none", "basic")
    assert parse_settings({"mode": "legacy"}) == Settings("legacy")


def test_ports_in_switchdev_mode() -> None:
    ports = parse_ports(json.loads((FIXTURES / "ports-switchdev.json").read_text(encoding="utf-8")))
    assert ports[0] == PortFunction("netdevsim/netdevsim10/0", "eni10np1", "physical")
    assert ports[2] == PortFunction("netdevsim/netdevsim10/129", "eni10npf0vf1", "pcivf", 0, 1)


def test_what_concerns_a_change_of_the_mode_is_read() -> None:
    port = {"netdev": "pf0vf0", "flavour": "pcivf", "pfnum": 0, "vfnum": 0}
    host = ReplayHost(
        [
            {"argv": ["devlink", "-j", "dev", "show"], "stdout": json.dumps({"dev": {PF: {}}})},
            {
                "argv": ["devlink", "-j", "dev", "eswitch", "show", PF],
                "stdout": json.dumps({"dev": {PF: {"mode": "switchdev"}}}),
            },
            {
                "argv": ["devlink", "-j", "port", "show"],
                "stdout": json.dumps({"port": {f"{PF}/1": port, "pci/0000:08:00.1/1": port}}),
            },
        ],
        {
            f"{DIRECTORY}/sriov_numvfs": "2\n",
            f"{DIRECTORY}/virtfn0": {"link": "../0000:08:00.2"},
            f"{DIRECTORY}/virtfn1": {"link": "../0000:08:00.3"},
            "/sys/bus/pci/devices/0000:08:00.3/driver": {"link": "../../bus/pci/drivers/mlx5_core"},
            "/sys/class/net/pf0vf0/upper_br0": {"link": "../br0"},
        },
    )
    assert observe_eswitch(host, PF) == Eswitch(
        PF,
        Settings("switchdev"),
        (PortFunction(f"{PF}/1", "pf0vf0", "pcivf", 0, 0),),
        2,
        ("0000:08:00.3 (mlx5_core)",),
        ("pf0vf0 in br0",),
    )


@pytest.mark.parametrize("device", ["", "a b", "pci/", "/x", "pci/a/b", "..", "PCI/0000:08:00.0", "pci/0000:08:00.0\n"])
def test_wrong_devices(device: str) -> None:
    with pytest.raises(RailheadError, match="as a devlink device: give one such as"):
        valid_device(device)


def test_a_network_device_stands_for_the_device_behind_it() -> None:
    files = {
        "/sys/class/net/pf0/device": {"link": "/sys/devices/pci0000:00/0000:08:00.0"},
        "/sys/class/net/pf0/device/subsystem": {"link": "../../../bus/pci"},
    }
    runs = [{"argv": ["devlink", "-j", "dev", "show"], "stdout": json.dumps({"dev": {PF: {}}})}]
    assert find_handle(ReplayHost(runs, files), "pf0") == PF


def test_a_network_device_that_is_not_there() -> None:
    with pytest.raises(RailheadError, match=r"no network device of that name.*found: lo"):
        find_handle(ReplayHost(files={"/sys/class/net/lo/mtu": "65536"}), "pf0")


@pytest.mark.parametrize(("handle", "netdevs"), [(PF, ("pf0",)), ("pci/0000:08:00.1", ())])
def test_the_management_connection_over_a_device(handle: str, netdevs: tuple[str, ...]) -> None:
    files = {
        "/proc/self/environ": "SSH_CONNECTION=198.51.100.9 4000 198.51.100.1 22\0",
        "/sys/class/net/pf0/device": {"link": "/sys/devices/pci0000:00/0000:08:00.0"},
    }
    shown = [{"ifname": "pf0", "addr_info": [{"local": "198.51.100.1"}]}]
    runs = [{"argv": ["ip", "-j", "address", "show", "to", "198.51.100.1"], "stdout": json.dumps(shown)}]
    assert on_management(ReplayHost(runs, files), handle) == netdevs
