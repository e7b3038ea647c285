# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning the VFs of a port: tables, and a model of the kernel that only takes what the real one takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Step, Write
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.observe import Port, Vf
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.plan import plan_vfs, with_vfs
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.request import Attributes, Want, address_of

DIRECTORY = "/sys/bus/pci/devices/0000:01:00.0"
NEW = Attributes("00:00:00:00:00:00", 0, 0, "802.1Q", True, False, "auto", 0, 0)
TOTAL = 7


def port(count: int = 0, **more: Any) -> Port:
    vfs = tuple(Vf(index, NEW, f"0000:01:10.{index}") for index in range(count))
    base = Port(DIRECTORY, "pf0", "ether", "52:54:00:bb:01:01", count, TOTAL, drivers_autoprobe=True, vfs=vfs)
    return replace(base, **more)


def using(have: Port, index: int, user: str) -> Port:
    vfs = [replace(vf, users=(user,)) if vf.index == index else vf for vf in have.vfs]
    return replace(have, vfs=tuple(vfs))


def reporting(have: Port, **values: Any) -> Port:
    return replace(have, vfs=tuple(replace(vf, attributes=replace(vf.attributes, **values)) for vf in have.vfs))


def shown(have: Port, want: Want) -> list[str]:
    return [" ".join(step.shown).replace(DIRECTORY, "D") for step in plan_vfs(have, want).steps]


def ask(*args: Any, **values: Any) -> Want:
    return Want("pf0", *args, **values)


def test_guids_are_made_of_that_of_the_port() -> None:
    """The hardware address of an InfiniBand port is a QP number, a prefix and its GUID (RFC 4391)."""
    address = "00:00:10:49:fe:80:00:00:00:00:00:00:04:3f:72:03:00:aa:bb:cc"
    vf = Vf(1, Attributes(node_guid="00:00:00:00:00:00:00:00", port_guid="00:00:00:00:00:00:00:00"))
    have = replace(port(2), link_type="infiniband", address=address, vfs=(port(1).vfs[0], vf))
    guid = "06:3f:72:00:01:aa:bb:cc"
    want = ask(None, None, {1: Attributes(node_guid="auto", port_guid="auto")})
    assert shown(have, want) == [f"ip link set dev pf0 vf 1 {key} {guid}" for key in ("node_guid", "port_guid")]


@pytest.mark.parametrize(
    ("have", "want", "steps"),
    [
        (port(), ask(0), []),
        (port(), ask(2), ["write D/sriov_numvfs 2"]),
        (port(2), ask(2), []),
        (port(2), ask(0), ["write D/sriov_numvfs 0"]),
        (port(2), ask(3), ["write D/sriov_numvfs 0", "write D/sriov_numvfs 3"]),
        (port(3), ask(None), []),
        (port(1), ask(None, False), ["write D/sriov_drivers_autoprobe 0"]),
        (port(1), ask(0, False), ["write D/sriov_drivers_autoprobe 0", "write D/sriov_numvfs 0"]),
        (
            port(1),
            ask(2, False),
            ["write D/sriov_numvfs 0", "write D/sriov_drivers_autoprobe 0", "write D/sriov_numvfs 2"],
        ),
        # A VF whose links are missing is made again, with all others.
        (replace(port(2), count=3), ask(3), ["write D/sriov_numvfs 0", "write D/sriov_numvfs 3"]),
        (port(1), ask(vfs={0: Attributes(trust=True)}), ["ip link set dev pf0 vf 0 trust on"]),
        (port(1), ask(vfs={0: Attributes(trust=False, link_state="auto")}), []),
        (port(1), ask(vfs={0: Attributes(link_state="enable")}), ["ip link set dev pf0 vf 0 state enable"]),
        (
            port(1),
            ask(vfs={0: Attributes(vlan=5, qos=0, vlan_proto="802.1Q")}),
            ["ip link set dev pf0 vf 0 vlan 5 qos 0 proto 802.1Q"],
        ),
        # Both rates are always sent: ip would read the other one first.
        (
            reporting(port(1), min_tx_rate=10, max_tx_rate=50),
            ask(vfs={0: Attributes(max_tx_rate=100)}),
            ["ip link set dev pf0 vf 0 min_tx_rate 10 max_tx_rate 100"],
        ),
        (
            port(),
            ask(1, vfs={0: Attributes(min_tx_rate=10)}),
            ["write D/sriov_numvfs 1", "ip link set dev pf0 vf 0 min_tx_rate 10 max_tx_rate 0"],
        ),
        # What a new VF of a card has is not set again, because the driver may have no way to set it.
        (
            port(),
            ask(1, vfs={0: Attributes(link_state="auto", max_tx_rate=0, trust=False, spoofchk=True)}),
            ["write D/sriov_numvfs 1", "ip link set dev pf0 vf 0 spoofchk on"],
        ),
        # A simulated port keeps what its VFs had.
        (
            port(is_pci=False),
            ask(1, vfs={0: Attributes(trust=False)}),
            ["write D/sriov_numvfs 1", "ip link set dev pf0 vf 0 trust off"],
        ),
        # So does a driver whose VF is known to have had something else.
        (
            reporting(port(1), trust=True),
            ask(2, vfs={0: Attributes(trust=False), 1: Attributes(trust=False)}),
            ["write D/sriov_numvfs 0", "write D/sriov_numvfs 2", "ip link set dev pf0 vf 0 trust off"],
        ),
        (
            port(1),
            ask(vfs={0: Attributes(mac="auto")}),
            [f"ip link set dev pf0 vf 0 mac {address_of('52:54:00:bb:01:01', 0)}"],
        ),
        (
            reporting(port(1, link_type="infiniband"), mac=None, node_guid="00:00:00:00:00:00:00:00"),
            ask(vfs={0: Attributes(node_guid="00:11:22:33:44:55:66:77")}),
            ["ip link set dev pf0 vf 0 node_guid 00:11:22:33:44:55:66:77"],
        ),
        (
            using(port(2), 1, "it is bound to vfio-pci"),
            ask(3, allow_resize_in_use=True),
            ["write D/sriov_numvfs 0", "write D/sriov_numvfs 3"],
        ),
        (using(port(2), 1, "it is bound to vfio-pci"), ask(2), []),
        (port(carries=("pf0",)), ask(1, allow_management=True), ["write D/sriov_numvfs 1"]),
        (port(2, carries=("pf0",)), ask(2), []),
    ],
)
def test_plan(have: Port, want: Want, steps: list[str]) -> None:
    assert shown(have, want) == steps


@pytest.mark.parametrize(
    ("have", "want", "words"),
    [
        (port(), ask(8), r"Cannot give pf0 8 VFs: it can have 7 \(sriov_totalvfs\)"),
        (
            using(port(2), 1, "its network device pf0v1 is in br0"),
            ask(3),
            r"from 2 to 3: .* VF 1 \(0000:01:10.1\): its network device pf0v1 is in br0.*allow_resize_in_use=true",
        ),
        (using(port(2), 1, "x"), ask(0), "from 2 to 0"),
        (port(carries=("bond0", "pf0")), ask(1), "over bond0, pf0, which could end.*allow_management=true"),
        (port(1, carries=("pf0",)), ask(vfs={0: Attributes(trust=True)}), "allow_management"),
        (port(2), ask(vfs={2: Attributes(trust=True)}), "there is no VF 2, it has 2; give count=3 or more"),
        (port(1, netdev=""), ask(vfs={0: Attributes(trust=True)}), "no network device in the host's namespace"),
        (port(1), ask(vfs={0: Attributes(node_guid="x")}), "node_guid of VF 0 cannot be on an Ethernet port"),
        (port(1, link_type="infiniband"), ask(vfs={0: Attributes(mac="auto")}), "cannot be on an InfiniBand port"),
        (reporting(port(1), trust=None), ask(vfs={0: Attributes(trust=True)}), "does not report that attribute"),
        (
            reporting(port(1), max_tx_rate=100),
            ask(vfs={0: Attributes(min_tx_rate=200)}),
            "min_tx_rate would be 200 and its max_tx_rate 100",
        ),
        (port(drivers_autoprobe=None), ask(drivers_autoprobe=True), "has no sriov_drivers_autoprobe"),
    ],
)
def test_refusals(have: Port, want: Want, words: str) -> None:
    with pytest.raises(RailheadError, match=words):
        plan_vfs(have, want)


class Kernel:
    """Takes steps by the rules of drivers/pci/iov.c and rtnetlink; a refusal is an OSError or a ValueError."""

    def __init__(self, have: Port) -> None:
        self.port = have

    def take(self, step: Step) -> None:
        if isinstance(step, Write):
            self._write(step.path.rpartition("/")[2], int(step.value))
        else:
            assert isinstance(step, Command)
            self._set(step.argv)

    def _write(self, file: str, value: int) -> None:
        if file == "sriov_drivers_autoprobe":
            self.port = replace(self.port, drivers_autoprobe=bool(value))
        elif value > TOTAL:
            raise OSError("ERANGE")
        elif value and self.port.count not in (0, value):
            raise OSError("EBUSY")
        elif value != self.port.count:
            self.port = replace(port(value), drivers_autoprobe=self.port.drivers_autoprobe)

    def _set(self, argv: tuple[str, ...]) -> None:
        assert argv[:5] == ("ip", "link", "set", "dev", "pf0")
        index = int(argv[6])
        if index >= self.port.count:
            raise OSError("EINVAL")
        names = {"proto": "vlan_proto", "state": "link_state"}
        values: dict[str, Any] = {}
        for key, word in zip(argv[7::2], argv[8::2], strict=True):
            name = names.get(key, key)
            values[name] = {"on": True, "off": False}.get(word, int(word) if word.isdigit() else word)
        now = replace(self.port.vfs[index].attributes, **values)
        if now.max_tx_rate and (now.min_tx_rate or 0) > now.max_tx_rate:
            raise ValueError("Invalid min_tx_rate")
        vfs = [replace(vf, attributes=now) if vf.index == index else vf for vf in self.port.vfs]
        self.port = replace(self.port, vfs=tuple(vfs))


attributes = st.builds(
    lambda vlan, **more: Attributes(**more, **vlan),
    vlan=st.just({})
    | st.builds(lambda vlan, qos: {"vlan": vlan, "qos": qos, "vlan_proto": "802.1Q"}, st.integers(1, 4094), st.just(3)),
    mac=st.none() | st.just("auto"),
    spoofchk=st.none() | st.booleans(),
    trust=st.none() | st.booleans(),
    link_state=st.none() | st.sampled_from(["auto", "enable", "disable"]),
    min_tx_rate=st.none() | st.integers(0, 10),
    max_tx_rate=st.none() | st.just(0) | st.integers(10, 20),
)


@st.composite
def wants(draw: st.DrawFn) -> Want:
    count = draw(st.integers(0, TOTAL))
    vfs = draw(st.dictionaries(st.integers(0, count - 1), attributes, max_size=3)) if count else {}
    return ask(count, draw(st.none() | st.booleans()), vfs)


@given(st.lists(wants(), min_size=1, max_size=3))
def test_any_order_of_wants_is_reached_and_stays(requests: list[Want]) -> None:
    kernel = Kernel(port())
    for want in requests:
        steps, predicted = with_vfs(kernel.port, want)
        for step in steps:
            kernel.take(step)
        assert plan_vfs(kernel.port, want).steps == ()
        assert (predicted.count, predicted.drivers_autoprobe) == (kernel.port.count, kernel.port.drivers_autoprobe)
        for vf, real in zip(predicted.vfs, kernel.port.vfs, strict=True):
            assert vf.attributes.given.items() <= real.attributes.given.items()


@given(wants(), wants(), st.data())
def test_a_run_that_was_killed_is_finished_by_the_next(first: Want, want: Want, data: st.DataObject) -> None:
    kernel = Kernel(port())
    for step in with_vfs(kernel.port, first)[0]:
        kernel.take(step)
    steps = with_vfs(kernel.port, want)[0]
    for step in steps[: data.draw(st.integers(0, len(steps)))]:
        kernel.take(step)
    for step in with_vfs(kernel.port, want)[0]:
        kernel.take(step)
    assert plan_vfs(kernel.port, want).steps == ()


def test_a_resize_ends_with_one_batch() -> None:
    """Neighbouring commands share one process, so their number does not matter."""
    steps = with_vfs(port(2), ask(7, vfs={index: Attributes(trust=True) for index in range(7)}))[0]
    kinds = [type(step) for step in steps]
    assert kinds == [Write, Write] + [Command] * 7
