# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes are known again, and QMP is spoken, without any QEMU."""

import json
import os
import signal
import socket
import sys
import threading

import pytest

from railhead_lab.errors import LabError
from railhead_lab.machine import Machine, start_time
from railhead_lab.qmp import Qmp


def test_a_pid_counts_only_with_its_start_time(tmp_path):
    machine = Machine(tmp_path, "node1")
    assert machine.pid() is None
    own = os.getpid()
    machine.file("pid").write_text(f"{own} {start_time(own)}\n")
    assert machine.pid() == own
    machine.file("pid").write_text(f"{own} {start_time(own) - 1}\n")
    assert machine.pid() is None


def test_a_machine_that_dies_at_start_is_told_with_its_words(tmp_path):
    machine = Machine(tmp_path, "node1")
    machine.serial_log.write_text("early words\n")
    with pytest.raises(LabError) as caught:
        machine.start([sys.executable, "-c", "import sys; sys.exit('no such accelerator')"])
    for words in ("Cannot start node1", "status 1", "no such accelerator", "early words"):
        assert words in str(caught.value)


def test_a_machine_that_is_gone_before_its_start_time_was_read_is_told_too(tmp_path, monkeypatch):
    monkeypatch.setattr("railhead_lab.machine.start_time", lambda _: None)
    with pytest.raises(LabError, match="ended with status 3"):
        Machine(tmp_path, "node1").start(["sh", "-c", "exit 3"])


def test_kill_waits_for_the_end(tmp_path):
    machine = Machine(tmp_path, "node1")
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    machine.file("pid").write_text(f"{pid} {start_time(pid)}\n")
    machine.kill()
    assert machine.pid() is None
    os.waitpid(pid, 0)


@pytest.fixture
def qemu_that_says(tmp_path):
    """Serve QMP from a script: a list of lists, the messages before and in answer to each request."""
    requests = []

    def serve(listener, script):
        connection, _ = listener.accept()
        with connection, connection.makefile("rw") as stream:
            for position, messages in enumerate([[{"QMP": {}}], [{"return": {}}], *script]):
                if position:
                    requests.append(json.loads(stream.readline()))
                for message in messages:
                    stream.write(json.dumps(message) + "\n")
                stream.flush()

    # A folder whose path alone is longer than a socket's address may be.
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    threads = []

    def start(*script):
        listener = socket.socket(socket.AF_UNIX)
        descriptor = os.open(folder, os.O_PATH)
        listener.bind(f"/proc/self/fd/{descriptor}/node1.qmp")
        os.close(descriptor)
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener, script), daemon=True)
        thread.start()
        threads.append((thread, listener))
        return Qmp(folder / "node1.qmp", timeout=5), requests

    yield start
    for thread, listener in threads:
        thread.join(5)
        listener.close()


def test_snapshot_waits_for_its_own_job(qemu_that_says):
    def job(name, status):
        return {"event": "JOB_STATUS_CHANGE", "data": {"id": name, "status": status}}

    qmp, requests = qemu_that_says(
        [{"event": "STOP"}, {"return": {}}],
        [
            job("save-ready", "running"),
            {"return": {}},
            job("other", "concluded"),
            job("save-ready", "concluded"),
        ],
        [{"return": [{"id": "save-ready", "status": "concluded"}]}],
        [{"return": {}}],
    )
    with qmp:
        qmp.save_snapshot("ready", "disk", timeout=5)
    assert [request["execute"] for request in requests] == [
        "qmp_capabilities", "stop", "snapshot-save", "query-jobs", "job-dismiss",
    ]  # fmt: skip
    assert requests[2]["arguments"] == {
        "job-id": "save-ready", "tag": "ready", "vmstate": "disk", "devices": ["disk"],
    }  # fmt: skip


def test_a_failed_snapshot_job_is_an_error(qemu_that_says):
    concluded = {"event": "JOB_STATUS_CHANGE", "data": {"id": "save-ready", "status": "concluded"}}
    qmp, _ = qemu_that_says(
        [{"return": {}}],
        [{"return": {}}, concluded],
        [{"return": [{"id": "save-ready", "error": "No space left on device"}]}],
    )
    with qmp, pytest.raises(LabError, match="No space left"):
        qmp.save_snapshot("ready", "disk", timeout=5)


def test_a_refused_command_is_an_error(qemu_that_says):
    qmp, _ = qemu_that_says([{"error": {"class": "GenericError", "desc": "not now"}}])
    with qmp, pytest.raises(LabError, match="QEMU answered 'not now'"):
        qmp.execute("stop")


def test_a_closed_connection_is_an_error_at_once(qemu_that_says):
    qmp, _ = qemu_that_says([])
    with qmp, pytest.raises(LabError, match="closed the connection"):
        qmp.execute("stop")


def test_it_may_use_all_cpus(tmp_path):
    """Also when its starter may not, as a worker of mitogen may not."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        with pytest.raises(LabError, match="ended with status 3"):
            Machine(tmp_path, "node1").start(["sh", "-c", "grep Cpus_allowed: /proc/self/status >cpus; exit 3"])
    finally:
        os.sched_setaffinity(0, allowed)
    mask = int((tmp_path / "cpus").read_text().split()[1].replace(",", ""), 16)
    assert mask.bit_count() == len(allowed)
