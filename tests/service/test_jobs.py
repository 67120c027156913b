"""Deadlines, starts and retries through real processes, a restart of the controller included."""

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from controller.api.client import Client
from controller.model.job import Limits
from controller.model.task import JobState
from controller.service.liveness import Liveness
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, ControllerProcess, wait_for, wait_online
from tests.faults.evidence import assert_invariants, query

SLOW = {"build_s": "600", "wall": "1"}


def test_a_deadline_survives_a_restart_and_stops_what_runs(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    agent = start_agent(facts=simulated_board())
    wait_online(client, "board")
    limits = Limits(build_s=60, bench_s=60, deadline_s=6)
    job_id = submit(client, simulated_job(tmp_path / "job", options=SLOW, limits=limits))
    wait_for(lambda: client.job(job_id).state is JobState.RUNNING, what="the build to be handed out")
    controller.signal(signal.SIGKILL)
    controller.wait()
    controller.ready()
    ended = client.wait(job_id)
    assert ended.state is JobState.TIMED_OUT
    assert [task.state.value for task in ended.tasks] == ["TIMED_OUT", "TIMED_OUT"]
    wait_for(lambda: not agent.children(), what="the child to be gone")
    assert_invariants(controller.state_dir)

    retried = client.retry(job_id)
    assert client.job(retried.job_id).retry_of == job_id
    client.cancel(retried.job_id)


def test_an_attempt_knows_when_its_child_started(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    """The first Renew comes before the child runs: it must not be taken for the start, nor hide the next one."""
    start_agent(facts=simulated_board())
    wait_online(client, "board")
    spec, files = simulated_job(tmp_path / "job", options={"build_s": "2", "latency_ms": "10", "wall": "1"})
    job_id = submit(client, (replace(spec, measure=replace(spec.measure, min_s=2.0)), files))
    assert client.wait(job_id).state is JobState.SUCCEEDED
    rows = query(controller.state_dir, "SELECT leased_at <= started_at, started_at < ended_at FROM attempt")
    assert rows == [(1, 1), (1, 1)]


def test_the_second_run_of_a_job_has_an_eta(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    start_agent(facts=simulated_board())
    wait_online(client, "board")
    job = simulated_job(tmp_path / "job", batches=(1, 2))
    assert client.wait(submit(client, job)).state is JobState.SUCCEEDED
    second = submit(client, job)
    told = [view.eta_s for view in client.watch(second)]
    assert any(told), told
    assert told[-1] is None


def test_a_start_is_news_once() -> None:
    liveness = Liveness(lease_s=30)
    assert [liveness.start("t"), liveness.start("t"), liveness.start("u")] == [True, False, True]
    liveness.end("t")
    assert liveness.start("t")
