# SPDX-License-Identifier: GPL-3.0-or-later
"""Any IPoIB document after any other, on a model of the kernel: no lab has InfiniBand.

The rules are those of drivers/infiniband/ulp/ipoib of Linux 6.12 (ipoib_vlan.c, ipoib_netlink.c, ipoib_main.c), written
down here once more and not taken from the planner.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Command, Step
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.addressing import Addressing
from ansible_collections.railhead.cluster.plugins.module_utils._ipoib.interfaces import (
    Consents,
    Ipoib,
    load_document,
    plan_ipoib,
)
from ansible_collections.railhead.cluster.plugins.module_utils._link.device import Device
from ansible_collections.railhead.cluster.plugins.module_utils._link.observe import Links

PARTITION_MTU = 4092


class Kernel:
    """Two ports of one partition each, and what C(ip) makes of them."""

    def __init__(self) -> None:
        self.devices: dict[str, Device] = {}
        self.addresses: dict[str, list[str]] = {}
        for number, name in enumerate(("ib0", "ib1")):
            data = {"pkey": "0xffff", "mode": "datagram", "umcast": False}
            self._put(Device(name, number, "ipoib", "infiniband", mtu=PARTITION_MTU, max_mtu=65520, data=data))

    def state(self) -> Ipoib:
        addressing = {name: Addressing(tuple(found)) for name, found in self.addresses.items()}
        return Ipoib(Links({"": tuple(self.devices.values())}), addressing)

    def apply(self, step: Step) -> None:
        assert isinstance(step, Command)
        words = list(step.argv[1:])
        if words[0] == "address":
            self._address(words[1], words[2], words[4])
        elif words[1] == "add":
            self._add(dict(zip(words[2:6:2], words[3:7:2], strict=True)), words[7:])
        elif words[1] == "del":
            del self.devices[words[3]], self.addresses[words[3]]
        else:
            self._set(self.devices[words[3]], words[4:])

    def _put(self, device: Device) -> None:
        self.devices[device.name] = device
        self.addresses.setdefault(device.name, [])

    def _add(self, general: dict[str, str], special: list[str]) -> None:
        parent, name = self.devices[general["link"]], general["name"]
        options = dict(zip(special[1::2], special[2::2], strict=True))
        assert special[0] == "ipoib"
        assert name not in self.devices
        assert parent.link_type == "infiniband"
        assert parent.parent is None, "EINVAL: a child has no children"
        assert int(options["pkey"], 16) not in (0, 0x8000), "EINVAL"
        twins = [device for device in self.devices.values() if device.parent == parent.name]
        assert options["pkey"] not in [twin.data["pkey"] for twin in twins], "ENOTUNIQ"
        data = {
            "pkey": options["pkey"],
            "mode": options.get("mode", "datagram"),
            "umcast": options.get("umcast") == "1",
        }
        mtu = 65520 if data["mode"] == "connected" else PARTITION_MTU
        self._put(
            Device(
                name,
                len(self.devices) + 9,
                "ipoib",
                "infiniband",
                mtu=mtu,
                max_mtu=65520,
                parent=parent.name,
                parent_index=parent.index,
                data=data,
            )
        )

    def _set(self, device: Device, words: list[str]) -> None:
        if words[0] in ("up", "down"):
            device = replace(device, up=words[0] == "up")
        elif words[0] == "mtu":
            connected = device.data["mode"] == "connected"
            assert int(words[1]) <= (65520 if connected else PARTITION_MTU), "EINVAL"
            device = replace(device, mtu=int(words[1]))
        else:
            assert words[:2] == ["type", "ipoib"]
            options = dict(zip(words[2::2], words[3::2], strict=True))
            assert set(options) <= {"mode", "umcast"}, "the P_Key cannot be changed"
            mode = options.get("mode", device.data["mode"])
            # Connected mode keeps the MTU, datagram mode cuts it down to what the partition has.
            mtu = min(device.mtu, PARTITION_MTU) if mode == "datagram" else device.mtu
            umcast = options["umcast"] == "1" if "umcast" in options else device.data["umcast"]
            device = replace(device, mtu=mtu, data={**device.data, "mode": mode, "umcast": umcast})
        self._put(device)

    def _address(self, verb: str, address: str, name: str) -> None:
        found = self.addresses[name]
        if verb == "del":
            assert address in found, "EADDRNOTAVAIL"
            network = ipaddress.ip_interface(address).network
            first = next(each for each in found if ipaddress.ip_interface(each).network == network)
            # With the first address of a subnet, its others go (unless promote_secondaries is set).
            gone = [each for each in found if ipaddress.ip_interface(each).network == network]
            self.addresses[name] = [each for each in found if each not in (gone if first == address else [address])]
        elif address not in found:
            found.append(address)


ADDRESSES = st.lists(st.sampled_from(["203.0.113.1/24", "203.0.113.2/24", "198.51.100.1/25"]), unique=True)
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "mode": st.sampled_from(["datagram", "connected"]),
    "mtu": st.sampled_from([1500, 2044, 4092, 65520, 9000]),
    "umcast": st.booleans(),
    "addresses": ADDRESSES,
}
PORTS = st.fixed_dictionaries({"name": st.sampled_from(["ib0", "ib1"])}, optional=OPTIONS)
CHILDREN = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a", "b"]),
        "parent": st.sampled_from(["ib0", "ib1", "a"]),
        "pkey": st.sampled_from(["0x8042", "0x0042", "0x8043"]),
    },
    optional=OPTIONS,
)
DOCUMENTS = st.lists(PORTS | CHILDREN, max_size=3, unique_by=lambda entry: entry["name"])
ALL = Consents(True, True, True)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.lists(DOCUMENTS, min_size=1, max_size=3))
def test_any_document_is_refused_or_reached(documents: list[list[dict[str, Any]]]) -> None:
    kernel = Kernel()
    for document in documents:
        try:
            want = load_document({"interfaces": document})
            planned = plan_ipoib(kernel.state(), want, ALL)
        except RailheadError as error:
            event(str(error)[:24])
            assert str(error).startswith("Cannot ")
            continue
        for step in planned.steps:
            kernel.apply(step)
        assert plan_ipoib(kernel.state(), want, ALL).steps == ()
        for interface in want:
            device = kernel.devices[interface.link.name]
            assert device.up
            assert interface.link.mtu in (None, device.mtu)
            assert {**device.data, **interface.link.data} == device.data
            if interface.addresses is not None:
                assert sorted(kernel.addresses[device.name]) == sorted(interface.addresses)
