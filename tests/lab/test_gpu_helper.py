"""The helper's unit on a machine with a discrete GPU: one that boots, its driver a stand-in that asks for as much.

Whether the unit lets the helper through to a driver is seen here; what NVIDIA's own does then is not.
"""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testing.processes import wait_for
from tests.lab.conftest import Record
from tests.lab.guest import AGENT, PYTHON, Guest
from tests.lab.network import LabNetwork, run

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

HELPER = "jetfleet-helper.service"
LIBRARY = "usr/lib/libnvidia-ml.so.1"
STATE = "/var/lib/jetfleet-helper/clocks-of-the-gpu"
AS_AGENT = ("setpriv", "--reuid=jetfleet", "--regid=jetfleet", "--clear-groups")
READ = "from agent.helper.client import ask; said = ask('read-mode'); print(said['lockable'], said['locked'])"
LOCK = "from agent.helper.client import ask; print(ask('lock-clocks'), ask('read-mode')['locked'])"
HOLD = f"{LOCK}; import time; time.sleep(300)"


@pytest.fixture(scope="module")
def machine(base: Path, network: LabNetwork) -> Iterator[Guest]:
    """Its driver's nodes are any that open: what is behind them the stand-in of its library knows."""
    nodes = {"/dev/nvidiactl": "/dev/null", "/dev/nvidia0": "/dev/null"}
    guest = Guest(f"{network.prefix}-gpu", base, network=network.path("gpu"), binds=nodes)
    with guest:
        source = Path(__file__).with_name("nvml.c")
        run("cc", "-shared", "-fPIC", "-o", str(guest.root / LIBRARY), str(source))
        guest.boot()
        guest.run(AGENT, "install", "--native", check=False)
        yield guest


def clocks(machine: Guest) -> str:
    return machine.run("sh", "-c", f"cat {STATE} 2>/dev/null || true").strip()


@contextmanager
def holding(machine: Guest) -> Iterator[None]:
    """While this lasts, a process of the agent's user that has locked the clocks lives."""
    enter = ["nsenter", "-t", str(machine.leader), "-m", "-p", "-u", "-i", "-n", "-C", "--"]
    with subprocess.Popen([*enter, *AS_AGENT, PYTHON, "-u", "-c", HOLD], stdout=subprocess.PIPE, text=True) as held:
        try:
            assert held.stdout is not None
            assert "['gpu']" in held.stdout.readline()
            yield
        finally:
            held.kill()


def test_the_unit_lets_the_helper_through_to_the_driver_and_to_nothing_else(machine: Guest, record: Record) -> None:
    path = f"/etc/systemd/system/{HELPER}"
    text = machine.run("cat", path)
    assert "DeviceAllow=/dev/nvidiactl rw" in text
    assert machine.run("sh", "-c", f"systemd-analyze verify {path} 2>&1") == ""
    said = machine.run("systemd-analyze", "security", "--offline=yes", "--no-pager", path, check=False)
    exposure = float(re.findall(r"exposure level for \S+: ([\d.]+)", said)[0])
    assert exposure <= 2.0
    record.note(f"exposure of {HELPER} where there is a discrete GPU (bar: 2.0)", exposure)
    assert machine.run(*AS_AGENT, PYTHON, "-c", READ).split() == ["['gpu']", "[]"]
    status = machine.run("cat", f"/proc/{machine.main_pid(HELPER)}/status")
    assert "CapEff:\t0000000000200000" in status
    assert "NoNewPrivs:\t1" in status


def test_clocks_are_locked_and_put_back_whoever_ends(machine: Guest, record: Record) -> None:
    assert machine.run(*AS_AGENT, PYTHON, "-c", LOCK).strip().endswith("['gpu']")
    wait_for(lambda: clocks(machine) == "2619 1200", what="the end of who asked to be noticed")
    with holding(machine):
        assert clocks(machine) == "3201 1980"
        before = machine.main_pid(HELPER)
        machine.signal(HELPER, signal.SIGKILL)
        wait_for(lambda: clocks(machine) == "2619 1200", what="the next helper to restore", timeout_s=60)
        assert machine.main_pid(HELPER) != before
    record.note("a discrete GPU's clocks, its driver a stand-in", "locked by the helper; back after its kill -9, too")


def test_without_the_drivers_nodes_the_unit_is_closed(machine: Guest) -> None:
    """A board's unit, on the same machine: nothing is promised, and nothing is set."""
    path = f"/etc/systemd/system/{HELPER}"
    machine.run("sed", "-i", "/^DeviceAllow=/d; s/PrivateDevices=no/PrivateDevices=yes/; s/CAP_SYS_ADMIN//", path)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "stop", HELPER)
    assert machine.run(*AS_AGENT, PYTHON, "-c", READ).split() == ["[]", "[]"]
    assert "3201" not in clocks(machine)
