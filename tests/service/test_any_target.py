"""A job that any board may run does not suffer from what becomes of the first one that took it."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.model.job import Quantifier, Target
from controller.model.task import JobState, TaskKind, TaskState
from controller.model.view import ResultQuery
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, ControllerProcess, Process, wait_for, wait_online
from tests.faults.evidence import assert_invariants


@pytest.fixture
def controller(tmp_path: Path, keep: Callable[[Process], Process]) -> ControllerProcess:
    process = ControllerProcess(tmp_path / "state", lease_s=4.0, renew_s=0.5)
    keep(process)
    return process.ready()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_the_builder_goes_and_the_job_succeeds_on_another_board(
    controller: ControllerProcess,
    client: Client,
    start_agent: Callable[..., AgentProcess],
    tmp_path: Path,
    end: signal.Signals,
) -> None:
    first = start_agent("first", facts=simulated_board(), extra=("--drain-seconds", "0.2"))
    wait_online(client, "first")
    job = simulated_job(tmp_path / "job", options={"build_s": "5"}, targets=(Target(Quantifier.ANY),))
    job_id = submit(client, job)
    wait_for(lambda: any(task.progress for task in client.job(job_id).tasks), what="the first board to build")
    start_agent("second", facts=simulated_board(cpu_model="another"))
    first.signal(end)
    assert client.wait(job_id).state is JobState.SUCCEEDED
    states = {(task.kind, task.state) for task in client.job(job_id).tasks}
    assert (TaskKind.BUILD, TaskState.SUPERSEDED) in states
    assert [row.device for row in client.results(ResultQuery(job_ids=(job_id,)))] == ["second"]
    assert_invariants(controller.state_dir)
