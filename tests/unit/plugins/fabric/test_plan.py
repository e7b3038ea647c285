# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact steps of the main ways, in the order that the hardware takes; and what is refused before the first of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Step
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.document import load_document
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.observe import Fabric
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.plan import FabricPlan, plan_fabric
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.restore import document_of
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import ALL_CONSENTS, Consents, FabricWant

from .cards import ice_port, igb_port, mlx5_card, netdevsim_port
from .model import ModelHost, switch

P0, P1, IGB, ICE = "0000:08:00.0", "0000:08:00.1", "0000:01:00.0", "0000:3b:00.0"
Document = dict[str, Any]


def card(**of_port_0: Any) -> Document:
    """Both ports of a card, bonded by it, with two VFs in a bridge."""
    both = {"count": 2, "eswitch_mode": "switchdev"}
    ports = [{"port": P0, "name": "rail0", **both, **of_port_0}, {"port": P1, "name": "rail1", **both}]
    representors = [{"port": "rail0", "vf": "0-1", "tag": "100-101"}]
    return {
        "ports": ports,
        "bonds": [{"name": "bond0", "members": ["rail0", "rail1"], "vf_lag": True, "mode": "802.3ad", "miimon": 100}],
        "bridges": [{"name": "br0", "uplinks": ["bond0"], "representors": representors}],
    }


def one(port: str, **entry: Any) -> Document:
    return {"ports": [{"port": port, **entry}]}


def bonded(**options: Any) -> Document:
    return {
        "ports": [{"port": P0, "name": "rail0"}, {"port": P1, "name": "rail1"}],
        "bonds": [{"name": "bond0", "members": ["rail0", "rail1"], **options}],
    }


def planned(host: ModelHost, document: Document, consents: Consents = ALL_CONSENTS) -> FabricPlan:
    want = load_document(document)
    return plan_fabric(host.observe(want), want, consents)


def brought_to(host: ModelHost, *documents: Document) -> ModelHost:
    for document in documents:
        host.apply(planned(host, document).steps)
        assert not planned(host, document).steps
    return host


def lines(steps: tuple[Step, ...]) -> list[str]:
    """As they are shown to a person, without the common part of paths and what says the name of the file of rules."""
    found = (" ".join(step.shown).replace("/sys/bus/pci/devices/", "").replace("address@", "@") for step in steps)
    return ["install rules" if line.startswith("install ") else line for line in found]


def mlx5() -> ModelHost:
    return ModelHost(*mlx5_card(), switch=switch())


RULES = ["install rules", "udevadm control --reload"]
LAG = f"wait /sys/kernel/debug/mlx5/{P0}/lag/state /sys/kernel/debug/mlx5/{P1}/lag/state"
VSCTL = "ovs-vsctl --timeout=60"
ADD_VFS = (
    "--may-exist add-port br0 rail0_0 -- set Port rail0_0 tag=100 trunks=[]"
    " -- --may-exist add-port br0 rail0_1 -- set Port rail0_1 tag=101 trunks=[]"
)


def unbound(port: str, *vfs: int) -> list[str]:
    return [f"write {port}/virtfn{vf}/driver/unbind @{port}/virtfn{vf}" for vf in vfs]


def probed(port: str, *vfs: int) -> list[str]:
    return [f"write /sys/bus/pci/drivers_probe @{port}/virtfn{vf}" for vf in vfs]


def switched(port: str, netdev: str, vfs: str) -> list[str]:
    return [
        f"devlink dev eswitch set pci/{port} mode switchdev",
        f"wait /sys/class/net/{netdev}/phys_switch_id",
        f"wait {vfs}",
    ]


WAYS: dict[str, tuple[Callable[[], ModelHost], list[Document], Document, list[str]]] = {
    "a card that bonds by itself, from bare": (
        mlx5,
        [],
        {**card(vfs=[{"vf": 0, "mac": "auto"}], hw_tc_offload=True), "open_vswitch": {"hw_offload": True}},
        [
            *RULES,
            "ip link set dev enp8s0f0 name rail0",
            "ip link set dev enp8s0f1 name rail1",
            f"write {P0}/sriov_drivers_autoprobe 0",
            f"write {P0}/sriov_numvfs 2",
            f"wait {P0}/virtfn0/physfn {P0}/virtfn1/physfn",
            f"write {P1}/sriov_drivers_autoprobe 0",
            f"write {P1}/sriov_numvfs 2",
            f"wait {P1}/virtfn0/physfn {P1}/virtfn1/physfn",
            *switched(P0, "rail0", "/sys/class/net/rail0_0 /sys/class/net/rail0_1"),
            *switched(P1, "rail1", "/sys/class/net/rail1_0 /sys/class/net/rail1_1"),
            "ip link set dev rail0 vf 0 mac 56:00:00:08:00:00",
            "ethtool -K rail0 hw-tc-offload on",
            "modprobe bonding max_bonds=0",
            "ip link add name bond0 type bond mode 802.3ad miimon 100",
            "ip link set dev rail0 master bond0",
            "ip link set dev rail1 master bond0",
            "ip link set dev bond0 up",
            LAG,
            "systemctl stop ovs-vswitchd",
            "systemctl start ovsdb-server",
            f"{VSCTL} --no-wait set Open_vSwitch . other_config:hw-offload=true",
            "systemctl start ovs-vswitchd openvswitch-switch",
            f"{VSCTL} --may-exist add-br br0 -- --may-exist add-port br0 bond0 -- {ADD_VFS}",
            "ip link set dev rail0_0 up",
            "ip link set dev rail0_1 up",
            "ip link set dev br0 up",
            f"write {P0}/sriov_drivers_autoprobe 1",
            *probed(P0, 0, 1),
            f"wait {P0}/virtfn0/driver {P0}/virtfn1/driver",
            f"write {P1}/sriov_drivers_autoprobe 1",
            *probed(P1, 0, 1),
            f"wait {P1}/virtfn0/driver {P1}/virtfn1/driver",
        ],
    ),
    "ice has VFs only after switchdev": (
        lambda: ModelHost(ice_port()),
        [],
        one(ICE, name="rail0", count=2, eswitch_mode="switchdev"),
        [
            *RULES,
            "ip link set dev enp59s0f0 name rail0",
            f"write {ICE}/sriov_drivers_autoprobe 0",
            f"devlink dev eswitch set pci/{ICE} mode switchdev",
            "wait /sys/class/net/rail0/phys_switch_id",
            f"write {ICE}/sriov_numvfs 2",
            f"wait {ICE}/virtfn0/physfn {ICE}/virtfn1/physfn",
            "wait /sys/class/net/rail0_0 /sys/class/net/rail0_1",
            "ip link set dev rail0 up",
            f"write {ICE}/sriov_drivers_autoprobe 1",
            *probed(ICE, 0, 1),
            f"wait {ICE}/virtfn0/driver {ICE}/virtfn1/driver",
        ],
    ),
    "ice changes its mode only without VFs": (
        lambda: ModelHost(ice_port()),
        [one(ICE, count=1, eswitch_mode="switchdev", name="rail0")],
        one(ICE, count=1, eswitch_mode="legacy", name="rail0"),
        [
            *RULES,
            *unbound(ICE, 0),
            f"write {ICE}/sriov_drivers_autoprobe 0",
            f"write {ICE}/sriov_numvfs 0",
            "ip link set dev rail0 down",
            f"devlink dev eswitch set pci/{ICE} mode legacy",
            "wait /sys/class/net/rail0",
            f"write {ICE}/sriov_numvfs 1",
            f"wait {ICE}/virtfn0/physfn",
            "ip link set dev rail0 up",
            f"write {ICE}/sriov_drivers_autoprobe 1",
            *probed(ICE, 0),
            f"wait {ICE}/virtfn0/driver",
        ],
    ),
    "other number of VFs: the VFs of the other port lose their drivers too, or the card would not bond again": (
        mlx5,
        [card()],
        card(count=4),
        [
            *RULES,
            f"{VSCTL} --if-exists del-port rail0_0 -- --if-exists del-port rail0_1",
            f"{VSCTL} --if-exists del-port bond0",
            "ip link set dev rail0 nomaster",
            *unbound(P0, 0, 1),
            f"devlink dev eswitch set pci/{P0} mode legacy",
            "wait /sys/class/net/rail0",
            f"write {P0}/sriov_drivers_autoprobe 0",
            f"write {P0}/sriov_numvfs 0",
            f"write {P0}/sriov_numvfs 4",
            f"wait {P0}/virtfn0/physfn ... {P0}/virtfn3/physfn",
            *switched(P0, "rail0", "/sys/class/net/rail0_0 ... /sys/class/net/rail0_3"),
            *unbound(P1, 0, 1),
            "ip link set dev rail0 master bond0",
            LAG,
            f"{VSCTL} --may-exist add-port br0 bond0 -- {ADD_VFS}",
            "ip link set dev rail0_0 up",
            "ip link set dev rail0_1 up",
            f"write {P0}/sriov_drivers_autoprobe 1",
            *probed(P0, 0, 1, 2, 3),
            f"wait {P0}/virtfn0/driver ... {P0}/virtfn3/driver",
            *probed(P1, 0, 1),
            f"wait {P1}/virtfn0/driver {P1}/virtfn1/driver",
        ],
    ),
    "no VFs any more": (
        mlx5,
        [one(P0, name="rail0", count=1, eswitch_mode="switchdev")],
        one(P0, name="rail0", count=0, eswitch_mode="legacy"),
        [
            *RULES,
            *unbound(P0, 0),
            "ip link set dev rail0 down",
            f"devlink dev eswitch set pci/{P0} mode legacy",
            "wait /sys/class/net/rail0",
            f"write {P0}/sriov_drivers_autoprobe 0",
            f"write {P0}/sriov_numvfs 0",
            "ip link set dev rail0 up",
            f"write {P0}/sriov_drivers_autoprobe 1",
        ],
    ),
    "steering mode: only in legacy mode, so the way there comes first": (
        mlx5,
        [one(P0, eswitch_mode="switchdev")],
        one(P0, eswitch_mode="legacy", steering_mode="smfs"),
        [
            "ip link set dev enp8s0f0 down",
            f"devlink dev eswitch set pci/{P0} mode legacy",
            "wait /sys/class/net/enp8s0f0",
            f"devlink dev param set pci/{P0} name flow_steering_mode value smfs cmode runtime",
            "ip link set dev enp8s0f0 up",
        ],
    ),
    "encapsulation: not while Open vSwitch has flows": (
        mlx5,
        [card()],
        card(encap_mode="none"),
        [
            f"{VSCTL} --if-exists del-port rail0_0 -- --if-exists del-port rail0_1",
            f"{VSCTL} --if-exists del-port bond0",
            f"devlink dev eswitch set pci/{P0} encap-mode none",
            f"{VSCTL} --may-exist add-port br0 bond0 -- {ADD_VFS}",
        ],
    ),
    "a VF takes its address when it is bound": (
        mlx5,
        [one(P0, count=2)],
        one(P0, count=2, vfs=[{"vf": 1, "mac": "02:00:5e:10:00:01"}]),
        [
            *unbound(P0, 1),
            "ip link set dev enp8s0f0 vf 1 mac 02:00:5e:10:00:01",
            *probed(P0, 1),
            f"wait {P0}/virtfn1/driver",
        ],
    ),
    "another driver": (
        mlx5,
        [one(P0, count=2)],
        one(P0, count=2, vfs=[{"vf": 1, "driver": "vfio-pci"}]),
        [
            *unbound(P0, 1),
            f"write {P0}/virtfn1/driver_override vfio-pci",
            *probed(P0, 1),
            f"wait {P0}/virtfn1/driver",
        ],
    ),
    "no driver": (
        mlx5,
        [one(P0, count=1)],
        one(P0, count=1, vfs=[{"vf": 0, "driver": "none"}]),
        [*unbound(P0, 0), f"write {P0}/virtfn0/driver_override none"],
    ),
    "a VF in a namespace": (
        lambda: ModelHost(igb_port()),
        [one(IGB, count=2)],
        one(IGB, count=2, vfs=[{"vf": 0, "netns": "blue"}]),
        [
            "ip netns add blue",
            "udevadm settle --timeout=60",
            f"ip link set dev netdev@{IGB}/virtfn0 netns blue",
        ],
    ),
    "and back": (
        lambda: ModelHost(igb_port()),
        [one(IGB, count=2, vfs=[{"vf": 0, "netns": "blue"}])],
        one(IGB, count=2, vfs=[{"vf": 0, "netns": ""}]),
        ["ip -n blue link set dev enp1s0v0 netns /proc/1/ns/net"],
    ),
    "another name": (
        lambda: ModelHost(igb_port()),
        [one(IGB)],
        one(IGB, name="rail0"),
        [
            *RULES,
            "ip link set dev enp1s0 down",
            "ip link set dev enp1s0 name rail0",
            "ip link set dev rail0 up",
        ],
    ),
    "a name that it has as altname": (
        lambda: ModelHost(igb_port()),
        [one(IGB, altnames=["rail0", "leaf0"])],
        one(IGB, name="rail0"),
        [
            *RULES,
            "ip link set dev enp1s0 down",
            "ip link property del dev enp1s0 altname rail0",
            "ip link set dev enp1s0 name rail0",
            "ip link set dev rail0 up",
        ],
    ),
    "another name of a member": (
        mlx5,
        [bonded(mode="802.3ad")],
        {
            "ports": [{"port": P0, "name": "leaf0"}, {"port": P1, "name": "rail1"}],
            "bonds": [{"name": "bond0", "members": ["leaf0", "rail1"], "mode": "802.3ad"}],
        },
        [
            *RULES,
            "ip link set dev rail0 nomaster",
            "ip link set dev rail0 name leaf0",
            "ip link set dev leaf0 master bond0",
        ],
    ),
    "the mode of a bond: not with members, not while it is up": (
        mlx5,
        [bonded(mode="802.3ad", miimon=100)],
        bonded(mode="active-backup", miimon=100, primary="rail1"),
        [
            "ip link set dev rail0 nomaster",
            "ip link set dev rail1 nomaster",
            "ip link set dev bond0 down",
            "ip link set dev bond0 type bond mode active-backup miimon 100",
            "ip link set dev rail0 master bond0",
            "ip link set dev rail1 master bond0",
            "ip link set dev bond0 type bond primary rail1",
            "ip link set dev bond0 up",
        ],
    ),
    "lacp_rate of a bond: not while it is up": (
        mlx5,
        [bonded(mode="802.3ad")],
        bonded(mode="802.3ad", lacp_rate="fast"),
        [
            "ip link set dev bond0 down",
            "ip link set dev bond0 type bond lacp_rate fast",
            "ip link set dev bond0 up",
        ],
    ),
    "xmit_hash_policy of a bond: at any time": (
        mlx5,
        [bonded(mode="802.3ad")],
        bonded(mode="802.3ad", xmit_hash_policy="layer3+4"),
        ["ip link set dev bond0 type bond xmit_hash_policy layer3+4"],
    ),
    "another port becomes the uplink": (
        lambda: ModelHost(*mlx5_card(), igb_port(), switch=switch()),
        [{**one(IGB, name="rail2"), "bridges": [{"name": "br0", "uplinks": ["rail2"]}]}],
        {
            "ports": [{"port": IGB, "name": "rail2"}, {"port": P0, "name": "rail0"}],
            "bridges": [{"name": "br0", "uplinks": ["rail0"]}],
        },
        [
            *RULES,
            "ip link set dev enp8s0f0 name rail0",
            "ip link set dev rail0 up",
            f"{VSCTL} --if-exists del-port rail2",
            f"{VSCTL} --may-exist add-port br0 rail0",
        ],
    ),
    "a port with addresses becomes a member": (
        mlx5,
        [{**one(P0, name="rail0"), "addresses": [{"device": "rail0", "addresses": ["198.51.100.1/24"]}]}],
        {
            "ports": [{"port": P0, "name": "rail0"}],
            "bonds": [{"name": "bond0", "members": ["rail0"], "mode": "active-backup"}],
            "addresses": [{"device": "bond0", "addresses": ["198.51.100.1/24"]}],
        },
        [
            "modprobe bonding max_bonds=0",
            "ip link add name bond0 type bond mode active-backup",
            "ip address flush dev rail0 scope global",
            "ip link set dev rail0 down",
            "ip link set dev rail0 master bond0",
            "ip link set dev bond0 up",
            "ip address replace 198.51.100.1/24 dev bond0",
        ],
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_steps(way: str) -> None:
    make, before, document, expected = WAYS[way]
    host = brought_to(make(), *copy.deepcopy(before))
    assert lines(planned(host, document).steps) == expected
    brought_to(host, document)


def test_what_is_interrupted_says_so() -> None:
    host = brought_to(mlx5(), card())
    plan = planned(host, card(count=4))
    disrupts = {line: step.disrupts for line, step in zip(lines(plan.steps), plan.steps, strict=True) if step.disrupts}
    assert disrupts == {
        "ip link set dev rail0 nomaster": "a part of the traffic of bond0",
        f"devlink dev eswitch set pci/{P0} mode legacy": "the traffic of rail0 and its VFs",
        f"devlink dev eswitch set pci/{P0} mode switchdev": "the traffic of rail0 and its VFs",
        f"write {P0}/sriov_numvfs 0": "the users of its VFs",
        **dict.fromkeys((*unbound(P0, 0, 1), *unbound(P1, 0, 1)), "the VF's users"),
    }


# What is refused


def with_address(address: str = "198.51.100.1/24") -> ModelHost:
    host = brought_to(ModelHost(igb_port()), one(IGB))
    host.addresses["enp1s0"] = [address]
    return host


ROUTE = {"to": "default", "via": "198.51.100.254"}


def with_route() -> ModelHost:
    entry = {"device": "enp8s0f0", "addresses": ["198.51.100.1/24"], "routes": [ROUTE]}
    return brought_to(mlx5(), {"addresses": [entry]})


def over_ssh() -> ModelHost:
    host = with_address()
    host.ssh_address = "198.51.100.1"
    return host


def in_switchdev() -> ModelHost:
    return brought_to(mlx5(), one(P0, name="rail0", count=1, eswitch_mode="switchdev"))


def used_vf() -> ModelHost:
    host = brought_to(mlx5(), one(P0, count=2))
    host.functions[0].vfs[1].used = True
    return host


def without_debugfs(have: Fabric) -> Fabric:
    return replace(have, ports={name: replace(state, lag=None) for name, state in have.ports.items()})


LAG_PORTS = [{"port": P0, "name": "rail0"}, {"port": P1, "name": "rail1"}]
REFUSED: dict[str, tuple[Callable[[], ModelHost], Document, Consents, str]] = {
    "port that is not there": (
        mlx5,
        one("0000:99:00.0"),
        ALL_CONSENTS,
        "Cannot find the ports 0000:99:00.0: there are: enp8s0f0, enp8s0f1; give the PCI address, the name or the"
        " permanent MAC address of a port of this host.",
    ),
    "one port twice": (
        mlx5,
        {"ports": [{"port": P0}, {"port": "enp8s0f0"}]},
        ALL_CONSENTS,
        f"Cannot use the document: {P0} and enp8s0f0 are one port; say all of it in one entry.",
    ),
    "more VFs than there can be": (
        mlx5,
        one(P0, count=17),
        ALL_CONSENTS,
        f"Cannot give {P0} 17 VFs: it can have 16 (sriov_totalvfs); lower count, or raise the number in the firmware"
        " (NUM_OF_VFS).",
    ),
    "VF that is not there": (
        mlx5,
        one(P0, vfs=[{"vf": 3, "trust": True}]),
        ALL_CONSENTS,
        f"Cannot configure the VFs of {P0}: there is no VF 3, it has 0; give count=4 or more.",
    ),
    "GUID on Ethernet": (
        mlx5,
        one(P0, count=1, vfs=[{"vf": 0, "node_guid": "00:11:22:33:44:55:66:77"}]),
        ALL_CONSENTS,
        f"Cannot configure the VFs of {P0}: node_guid of VF 0 cannot be on an Ethernet port; leave it out.",
    ),
    "VLAN on InfiniBand": (
        lambda: ModelHost(*mlx5_card(kind="mlx5-infiniband")),
        one(P0, count=1, vfs=[{"vf": 0, "vlan": 100}]),
        ALL_CONSENTS,
        f"Cannot configure the VFs of {P0}: vlan of VF 0 cannot be on an InfiniBand port; leave it out.",
    ),
    "bond of InfiniBand ports": (
        lambda: ModelHost(*mlx5_card(kind="mlx5-infiniband")),
        bonded(mode="active-backup"),
        ALL_CONSENTS,
        "Cannot enslave enp8s0f0 to bond0: it is of type infiniband; use Ethernet ports.",
    ),
    "VLAN of a VF in switchdev mode": (
        mlx5,
        one(P0, count=1, eswitch_mode="switchdev", vfs=[{"vf": 0, "vlan": 100}]),
        ALL_CONSENTS,
        f"Cannot set vlan of VF 0 of {P0} to 100: its driver mlx5_core takes that in legacy mode only; leave it out,"
        " and give its representor that tag in a bridge.",
    ),
    "trust of a VF in switchdev mode": (
        lambda: ModelHost(ice_port()),
        one(ICE, count=1, eswitch_mode="switchdev", vfs=[{"vf": 0, "trust": True}]),
        ALL_CONSENTS,
        f"Cannot set trust of VF 0 of {ICE} to True: its driver ice takes that in legacy mode only; leave it out.",
    ),
    "e-switch of a card that has none": (
        lambda: ModelHost(igb_port()),
        one(IGB, eswitch_mode="switchdev"),
        ALL_CONSENTS,
        f"Cannot set eswitch_mode of {IGB} to switchdev: its driver igb does not implement it; leave eswitch_mode out.",
    ),
    "inline mode of a card that has none": (
        lambda: ModelHost(ice_port()),
        one(ICE, inline_mode="transport"),
        ALL_CONSENTS,
        f"Cannot set inline_mode of {ICE} to transport: its driver ice does not implement it; leave inline_mode out.",
    ),
    "steering mode of a card that has none": (
        lambda: ModelHost(ice_port()),
        one(ICE, steering_mode="smfs"),
        ALL_CONSENTS,
        f"Cannot set steering_mode of {ICE} to smfs: its driver has no parameter flow_steering_mode; leave"
        " steering_mode out.",
    ),
    "steering mode in switchdev mode": (
        in_switchdev,
        one(P0, steering_mode="smfs"),
        ALL_CONSENTS,
        f"Cannot set steering_mode of {P0} to smfs: it is dmfs, and the card changes it only while its e-switch is in"
        " legacy mode; run once with eswitch_mode: legacy.",
    ),
    "other number of VFs in a mode that nobody names": (
        in_switchdev,
        one(P0, name="rail0", count=2),
        ALL_CONSENTS,
        f"Cannot change the number of VFs of {P0}: its e-switch has to leave switchdev mode on the way, and nothing"
        " says what it is to be then; give it eswitch_mode: switchdev, or legacy.",
    ),
    "offload that cannot be switched": (
        lambda: ModelHost(igb_port()),
        one(IGB, hw_tc_offload=True),
        ALL_CONSENTS,
        f"Cannot set hw_tc_offload of {IGB}: its driver does not let it be switched (ethtool -k: hw-tc-offload"
        " [fixed]); leave hw_tc_offload out.",
    ),
    "name of another device": (
        mlx5,
        one(P0, name="enp8s0f1"),
        ALL_CONSENTS,
        f"Cannot name the port {P0} enp8s0f1: this is a name of enp8s0f1; choose another name.",
    ),
    "altname of another device": (
        mlx5,
        one(P0, altnames=["enp8s0f1"]),
        ALL_CONSENTS,
        "Cannot give enp8s0f0 the altname enp8s0f1: it is a name of enp8s0f1; choose another one.",
    ),
    "representors with long names": (
        lambda: ModelHost(*mlx5_card("ff", netdev="enp255s0f0np0a")),
        one("0000:ff:00.0", count=1, eswitch_mode="switchdev"),
        ALL_CONSENTS,
        "Cannot name the representors of 0000:ff:00.0: enp255s0f0np0a_0 has 16 characters, and a network device has at"
        " most 15; give the port a shorter name.",
    ),
    "MTU that it cannot have": (
        mlx5,
        one(P0, mtu=9500),
        ALL_CONSENTS,
        "Cannot set the MTU of enp8s0f0 to 9500: it takes at most 9216; give a smaller one.",
    ),
    "MTU of a bond that a member cannot have": (
        mlx5,
        bonded(mtu=9500),
        ALL_CONSENTS,
        "Cannot set the MTU of bond0 to 9500: enp8s0f0 takes at most 9216; lower it.",
    ),
    "route that another device has": (
        with_route,
        {"addresses": [{"device": "enp8s0f1", "addresses": ["198.51.100.2/24"], "routes": [ROUTE]}]},
        ALL_CONSENTS,
        "Cannot route 0.0.0.0/0 over enp8s0f1: there is a route over enp8s0f0 already, and the kernel takes one of each"
        " metric; give it another metric, or list enp8s0f0 under addresses.",
    ),
    "namespace for a VF without a network device": (
        lambda: brought_to(mlx5(), one(P0, count=1, vfs=[{"vf": 0, "driver": "vfio-pci"}])),
        one(P0, count=1, vfs=[{"vf": 0, "netns": "blue"}]),
        ALL_CONSENTS,
        f"Cannot move VF 0 of {P0} to the network namespace blue: it is bound to vfio-pci, and has no network device;"
        " give its driver in vfs, such as mlx5_core, or leave netns out.",
    ),
    "namespace for a simulated VF": (
        lambda: ModelHost(netdevsim_port()),
        one("netdevsim10", count=1, vfs=[{"vf": 0, "netns": "blue"}]),
        ALL_CONSENTS,
        "Cannot move VF 0 of netdevsim10 to a namespace: a simulated VF has no network device; leave netns out.",
    ),
    "driver for a simulated VF": (
        lambda: ModelHost(netdevsim_port()),
        one("netdevsim10", count=1, vfs=[{"vf": 0, "driver": "vfio-pci"}]),
        ALL_CONSENTS,
        "Cannot give VF 0 of netdevsim10 the driver vfio-pci: a simulated VF is no device that takes one; leave driver"
        " out.",
    ),
    "member that is not there": (
        mlx5,
        {"bonds": [{"name": "bond0", "members": ["eth9"]}]},
        ALL_CONSENTS,
        "Cannot use eth9: there is no such network device; there are: enp8s0f0, enp8s0f1.",
    ),
    "member of somebody else's bond": (
        lambda: brought_to(mlx5(), bonded(mode="802.3ad")),
        {"ports": LAG_PORTS, "bonds": [{"name": "bond1", "members": ["rail0"]}]},
        ALL_CONSENTS,
        "Cannot enslave rail0 to bond1: it is in bond0, which is not in the document; release it there, or list bond0"
        " under bonds (with state: absent to delete it).",
    ),
    "e-switch of a member of somebody else's bond": (
        lambda: brought_to(mlx5(), bonded(mode="802.3ad")),
        one(P0, eswitch_mode="switchdev"),
        ALL_CONSENTS,
        f"Cannot change the e-switch of {P0} from legacy to switchdev: rail0 has to leave bond0 on the way, which is"
        " not in the document; list bond0 under bonds, so that it gets its member back.",
    ),
    "e-switch of an uplink of somebody else's bridge": (
        lambda: brought_to(mlx5(), {**one(P0, name="rail0"), "bridges": [{"name": "br0", "uplinks": ["rail0"]}]}),
        one(P0, eswitch_mode="switchdev"),
        ALL_CONSENTS,
        f"Cannot change the e-switch of {P0} from legacy to switchdev: rail0 has to leave the bridge br0 on the way,"
        " which is not in the document; list br0 under bridges, with rail0 as uplink, so that it gets it back.",
    ),
    "uplink that is a member of somebody else's bond": (
        lambda: brought_to(mlx5(), bonded(mode="802.3ad")),
        {"ports": LAG_PORTS, "bridges": [{"name": "br0", "uplinks": ["rail0"]}]},
        ALL_CONSENTS,
        "Cannot put rail0 into the bridge br0: it is in bond0, which is not in the document; release it there, or give"
        " bond0 as uplink instead.",
    ),
    "bond where a device of that name is": (
        mlx5,
        {"bonds": [{"name": "enp8s0f1", "members": ["enp8s0f0"]}]},
        ALL_CONSENTS,
        "Cannot make the bond enp8s0f1: a device of that name is there, and is no bond; use another name.",
    ),
    "representor that is not there": (
        in_switchdev,
        {
            **one(P0, name="rail0", eswitch_mode="switchdev"),
            "bridges": [{"name": "br0", "representors": [{"port": "rail0", "vf": 5}]}],
        },
        ALL_CONSENTS,
        "Cannot put the representor of VF 5 of rail0 into a bridge: there are 1 representors of that port; give the"
        " port eswitch_mode: switchdev and a count that covers the VF.",
    ),
    "VF-LAG of a card that has none": (
        lambda: ModelHost(igb_port(), ice_port()),
        {
            "ports": [{"port": "enp1s0", "name": "rail0"}, {"port": "enp59s0f0", "name": "rail1"}],
            "bonds": [
                {"name": "bond0", "members": ["rail0", "rail1"], "vf_lag": True, "mode": "balance-xor", "miimon": 100}
            ],
        },
        ALL_CONSENTS,
        "Cannot have the card bond bond0 (vf_lag): enp1s0, enp59s0f0 tells nothing of a LAG"
        " (/sys/kernel/debug/mlx5/ADDRESS/lag/state): the driver has none, or debugfs is not mounted; leave vf_lag out"
        " for this card.",
    ),
    "VF-LAG of two cards": (
        lambda: ModelHost(*mlx5_card("08"), *mlx5_card("09")),
        {
            "ports": [{"port": "enp8s0f0", "name": "rail0"}, {"port": "enp9s0f1", "name": "rail1"}],
            "bonds": [
                {"name": "bond0", "members": ["rail0", "rail1"], "vf_lag": True, "mode": "balance-xor", "miimon": 100}
            ],
        },
        ALL_CONSENTS,
        "Cannot have the card bond bond0 (vf_lag): its members are on different cards (0000:08:00, 0000:09:00); bond"
        " the ports of one card.",
    ),
    "VF-LAG of VFs in legacy mode": (
        lambda: brought_to(mlx5(), one(P0, count=1)),
        {"ports": LAG_PORTS, "bonds": card()["bonds"]},
        ALL_CONSENTS,
        "Cannot have the card bond bond0 (vf_lag): its members have VFs and are in legacy mode; give them eswitch_mode:"
        " switchdev.",
    ),
    "VF-LAG in two modes": (
        in_switchdev,
        {"ports": LAG_PORTS, "bonds": card()["bonds"]},
        ALL_CONSENTS,
        "Cannot have the card bond bond0 (vf_lag): its members are to be in different e-switch modes; give all the same"
        " eswitch_mode.",
    ),
    "VFs in use": (
        used_vf,
        one(P0, count=3),
        replace(ALL_CONSENTS, vfs_in_use=False),
        f"Cannot change the number of VFs of {P0} from 2 to 3: all VFs are taken away on the way, and these are in use:"
        " VF 1: processes use its RDMA device mlx5_2; release them first, or set allow_vfs_in_use=true"
        " (host_fabric_allow_vfs_in_use).",
    ),
    "address of a VF in use": (
        used_vf,
        one(P0, count=2, vfs=[{"vf": 1, "mac": "auto"}]),
        replace(ALL_CONSENTS, vfs_in_use=False),
        f"Cannot change the address of VF 1 of {P0}, for which it loses its driver: processes use its RDMA device"
        " mlx5_2; release it first, or set allow_vfs_in_use=true (host_fabric_allow_vfs_in_use).",
    ),
    "driver of a VF in use": (
        used_vf,
        one(P0, count=2, vfs=[{"vf": 1, "driver": "vfio-pci"}]),
        replace(ALL_CONSENTS, vfs_in_use=False),
        f"Cannot give VF 1 of {P0} another driver: processes use its RDMA device mlx5_2; release it first, or set"
        " allow_vfs_in_use=true (host_fabric_allow_vfs_in_use).",
    ),
    "traffic of a port": (
        with_address,
        one(IGB, name="rail0"),
        replace(ALL_CONSENTS, port_traffic=False),
        "Cannot rename enp1s0 to rail0: this stops the traffic of enp1s0, and it has the address 198.51.100.1/24; do it"
        " when nobody needs that, with allow_port_traffic=true (host_fabric_allow_port_traffic).",
    ),
    "traffic of a bridge that goes": (
        lambda: brought_to(mlx5(), {**one(P0, name="rail0"), "bridges": [{"name": "br0", "uplinks": ["rail0"]}]}),
        {"bridges": [{"name": "br0", "state": "absent"}]},
        Consents(),
        "Cannot delete the bridge br0: this stops the traffic of rail0, and it is in ovs-system; do it when nobody"
        " needs that, with allow_port_traffic=true (host_fabric_allow_port_traffic).",
    ),
    "traffic of a representor that leaves a bridge": (
        lambda: brought_to(mlx5(), card()),
        {**card(), "bridges": [{"name": "br0", "uplinks": ["bond0"]}]},
        Consents(),
        "Cannot take rail0_0 out of the bridge br0: this stops the traffic of rail0_0, and it is in ovs-system; do it"
        " when nobody needs that, with allow_port_traffic=true (host_fabric_allow_port_traffic).",
    ),
    "management port": (
        over_ssh,
        one(IGB, admin_state="down"),
        replace(ALL_CONSENTS, management=False),
        "Cannot take enp1s0 down: the SSH connection of this run comes in over enp1s0, and could end; come in by"
        " another way, or set allow_management=true (host_fabric_allow_management: the role then goes back to the"
        " earlier state by itself when the host cannot be reached any more).",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    make, document, consents, message = REFUSED[case]
    with pytest.raises(RailheadError) as refused:
        planned(make(), document, consents)
    assert str(refused.value) == message


def test_vf_lag_without_debugfs() -> None:
    want = load_document(card())
    with pytest.raises(RailheadError, match=f"{P0}, {P1} tells nothing of a LAG .* debugfs is not mounted"):
        plan_fabric(without_debugfs(mlx5().observe(want)), want, ALL_CONSENTS)


def test_what_cuts_the_management_connection_is_told() -> None:
    assert planned(over_ssh(), one(IGB, name="rail0")).cuts == ("enp1s0",)
    assert planned(over_ssh(), one(IGB, count=2, altnames=["rail0"])).cuts == ("enp1s0",)
    assert planned(with_address(), one(IGB, name="rail0")).cuts == ()


def test_what_the_kernel_picks_is_left_alone() -> None:
    host = brought_to(mlx5(), one(P0, count=2, vfs=[{"vf": 1, "driver": "vfio-pci"}]))
    assert planned(host, one(P0, count=2)).steps == ()
    assert planned(host, one(P0, mtu=1500)).steps == ()


# The way back


@pytest.mark.parametrize(
    ("make", "document", "back"),
    [
        (
            lambda: brought_to(mlx5(), {"bonds": [{"name": "bond0", "members": ["enp8s0f0"]}]}, bonded()),
            {"bonds": [{"name": "bond0", "members": ["rail1"]}]},
            {"bonds": [{"name": "bond0", "members": ["rail0", "rail1"], "mode": "balance-rr"}]},
        ),
        (
            lambda: brought_to(mlx5(), one(P0, count=1)),
            one(P0, count=1, vfs=[{"vf": 0, "driver": "vfio-pci"}]),
            {"vfs": "mlx5_core"},
        ),
    ],
)
def test_before_names_what_was_there(make: Callable[[], ModelHost], document: Document, back: Document) -> None:
    before = planned(make(), document).before
    if "bonds" in back:
        assert before == back
    else:
        assert before["ports"][0]["vfs"][0]["driver"] == back["vfs"]


def test_an_empty_bond_comes_back_as_one() -> None:
    host = brought_to(mlx5(), {"bonds": [{"name": "bond0", "members": ["enp8s0f0"]}]})
    host.links._release("", host.links.spaces[""]["enp8s0f0"])
    want: FabricWant = load_document({"bonds": [{"name": "bond0", "members": ["enp8s0f0"]}]})
    found = document_of(host.observe(want), want)
    assert found == {"bonds": [{"name": "bond0", "members": [], "mode": "balance-rr"}]}
    assert load_document(found).bonds[0].present


def test_addresses_of_what_becomes_a_part_come_back() -> None:
    host = with_address()
    want = load_document({"ports": [{"port": IGB}], "bonds": [{"name": "bond0", "members": [IGB]}]})
    before = document_of(host.observe(want), want)
    assert before["addresses"] == [{"device": "enp1s0", "addresses": ["198.51.100.1/24"], "routes": []}]
    host.apply(plan_fabric(host.observe(want), want, ALL_CONSENTS).steps)
    assert host.addresses["enp1s0"] == []
    brought_to(host, before)
    assert host.addresses["enp1s0"] == ["198.51.100.1/24"]
