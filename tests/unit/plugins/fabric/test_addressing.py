# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps to exactly the wanted addresses and routes, and what the kernel takes away by itself on the way."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.railhead.cluster.plugins.module_utils._fabric.addressing import Addressing, with_addresses
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.document import load_document
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.plan import plan_fabric
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import ALL_CONSENTS, AddressesWant, Route
from ansible_collections.railhead.cluster.plugins.module_utils._link.device import Device

from .model import ModelHost

A, B, C = "198.51.100.1/24", "198.51.100.2/24", "203.0.113.1/24"
ROUTE = Route("192.0.2.0/24", "198.51.100.254")


def steps(have: Addressing, want: AddressesWant) -> list[str]:
    losing, gaining, after = with_addresses(have, want)
    assert set(after.addresses) == set(want.addresses)
    return [" ".join(step.shown[1:]) for step in (*losing, *gaining)]


@pytest.mark.parametrize(
    ("have", "want", "expected"),
    [
        (Addressing((A,), (ROUTE,)), ((A,), (ROUTE,)), []),
        (Addressing(), ((A,), ()), [f"address replace {A} dev br0"]),
        (Addressing((A,)), ((), ()), [f"address del {A} dev br0"]),
        # What was leased is not ours to take away.
        (Addressing((A,), leased=(C,)), ((A,), ()), []),
        # The first address of a subnet takes the others with it, where the kernel does not promote them.
        (Addressing((A, B, C)), ((B, C), ()), [f"address del {A} dev br0", f"address replace {B} dev br0"]),
        (Addressing((A, B)), ((), ()), [f"address del {B} dev br0", f"address del {A} dev br0"]),
        # The last address of a device takes its routes.
        (
            Addressing((A,), (ROUTE,)),
            ((B,), (ROUTE,)),
            [
                f"address del {A} dev br0",
                f"address replace {B} dev br0",
                "route replace 192.0.2.0/24 via 198.51.100.254 dev br0 proto static",
            ],
        ),
        (
            Addressing((A,), (ROUTE,)),
            ((A,), (Route("192.0.2.0/24", "198.51.100.254", 50),)),
            [
                "route del 192.0.2.0/24 via 198.51.100.254 dev br0",
                "route replace 192.0.2.0/24 via 198.51.100.254 dev br0 proto static metric 50",
            ],
        ),
        # IPv6 has a metric always.
        (Addressing((), (Route("::/0", "fe80::1", 1024),)), ((), (Route("::/0", "fe80::1"),)), []),
    ],
)
def test_steps(have: Addressing, want: tuple[tuple[str, ...], tuple[Route, ...]], expected: list[str]) -> None:
    assert steps(have, AddressesWant("br0", *want)) == expected


def host_with(*names: str) -> ModelHost:
    host = ModelHost(netdevs=names)
    for name in names:
        host._put(Device(name, index=host.links.spaces[""][name].index, up=True, mtu=1500))
    return host


@pytest.mark.parametrize("devices", [("eth0", "eth1"), ("eth1", "eth0")])
def test_a_route_moves_to_another_device(devices: tuple[str, str]) -> None:
    host = host_with("eth0", "eth1")
    route = {"to": "192.0.2.0/24", "via": "198.51.100.254"}

    def give(owner: str) -> None:
        entries: list[dict[str, Any]] = [
            {"device": name, "addresses": [f"198.51.100.{number}/24"], "routes": [route] if name == owner else []}
            for number, name in enumerate(devices, 1)
        ]
        want = load_document({"addresses": entries})
        host.apply(plan_fabric(host.observe(want), want, ALL_CONSENTS).steps)
        assert {name: len(routes) for name, routes in host.routes.items() if routes} == {owner: 1}

    give("eth0")
    give("eth1")
