# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules fabric and fabric_info: what they take, what they return, and what one says of the other's work.

The card is composed: two ports of mlx5 in VF-LAG, as the kernel's and the tools' source have it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.railhead.cluster.plugins.module_utils._core import converge, module
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Result
from ansible_collections.railhead.cluster.plugins.module_utils._fabric import document
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.document_bonds import BOND_FIELDS, BOND_OPTIONS
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.info import read_info
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.observe import observe_fabric
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.plan import plan_fabric
from ansible_collections.railhead.cluster.plugins.module_utils._link.attributes import BOND
from ansible_collections.railhead.cluster.plugins.module_utils._ovs.observe import READ
from ansible_collections.railhead.cluster.plugins.modules import fabric

from ..replay import ReplayHost

RULES = "/etc/udev/rules.d/70-railhead-fabric.rules"
CARD = "0000:08:00"
ROUTES = [{"dst": "default", "gateway": "198.51.100.254", "dev": "br0", "protocol": "static"}]
SSH = "SSH_CONNECTION=192.0.2.9 40000 192.0.2.1 22\0"


class Card(ReplayHost):
    """C(vfs) on each of two ports, the first of each in a namespace; answers any reading, and counts the processes."""

    def __init__(self, vfs: int = 2, ssh: bool = False, mode: str = "802.3ad") -> None:
        super().__init__()
        self.vfs = vfs
        self.mode = mode
        self.more: list[dict[str, Any]] = []
        self.started: list[str] = []
        self.asked_devlink: list[str] = []
        self.files.update(
            {
                "/run/netns/pod0": {"identity": 7},
                "/sys/module/bonding/version": "",
                "/usr/bin/ovs-vsctl": "",
                "/run/openvswitch/db.sock": "",
                "/run/openvswitch/ovs-vswitchd.pid": "812\n",
                "/proc/812/comm": "ovs-vswitchd\n",
                "/proc/self/environ": SSH if ssh else "",
            }
        )
        # What is no port of a fabric: a disk with SR-IOV, a network card without.
        self._pci("0000:01:00.0", {"class": "0x010802\n", "sriov_totalvfs": "8\n"})
        self._pci("0000:02:00.0", {"class": "0x020000\n", "net/eno1/mtu": "1500\n"})
        for pf in (0, 1):
            self._port(pf)

    def _pci(self, address: str, files: Mapping[str, Any]) -> None:
        self.files.update({f"/sys/bus/pci/devices/{address}/{name}": content for name, content in files.items()})

    def _port(self, pf: int) -> None:
        port = f"{CARD}.{pf}"
        self.files[f"/sys/kernel/debug/mlx5/{port}/lag/state"] = "active\n"
        self._pci(
            port,
            {
                "class": "0x020000\n",
                "driver": {"link": "../../bus/pci/drivers/mlx5_core"},
                "sriov_totalvfs": "64\n",
                "sriov_numvfs": f"{self.vfs}\n",
                "sriov_drivers_autoprobe": "1\n",
                f"net/rail{pf}/mtu": "9000\n",
            },
        )
        self.files[f"/sys/class/net/rail{pf}/phys_port_name"] = f"p{pf}\n"
        for index in range(self.vfs):
            vf, representor = f"0000:08:{pf + 1:02x}.{index}", f"rail{pf}_{index}"
            self._pci(port, {f"virtfn{index}": {"link": f"../{vf}"}, f"net/{representor}/mtu": "1500\n"})
            self.files[f"/sys/class/net/{representor}/phys_port_name"] = f"pf{pf}vf{index}\n"
            self.files[f"/sys/class/net/{representor}/upper_ovs-system"] = ""
            files = {
                "class": "0x020000\n",
                "physfn": {"link": f"../{port}"},
                "driver": {"link": "../../bus/pci/drivers/mlx5_core"},
                "infiniband/mlx5_9/node_type": "1: CA\n",
                # A network device in another namespace leaves an empty directory.
                "net/": "",
            }
            self._pci(vf, files if index == 0 else {**files, f"net/vf{pf}v{index}/mtu": "1500\n"})
            if index == 0:
                self.files[f"/sys/bus/pci/devices/{port}/virtfn{index}/net/"] = ""

    def pci_netdevs(self, namespace: str) -> dict[str, str]:
        return {"0000:08:01.0": "eth0", "0000:08:02.0": "eth1"} if namespace == "/run/netns/pod0" else {}

    def read_feature(self, netdev: str, feature: str) -> bool | None:
        return True if feature == "hw-tc-offload" and netdev.startswith("rail") else None

    def run(self, argv: Any, stdin: str | None = None, **_deadline: float) -> Result:
        words = tuple(argv)
        self.started.append(words[0])
        answers: dict[tuple[str, ...], Any] = {
            ("ip", "-j", "-d", "address", "show"): self._links(),
            ("ip", "-j", "-4", "route", "show"): ROUTES,
            ("ip", "-j", "-6", "route", "show"): [],
            ("rdma", "-j", "resource", "show"): [],
        }
        if words in answers:
            return Result(0, json.dumps(answers[words]))
        if words == READ:
            return Result(0, self._ovs())
        assert words == ("devlink", "-j", "-f", "-b", "-")
        shown = {"mode": "switchdev", "inline-mode": "none", "encap-mode": "basic"}
        self.asked_devlink = [line.split()[3] for line in (stdin or "").splitlines() if "eswitch" in line]
        answers_of = [{"dev": {handle: shown}} for handle in self.asked_devlink if CARD in handle]
        return Result(1, ",".join(map(json.dumps, answers_of)))

    def _links(self) -> list[dict[str, Any]]:
        ports = [self.link(f"rail{pf}", 9000, master="bond0", **self._of_port(pf)) for pf in (0, 1)]
        representors = [
            self.link(f"rail{pf}_{index}", master="ovs-system") for pf in (0, 1) for index in range(self.vfs)
        ]
        data = {"mode": self.mode, "miimon": 100, "ad_lacp_rate": "fast", "xmit_hash_policy": "layer3+4"}
        partner = {"aggregator": 1, "num_ports": 2, "partner_mac": "02:00:5e:10:00:ff"}
        bond = {"info_kind": "bond", "info_data": {**data, "ad_info": partner}}
        return [
            self.link("lo", local="127.0.0.1", prefixlen=8),
            self.link("eno1", local="192.0.2.1"),
            *ports,
            *representors,
            self.link("bond0", 9000, master="ovs-system", linkinfo=bond),
            self.link("br0", linkinfo={"info_kind": "openvswitch"}, local="198.51.100.1"),
            *self.more,
        ]

    def _of_port(self, pf: int) -> dict[str, Any]:
        vfs = [
            {
                "vf": index,
                "link_type": "ether",
                "address": f"02:00:00:00:{pf:02x}:{index:02x}",
                "vlan_list": [{}],
                "trust": False,
            }
            for index in range(self.vfs)
        ]
        member = {"state": "ACTIVE", "mii_status": "UP", "ad_partner_oper_port_state_str": ["collecting"]}
        return {"vfinfo_list": vfs, "linkinfo": {"info_slave_kind": "bond", "info_slave_data": member}}

    def link(self, name: str, mtu: int = 1500, local: str = "", prefixlen: int = 24, **more: Any) -> dict[str, Any]:
        addresses = [{"family": "inet", "local": local, "prefixlen": prefixlen, "scope": "global"}] if local else []
        shown = {"ifname": name, "flags": ["UP"], "mtu": mtu, "link_type": "ether", "operstate": "UP"}
        return {**shown, "addr_info": addresses, **more}

    def _ovs(self) -> str:
        names = ["br0", "bond0", *(f"rail{pf}_{index}" for pf in (0, 1) for index in range(self.vfs))]
        none: list[Any] = ["set", []]
        tags = {name: 100 for name in names if name.endswith("_1")}
        return "".join(
            json.dumps({"headings": headings, "data": rows})
            for headings, rows in (
                (["other_config", "ovs_version"], [[["map", [["hw-offload", "true"]]], "3.5.0"]]),
                (["name", "ports"], [["br0", ["set", [["uuid", name] for name in names]]]]),
                (
                    ["_uuid", "name", "tag", "trunks", "interfaces"],
                    [[["uuid", name], name, tags.get(name, none), none, ["uuid", name]] for name in names],
                ),
                (["_uuid", "name", "error"], [[["uuid", name], name, none] for name in names]),
            )
        )


def ran(host: ReplayHost, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: Any) -> dict[str, Any]:
    monkeypatch.setattr(module, "Host", lambda: host)
    monkeypatch.setattr(converge, "SETTLE_SECONDS", 0.0)
    with patch_module_args(params), pytest.raises(SystemExit):
        fabric.main()
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


# What the module takes


@pytest.mark.parametrize("name", BOND_OPTIONS)
def test_bond_options_are_those_of_the_table(name: str) -> None:
    (attribute,) = [each for each in BOND if each.name == name]
    assert fabric.BOND_ENTRY[name] == attribute.spec


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        (fabric.PORT, document._PORT),
        (fabric.VF, document._VF),
        (fabric.BOND_ENTRY, BOND_FIELDS),
        (fabric.OPEN_VSWITCH, document._OPEN_VSWITCH),
        (fabric.BRIDGE, document._BRIDGE),
        (fabric.BRIDGE["representors"]["options"], document._REPRESENTOR),
        (fabric.ADDRESSES, document._ADDRESSES),
        (fabric.ADDRESSES["routes"]["options"], document._ROUTE),
    ],
)
def test_the_options_are_the_keys_of_the_document(options: dict[str, Any], fields: dict[str, Any]) -> None:
    assert set(options) == set(fields)
    for name, option in options.items():
        assert tuple(option.get("choices", ())) == fields[name].choices, name
        assert option.get("required", False) == fields[name].required, name


def test_there_is_an_option_for_each_section() -> None:
    assert set(fabric.SECTIONS) == set(document._DOCUMENT)


# What it returns


def test_check_mode_returns_the_plan_and_what_it_cuts(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    params = {
        "ports": [{"port": "eno1", "name": "mgmt0"}],
        "allow_port_traffic": True,
        "allow_management": True,
        "_ansible_check_mode": True,
    }
    host = Card(ssh=True)
    host.files["/sys/class/net/eno1/device"] = {"link": "/sys/devices/0000:02:00.0"}
    host.files["/sys/class/net/eno1/device/subsystem"] = {"link": "../../bus/pci"}
    answer = ran(host, params, monkeypatch, capsys)
    assert answer["changed"]
    assert answer["cuts"] == ["eno1"]
    assert [step["command"] for step in answer["plan"]] == answer["commands"]
    assert answer["plan"][3] == {
        "does": "rename eno1 to mgmt0",
        "disrupts": "",
        "undo": "rename it to eno1",
        "command": ["ip", "link", "set", "dev", "eno1", "name", "mgmt0"],
    }
    assert answer["fabric"]["ports"][0]["name"] == "eno1"


@pytest.mark.parametrize(
    ("sections", "consents", "words"),
    [
        (
            {
                "ports": [{"port": f"{CARD}.0", "count": 1, "eswitch_mode": "switchdev"}],
                "bonds": [{"name": "bond0", "mode": "802.3ad", "members": ["rail0", "rail1"]}],
                "bridges": [{"name": "br0", "uplinks": ["bond0"]}],
            },
            ["vfs_in_use", "port_traffic"],
            "these are in use: VF 0: ",
        ),
        ({"bridges": [{"name": "br0", "state": "absent"}]}, ["port_traffic"], "it has the address 198.51.100.1/24"),
        ({"addresses": [{"device": "eno1"}]}, ["management"], "the SSH connection of this run comes in over eno1"),
    ],
)
def test_what_disrupts_needs_its_consent(
    sections: dict[str, Any], consents: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    refused = ran(Card(ssh=True), sections, monkeypatch, capsys)
    assert refused["failed"]
    assert words in refused["msg"]
    allowed = {f"allow_{consent}": True for consent in consents}
    assert ran(Card(ssh=True), {**sections, **allowed, "_ansible_check_mode": True}, monkeypatch, capsys)["changed"]


def test_nothing_to_do_is_no_change(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    answer = ran(Card(), {"bonds": [{"name": "bond9", "state": "absent"}]}, monkeypatch, capsys)
    assert not answer["changed"]
    assert (answer["plan"], answer["cuts"], answer["commands"]) == ([], [], [])
    assert answer["fabric"] == {"bonds": [{"name": "bond9", "state": "absent"}]}


def test_a_wrong_document_is_refused_before_the_host_is_read(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    host = Card()
    answer = ran(host, {"bonds": [{"name": "bond0", "mode": "802.3ad"}]}, monkeypatch, capsys)
    assert "members are missing" in answer["msg"]
    assert host.started == []


# What fabric_info reads


@pytest.mark.parametrize("vfs", [0, 1, 48])
def test_the_number_of_processes_is_constant(vfs: int) -> None:
    host = Card(vfs)
    read_info(host)
    expected = ["ip", "ovs-vsctl", *(["rdma"] if vfs else []), "devlink", "ip", "ip"]
    assert sorted(host.started) == sorted(expected)
    assert host.asked_devlink == ["pci/0000:02:00.0", f"pci/{CARD}.0", f"pci/{CARD}.1"]


def test_ports_with_their_functions() -> None:
    ports = {port["netdev"]: port for port in read_info(Card())["ports"]}
    assert list(ports) == ["rail0", "rail1"]
    rail0 = ports["rail0"]
    assert rail0["eswitch"] == {"mode": "switchdev", "inline_mode": "none", "encap_mode": "basic"}
    assert (rail0["port"], rail0["driver"], rail0["count"], rail0["total_vfs"]) == (f"{CARD}.0", "mlx5_core", 2, 64)
    assert (rail0["lag"], rail0["hw_tc_offload"], rail0["link"]["master"]) == ("active", True, "bond0")
    assert [(vf["netns"], vf["netdevs"], vf["representor"]) for vf in rail0["vfs"]] == [
        ("pod0", ["eth0"], "rail0_0"),
        ("", ["vf0v1"], "rail0_1"),
    ]
    assert rail0["vfs"][0]["mac"] == "02:00:00:00:00:00"
    assert "its network device is in another network namespace" in rail0["vfs"][0]["users"]


def test_bonds_open_vswitch_and_addresses() -> None:
    found = read_info(Card(ssh=True))
    (bond,) = found["bonds"]
    assert (bond["vf_lag"], bond["bond"]["lacp_rate"], bond["lacp"]["ports"]) == (True, "fast", 2)
    assert bond["members"][0]["partner_state"] == ["collecting"]
    assert found["open_vswitch"]["version"] == "3.5.0"
    assert {"device": "eno1", "addresses": ["192.0.2.1/24"], "routes": []} in found["addresses"]
    assert found["management"] == ["eno1"]


def test_a_card_that_does_not_bond_is_no_vf_lag() -> None:
    host = Card()
    host.files[f"/sys/kernel/debug/mlx5/{CARD}.1/lag/state"] = "disabled\n"
    found = read_info(host)
    assert found["bonds"][0]["vf_lag"] is False
    assert "vf_lag" not in found["document"]["bonds"][0]


def test_a_host_with_nothing() -> None:
    found = read_info(
        ReplayHost(
            [
                {"argv": ["ip", "-j", "-d", "address", "show"], "stdout": "[]\n"},
                {"argv": ["ip", "-j", "-4", "route", "show"]},
                {"argv": ["ip", "-j", "-6", "route", "show"]},
            ]
        )
    )
    assert found.pop("open_vswitch") is None
    assert set(map(str, found.values())) == {"[]", "{}"}


def test_two_network_devices_behind_one_function_are_two_ports() -> None:
    host = Card(0)
    host.files[f"/sys/bus/pci/devices/{CARD}.0/net/rail9/mtu"] = "1500\n"
    host.files[f"/sys/bus/pci/devices/{CARD}.0/net/sf88/mtu"] = "1500\n"
    host.files["/sys/class/net/sf88/phys_port_name"] = "pf0sf88\n"
    for name in ("rail0", "rail9"):
        host.files[f"/sys/class/net/{name}/device"] = {"link": f"/sys/devices/{CARD}.0"}
        host.files[f"/sys/class/net/{name}/device/subsystem"] = {"link": "../../bus/pci"}
    assert [port["netdev"] for port in read_info(host)["ports"]] == ["rail0", "rail9", "rail1"]


def test_the_document_is_one_and_changes_nothing() -> None:
    found = read_info(Card())["document"]
    want = document.load_document(found)
    assert [port.name for port in want.ports] == ["rail0", "rail1"]
    assert want.bonds[0].vf_lag
    assert [vf.get("netns") for vf in found["ports"][0]["vfs"]] == ["pod0", None]
    assert found["addresses"] == [
        {
            "device": "br0",
            "addresses": ["198.51.100.1/24"],
            "routes": [{"to": "0.0.0.0/0", "via": "198.51.100.254"}],
        }
    ]
    steps = plan_fabric(observe_fabric(Card(), want), want).steps
    # The names that there are become those that stay.
    assert [step.shown[:2] for step in steps] == [["install", RULES], ["udevadm", "control"]]


def test_what_a_document_cannot_say_is_left_out() -> None:
    """The kernel shows the options of all modes; a bond without members; addresses of a member."""
    host = Card(mode="active-backup")
    host.more = [
        host.link("bond9", linkinfo={"info_kind": "bond", "info_data": {"mode": "balance-rr"}}),
        host.link("bond8", linkinfo={"info_kind": "bond", "info_data": {"mode": "balance-rr"}}, local="192.0.2.7"),
        host.link("d0", master="bond8"),
    ]
    host.more[1]["master"] = "vrf0"
    found = read_info(host)
    assert [bond["name"] for bond in found["bonds"]] == ["bond0", "bond9", "bond8"]
    assert [bond["name"] for bond in found["document"]["bonds"]] == ["bond0", "bond8"]
    assert found["document"]["bonds"][0]["mode"] == "active-backup"
    assert "lacp_rate" not in found["document"]["bonds"][0]
    assert [entry["device"] for entry in found["document"]["addresses"]] == ["br0"]
    document.load_document(found["document"])
