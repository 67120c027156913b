"""The unit of `agent install --container`, in a machine that boots and has podman: in this order, each test begins
where the last ended.
"""

import os
import platform
import shlex
import signal
import time
from collections.abc import Iterator

import pytest

from controller.api.client import Client
from controller.image.recipe import CPU, plain_recipe
from testing.processes import wait_for
from tests.house.source import ROOT
from tests.lab.conftest import LabController, Record
from tests.lab.engines import BASE, FOLDER, Podman
from tests.lab.engines import install_tools as install_engines
from tests.lab.guest import AGENT, Guest, make_base
from tests.lab.network import LabNetwork
from tests.lab.test_containers import PYTHON, build

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

UNIT = "jetfleet-agent.service"
IMAGE = plain_recipe(CPU, base=BASE, python=PYTHON, arch=platform.machine()).tag
MODEL = ROOT / "examples/onnx/model.onnx"
NAME = "boxed-1"
_ABOUT = (
    "# The unit of an agent in a container, in a machine that boots",
    "",
    "Written by `make lab-container-unit`: Debian 12 booted by systemd-nspawn, podman with crun in it and without",
    "control groups of its own, the CPU image from its archive, the wheel in /opt/jetfleet for `agent install`, a",
)


@pytest.fixture(scope="module")
def record() -> Iterator[Record]:  # of its own, beside that of the native unit
    found = Record("lab-container-unit", _ABOUT)
    yield found
    if found.lines and found.lines[-1][0].startswith("stop"):
        found.write_if_asked()


@pytest.fixture(scope="module")
def machine(tools: None, network: LabNetwork) -> Iterator[Guest]:
    """With the image of this tree, loaded from its archive as on a board without internet."""
    install_engines()
    podman, archive = Podman(), FOLDER / "agent.tar"
    podman.make_base()
    build(podman, "--cpu", archive)
    base = make_base("base-podman", more="podman,crun")
    with Guest(f"{network.prefix}-second", base, network=network.path("second"), podman=True) as guest:
        guest.boot()
        with archive.open("rb") as source, (guest.root / "opt/agent.tar").open("wb") as target:
            target.write(source.read())
        guest.run("podman", "load", "--quiet", "--input", "/opt/agent.tar")
        yield guest


@pytest.fixture
def owner(controller: LabController) -> Iterator[Client]:
    with controller.client() as client:
        yield client


def online(client: Client) -> bool:
    return any(device.name == NAME and device.online for device in client.devices())


def state(guest: Guest) -> tuple[str, str]:
    found = guest.show(UNIT, "ActiveState", "SubState")
    return found["ActiveState"], found["SubState"]


def restarts(guest: Guest) -> int:
    return int(guest.show(UNIT, "NRestarts")["NRestarts"])


def inside(guest: Guest, field: str = ".State.Pid") -> str:
    """Of the container that runs; empty while there is none."""
    return guest.run("podman", "inspect", "--format", f"{{{{{field}}}}}", "jetfleet-agent", check=False).strip()


def test_the_unit_is_accepted_and_waits_for_its_enrolment(machine: Guest) -> None:
    said = machine.run(AGENT, "install", "--container", "--image", IMAGE)
    assert "not enrolled yet" in said
    assert state(machine) == ("inactive", "dead")
    assert machine.run("sh", "-c", f"systemd-analyze verify /etc/systemd/system/{UNIT} 2>&1") == ""
    assert "nothing had to be changed" in machine.run(AGENT, "install", "--container", "--image", IMAGE)


def test_the_printed_line_enrols_and_starts_the_container(
    machine: Guest, controller: LabController, owner: Client, record: Record
) -> None:
    token, *words = shlex.split(controller.line("--name", NAME))
    name, _, secret = token.partition("=")
    began = time.monotonic()
    machine.run(*words, env={name: secret})
    wait_for(lambda: online(owner), what="the container to be online")
    record.note("the printed line to the first heartbeat", f"{time.monotonic() - began:.1f} s")
    wait_for(lambda: state(machine) == ("active", "running"), what="READY from inside of the container")
    wait_for(lambda: "registered at" in machine.show(UNIT, "StatusText")["StatusText"], what="the status")
    device = next(item for item in owner.devices() if item.name == NAME)
    assert device.facts["container"] == "podman"
    status = machine.run("cat", f"/proc/{inside(machine)}/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert secret not in machine.run("podman", "inspect", "jetfleet-agent")


def test_a_job_runs_in_it(owner: Client, record: Record) -> None:
    began = time.monotonic()
    job = owner.submit(MODEL, name="boxed", targets=[{"every": {"device": NAME}}])
    assert job.wait().state.value == "SUCCEEDED"
    record.note("a job through it", f"SUCCEEDED, {time.monotonic() - began:.0f} s")


def test_killed_it_comes_back_as_the_same_board(machine: Guest, owner: Client, record: Record) -> None:
    known = next(item.id for item in owner.devices() if item.name == NAME)
    count, before, began = restarts(machine), inside(machine), time.monotonic()
    machine.run("kill", "-9", before)
    wait_for(lambda: restarts(machine) > count and state(machine) == ("active", "running"), what="the restart")
    record.note("kill -9 of the agent to active again", f"{time.monotonic() - began:.1f} s")
    assert inside(machine) not in ("", before)
    wait_for(lambda: online(owner), what="the container to be online")
    assert [item.id for item in owner.devices() if item.name == NAME] == [known]


def test_an_agent_that_hangs_is_killed_by_the_watchdog(machine: Guest, owner: Client, record: Record) -> None:
    count, before, began = restarts(machine), inside(machine), time.monotonic()
    machine.run("kill", f"-{signal.SIGSTOP.value}", before)
    wait_for(lambda: restarts(machine) > count, what="the watchdog", timeout_s=150)
    record.note("SIGSTOP of the agent to the watchdog's restart", f"{time.monotonic() - began:.0f} s")
    assert "atchdog" in machine.journal(UNIT)
    wait_for(lambda: state(machine) == ("active", "running"), what="the restart")
    assert inside(machine) not in ("", before)
    assert len(machine.run("podman", "ps", "--all", "--quiet").split()) == 1
    wait_for(lambda: online(owner), what="the container to be online")


def test_a_stop_lets_it_leave_and_an_uninstall_leaves_nothing(machine: Guest, owner: Client, record: Record) -> None:
    machine.run("systemctl", "stop", UNIT)
    assert state(machine) == ("inactive", "dead")
    wait_for(lambda: not online(owner), what="the board to have left", timeout_s=10)  # its lease would take 30 s
    assert machine.run("podman", "ps", "--all", "--quiet") == ""
    machine.run(AGENT, "uninstall", "--purge")
    for path in (f"/etc/systemd/system/{UNIT}", "/var/lib/jetfleet", "/etc/jetfleet", "/run/jetfleet-agent"):
        assert not os.path.lexists(machine.root / path.lstrip("/")), path
    record.note("stop, then uninstall --purge", "left in order; no container, unit or state is left")
