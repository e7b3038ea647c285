# SPDX-License-Identifier: GPL-3.0-or-later
"""Records, inventory, selection and messages."""

import json
from dataclasses import replace

import pytest

from railhead_lab import cli, inventory, labs, ssh, state
from railhead_lab.errors import LabError
from railhead_lab.paths import Home, find_home
from railhead_lab.state import LabState, NodeState, Place

LAB = LabState(
    name="one",
    image="debian13-backports",
    image_folder="/h/images/debian13-backports-0",
    kernel="7.2.1",
    memory=2048,
    cpus=2,
    accel="tcg",
    accel_reason="there is no /dev/kvm",
    nodes=(NodeState(1, 2201, ("enp1s0", "enp2s0")), NodeState(2, 2202, ("enp1s0", "enp2s0"))),
)


@pytest.fixture
def place(tmp_path):
    return Place(Home(tmp_path), "one")


def test_a_record_is_read_as_it_was_written():
    assert state.from_json(state.to_json(LAB)) == LAB


def test_a_record_of_another_format_is_refused():
    with pytest.raises(LabError, match="another version"):
        state.from_json(state.to_json(LAB).replace('"format": 1', '"format": 0'))


def test_a_record_from_before_boot_loaders_is_read():
    text = state.to_json(LAB).replace(',\n      "boot_loader": false', "")
    assert "boot_loader" not in text
    assert state.from_json(text) == LAB


def test_some_nodes_boot_by_their_boot_loader():
    changed = LAB.with_boot_loader(LAB.select("node2"), True)
    assert [spec.boot_loader for spec in changed.specs()] == [False, True]
    assert state.from_json(state.to_json(changed)) == changed
    assert changed.with_boot_loader(changed.nodes, False) == LAB


def test_a_lab_with_hubs_stays_one():
    hub = replace(LAB, hub=True)
    assert state.from_json(state.to_json(hub)) == hub
    assert {port.cable.udp_port for spec in hub.specs() for port in spec.ports} == {2201}
    assert labs.differences(labs.Wish(hub=True), hub) == labs.differences(labs.Wish(), hub) == []
    assert labs.differences(labs.Wish(hub=True), LAB) == ["--hub is False, not True"]


def test_inventory_groups(place):
    listing = inventory.listing(LAB, place)
    assert listing["lab"]["children"] == ["lab_debian13_backports"]
    assert listing["lab_debian13_backports"] == {"hosts": ["node1", "node2"]}
    assert listing["lab"]["vars"]["lab_name"] == "one"


def test_inventory_of_a_host(place, tmp_path):
    node = json.loads(json.dumps(inventory.listing(LAB, place)))["_meta"]["hostvars"]["node2"]
    assert (node["ansible_host"], node["ansible_port"], node["ansible_user"]) == ("127.0.0.1", 2202, "root")
    assert node["ansible_ssh_private_key_file"] == str(tmp_path / "id_ed25519")
    assert "StrictHostKeyChecking=yes" in node["ansible_ssh_common_args"]
    assert f"UserKnownHostsFile={tmp_path}/labs/one/known_hosts" in node["ansible_ssh_common_args"]
    assert node["lab_index"] == 2
    assert node["lab_ports"][1] == {
        "netdev": "enp2s0",
        "mac": "52:54:00:bb:02:02",
        "address": "198.51.100.130",
        "prefix": 25,
        "peer_host": "node1",
        "peer_address": "198.51.100.129",
    }


def test_known_hosts_name_each_port():
    assert ssh.known_hosts("ssh-ed25519 AAAA", [2201, 2202]) == (
        "[127.0.0.1]:2201 ssh-ed25519 AAAA\n[127.0.0.1]:2202 ssh-ed25519 AAAA\n"
    )


@pytest.mark.parametrize(("name", "indices"), [(None, [1, 2]), ("node2", [2]), ("1", [1])])
def test_select(name, indices):
    assert [node.index for node in LAB.select(name)] == indices


def test_select_names_the_nodes_there_are():
    with pytest.raises(LabError, match="its nodes are node1, node2"):
        LAB.select("node3")


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (labs.Wish(), []),
        (labs.Wish(image="debian13-backports", nodes=2, memory=2048, cpus=2, ssh_port_base=2201), []),
        (labs.Wish(nodes=3), ["--nodes is 2, not 3"]),
        (
            labs.Wish(image="debian12", cpus=4),
            ["--image is debian13-backports, not debian12", "--cpus is 2, not 4"],
        ),
    ],
)
def test_differences(wish, expected):
    assert labs.differences(wish, LAB) == expected


@pytest.mark.parametrize(
    ("environ", "root"),
    [
        ({"RAILHEAD_LAB_HOME": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/railhead-lab"),
        ({"HOME": "/c"}, "/c/.cache/railhead-lab"),
    ],
)
def test_home(environ, root):
    assert str(find_home(environ).root) == root


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "A", "x" * 32])
def test_names_that_are_no_plain_words_are_refused(name, tmp_path):
    with pytest.raises(LabError, match="as the name of a lab"):
        Home(tmp_path).lab(name)


def test_commands_need_a_lab_and_name_those_there_are(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RAILHEAD_LAB_HOME", str(tmp_path))
    other = Place(Home(tmp_path), "two")
    other.folder.mkdir(parents=True)
    other.write(LAB)
    assert cli.main(["inventory"]) == 1
    message = capsys.readouterr().err
    assert "Cannot use the lab 'default': it is not up; up are: two" in message
    assert "run `lab up`" in message


def test_status_of_a_dead_lab(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RAILHEAD_LAB_HOME", str(tmp_path))
    place = Place(Home(tmp_path), "one")
    place.folder.mkdir(parents=True)
    place.write(LAB)
    assert cli.main(["status", "--name", "one", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["state"], [node["state"] for node in answer["nodes"]]) == ("off", ["off", "off"])
    assert answer["accel_reason"] == "there is no /dev/kvm"


def test_clean_refuses_while_a_lab_is_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RAILHEAD_LAB_HOME", str(tmp_path))
    (tmp_path / "labs" / "one").mkdir(parents=True)
    (tmp_path / "images").mkdir()
    assert cli.main(["clean"]) == 1
    assert "run `lab down --name one`" in capsys.readouterr().err
    assert (tmp_path / "images").exists()


@pytest.mark.parametrize(
    ("words", "command"), [(["--", "ls", "--", "x"], ["ls", "--", "x"]), (["ls"], ["ls"]), ([], [])]
)
def test_remote_command(words, command):
    assert cli.command_of(words) == command
