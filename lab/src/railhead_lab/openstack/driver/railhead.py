# SPDX-License-Identifier: GPL-3.0-or-later
"""Nova's compute driver of the lab: a server is one of the lab's machines, and faults happen on request.

What Nova does with a server is Nova's own; only what a hypervisor would do is here. Virtual functions are announced
as a host with two ports would, so that the scheduler and Neutron treat ports of the type `direct` for real; no machine
gets them.
"""

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from nova import exception
from nova.compute import power_state
from nova.image import glance
from nova.pci import utils as pci
from nova.virt import fake, hardware, node

from railhead_lab.errors import LabError
from railhead_lab.openstack import faults
from railhead_lab.openstack.nodes import Nodes
from railhead_lab.openstack.site import PHYSICAL_NETWORKS, read_site
from railhead_lab.paths import find_home
from railhead_lab.progress import Progress

_VFS = 7
_POLL = 0.5

# Nova asks sysfs of the host for these; there, the announced functions are not.
pci.get_mac_by_pci_address = lambda address, **_named: f"52:54:00:cc:{address[5:7]}:0{address[-1]}"
pci.get_vf_num_by_pci_address = lambda address: int(address[-1], 16)


class LabDriver(fake.FakeDriver):
    """The lab's machines behind Nova. What is not here, Nova's own driver for tests answers without doing anything."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Find the site that this process belongs to."""
        super().__init__(*arguments, **named)
        site = read_site(Path(os.environ["RAILHEAD_LAB_SITE"]))
        assert site is not None
        self._site = site
        self._machines = Nodes(find_home(os.environ), site, Progress())
        self._images = glance.API()

    def spawn(self, context: Any, instance: Any, image_meta: Any, *_rest: Any, **_named: Any) -> None:
        """Start the server's machine from the image; also the second half of a rebuild."""
        name = instance.display_name
        rebuild = instance.task_state == "rebuild_spawning"
        if rebuild:
            self._hang(name)
        if faults.take(self._site.faults, "rebuild-fails" if rebuild else "spawn-fails", name):
            raise exception.InstanceDeployFailure(reason="the lab was asked for this failure")
        reachable = faults.take(self._site.faults, "no-ssh", name) is None
        try:
            self._machines.start(name, self._content(context, image_meta), reachable)
        except LabError as error:
            raise exception.InstanceDeployFailure(reason=str(error)) from error

    def destroy(self, _context: Any, instance: Any, *_rest: Any, **_named: Any) -> None:
        """Take the machine away; also the first half of a rebuild."""
        self._machines.remove(instance.display_name)

    def cleanup(self, *_arguments: Any, **_named: Any) -> None:
        """Nothing is left after destroy()."""

    def power_off(self, instance: Any, *_rest: Any, **_named: Any) -> None:
        """Cut the power."""
        self._machines.power(instance.display_name, on=False)

    def power_on(self, _context: Any, instance: Any, *_rest: Any, **_named: Any) -> None:
        """Boot from the machine's disk."""
        self._machines.power(instance.display_name, on=True)

    def reboot(self, _context: Any, instance: Any, *_rest: Any, **_named: Any) -> None:
        """Take the power away and give it back, also where a soft reboot was asked for."""
        self._machines.power(instance.display_name, on=False)
        self._machines.power(instance.display_name, on=True)

    def get_info(self, instance: Any, *_rest: Any, **_named: Any) -> Any:
        """Tell whether the machine has power."""
        runs = self._machines.runs(instance.display_name)
        return hardware.InstanceInfo(state=power_state.RUNNING if runs else power_state.SHUTDOWN)

    def get_console_output(self, _context: Any, instance: Any) -> bytes:
        """Return the machine's serial console."""
        return self._machines.console(instance.display_name)

    def get_nodenames_by_uuid(self, *_rest: Any, **_named: Any) -> dict[str, str]:
        """Keep the identity of this host over starts of nova-compute."""
        return {node.get_local_node_uuid(): self._host}

    def get_available_resource(self, nodename: str) -> dict[str, Any]:
        """Announce the virtual functions of two ports, beside the many resources of Nova's driver for tests."""
        found: dict[str, Any] = super().get_available_resource(nodename)
        found["uuid"] = node.get_local_node_uuid()
        found["pci_passthrough_devices"] = json.dumps(functions())
        return found

    def _hang(self, name: str) -> None:
        """Wait while the wish for it is there: it is granted again and again."""
        if faults.take(self._site.faults, "rebuild-hangs", name) is None:
            return
        while any(fault.fits("rebuild-hangs", name) for fault in faults.wanted(self._site.faults)):
            time.sleep(_POLL)

    def _content(self, context: Any, image_meta: Any) -> bytes:
        """Return the image's bytes, from Glance."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image"
            self._images.download(context, image_meta.id, dest_path=str(path))
            return path.read_bytes()


def functions() -> list[dict[str, Any]]:
    """Return a physical function for each network and its virtual functions, as Nova's tracker wants them."""
    devices: list[dict[str, Any]] = []
    for bus, network in enumerate(PHYSICAL_NETWORKS, start=1):
        parent = f"0000:0{bus}:00.0"
        common = {"vendor_id": "15b3", "status": "available", "numa_node": None}
        devices.append({
            **common, "address": parent, "product_id": "1017", "label": "label_15b3_1017",
            "dev_type": "type-PF", "parent_addr": None,
        })  # fmt: skip
        devices += [
            {
                **common, "address": f"{parent[:-1]}{number}", "product_id": "1018", "label": "label_15b3_1018",
                "dev_type": "type-VF", "parent_addr": parent, "parent_ifname": f"pf-{network}",
            }
            for number in range(1, _VFS + 1)
        ]  # fmt: skip
    return devices
