# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From ranges and templates of the fabric document to one object for each VF. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._fabric.fields import Entry, at, attempt, wrong
from ansible_collections.railhead.cluster.plugins.module_utils._fabric.wants import NO_DRIVER, VfWant
from ansible_collections.railhead.cluster.plugins.module_utils._netns.namespaces import valid_name
from ansible_collections.railhead.cluster.plugins.module_utils._sriov.request import (
    AUTO,
    MOST_VFS,
    NO_ADDRESS,
    Attributes,
    check_rates,
    checked,
    parse_indexes,
)

_VLANS = range(1, 4095)
_DRIVER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
#: Drivers that hand a device on to a program, so that it has no network device.
WITHOUT_NETDEV = re.compile(rf"{NO_DRIVER}|pci-stub|.*vfio.*|.*uio.*")


def expand_vfs(entries: Sequence[Entry], count: int | None, taken: dict[tuple[str, str], str]) -> dict[int, VfWant]:
    """What the entries of one port give each VF; those that give a VF different things come together.

    C(taken) says whose each (attribute, address) is, on this and on other ports; it is added to.
    """
    found: dict[int, dict[str, Any]] = {}
    places: dict[tuple[int, str], str] = {}
    for where, entry in entries:
        for index, values in _expanded(where, entry, count):
            # What the entry itself names comes first, before what follows from it.
            for key in sorted(values, key=lambda key: key not in entry):
                if (index, key) in places:
                    raise wrong(where, f"VF {index} has its {key} from {places[index, key]} already; keep one of them")
                places[index, key] = where
            found.setdefault(index, {}).update(values)
            _take_addresses(where, index, values, taken)
    vfs = {index: _vf_want(found[index]) for index in sorted(found)}
    for index, vf in vfs.items():
        check_rates(f"{attempt(places.get((index, 'max_tx_rate'), ''))}VF {index}: ", vf.attributes)
        if vf.netns and vf.driver and WITHOUT_NETDEV.fullmatch(vf.driver):
            raise wrong(
                places[index, "netns"],
                f"VF {index} is to be in netns {vf.netns}, but with driver: {vf.driver} it has no network device that"
                " could be there; leave netns out or give another driver",
            )
    return vfs


def expand_representors(entries: Sequence[Entry]) -> Iterator[tuple[str, str, int, int | None]]:
    """Place, port as it is written, VF and tag of each."""
    for where, entry in entries:
        indexes = parse_indexes(str(entry["vf"]), f"{where}.vf")
        for index, tag in zip(indexes, _spread(where, "tag", entry, indexes)):
            if tag is not None and tag not in _VLANS:
                raise wrong(f"{where}.tag", f"there is no VLAN {tag}; give 1 to 4094, or leave it out for a trunk")
            yield where, entry["port"], index, tag


def _expanded(where: str, entry: Mapping[str, Any], count: int | None) -> Iterator[tuple[int, dict[str, Any]]]:
    indexes = parse_indexes(str(entry["vf"]), f"{where}.vf")
    if indexes[-1] >= (MOST_VFS if count is None else count):
        there = f"the VFs 0 to {count - 1}" if count else "none" if count == 0 else f"at most {MOST_VFS}"
        raise wrong(
            f"{where}.vf", f"there is no VF {indexes[-1]}, there are {there}; raise count, or give a lower number"
        )
    if len(entry) == 1:
        raise wrong(where, "it gives its VFs nothing; add an attribute, driver or netns, or leave it out")
    driver = entry.get("driver")
    if driver is not None and not _DRIVER.fullmatch(driver):
        raise wrong(f"{where}.driver", f"{driver!r} is no name of a driver; give one such as mlx5_core, or none")
    if driver is not None and count is None:
        raise wrong(f"{where}.driver", "drivers are only bound to VFs whose number is known; give the port a count")
    for index, vlan in zip(indexes, _spread(where, "vlan", entry, indexes)):
        values: dict[str, Any] = checked(attempt(where), {**entry, "vlan": vlan}, len(indexes))
        if driver is not None:
            values["driver"] = driver
        if "netns" in entry:
            values["netns"] = _filled(f"{where}.netns", entry["netns"], index)
        yield index, values


def _spread(where: str, option: str, entry: Mapping[str, Any], indexes: range) -> Sequence[int | None]:
    """One number for each VF: the same for all, or those of a range of the same length."""
    if option not in entry:
        return [None] * len(indexes)
    text = str(entry[option])
    numbers = parse_indexes(text, f"{where}.{option}")
    if len(numbers) == 1:
        return [numbers[0]] * len(indexes)
    if len(numbers) != len(indexes):
        raise wrong(
            f"{where}.{option}",
            f"{text} are {len(numbers)} numbers, and vf {entry['vf']} is {len(indexes)} of them; make both ranges as"
            " long, or give one number for all",
        )
    if numbers[0] == 0:
        raise wrong(f"{where}.{option}", f"{text} begins with 0, which is no VLAN; begin with 1 or more")
    return numbers


def _filled(where: str, template: str, index: int) -> str:
    name = template.replace("{vf}", str(index))
    if "{" in name or "}" in name:
        raise wrong(where, f"{template!r} has something else in braces than {{vf}}; only the VF's number can be there")
    with at(where):
        return valid_name(name) if name else ""


def _take_addresses(where: str, index: int, values: Mapping[str, Any], taken: dict[tuple[str, str], str]) -> None:
    for key in ("mac", "node_guid", "port_guid"):
        address = values.get(key, AUTO)
        if address in (AUTO, NO_ADDRESS):
            continue
        if (key, address) in taken:
            raise wrong(f"{where}.{key}", f"{taken[key, address]} has {address} already; give each VF its own, or auto")
        taken[key, address] = f"VF {index} ({where})"


def _vf_want(values: Mapping[str, Any]) -> VfWant:
    attributes = {key: value for key, value in values.items() if key not in ("driver", "netns")}
    return VfWant(Attributes(**attributes), values.get("driver"), values.get("netns"))
