# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The RoCE QoS of a whole host: ports, congestion notification, and the defaults of connections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._core.errors import RailheadError
from ansible_collections.railhead.cluster.plugins.module_utils._core.host import Host
from ansible_collections.railhead.cluster.plugins.module_utils._core.steps import Plan, Step, Write
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.observe import (
    MLNX_QOS,
    observe_ports,
)
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.plan import (
    Consents,
    with_settings,
)
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.ports import is_present, pci_address
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.request import COUNT
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.state import PortState, shown_port
from ansible_collections.railhead.cluster.plugins.module_utils._dcb.tools import Dcb, MlnxQos
from ansible_collections.railhead.cluster.plugins.module_utils._qos.document import QosWant
from ansible_collections.railhead.cluster.plugins.module_utils._rdma_cm.defaults import (
    SYSFS,
    Device,
    RdmaCm,
    observe_rdma_cm,
    shown_device,
    with_defaults,
)

_DEBUGFS = "/sys/kernel/debug/mlx5"
_ECN_POINTS = ("roce_np", "roce_rp")
#: np_cnp_prio_mode: 0 is the priority of np_cnp_prio (mlx5_ib_set_cc_param_mask_val() of the kernel).
_FIXED_PRIORITY = 0


@dataclass(frozen=True)
class Congestion:
    """Files of a port that hold the DSCP and priority of congestion notifications, and where ECN is on.

    C(values) are by path, None for a file that there is not. With the kernel's own driver they are
    cc_params/np_cnp_dscp, np_cnp_prio and np_cnp_prio_mode in debugfs, with the vendor's ecn/roce_np/cnp_dscp,
    cnp_802p_prio, and enable/0 to 7 of roce_np and roce_rp in sysfs.
    """

    directory: str = ""
    values: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class QosState:
    """C(ports) and C(congestion) are by what the document calls a port.

    C(traffic_classes) are by RDMA device: None where the driver has no such file, -1 where none is set.
    """

    ports: Mapping[str, PortState] = field(default_factory=dict)
    congestion: Mapping[str, Congestion] = field(default_factory=dict)
    rdma_cm: RdmaCm = field(default_factory=RdmaCm)
    traffic_classes: Mapping[str, int | None] = field(default_factory=dict)


def observe_qos(host: Host, want: QosWant) -> QosState:
    """The processes of observe_ports(), and none for RDMA devices."""
    ports = observe_ports(host, want.ports, want.provider)
    names = [device.device for device in want.devices]
    return QosState(
        ports,
        {port: _observe_congestion(host, state.netdev, want) for port, state in ports.items()},
        observe_rdma_cm(host, names),
        {name: parse_traffic_class(host.read(_traffic_class(name))) for name in names},
    )


def parse_traffic_class(text: str | None) -> int | None:
    """C(Global tclass=106), before lines for single connections; no such line, so -1, when none is set."""
    if text is None:
        return None
    found = re.search(r"^Global tclass=(\d+)$", text, re.MULTILINE)
    return int(found.group(1)) if found else -1


def plan_qos(
    have: QosState,
    want: QosWant,
    consents: Consents | None = None,
    expected_devices: Iterable[str] = (),
    expect_rdma_cm: bool = False,
) -> Plan:
    """All steps, ports first.

    C(expected_devices) are RDMA devices that somebody else makes before the steps are taken; with C(expect_rdma_cm) so
    is what shows their settings. Both are taken to be as the kernel makes them.
    """
    now = replace(have, rdma_cm=_with_expected(have.rdma_cm, want, set(expected_devices), expect_rdma_cm))
    steps: list[Step] = []
    more: tuple[Step, ...]
    tool = MlnxQos() if want.provider == MLNX_QOS else Dcb()
    for port, state in have.ports.items():
        settings = replace(want.settings, host_dcbx=state.dcbx is not None)
        more, after = with_settings(state, settings, tool, consents or Consents())
        steps += more
        now = replace(now, ports={**now.ports, port: after})
        more, congestion = _with_congestion(state.netdev, have.congestion[port], want)
        steps += more
        now = replace(now, congestion={**now.congestion, port: congestion})
    for device in want.devices:
        more, rdma_cm = with_defaults(now.rdma_cm, device)
        steps += more
        now = replace(now, rdma_cm=rdma_cm)
        more, traffic_class = _with_traffic_class(device.device, have, want)
        steps += more
        now = replace(now, traffic_classes={**now.traffic_classes, device.device: traffic_class})
    return Plan(tuple(steps), shown_qos(have, want), shown_qos(now, want))


def missing_hardware(host: Host, want: QosWant) -> tuple[str, ...]:
    """What the document needs and is not there yet, in words; at boot it can still appear. No process is started."""
    names = [device.device for device in want.devices]
    rdma_cm = observe_rdma_cm(host, names)
    ports = [f"port {port}" for port in want.ports if not is_present(host, port)]
    if names and not rdma_cm.available:
        return (*ports, "module rdma_cm")
    return (*ports, *(f"RDMA device {name}" for name in names if name not in rdma_cm.devices))


def shown_qos(state: QosState, want: QosWant) -> dict[str, Any]:
    """What the document is about, as the host has it."""
    return {
        "ports": [
            {"port": port, **shown_port(state.ports[port]), **_shown_congestion(state.congestion[port], want)}
            for port in state.ports
        ],
        "rdma_devices": [
            {
                **shown_device(state.rdma_cm, device.device),
                "traffic_class": state.traffic_classes.get(device.device),
            }
            for device in want.devices
        ],
    }


# Congestion notification


def _observe_congestion(host: Host, netdev: str, want: QosWant) -> Congestion:
    if want.provider == MLNX_QOS:
        directory = f"/sys/class/net/{netdev}/ecn"
        enabled = [f"{point}/enable/{priority}" for point in _ECN_POINTS for priority in range(COUNT)]
        names = ["roce_np/cnp_dscp", "roce_np/cnp_802p_prio", *enabled]
    else:
        directory = f"{_DEBUGFS}/{pci_address(host, netdev)}/cc_params"
        names = ["np_cnp_dscp", "np_cnp_prio", "np_cnp_prio_mode"]
    asked = want.cnp_dscp is not None or want.cnp_priority is not None or want.ecn is not None
    return Congestion(directory, {name: _number(host, f"{directory}/{name}") for name in names} if asked else {})


def _number(host: Host, path: str) -> int | None:
    text = host.read(path)
    return int(text) if text else None


def _wanted_congestion(want: QosWant) -> dict[str, int]:
    """Values by file, in the order in which they are written."""
    found: dict[str, int] = {}
    own = want.provider == MLNX_QOS
    if want.cnp_dscp is not None:
        found["roce_np/cnp_dscp" if own else "np_cnp_dscp"] = want.cnp_dscp
    if want.cnp_priority is not None:
        found["roce_np/cnp_802p_prio" if own else "np_cnp_prio"] = want.cnp_priority
    if want.ecn is not None:
        for point in _ECN_POINTS:
            found.update({f"{point}/enable/{number}": int(number in want.ecn) for number in range(COUNT)})
    return found


def _with_congestion(netdev: str, have: Congestion, want: QosWant) -> tuple[tuple[Step, ...], Congestion]:
    steps: list[Step] = []
    values = dict(have.values)
    for name, value in _wanted_congestion(want).items():
        path = f"{have.directory}/{name}"
        does = f"set {name} of {netdev} to {value}"
        if have.values.get(name) is None:
            raise RailheadError(
                f"Cannot {does}: there is no {path}. "
                + (
                    "Only the vendor's driver has it; use provider=dcb, or leave the value out."
                    if want.provider == MLNX_QOS
                    else "It is there with mlx5_ib loaded, debugfs mounted and open to root (not under lockdown), on"
                    " cards that let the host set it; else set it in the firmware, and leave cnp_dscp and cnp_priority"
                    " out (roce_qos_cnp: {})."
                )
            )
        has_mode = name == "np_cnp_prio" and have.values.get("np_cnp_prio_mode") != _FIXED_PRIORITY
        if have.values[name] == value and not has_mode:
            continue
        steps.append(Write(path, str(value), does))
        values[name] = value
        if name == "np_cnp_prio":
            values["np_cnp_prio_mode"] = _FIXED_PRIORITY
    return tuple(steps), replace(have, values=values)


def _shown_congestion(state: Congestion, want: QosWant) -> dict[str, Any]:
    if want.provider == MLNX_QOS:
        return {
            "cnp_dscp": state.values.get("roce_np/cnp_dscp"),
            "cnp_priority": state.values.get("roce_np/cnp_802p_prio"),
            "ecn": [
                priority
                for priority in range(COUNT)
                if all(state.values.get(f"{point}/enable/{priority}") for point in _ECN_POINTS)
            ],
        }
    return {"cnp_dscp": state.values.get("np_cnp_dscp"), "cnp_priority": state.values.get("np_cnp_prio"), "ecn": None}


# RDMA devices


def _traffic_class(device: str) -> str:
    return f"{SYSFS}/{device}/tc/1/traffic_class"


def _with_traffic_class(device: str, have: QosState, want: QosWant) -> tuple[tuple[Step, ...], int | None]:
    now = have.traffic_classes.get(device)
    if want.traffic_class in (None, now):
        return (), now
    path = _traffic_class(device)
    does = f"set the traffic class of {device} to {want.traffic_class}"
    if now is None:
        raise RailheadError(
            f"Cannot {does}: there is no {path}, which only the vendor's driver has; leave traffic_class out."
        )
    return (Write(path, str(want.traffic_class), does),), want.traffic_class


def _with_expected(have: RdmaCm, want: QosWant, expected: set[str], expect_rdma_cm: bool) -> RdmaCm:
    names = [device.device for device in want.devices]
    if not have.available and expect_rdma_cm:
        have = replace(have, available=True)
        expected = expected | (set(names) & set(have.known))
    new = {name: Device(name) for name in names if name in expected and name not in have.devices}
    return replace(have, devices={**have.devices, **new})
