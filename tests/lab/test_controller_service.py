"""The controller as a service, in a machine that really boots."""

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.processes import wait_for
from tests.lab.conftest import Record
from tests.lab.guest import Guest
from tests.lab.network import LabNetwork

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

UNIT = "jetfleet-controller.service"
AS_OWNER = ("setpriv", "--reuid=jetfleet-controller", "--regid=jetfleet-controller", "--clear-groups")
CONTROLLER = ("/opt/jetfleet/bin/controller", "--state", "/var/lib/jetfleet-controller")


@pytest.fixture(scope="module")
def machine(base: Path, network: LabNetwork) -> Iterator[Guest]:
    with Guest(f"{network.prefix}-second", base, network=network.path("second")) as guest:
        guest.boot()
        yield guest


def is_running(machine: Guest) -> bool:
    return machine.show(UNIT, "SubState")["SubState"] == "running"


def test_it_is_installed_serves_survives_and_leaves_nothing(machine: Guest, network: LabNetwork, record: Record):
    before, address = machine.files(), network.address("second")
    machine.run(CONTROLLER[0], "install", "--host", address)
    wait_for(lambda: is_running(machine), what="the controller")
    assert machine.show(UNIT, "StatusText")["StatusText"].startswith("serving")
    path = f"/etc/systemd/system/{UNIT}"
    assert machine.run("sh", "-c", f"systemd-analyze verify {path} 2>&1") == ""
    said = machine.run("systemd-analyze", "security", "--offline=yes", "--no-pager", path, check=False)
    exposure = float(re.findall(r"exposure level for \S+: ([\d.]+)", said)[0])
    assert exposure <= 2.0
    record.note(f"exposure of {UNIT} (bar: 2.0)", exposure)
    # Its own user speaks to its socket: clients trust no folder of another user's, not even as root.
    assert f"agent enroll {address}:50051" in machine.run(*AS_OWNER, *CONTROLLER, "enroll", "new", "--name", "orin-1")
    assert "nothing had to be changed" in machine.run(CONTROLLER[0], "install", "--host", address)
    began = time.monotonic()
    pid = machine.main_pid(UNIT)
    machine.signal(UNIT, signal.SIGKILL)
    wait_for(lambda: is_running(machine) and machine.main_pid(UNIT) != pid, what="the restart")
    record.note("controller: kill -9 to serving again (RestartSec is 2 s)", f"{time.monotonic() - began:.1f} s")
    assert "orin-1" not in machine.run(*AS_OWNER, *CONTROLLER, "devices", "list")  # and it answers
    machine.run(CONTROLLER[0], "uninstall", "--purge")
    now = machine.files()
    left = {path for path in now if path not in before and "jetfleet" in path}
    assert left == set()
