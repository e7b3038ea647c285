# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab builds for Kubernetes: the list, Go's command line, images, packages, the version file, refusals."""

import dataclasses
import hashlib
import json
import socket
import subprocess
import tarfile
import threading
import urllib.request
from functools import partial
from http.server import ThreadingHTTPServer

import pytest
import yaml

from railhead_lab import cli, repository
from railhead_lab.errors import LabError
from railhead_lab.kubernetes import bases, build, catalogue, layout, programs, serve
from railhead_lab.paths import Home
from railhead_lab.progress import Progress

SOFTWARE = catalogue.load("1.35.1")
PROGRAM = catalogue.Program("p", "example.org/p", "v1.2.3", ("example.org/p/cmd/a", "example.org/p/v3"))
SCRIPT = "#!/bin/sh\n"


@pytest.mark.parametrize("release", ["1.36.0", "1.35", "v1.35.1", "1.35.1-rc.0", "../1.35.1"])
def test_a_release_of_another_minor_is_refused(release):
    with pytest.raises(LabError, match=r"belong to 1\.35"):
        catalogue.load(release)


def test_images_are_made_of_what_is_built():
    for image in SOFTWARE.images.values():
        assert image.base in {"", *SOFTWARE.bases}
        assert image.entrypoint or image.command
        for path, source in image.files.items():
            # There, a folder of this name would take the place of Debian's link.
            assert not path.startswith(("/bin/", "/lib", "/sbin/"))
            if not source.startswith("#!"):
                program, _, file = source.partition("/")
                assert file in SOFTWARE.programs[program].files


def test_kubeadm_finds_its_images_by_name_and_tag():
    tags = {name: image.tag for name, image in SOFTWARE.images.items()}
    for name in ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler"):
        assert tags[name] == "v1.35.1"
        assert catalogue.load("1.35.4").images[name].tag == "v1.35.4"
    assert (tags["pause"], tags["etcd"], tags["coredns"]) == ("3.10.1", "3.6.6-0", "v1.13.1")


def test_programs_have_the_names_that_go_gives_them():
    assert PROGRAM.files == ("a", "p")
    assert SOFTWARE.programs["etcd"].files == ("server",)
    assert SOFTWARE.programs["pause"].files == ("pause",)


def test_a_main_module_repeats_replacements_by_a_version_and_names_the_parts_of_kubernetes():
    program = dataclasses.replace(PROGRAM, version="v1.35.1", requires={"example.org/more": "v0.1.0"})
    module = {
        "Go": "1.25.0",
        "Replace": [
            {"Old": {"Path": "a"}, "New": {"Path": "b", "Version": "v1.0.0"}},
            {"Old": {"Path": "c", "Version": "v0.0.0"}, "New": {"Path": "d", "Version": "v2.0.0"}},
            {"Old": {"Path": "e"}, "New": {"Path": "../e"}},
            {"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
            {"Old": {"Path": "k8s.io/sample-x"}, "New": {"Path": "./staging/src/k8s.io/sample-x"}},
        ],
    }
    assert programs.main_module(program, module).splitlines() == [
        "module railhead.example/p",
        "go 1.25.0",
        "require example.org/p v1.35.1",
        "require example.org/more v0.1.0",
        "replace a => b v1.0.0",
        "replace c v0.0.0 => d v2.0.0",
        "replace k8s.io/api => k8s.io/api v0.35.1",
    ]
    assert "replace" not in programs.main_module(program, {"Go": "1.25.0", "Replace": None})


def test_all_programs_of_a_module_are_built_at_once(tmp_path):
    program = dataclasses.replace(PROGRAM, variables={"m.b": "2", "m.a": "1"}, external_linker_flags="-Wl,-x -Wl,-y")
    argv = programs.build_arguments(program, tmp_path)
    assert argv[:5] == ["go", "build", "-mod=mod", "-trimpath", "-buildvcs=false"]
    assert argv[5] == "-ldflags=-s -w -X m.a=1 -X m.b=2 '-extldflags=-Wl,-x -Wl,-y'"
    assert argv[6:] == ["-o", f"{tmp_path}/", "example.org/p/cmd/a", "example.org/p/v3"]


def test_what_a_program_is_built_from_is_in_its_hash():
    hashes = {
        programs.program_hash(PROGRAM, "go1.26.8"),
        programs.program_hash(PROGRAM, "go1.26.9"),
        programs.program_hash(PROGRAM, "go1.26.8", version=0),
        programs.program_hash(dataclasses.replace(PROGRAM, cgo=True), "go1.26.8"),
        programs.program_hash(dataclasses.replace(PROGRAM, variables={"m.a": "1"}), "go1.26.8"),
    }
    assert len(hashes) == 5
    base = SOFTWARE.bases["net"]
    assert bases.base_hash(base) != bases.base_hash(dataclasses.replace(base, packages=("iptables",)))


def test_a_host_without_the_programs_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="docker-registry, gcc, gnupg, golang-go, mmdebstrap, skopeo is not installed"):
        programs.require_host()


@pytest.mark.parametrize(("said", "words"), [("go1.19.8", "go1.19.8, older than 1.21"), ("devel", "devel, older than")])
def test_an_old_go_is_refused(monkeypatch, tmp_path, said, words):
    for name in programs.NEEDED:
        (tmp_path / name).write_text(f"#!/bin/sh\necho go version {said} linux/amd64\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match=words):
        programs.require_host()


def test_a_base_names_no_mirror_and_is_tried(tmp_path):
    argv = bases.bootstrap_arguments(SOFTWARE.bases["net"], tmp_path / "base.tar", root=False)
    assert argv[-2:] == ["trixie", str(tmp_path / "base.tar")]
    assert "--mode=unshare" in argv
    assert not any("://" in word for word in argv)
    assert '--customize-hook=chroot "$1" iptables --version >/dev/null' in argv


def test_layers_have_no_time_and_no_owner(tmp_path):
    (tmp_path / "program").write_bytes(b"program")
    files = {"/usr/local/bin/x": tmp_path / "program", "/entrypoint.sh": b"#!/bin/sh\n"}
    first = layout.pack(files, tmp_path / "1.tar.gz")
    second = layout.pack(files, tmp_path / "2.tar.gz")
    assert first.digest == second.digest == f"sha256:{hashlib.sha256((tmp_path / '1.tar.gz').read_bytes()).hexdigest()}"
    assert first.size == (tmp_path / "1.tar.gz").stat().st_size
    with tarfile.open(first.path) as archive:
        entries = {entry.name: entry for entry in archive}
        assert archive.extractfile("usr/local/bin/x").read() == b"program"
    assert list(entries) == ["tmp", "usr", "usr/local", "usr/local/bin", "entrypoint.sh", "usr/local/bin/x"]
    assert {(entry.mtime, entry.uid, entry.uname) for entry in entries.values()} == {(0, 0, "")}
    assert [oct(entries[name].mode) for name in ("tmp", "usr", "usr/local/bin/x")] == ["0o1777", "0o755", "0o755"]


def test_an_image_is_written_once_for_what_it_is_made_of(tmp_path):
    program = tmp_path / "p-v1-hash"
    program.mkdir()
    (program / "p").write_bytes(b"program")
    image = catalogue.Image("p", "v1", files={"/p": "p/p", "/start": SCRIPT}, entrypoint=("/p",))
    folder = tmp_path / "images" / "p" / "v1"

    def make(image, program=program):
        return build._image(folder, image, {"p": program}, {}, Progress())

    digest = make(image)
    index = folder / "index.json"
    written = index.stat().st_mtime_ns
    assert make(image) == digest
    assert index.stat().st_mtime_ns == written
    for path in (folder / "blobs" / "sha256").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    manifest = json.loads((folder / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_text())
    config = json.loads(
        (folder / "blobs" / "sha256" / manifest["config"]["digest"].removeprefix("sha256:")).read_text()
    )
    assert config["config"]["Entrypoint"] == ["/p"]
    assert "Cmd" not in config["config"]
    assert len(config["rootfs"]["diff_ids"]) == len(manifest["layers"]) == 1
    assert serve.layouts(tmp_path) == [("p", "v1", folder)]
    assert make(dataclasses.replace(image, environment=("A=1",))) != digest
    assert make(image) == digest
    other = tmp_path / "p-v2-hash"
    program.rename(other)
    (other / "p").write_bytes(b"another")
    assert make(image, other) != digest


def packages_of(folder, release="1.35.1"):
    values = {"release": release, "minor": "1.35", "programs": str(folder)}
    return repository.parse(build.PACKAGES.read_text(), values)


def test_packages_bring_the_programs_and_the_service(tmp_path):
    for name in ("kubeadm", "kubectl", "kubelet"):
        (tmp_path / name).write_bytes(b"\x7fELF")
    out = tmp_path / "out"
    build._packages(out, packages_of(tmp_path) + packages_of(tmp_path, "1.35.4"), {"1.35.1": "a"}, Progress())
    folder = out / "kubernetes" / "v1.35"
    assert sorted(path.name for path in folder.glob("*.deb")) == [
        f"{name}_{release}-1.1_amd64.deb"
        for name in ("kubeadm", "kubectl", "kubelet")
        for release in ("1.35.1", "1.35.4")
    ]
    assert (folder / "Packages").read_text().count("\nVersion: 1.35.4-1.1\n") == 3
    deb = folder / "kubelet_1.35.4-1.1_amd64.deb"
    subprocess.run(["dpkg-deb", "-x", deb, tmp_path / "root"], check=True)
    assert (tmp_path / "root/usr/bin/kubelet").read_bytes() == b"\x7fELF"
    assert (tmp_path / "root/usr/bin/kubelet").stat().st_mode & 0o777 == 0o755
    drop_in = (tmp_path / "root/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf").read_text()
    for words in ("/etc/kubernetes/bootstrap-kubelet.conf", "EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env"):
        assert words in drop_in
    key = (out / "key.asc").read_bytes()
    build._packages(out, packages_of(tmp_path), {"1.35.1": "a"}, Progress())
    assert (out / "key.asc").read_bytes() == key
    build._packages(out, packages_of(tmp_path), {"1.35.1": "b"}, Progress())
    assert (out / "key.asc").read_bytes() != key
    assert not deb.exists()


def test_a_version_file_names_everything_exactly(tmp_path):
    digests = {name: f"sha256:{number:064}" for number, name in enumerate(SOFTWARE.images)}
    text = build.version_file(SOFTWARE, packages_of(tmp_path), digests)
    versions = yaml.safe_load(text)["kubernetes_versions"]
    assert versions["kubernetes"] == "1.35.1"
    assert versions["packages"] == dict.fromkeys(("kubeadm", "kubectl", "kubelet"), "1.35.1-1.1")
    assert set(versions["images"]) == set(SOFTWARE.images)
    assert versions["images"]["etcd"] == f"10.0.2.2:5055/etcd:3.6.6-0@{digests['etcd']}"


def test_nothing_is_built_for_a_release_that_is_not_known(tmp_path):
    with pytest.raises(LabError, match="no release is given"):
        build.build(Home(tmp_path), tmp_path / "out", [], Progress())
    argv = ["kubernetes", "build", "--out", str(tmp_path / "out"), "--release", "1.35.1", "--release", "1.36.0"]
    assert cli.main(argv) == 1
    assert not (tmp_path / "out").exists()


def test_where_nothing_was_built_nothing_is_served(tmp_path):
    with pytest.raises(LabError, match="nothing of `lab kubernetes build`"):
        serve.serve(tmp_path, 5055, 5056, Progress())


def test_a_port_in_use_is_refused(tmp_path):
    (tmp_path / "versions-1.35.1.yml").touch()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(LabError, match=f"port {port} of 127.0.0.1 is in use"):
            serve.serve(tmp_path, port, port, Progress())
    serve.require_free(port, "Cannot serve")


def test_the_registry_listens_on_the_loopback_alone(tmp_path):
    settings = yaml.safe_load(serve.registry_settings(tmp_path, 5055))
    assert settings["http"]["addr"] == "127.0.0.1:5055"
    assert settings["storage"]["filesystem"]["rootdirectory"] == str(tmp_path)


def test_files_are_served_over_a_connection_that_stays(tmp_path):
    (tmp_path / "key.asc").write_text("key")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(serve._Files, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/key.asc") as answer:
                assert (answer.version, answer.read()) == (11, b"key")
        finally:
            server.shutdown()
            thread.join()
