"""The controller as a service: its unit, what an install does below a folder, and what a real one tells systemd."""

import re
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace

import pytest

from controller.installation.plan import (
    STATE_DIR,
    UNIT,
    ControllerHost,
    controller_unit,
    install_steps,
    uninstall_steps,
)
from jetfleet.installation import RemovePath, RunCommand, WriteFile, apply
from testing.processes import ControllerProcess

HOST = ControllerHost("/opt/jetfleet/bin/python", "0.0.0.0:50051", "0.0.0.0:50052", ("workstation", "10.0.0.1"))
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")


def controller(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "controller.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_unit_serves_where_it_was_told_to_under_the_names_that_boards_use():
    (line,) = re.findall(r"^ExecStart=(.*)$", controller_unit(HOST), re.MULTILINE)
    assert "--listen 0.0.0.0:50051 --agents 0.0.0.0:50052 --host workstation --host 10.0.0.1" in line
    assert f"--state {STATE_DIR} serve" in line
    assert re.findall(r"@[A-Z_]+@", controller_unit(HOST)) == []


def test_systemd_254_waits_longer_after_each_failure_and_249_is_not_told_of_it():
    assert "RestartSteps=" not in controller_unit(replace(HOST, systemd=249))
    assert "RestartSteps=" in controller_unit(replace(HOST, systemd=254))


@needs_systemd
def test_systemd_accepts_it_without_a_word_and_finds_it_closed(tmp_path):
    path = tmp_path / UNIT
    path.write_text(controller_unit(replace(HOST, python=sys.executable)))
    assert subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True).stderr == ""
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(path)]
    said = subprocess.run(command, capture_output=True, text=True).stdout
    assert float(re.findall(r"exposure level for \S+: ([\d.]+)", said)[0]) <= 2.0


def test_installed_twice_is_installed_once_and_uninstalled_is_gone(tmp_path):
    steps = install_steps(HOST)
    assert apply(steps, root=tmp_path, say=lambda _: None)
    settings = tmp_path / "etc/jetfleet/controller.env"
    assert settings.stat().st_mode & 0o777 == 0o600
    assert not apply(steps, root=tmp_path, say=lambda _: None)
    settings.write_text("JETFLEET_CONTROLLER_OPTIONS=--min-free 5\n")
    assert apply(install_steps(replace(HOST, hosts=())), root=tmp_path, say=lambda _: None)
    assert "--min-free 5" in settings.read_text()
    apply(uninstall_steps(purge=True), root=tmp_path, say=lambda _: None)
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []


def test_the_state_is_touched_by_a_purge_only():
    for steps in (install_steps(HOST), uninstall_steps(purge=False)):
        assert not [step for step in steps if isinstance(step, WriteFile | RemovePath) and STATE_DIR in step.path]
    assert RemovePath(STATE_DIR) in uninstall_steps(purge=True)


def test_a_service_that_serves_is_not_disturbed_by_an_install_that_changes_nothing():
    restarts = [step for step in install_steps(HOST) if isinstance(step, RunCommand) and "restart" in step.words]
    assert [step.if_changed for step in restarts] == [True]


def test_a_dry_run_prints_every_file_and_command(tmp_path):
    found = controller("install", "--dry-run", "--host", "workstation", "--root", str(tmp_path))
    assert found.returncode == 0, found.stderr
    for step in install_steps(replace(HOST, python=sys.executable, hosts=("workstation",))):
        assert (f"run {' '.join(step.words)}" if isinstance(step, RunCommand) else f"write {step.path}") in found.stdout
    assert "--host workstation" in found.stdout
    assert list(tmp_path.iterdir()) == []
    assert f"remove {STATE_DIR}\n" in controller("uninstall", "--purge", "--dry-run").stdout


@pytest.mark.parametrize("arguments", [("--listen", "everywhere"), ("--agents", "10.0.0.1"), ("--root", "/no/such")])
def test_what_cannot_be_is_refused(arguments):
    found = controller("install", *arguments)
    assert found.returncode == 2
    assert arguments[0] in found.stderr


def test_a_controller_is_ready_when_it_serves_and_says_that_it_stops(tmp_path, keep):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        process = ControllerProcess(tmp_path / "state")
        process.env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
        keep(process)
        process.start()
        assert systemd.recv(4096) == b"READY=1"
        with process.client() as client:
            client.hello()
        said = [systemd.recv(4096) for _ in range(4)]
        assert b"WATCHDOG=1" in said
        process.signal(signal.SIGTERM)
        while systemd.recv(4096) != b"STOPPING=1":
            pass
        assert process.wait() == 0
