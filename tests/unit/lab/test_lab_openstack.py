# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure parts of the control plane: settings, processes, calls, faults, what a machine is told at its first boot."""

import base64
import configparser
import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from railhead_lab.errors import LabError
from railhead_lab.openstack import calls, control, faults, nodes, services, settings, software, template
from railhead_lab.openstack.site import PORT_NAMES, Site, read_site

KEY = nodes.HostKey(b"private", "ssh-ed25519 AAAA")
SITE = Site(Path("/s"), Path("/v"), {name: 7000 + number for number, name in enumerate(PORT_NAMES)}, "x", ("node1",))


def test_a_site_is_read_as_it_was_written(tmp_path):
    site = dataclasses.replace(SITE, folder=tmp_path)
    assert read_site(tmp_path) is None
    site.write()
    assert read_site(tmp_path) == site


def test_a_list_becomes_a_line_for_each_of_its_elements():
    assert settings.ini({"pci": {"device_spec": ["a", "b"], "n": 1}}) == (
        "[pci]\ndevice_spec = a\ndevice_spec = b\nn = 1\n"
    )


@pytest.mark.parametrize(
    "path", [path for path in settings.files(SITE) if path.endswith(".conf") and "rabbit" not in path]
)
def test_configuration_files_can_be_read_and_stay_on_this_machine(path):
    text = settings.files(SITE)[path]
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    assert parser.sections()
    for line in text.splitlines():
        if "://" in line and "file://" not in line and "sqlite://" not in line:
            assert "127.0.0.1" in line or "localhost" in line, line


def test_services_sign_in_and_meet_where_they_listen():
    files = settings.files(SITE)
    for name in ("placement/placement.conf", "glance/glance-api.conf", "neutron/neutron.conf", "nova/nova.conf"):
        assert f"auth_url = {SITE.url('keystone', '/v3')}" in files[name]
    for name in ("neutron/neutron.conf", "nova/nova.conf"):
        assert f"transport_url = rabbit://guest:guest@127.0.0.1:{SITE.ports['rabbit']}/" in files[name]
    assert "socket=/s/run/mysql.sock" in files["keystone/keystone.conf"]


def test_every_service_of_the_catalog_listens_at_its_endpoint():
    listening = {service.name: service for service in [*services.first(SITE), *services.second(SITE)]}
    statement = template.endpoints(SITE)
    for name, (kind, path) in template.CATALOG.items():
        assert f"when '{kind}' then 'http://127.0.0.1:{SITE.ports[name]}{path}'" in statement
        assert str(SITE.ports[name]) in listening[name].argv
        assert listening[name].url.startswith(f"http://127.0.0.1:{SITE.ports[name]}/")


def test_nothing_is_inherited_that_could_name_another_cloud():
    env = services.environ(SITE, services.compute(SITE), {"HOME": "/h", "PATH": "/bin", "OS_CLOUD": "mine"})
    assert "OS_CLOUD" not in env
    assert env["PATH"].startswith("/v/bin:/bin")
    assert env["RAILHEAD_LAB_SITE"] == "/s"


def test_clouds_yaml():
    clouds = yaml.safe_load(settings.clouds(SITE, {"lab": ("id1", "word1")}))["clouds"]
    assert set(clouds) == {"lab-admin", "lab-ironic", "lab"}
    ironic = clouds["lab-ironic"]
    assert ironic["auth_type"] == "http_basic"
    assert ironic["auth"]["endpoint"] == ironic["baremetal_endpoint_override"] == SITE.url("ironic")
    assert {"id1", "word1"} <= set(clouds["lab"]["auth"].values())
    assert clouds["lab"]["auth_type"] == "v3applicationcredential"


def test_cells_take_their_addresses_from_the_configuration():
    [cells] = [chain for chain in template.migrations(SITE) if chain[0][-1] == "sync" and "api_db" in chain[0]]
    for command in cells[1:3]:
        assert not any("7000" in word or "/s/run" in word for word in command)
        assert any(word.startswith("{scheme}://") for word in command)


def test_the_environment_and_the_databases_follow_what_they_are_made_of():
    assert software.environment_name(b"nova==1", "/p") != software.environment_name(b"nova==2", "/p")
    assert template.template_name("venv-a", 1) != template.template_name("venv-a", 2)
    assert template.template_name("venv-a", 1) != template.template_name("venv-b", 1)


def test_all_packages_are_pinned():
    rows = [row for row in software.REQUIREMENTS.read_text().splitlines() if row and not row.startswith("#")]
    assert len(rows) > 100
    assert all(row.count("==") == 1 for row in rows)


ID = "0f6c1b3e-54e6-4a0b-9d0c-3b8a3b8f5d11"


@pytest.mark.parametrize(
    ("method", "path", "body", "kind"),
    [
        ("GET", "/", b"", "GET /"),
        ("GET", f"/v2.1/servers/{ID}", b"", "GET servers/ID"),
        ("POST", f"/v2.1/servers/{ID}/action", b'{"rebuild": {"imageRef": "x"}}', "POST servers/ID/action rebuild"),
        ("POST", f"/v2.1/servers/{ID}/action", b"nonsense", "POST servers/ID/action"),
        ("GET", f"/v2.1/{ID.replace('-', '')}/servers/detail", b"", "GET ID/servers/detail"),
        ("GET", "/v2.0/ports", b"", "GET ports"),
    ],
)
def test_kinds_of_calls(method, path, body, kind):
    assert calls.kind(method, path, body) == kind


def test_refusals_are_counted_by_their_status():
    lines = [
        json.dumps({"service": "nova", "kind": "GET servers/ID", "status": status, "seconds": 0.1})
        for status in (200, 200, 404)
    ]
    assert calls.count(lines) == {"nova": {"GET servers/ID": 2, "GET servers/ID -> 404": 1}}


def test_a_fault_is_granted_as_often_as_it_was_asked_for(tmp_path):
    path = tmp_path / "faults.json"
    assert faults.take(path, "rebuild-fails", "node1") is None
    faults.ask(path, faults.Fault("rebuild-fails", "node1", times=2))
    assert faults.take(path, "rebuild-fails", "node2") is None
    assert faults.take(path, "spawn-fails", "node1") is None
    assert [faults.take(path, "rebuild-fails", "node1") is not None for _ in range(3)] == [True, True, False]
    assert [line["on"] for line in faults.granted(path)] == ["node1", "node1"]


def test_a_fault_for_ever_ends_when_it_is_cleared(tmp_path):
    path = tmp_path / "faults.json"
    faults.ask(path, faults.Fault("rebuild-hangs", "", times=0))
    assert all(faults.take(path, "rebuild-hangs", "node1") for _ in range(3))
    faults.clear(path)
    assert faults.take(path, "rebuild-hangs", "node1") is None


def test_a_fault_of_an_api_is_for_a_kind_of_call():
    fault = faults.Fault("api-500", "action rebuild")
    assert fault.fits("api-500", "POST servers/ID/action rebuild")
    assert not fault.fits("api-500", "GET servers/ID")


def test_an_unknown_fault_is_refused(tmp_path):
    with pytest.raises(LabError, match="none of that name"):
        faults.ask(tmp_path / "faults.json", faults.Fault("bad-luck"))


def test_a_machine_keeps_its_image_and_prints_its_key():
    command = nodes.first_boot(b"node-a\n", KEY, reachable=True)
    assert "bm9kZS1hCg==" in command
    assert "-----BEGIN SSH HOST KEY KEYS-----" in command
    assert nodes.console_keys("ssh-ed25519 AAAA") == (
        "-----BEGIN SSH HOST KEY KEYS-----\nssh-ed25519 AAAA\n-----END SSH HOST KEY KEYS-----\n"
    )


def test_a_machine_answers_with_its_new_key_once_it_is_trusted_or_not_at_all():
    new_key, restart = "/etc/ssh/ssh_host_ed25519_key", "systemctl --quiet restart ssh.service"
    command = nodes.first_boot(b"", KEY, reachable=True)
    assert 0 < command.find(new_key) < command.find(restart)
    never = nodes.first_boot(b"", KEY, reachable=False)
    assert restart not in never
    assert "systemctl --quiet disable --now ssh.service ssh.socket" in never


def test_the_key_of_a_machine_is_made_outside_where_no_snapshot_brings_it_back():
    one, other = nodes.make_key(), nodes.make_key()
    assert one != other
    command = nodes.first_boot(b"", one, reachable=True)
    assert one.public in command
    assert base64.b64encode(one.private).decode() in command
    assert "ssh-keygen" not in command


def test_who_only_looks_at_the_wishes_leaves_their_file_alone(tmp_path):
    path = tmp_path / "faults.json"
    faults.ask(path, faults.Fault("rebuild-fails", "node1"))
    before = path.stat().st_mtime_ns
    assert faults.wanted(path) == [faults.Fault("rebuild-fails", "node1")]
    assert faults.take(path, "api-slow", "GET servers") is None
    assert path.stat().st_mtime_ns == before


def test_the_account_of_the_user_and_the_plain_one_differ_by_the_rights_to_fabric_ports():
    assert set(control.ACCOUNTS["lab"]) - set(control.ACCOUNTS["lab-plain"]) == {"fabric"}
    assert "role:fabric" in settings.policy()


def test_what_writes_a_process_id_of_its_own_does_not_write_it_beside_ours():
    assert not any(word.startswith(f"--pid-file={SITE.run}") for word in services.mariadb(SITE, "me").argv)
