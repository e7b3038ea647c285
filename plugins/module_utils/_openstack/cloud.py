# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that speaks to OpenStack, through its SDK; every error of it becomes one of ours."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible_collections.railhead.cluster.plugins.module_utils._openstack.refusals import Answer, CloudError, explain

#: Seconds that a single request gets.
REQUEST_SECONDS = 120


class Cloud:
    """A connection by clouds.yaml or by the variables OS_*; opened by the first request."""

    def __init__(self, cloud: str | None, region: str | None) -> None:
        self._cloud = cloud
        self._region = region
        self._open: Any = None

    # Servers

    def server(self, name: str) -> Mapping[str, Any]:
        """A server with all details, by name or id."""
        with said(f"find the server {name}"):
            found = self._sdk.compute.find_server(name, ignore_missing=False)
            return dict(self._sdk.compute.get_server(found.id).to_dict())

    def rebuild_server(self, server: str, image: str) -> None:
        with said(f"rebuild the server {server}"):
            self._sdk.compute.rebuild_server(server, image=image)

    def start_server(self, server: str) -> None:
        with said(f"start the server {server}"):
            self._sdk.compute.start_server(server)

    def console(self, server: str, lines: int) -> str:
        """The end of a server's console."""
        with said(f"read the console of the server {server}"):
            answer = self._sdk.compute.get_server_console_output(server, length=lines)
            return str(answer.get("output") or "")

    # Images

    def image(self, name: str) -> Mapping[str, Any]:
        """An image, by name or id."""
        with said(f"find the image {name}"):
            return dict(self._sdk.image.find_image(name, ignore_missing=False).to_dict())

    # What a project has

    def listing(self, kind: str) -> list[Mapping[str, Any]]:
        """All servers, ports, groups, images, flavors, networks or keys, as the SDK returns them."""
        with said(f"list the {kind}"):
            sdk = self._sdk
            kinds = {
                "servers": lambda: sdk.compute.servers(details=True),
                "groups": sdk.compute.server_groups,
                "flavors": lambda: sdk.compute.flavors(details=True),
                "keys": sdk.compute.keypairs,
                "images": lambda: sdk.image.images(status="active"),
                "networks": sdk.network.networks,
                "ports": sdk.network.ports,
            }
            return [dict(found.to_dict()) for found in kinds[kind]()]

    def limits(self) -> Mapping[str, Any]:
        """What the project may have, and has."""
        with said("read the quota"):
            return dict(self._sdk.compute.get_limits().absolute.to_dict())

    def may_set_profile(self, network: str) -> bool:
        """Whether this account may set a port's binding profile on the network, by its id.

        Neutron 29 looks at the rights before it looks for the subnet: for one that does not exist it answers 403
        without them, 404 with them. For a network that does not exist it answers 404 to everybody.
        """
        nowhere = "00000000-0000-0000-0000-000000000000"
        try:
            with said("ask for the rights to a binding profile"):
                self._sdk.network.create_port(
                    network_id=network,
                    fixed_ips=[{"subnet_id": nowhere}],
                    binding_profile={"capabilities": ["switchdev"]},
                )
        except CloudError as error:
            if error.kind == "forbidden":
                return False
            if error.kind != "not_found":
                raise
        return True

    def create(self, kind: str, name: str, body: Mapping[str, Any]) -> str:
        """Make a group, a port or a server; return its id."""
        with said(f"create the {kind} {name}"):
            sdk = self._sdk
            makers = {
                "group": sdk.compute.create_server_group,
                "port": sdk.network.create_port,
                "server": sdk.compute.create_server,
            }
            return str(makers[kind](name=name, **body).id)

    def update_port(self, port: str, body: Mapping[str, Any]) -> None:
        with said(f"change the port {port}"):
            self._sdk.network.update_port(port, **body)

    def set_metadata(self, server: str, metadata: Mapping[str, str]) -> None:
        with said(f"set the metadata of the server {server}"):
            self._sdk.compute.set_server_metadata(server, **metadata)

    def delete(self, kind: str, identifier: str) -> None:
        """Delete a port or a server."""
        with said(f"delete the {kind} {identifier}"):
            sdk = self._sdk
            {"port": sdk.network.delete_port, "server": sdk.compute.delete_server}[kind](identifier)

    # Nodes of Ironic

    def node(self, name: str) -> Mapping[str, Any]:
        """A node, by name or id."""
        with said(f"find the node {name}"):
            return dict(self._sdk.baremetal.get_node(name).to_dict())

    def patch_node(self, node: str, patch: list[dict[str, Any]]) -> None:
        with said(f"change the node {node}"):
            self._sdk.baremetal.patch_node(node, patch)

    def provision_node(self, node: str, target: str) -> None:
        with said(f"bring the node {node} to {target}"):
            self._sdk.baremetal.set_node_provision_state(node, target)

    def power_on_node(self, node: str) -> None:
        with said(f"switch the node {node} on"):
            self._sdk.baremetal.set_node_power_state(node, "power on")

    @property
    def _sdk(self) -> Any:
        if self._open is None:
            try:
                import openstack  # noqa: PLC0415  # only on a controller that speaks to OpenStack
            except ImportError as error:
                raise CloudError(
                    "Cannot speak to OpenStack, openstacksdk is not installed for this Python. Install it on the "
                    "controller, where this module runs: pip install openstacksdk.",
                    "configuration",
                ) from error
            with said(f"sign in at the cloud {self._cloud or '(of OS_CLOUD)'}"):
                named = {"cloud": self._cloud, "region_name": self._region}
                given: dict[str, Any] = {key: value for key, value in named.items() if value}
                self._open = openstack.connect(api_timeout=REQUEST_SECONDS, **given)
                self._open.session.get_token()  # authorize() of the SDK hides the status of the answer
        return self._open


@contextmanager
def said(attempt: str) -> Iterator[None]:
    """Say what was attempted when the SDK raises, by what its errors carry."""
    from keystoneauth1 import exceptions as auth  # noqa: PLC0415
    from openstack import exceptions as sdk  # noqa: PLC0415

    try:
        yield
    except (sdk.ServiceDisabledException, auth.CatalogException, sdk.EndpointNotFound, sdk.NotSupported) as error:
        raise CloudError(
            f"Cannot {attempt}, the cloud does not offer that here: {error}. Look at region_name and at the catalog "
            "(openstack catalog list).",
            "configuration",
        ) from error
    except (sdk.ConfigException, auth.MissingRequiredOptions, auth.NoMatchingPlugin) as error:
        raise CloudError(
            f"Cannot {attempt}: {error}. Name a cloud of clouds.yaml, and look for what is missing there.",
            "configuration",
        ) from error
    except sdk.DuplicateResource as error:
        raise CloudError(
            f"Cannot {attempt}, there are several of that name: {error}. Use the id.", "not_found"
        ) from error
    except sdk.NotFoundException as error:  # without a status where the SDK itself has looked through a list
        raise explain(attempt, Answer(404, error.details or error.message or str(error))) from error
    except sdk.HttpException as error:
        raise explain(attempt, Answer(error.status_code or 0, error.details or error.message or str(error))) from error
    except auth.HttpError as error:
        raise explain(attempt, Answer(error.http_status, error.details or error.message)) from error
    except (auth.ConnectionError, auth.RetriableConnectionFailure) as error:
        raise explain(attempt, Answer(0, str(error))) from error
    except (sdk.SDKException, auth.ClientException) as error:
        raise CloudError(f"Cannot {attempt}: {error}.", "refused") from error


class Time:
    """The real clock."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
