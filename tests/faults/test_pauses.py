"""A measurement on the real ONNX Runtime that a stop goes through is void: no committed number spans it."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.model.job import Measure
from controller.model.task import JobState
from controller.model.view import JobView, ResultQuery
from testing.jobs import submit
from testing.processes import AgentProcess, ControllerProcess, wait_for, wait_online
from tests.faults.evidence import assert_invariants
from tests.faults.real_jobs import heavy_job


def is_measuring(job: JobView) -> bool:
    return any(task.progress is not None and task.progress.phase == "measure" for task in job.tasks)


@pytest.mark.parametrize(("agent_too", "seconds"), [(True, 2.0), (False, 8.0)], ids=["both", "the child alone"])
def test_no_committed_number_spans_a_short_stop(
    controller: ControllerProcess,
    client: Client,
    start_agent: Callable[..., AgentProcess],
    tmp_path: Path,
    agent_too: bool,
    seconds: float,
) -> None:
    agent = start_agent("here")
    wait_online(client, "here")
    measure = Measure(warmup_s=0.1, min_s=4, max_s=6, runs=1)
    job = submit(client, heavy_job(tmp_path / "job", megabytes=1, measure=measure))
    wait_for(lambda: is_measuring(client.job(job)), what="the timed window")
    stopped = [*agent.children(), *([agent.pid] if agent_too else [])]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in reversed(stopped):
        os.kill(pid, signal.SIGCONT)
    assert client.wait(job).state is JobState.SUCCEEDED
    (row,) = client.results(ResultQuery(job_ids=(job,)))
    # It may lie between two inferences: then no sample of that run spans it, and the run is void all the same.
    assert [run for run in row.measurement.runs if "PAUSED: " in run.void_reason]
    assert [run for run in row.measurement.runs if not run.void_reason]
    assert row.measurement.metrics["max_ms"].value < 900 * seconds
    assert_invariants(controller.state_dir)
