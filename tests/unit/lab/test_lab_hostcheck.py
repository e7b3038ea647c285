# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about hosts, from injected facts."""

import dataclasses
import socket

import pytest

from railhead_lab import hostcheck
from railhead_lab.errors import LabError
from railhead_lab.hostcheck import HostFacts, Need

ALL = frozenset([*hostcheck.PROGRAMS, *hostcheck.BUILD_PROGRAMS, *hostcheck.USER_PROGRAMS])
GOOD = HostFacts(
    programs=ALL,
    igb=True,
    memory=16000,
    disk=50 << 30,
    kvm="usable",
    root=False,
    user_namespaces=True,
    subuid=True,
)
FULL = Need(build=True, nodes=2, memory=2048)


def test_a_good_host_has_no_findings():
    assert hostcheck.judge(GOOD, FULL) == []


@pytest.mark.parametrize(
    ("change", "found", "advice", "fatal"),
    [
        ({"programs": ALL - {"qemu-img"}}, "qemu-img is not installed", "install qemu-utils", True),
        ({"programs": ALL - {"mmdebstrap"}}, "mmdebstrap is not installed", "install-host-packages", True),
        ({"programs": ALL - {"newuidmap"}}, "newuidmap is not installed", "uidmap", True),
        ({"igb": False}, "no igb NIC", "bookworm-backports", True),
        ({"memory": 4000}, "4000 MiB of memory are free, 2 nodes of 2048 MiB need 4396", "--memory", True),
        ({"disk": 5 << 30}, "5.0 GiB are free", "RAILHEAD_LAB_HOME", True),
        ({"user_namespaces": False}, "user namespaces", "sysctl", True),
        ({"subuid": False}, "/etc/subuid", "usermod --add-subuids", True),
        ({"busy_ports": frozenset({2202, 2201})}, "2201, 2202", "--ssh-port-base", True),
        ({"kvm": "denied"}, "may not use it", "--groups kvm", False),
        ({"kvm": "absent"}, "no /dev/kvm", "firmware", False),
    ],
)
def test_one_trouble_one_finding(change, found, advice, fatal):
    [finding] = hostcheck.judge(dataclasses.replace(GOOD, **change), FULL)
    assert found in finding.found
    assert advice in finding.advice
    assert finding.fatal is fatal


def test_root_needs_no_subordinate_ids():
    facts = dataclasses.replace(
        GOOD, root=True, subuid=False, user_namespaces=False, programs=ALL - set(hostcheck.USER_PROGRAMS)
    )
    assert hostcheck.judge(facts, FULL) == []


def test_starting_needs_nothing_of_what_building_does():
    facts = dataclasses.replace(GOOD, disk=3 << 30, subuid=False, programs=frozenset(hostcheck.PROGRAMS))
    assert hostcheck.judge(facts, Need(nodes=2, memory=2048)) == []


def test_everything_missing_is_said_at_once():
    facts = dataclasses.replace(GOOD, programs=frozenset(), disk=0, memory=0)
    with pytest.raises(LabError) as caught:
        hostcheck.require(facts, FULL)
    for word in ("qemu-system-x86", "qemu-utils", "mmdebstrap", "e2fsprogs", "GiB", "MiB"):
        assert word in str(caught.value)


def test_slowness_alone_stops_nothing():
    hostcheck.require(dataclasses.replace(GOOD, kvm="absent"), FULL)


def test_available_memory():
    assert hostcheck.available_memory("MemTotal: 9 kB\nMemAvailable:   2097152 kB\n") == 2048
    assert hostcheck.available_memory("MemTotal: 9 kB\n") == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user:100000:65536\n", True),
        ("1000:100000:65536\n", True),
        ("other:100000:65536\n", False),
        ("user:100000:10\n", False),
        ("", False),
    ],
)
def test_subordinate_ids(text, expected):
    assert hostcheck.has_range(text, ["user", "1000"]) is expected


def test_free_ports_are_different_and_free():
    ports = hostcheck.free_ports(8)
    assert len(set(ports)) == 8
    assert all(hostcheck.port_is_free(port) for port in ports)


def test_a_port_with_a_listener_is_not_free():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert not hostcheck.port_is_free(listener.getsockname()[1])
