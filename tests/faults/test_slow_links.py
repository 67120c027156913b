"""Files on a slow link, both ways: no lease is lost to its own transfer: heartbeats have a connection of their own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.model.task import JobState
from testing.jobs import submit
from testing.processes import AgentProcess, ControllerProcess, Process, wait_online
from tests.faults.evidence import assert_invariants, attempts
from tests.faults.real_jobs import heavy_job

FORWARDER = Path(__file__).parents[1] / "service" / "forward.py"


@contextmanager
def slow_link(controller: ControllerProcess, *, mbit_per_s: float) -> Iterator[tuple[tuple[str, ...], str]]:
    """A network namespace whose loopback is slow, over which an agent reaches the controller."""
    name = f"jetfleet-slow-{os.getpid()}"
    inside = ("ip", "netns", "exec", name)
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"cannot make a network namespace: {made.stderr.strip()}")
    shape = f"tc qdisc add dev lo root tbf rate {mbit_per_s}mbit burst 16kb latency 400ms"
    try:
        for command in ("ip link set lo mtu 1500 up", shape):
            subprocess.run([*inside, *command.split()], check=True)
        sockets = [str(controller.state_dir / name) for name in ("controller.sock", "agent.sock")]
        forward = [*inside, sys.executable, str(FORWARDER), *sockets]
        with subprocess.Popen(forward, stdout=subprocess.PIPE, text=True) as forwarder:
            assert forwarder.stdout is not None
            assert forwarder.stdout.readline()
            yield inside, f"unix:{sockets[1]}"
            forwarder.kill()
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def run_over(
    controller: ControllerProcess,
    client: Client,
    keep: Callable[[Process], Process],
    tmp_path: Path,
    *,
    megabytes: int,
) -> None:
    with slow_link(controller, mbit_per_s=2) as (inside, address):
        agent = AgentProcess(tmp_path / "far", address, name="far", prefix=inside)
        keep(agent)
        agent.start()
        wait_online(client, "far")
        job = submit(client, heavy_job(tmp_path / "job", megabytes=megabytes))
        assert client.wait(job).state is JobState.SUCCEEDED
        agent.kill()
    assert attempts(controller.state_dir, job, "BUILD") == ["COMMITTED"]
    assert attempts(controller.state_dir, job, "BENCH") == ["COMMITTED"]
    assert_invariants(controller.state_dir)


@pytest.mark.netns
def test_five_megabytes_take_longer_than_a_lease_and_lose_none(
    tmp_path: Path, keep: Callable[[Process], Process]
) -> None:
    controller = ControllerProcess(tmp_path / "short", lease_s=16.0)
    keep(controller)
    controller.ready()
    with Client(controller.address) as client:
        run_over(controller, client, keep, tmp_path, megabytes=5)


@pytest.mark.netns
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_sixty_megabytes_both_ways_at_two_megabits(
    controller: ControllerProcess, client: Client, keep: Callable[[Process], Process], tmp_path: Path
) -> None:
    run_over(controller, client, keep, tmp_path, megabytes=60)
