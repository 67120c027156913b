"""An agent whose disk is full, or whose state folder is gone: it pauses, says why, and goes on when it can."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.model.task import JobState
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, ControllerProcess, Process, wait_for, wait_online
from tests.faults.evidence import assert_invariants, attempts


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Eight megabytes of disk."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("cannot mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def agent(
    small_disk: Path, controller: ControllerProcess, client: Client, keep: Callable[[Process], Process]
) -> AgentProcess:
    made = AgentProcess(small_disk / "state", controller.address, name="a", facts=simulated_board())
    keep(made)
    made.start()
    wait_online(client, "a")
    return made


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as sink:
        try:
            while True:
                sink.write(b"\0" * 4096)
        except OSError:
            return filler


def paused(client: Client) -> str:
    return client.devices()[0].paused


def test_an_idle_agent_on_a_full_disk_takes_no_work_until_there_is_room(
    agent: AgentProcess, client: Client, small_disk: Path, tmp_path: Path, controller: ControllerProcess
) -> None:
    filler = fill(small_disk)
    wait_for(lambda: "MiB left on its disk" in paused(client), what="the agent to say why it pauses")
    job = submit(client, simulated_job(tmp_path / "job"))
    assert client.devices()[0].online
    assert client.job(job).state is JobState.WAITING
    filler.unlink()
    assert client.wait(job).state is JobState.SUCCEEDED
    assert paused(client) == ""
    assert_invariants(controller.state_dir)


def test_a_disk_that_fills_up_while_it_works_costs_no_job_and_no_agent(
    agent: AgentProcess, client: Client, small_disk: Path, tmp_path: Path, controller: ControllerProcess
) -> None:
    job = submit(client, simulated_job(tmp_path / "job", options={"build_s": "2"}))
    wait_for(lambda: list((agent.state_dir / "attempts").glob("*/task.pb")), what="the build to begin")
    filler = fill(small_disk)
    wait_for(lambda: paused(client), what="the agent to pause")
    filler.unlink()
    assert client.wait(job).state is JobState.SUCCEEDED
    assert set(attempts(controller.state_dir, job, "BUILD")) <= {"COMMITTED", "RETURNED"}
    assert agent.popen is not None
    assert agent.popen.poll() is None
    assert_invariants(controller.state_dir)


def test_a_state_folder_that_was_deleted_and_is_back(
    agent: AgentProcess, client: Client, tmp_path: Path, controller: ControllerProcess
) -> None:
    (before,) = client.devices()
    shutil.rmtree(agent.state_dir)
    wait_for(lambda: "is gone" in paused(client), what="the agent to miss its folder")
    agent.state_dir.mkdir(mode=0o700)
    job = submit(client, simulated_job(tmp_path / "job"))
    assert client.wait(job).state is JobState.SUCCEEDED
    assert [device.id for device in client.devices()] == [before.id]
    assert (agent.state_dir / "device_id").read_text() == before.id
