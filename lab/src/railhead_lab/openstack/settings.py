# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration files of all services, as text. Nothing here touches a file.

What is set is what a control plane without agents on one machine needs; all else is the services' own default.
"""

from collections.abc import Mapping, Sequence

from railhead_lab.openstack.site import (
    COMPUTE_HOST,
    PASSWORD,
    PASSWORD_HASH,
    PHYSICAL_NETWORKS,
    REGION,
    USER,
    Site,
)

Value = str | int | Sequence[str]
#: Patience with a host that is busy with other things, in seconds.
_PATIENCE = 600
Sections = Mapping[str, Mapping[str, Value]]

#: Below `etc/` of the environment, which the packages bring and we leave as they are.
PASTE_FILES = {
    "glance/glance-api-paste.ini": "glance/glance-api-paste.ini",
    "neutron/api-paste.ini": "neutron/api-paste.ini",
    "nova/api-paste.ini": "nova/api-paste.ini",
}


def ini(sections: Sections) -> str:
    """Return the text of an oslo.config file; a list becomes one line for each of its elements."""
    lines: list[str] = []
    for name, options in sections.items():
        lines.append(f"[{name}]")
        for key, value in options.items():
            values = [value] if isinstance(value, (str, int)) else value
            lines += [f"{key} = {one}" for one in values]
        lines.append("")
    return "\n".join(lines)


def database(site: Site, name: str) -> str:
    """Return the URL of one database."""
    return f"mysql+pymysql://root@localhost/{name}?unix_socket={site.socket}&charset=utf8mb4"


def transport(site: Site) -> str:
    """Return the URL of the message broker."""
    return f"rabbit://guest:guest@127.0.0.1:{site.ports['rabbit']}/"


def credentials(site: Site) -> dict[str, Value]:
    """Return how one service signs in at Keystone to speak to another."""
    return {
        "auth_url": site.url("keystone", "/v3"),
        "auth_type": "password",
        "username": "services",
        "password": PASSWORD,
        "project_name": "services",
        "user_domain_id": "default",
        "project_domain_id": "default",
        "region_name": REGION,
    }


def _token(site: Site) -> dict[str, Value]:
    return {
        **credentials(site),
        "www_authenticate_uri": site.url("keystone", "/v3"),
        "service_token_roles": "service",
        "service_token_roles_required": "false",
    }


def keystone(site: Site) -> Sections:
    """Cheap hashes: passwords are no secret here, and signing in is on the way of every request."""
    return {
        "database": {"connection": database(site, "keystone")},
        "fernet_tokens": {"key_repository": str(site.etc / "keystone" / "fernet-keys")},
        "credential": {"key_repository": str(site.etc / "keystone" / "credential-keys")},
        "identity": {"password_hash_rounds": 4},
        "cache": {"enabled": "false"},
    }


def placement(site: Site) -> Sections:
    """Placement."""
    return {
        "api": {"auth_strategy": "keystone"},
        "placement_database": {"connection": database(site, "placement")},
        "keystone_authtoken": _token(site),
    }


def glance(site: Site) -> Sections:
    """Images are files."""
    state = site.state / "glance"
    return {
        "DEFAULT": {
            "enabled_backends": "files:file",
            "node_staging_uri": f"file://{state}/staging",
            "worker_self_reference_url": site.url("glance"),
        },
        "database": {"connection": database(site, "glance")},
        "glance_store": {"default_backend": "files"},
        "files": {"filesystem_store_datadir": str(state / "images")},
        "os_glance_staging_store": {"filesystem_store_datadir": str(state / "staging")},
        "os_glance_tasks_store": {"filesystem_store_datadir": str(state / "tasks")},
        "oslo_concurrency": {"lock_path": str(state / "locks")},
        "paste_deploy": {
            "flavor": "keystone",
            "config_file": str(site.etc / "glance" / "glance-api-paste.ini"),
        },
        "keystone_authtoken": _token(site),
    }


def neutron(site: Site) -> Sections:
    """ML2 without agents: two rows of its database stand for them, so that ports are bound."""
    state = site.state / "neutron"
    return {
        "DEFAULT": {
            "core_plugin": "ml2",
            "service_plugins": "",
            "auth_strategy": "keystone",
            "api_paste_config": str(site.etc / "neutron" / "api-paste.ini"),
            "state_path": str(state),
            "transport_url": transport(site),
            "global_physnet_mtu": 9000,
            "rpc_response_timeout": _PATIENCE,
            "dhcp_agent_notification": "false",
            "notify_nova_on_port_status_changes": "false",
            "notify_nova_on_port_data_changes": "false",
        },
        "database": {"connection": database(site, "neutron")},
        "oslo_concurrency": {"lock_path": str(state / "locks")},
        "oslo_policy": {"policy_file": str(site.etc / "neutron" / "policy.yaml")},
        "nova": credentials(site),
        "placement": credentials(site),
        "keystone_authtoken": _token(site),
    }


def ml2() -> Sections:
    """VLANs on two physical networks, and ports for virtual functions."""
    ranges = ",".join(f"{name}:{100 * i}:{100 * i + 99}" for i, name in enumerate(PHYSICAL_NETWORKS, start=1))
    return {
        "ml2": {
            "type_drivers": "flat,vlan",
            "tenant_network_types": "vlan",
            "mechanism_drivers": "openvswitch,sriovnicswitch",
            "extension_drivers": "port_security",
        },
        "ml2_type_flat": {"flat_networks": ",".join(PHYSICAL_NETWORKS)},
        "ml2_type_vlan": {"network_vlan_ranges": ranges},
    }


def nova(site: Site) -> Sections:
    """One compute service, with the lab's driver; ports of agents that do not exist are not waited for."""
    state = site.state / "nova"
    return {
        "DEFAULT": {
            "host": COMPUTE_HOST,
            "my_ip": "127.0.0.1",
            "compute_driver": "railhead.LabDriver",
            "concurrency_backend": "threading",
            "transport_url": transport(site),
            "state_path": str(state),
            "instances_path": str(state / "instances"),
            "vif_plugging_is_fatal": "false",
            "vif_plugging_timeout": 0,
            "sync_power_state_interval": -1,
            "service_down_time": _PATIENCE,
            "rpc_response_timeout": _PATIENCE,
            "update_resources_interval": 30,
        },
        "api_database": {"connection": database(site, "nova_api")},
        "database": {"connection": database(site, "nova")},
        "api": {"auth_strategy": "keystone"},
        "wsgi": {"api_paste_config": str(site.etc / "nova" / "api-paste.ini")},
        "conductor": {"workers": 1},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 5},
        "filter_scheduler": {
            "enabled_filters": "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,PciPassthroughFilter",
            "track_instance_changes": "false",
        },
        "glance": {"endpoint_override": site.url("glance")},
        "neutron": credentials(site),
        "placement": credentials(site),
        "cinder": credentials(site),
        "service_user": {"send_service_user_token": "false", **credentials(site)},
        "vnc": {"enabled": "false"},
        "pci": {
            "device_spec": [
                f'{{"address": "0000:0{bus}:00.*", "physical_network": "{network}"}}'
                for bus, network in enumerate(PHYSICAL_NETWORKS, start=1)
            ]
        },
        "oslo_concurrency": {"lock_path": str(state / "locks")},
        "keystone_authtoken": _token(site),
    }


def ironic(site: Site) -> Sections:
    """Ironic on its own, all in one process, whose nodes are drivers for tests with the delays of small machines."""
    state = site.state / "ironic"
    interfaces: dict[str, Value] = {
        f"enabled_{name}_interfaces": "fake"
        for name in ("bios", "boot", "console", "deploy", "firmware", "inspect", "management", "power", "raid")
    }
    return {
        "DEFAULT": {
            "auth_strategy": "http_basic",
            "http_basic_auth_user_file": str(site.etc / "ironic" / "htpasswd"),
            "host": COMPUTE_HOST,
            "my_ip": "127.0.0.1",
            "state_path": str(state),
            "rpc_transport": "none",
            "enabled_hardware_types": "fake-hardware",
            **interfaces,
            "enabled_rescue_interfaces": "fake",
            "enabled_vendor_interfaces": "fake",
            "enabled_network_interfaces": "noop",
            "enabled_storage_interfaces": "noop",
            "default_network_interface": "noop",
            "default_deploy_interface": "fake",
        },
        "api": {"host_ip": "127.0.0.1", "port": site.ports["ironic"], "api_workers": 1},
        "conductor": {"automated_clean": "false", "workers_pool_size": 60, "sync_power_state_interval": 3},
        "database": {"connection": f"sqlite:///{site.ironic_database}"},
        "fake": {"power_delay": 1, "deploy_delay": 15},
        "oslo_concurrency": {"lock_path": str(state / "locks")},
        "sensor_data": {"send_sensor_data": "false"},
    }


def policy() -> str:
    """Return Neutron's policy: as in a cloud for SR-IOV, some accounts may ask for a port with an e-switch."""
    rule = "rule:admin_only or role:service or role:fabric"
    return f'"create_port:binding:profile": "{rule}"\n"update_port:binding:profile": "{rule}"\n'


def clouds(site: Site, credentials_of: Mapping[str, tuple[str, str]]) -> str:
    """Return clouds.yaml: `lab-admin` by password, `lab-ironic` for Ironic on its own, the others by application
    credentials (id, secret).
    """
    text = f"""\
clouds:
  lab-admin:
    region_name: {REGION}
    auth:
      auth_url: {site.url("keystone", "/v3")}
      username: admin
      password: {PASSWORD}
      project_name: admin
      user_domain_id: default
      project_domain_id: default
  lab-ironic:
    auth_type: http_basic
    auth:
      endpoint: {site.url("ironic")}
      username: {USER}
      password: {PASSWORD}
    baremetal_endpoint_override: {site.url("ironic")}
"""
    for name, (identifier, secret) in credentials_of.items():
        text += f"""\
  {name}:
    region_name: {REGION}
    auth_type: v3applicationcredential
    auth:
      auth_url: {site.url("keystone", "/v3")}
      application_credential_id: {identifier}
      application_credential_secret: {secret}
"""
    return text


def files(site: Site) -> dict[str, str]:
    """Return all files below `etc/`: {path: text}."""
    return {
        "keystone/keystone.conf": ini(keystone(site)),
        "placement/placement.conf": ini(placement(site)),
        "glance/glance-api.conf": ini(glance(site)),
        "neutron/neutron.conf": ini(neutron(site)),
        "neutron/ml2_conf.ini": ini(ml2()),
        "neutron/policy.yaml": policy(),
        "nova/nova.conf": ini(nova(site)),
        "ironic/ironic.conf": ini(ironic(site)),
        "ironic/htpasswd": f"{USER}:{PASSWORD_HASH}\n",
        "rabbit/enabled_plugins": "[].\n",
        # Instead of Debian's, which is for the one broker of the system.
        "rabbit/env.conf": "NODE_IP_ADDRESS=127.0.0.1\nNODENAME=lab@localhost\n",
    }


def environment(site: Site) -> dict[str, str]:
    """Return the variables by which the services find their configuration."""
    return {
        "OS_KEYSTONE_CONFIG_DIR": str(site.etc / "keystone"),
        "OS_PLACEMENT_CONFIG_DIR": str(site.etc / "placement"),
        "OS_GLANCE_CONFIG_DIR": str(site.etc / "glance"),
        "OS_NEUTRON_CONFIG_DIR": str(site.etc / "neutron"),
        "OS_NEUTRON_CONFIG_FILES": "neutron.conf;ml2_conf.ini",
        "OS_NOVA_CONFIG_DIR": str(site.etc / "nova"),
        "OS_NOVA_CONFIG_FILES": "api-paste.ini;nova.conf",
    }
