# SPDX-License-Identifier: GPL-3.0-or-later
"""The QEMU command line, word for word."""

import pytest

from railhead_lab import qemu
from railhead_lab.errors import LabError
from railhead_lab.topology import ports_of


def test_whole_command_line_of_a_serving_node(make_spec):
    assert qemu.arguments(make_spec(), qemu.Version(10, 0, 2)) == [
        "qemu-system-x86_64", "-name", "railhead-lab-x-node1",
        "-nodefaults", "-no-user-config", "-display", "none",
        "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max",
        "-smp", "2", "-m", "2048", "-device", "virtio-rng-pci",
        "-kernel", "/i/vmlinuz", "-initrd", "/i/initrd",
        "-append", "root=/dev/vda rw console=ttyS0 damon_stat.enabled=N systemd.hostname=node1"
        " railhead_lab.port=1,52:54:00:bb:01:01,198.51.100.1/25"
        " railhead_lab.port=2,52:54:00:bb:01:02,198.51.100.129/25",
        "-blockdev", "driver=qcow2,node-name=disk,file.driver=file,file.filename=node1.qcow2",
        "-device", "virtio-blk-pci,drive=disk",
        "-netdev", "user,id=mgmt,ipv6=off,hostfwd=tcp:127.0.0.1:2201-:22",
        "-device", "virtio-net-pci,netdev=mgmt,mac=52:54:00:aa:01:00,romfile=",
        "-device", "pcie-root-port,id=slot1,bus=pcie.0,chassis=1,slot=1",
        "-netdev", "stream,id=port1,addr.type=unix,addr.path=cable-node1-node2-1.sock,server=on",
        "-device", "igb,bus=slot1,netdev=port1,mac=52:54:00:bb:01:01",
        "-device", "pcie-root-port,id=slot2,bus=pcie.0,chassis=2,slot=2",
        "-netdev", "stream,id=port2,addr.type=unix,addr.path=cable-node1-node2-2.sock,server=on",
        "-device", "igb,bus=slot2,netdev=port2,mac=52:54:00:bb:01:02",
        "-chardev", "socket,id=serial,path=node1.serial,server=on,wait=off,logfile=node1.serial.log,logappend=on",
        "-serial", "chardev:serial", "-qmp", "unix:node1.qmp,server=on,wait=off",
    ]  # fmt: skip


def test_a_snapshot_adds_only_loadvm(make_spec):
    plain = qemu.arguments(make_spec(), qemu.Version(10, 0, 2))
    assert qemu.arguments(make_spec(), qemu.Version(10, 0, 2), "ready") == [*plain, "-loadvm", "ready"]


def test_a_node_with_a_boot_loader_brings_its_own_kernel(make_spec):
    plain = qemu.arguments(make_spec(), qemu.Version(10, 0, 2))
    start, end = plain.index("-kernel"), plain.index("-blockdev")
    assert qemu.arguments(make_spec(boot_loader=True), qemu.Version(10, 0, 2)) == plain[:start] + plain[end:]


@pytest.mark.parametrize(
    ("version", "option"),
    [((8, 2, 0), "reconnect=1"), ((9, 1, 9), "reconnect=1"), ((9, 2, 0), "reconnect-ms=1000")],
)
def test_the_connecting_end_tries_again_as_this_qemu_calls_it(make_spec, version, option):
    argv = qemu.arguments(make_spec(2), qemu.Version(*version))
    cable = "stream,id=port1,addr.type=unix,addr.path=cable-node1-node2-1.sock,server=off"
    assert f"{cable},{option}" in argv


def test_ports_on_a_hub_share_a_multicast_group(make_spec):
    argv = qemu.arguments(make_spec(ports=ports_of(1, 3, 2201)), qemu.Version(10, 0, 2))
    assert "socket,id=port1,mcast=239.255.0.1:2201,localaddr=127.0.0.1" in argv
    assert "socket,id=port2,mcast=239.255.0.2:2201,localaddr=127.0.0.1" in argv


def test_kvm_takes_the_host_cpu(make_spec):
    argv = qemu.arguments(make_spec(accel="kvm"), qemu.Version(10, 0, 2))
    assert argv[argv.index("-accel") : argv.index("-smp")] == ["-accel", "kvm", "-cpu", "host"]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)\nCopyright", "10.0.2"),
        ("QEMU emulator version 8.2.2 (Debian 1:8.2.2+ds-0ubuntu1)", "8.2.2"),
    ],
)
def test_version(text, version):
    assert str(qemu.parse_version(text)) == version


def test_a_version_that_cannot_be_read_is_said():
    with pytest.raises(LabError, match="it printed 'nonsense'"):
        qemu.parse_version("nonsense\n")
