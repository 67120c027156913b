"""Several agents at one controller: one build for all, nothing beside anything, versions, twins, namespaces."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.model.job import Measure
from controller.model.task import JobState
from controller.model.view import ResultQuery
from jetfleet.version import VERSION
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, ControllerProcess, Process, wait_online
from tests.faults.evidence import assert_invariants, query


def test_equal_boards_build_once(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    names = [f"board-{number}" for number in range(4)]
    for name in names:
        start_agent(name, facts=simulated_board())
    wait_online(client, *names)
    job_id = submit(client, simulated_job(tmp_path / "job"))
    assert client.wait(job_id).state is JobState.SUCCEEDED
    assert query(
        controller.state_dir, "SELECT count(*) FROM attempt a JOIN task t ON t.id = a.task_id AND t.kind = 'BUILD'"
    ) == [(1,)]
    rows = client.results(ResultQuery(job_ids=(job_id,)))
    assert sorted(row.device for row in rows) == names
    assert {row.measurement.provenance.value for row in rows} == {"SIMULATED"}
    builder = query(controller.state_dir, "SELECT built_on FROM v_engines")[0][0]
    built = next(iter(query(controller.state_dir, "SELECT sha256 FROM v_engines")))[0]
    agents = tmp_path / "agents"
    assert (agents / builder / "blobs" / "objects" / built[:2] / built).stat().st_nlink >= 1
    assert_invariants(controller.state_dir)


def test_two_agents_of_one_host_never_work_at_the_same_time(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    start_agent("left", extra=("--label", "side=left"))
    start_agent("right", extra=("--label", "side=right"))
    wait_online(client, "left", "right")
    domains = {device.bench_domain for device in client.devices()}
    assert len(domains) == 1
    slow = {"latency_ms": "10", "wall": "1"}
    measure = Measure(warmup_s=0.1, min_s=0.5, max_s=1.0)
    job_id = submit(client, simulated_job(tmp_path / "job", options=slow, batches=(1, 2), measure=measure))
    assert client.wait(job_id).state is JobState.SUCCEEDED
    assert len(client.results(ResultQuery(job_ids=(job_id,)))) == 4
    assert_invariants(controller.state_dir)


def test_an_agent_of_another_protocol_is_told_who_must_upgrade(controller: ControllerProcess, tmp_path: Path) -> None:
    from_the_future = (
        "import jetfleet.version; jetfleet.version.PROTOCOL = 9; jetfleet.version.VERSION = '7.0';"
        "import agent.cli; agent.cli.main(['run', '--address', '{}', '--state', '{}'])"
    ).format(controller.address, tmp_path / "future")
    found = subprocess.run([sys.executable, "-c", from_the_future], capture_output=True, text=True, timeout=60)
    assert found.returncode == 4
    assert "speak different protocol versions" in found.stderr
    assert "the controller needs upgrade to 7.0" in found.stderr


def test_a_client_of_another_protocol_is_told_who_must_upgrade(controller: ControllerProcess) -> None:
    from_the_past = (
        "import jetfleet.version; jetfleet.version.PROTOCOL = 0; jetfleet.version.VERSION = '0.0.1';"
        "import controller.cli.main as m; import sys;"
        f"sys.argv = ['controller', '--address', '{controller.address}', 'jobs']; m.main()"
    )
    found = subprocess.run([sys.executable, "-c", from_the_past], capture_output=True, text=True, timeout=60)
    assert found.returncode == 4
    assert f"needs upgrade to {VERSION}" in found.stderr


def test_an_agent_says_nothing_over_tcp_before_it_enrolled(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agent.cli", "run", "--address", "10.1.2.3:50051", "--state", str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert found.returncode == 4
    assert "did not enrol" in found.stderr
    assert "controller enroll new" in found.stderr


def test_one_agent_per_state_folder(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess]
) -> None:
    agent = start_agent(facts=simulated_board())
    wait_online(client, "board")
    twin = AgentProcess(agent.state_dir, controller.address, name="twin", facts=simulated_board())
    twin.start()
    assert twin.wait() == 4
    assert "another agent owns" in twin.text()


def test_boards_flashed_from_one_image_share_an_id_and_are_told(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    agent = start_agent(facts=simulated_board())
    wait_online(client, "board")
    clone = tmp_path / "agents" / "clone"
    clone.mkdir()
    shutil.copy(agent.state_dir / "device_id", clone)
    other_boot = (
        "import agent.device.identity as i; i.boot_id = lambda *a: 'another boot'; import agent.cli; agent.cli.main()"
    )
    facts = str(tmp_path / "agents" / "board.facts.json")
    command = [sys.executable, "-c", other_boot, "run", "--address", controller.address, "--state", str(clone)]
    found = subprocess.run([*command, "--facts", facts], capture_output=True, text=True, timeout=60)
    assert found.returncode == 4
    assert "two live devices say they are board" in found.stderr
    assert "delete `device_id`" in found.stderr


def test_the_controller_drains_on_sigterm_and_the_job_goes_on_afterwards(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    start_agent(facts=simulated_board())
    wait_online(client, "board")
    slow = {"latency_ms": "20", "wall": "1"}
    job_id = submit(client, simulated_job(tmp_path / "job", options=slow, batches=(1, 2)))
    controller.signal(signal.SIGTERM)
    assert controller.wait() == 0
    assert not (controller.state_dir / "controller.sock").exists()
    controller.ready()
    assert client.wait(job_id).state is JobState.SUCCEEDED


@pytest.fixture
def forwarded(controller: ControllerProcess) -> Iterator[tuple[tuple[str, ...], str]]:
    """A network namespace with nothing but loopback, over which an agent reaches the controller."""
    name = f"jetfleet-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"cannot make a network namespace: {made.stderr.strip()}")
    inside = ("ip", "netns", "exec", name)
    subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
    forwarder = subprocess.Popen(
        [
            *inside,
            sys.executable,
            str(Path(__file__).parent / "forward.py"),
            str(controller.state_dir / "controller.sock"),
            str(controller.state_dir / "agent.sock"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert forwarder.stdout is not None
    assert forwarder.stdout.readline()
    yield inside, f"unix:{controller.state_dir / 'agent.sock'}"
    forwarder.kill()
    forwarder.wait()
    forwarder.stdout.close()
    subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.mark.netns
def test_an_agent_in_another_network_namespace_serves_a_job(
    controller: ControllerProcess,
    client: Client,
    forwarded: tuple[tuple[str, ...], str],
    tmp_path: Path,
    keep: Callable[[Process], Process],
) -> None:
    inside, address = forwarded
    agent = AgentProcess(tmp_path / "far", address, name="far", facts=simulated_board(), prefix=inside)
    keep(agent)
    agent.start()
    wait_online(client, "far")
    job_id = submit(client, simulated_job(tmp_path / "job"))
    assert client.wait(job_id).state is JobState.SUCCEEDED
    assert [row.device for row in client.results(ResultQuery(job_ids=(job_id,)))] == ["far"]
