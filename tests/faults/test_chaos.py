"""Random SIGKILLs of everything while jobs run. Every acknowledged job ends, once; the oracle is the database."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.model.task import JobState
from jetfleet.errors import JetfleetError
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job
from testing.processes import AgentProcess, ControllerProcess, Process, wait_for
from tests.faults.evidence import assert_invariants, measurements

KILLS = 12
JOBS = 6
SLOW = {"latency_ms": "5", "wall": "1", "build_s": "0.3"}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_acknowledged_job_ends_once(tmp_path: Path, keep: Callable[[Process], Process], seed: int) -> None:
    dice = random.Random(seed)
    controller = ControllerProcess(tmp_path / "state", lease_s=4.0, renew_s=0.3)
    boards = [
        AgentProcess(tmp_path / "agents" / name, controller.address, name=name, facts=simulated_board())
        for name in ("one", "two")
    ]
    for process in (controller, *boards):
        keep(process)
    controller.ready()
    for board in boards:
        board.start()
    with Client(controller.address) as client:
        wait_for(lambda: len(client.devices()) == 2, what="both boards")
    accepted: list[int] = []
    for kill in range(KILLS):
        if kill % 2 == 0:
            accepted.append(_submit(controller, tmp_path / f"job-{kill}", key=f"key-{kill}"))
        time.sleep(dice.uniform(0.1, 0.8))
        victim = dice.choice([controller, *boards])
        victim.kill()
        time.sleep(dice.uniform(0.0, 0.3))
        victim.start()
    assert len(accepted) == JOBS
    states = [_end_of(controller, job_id) for job_id in accepted]
    # A board that is killed under one task again and again makes it fail as lost: allowed, and visible.
    assert set(states) <= {JobState.SUCCEEDED, JobState.FAILED}
    assert states.count(JobState.SUCCEEDED) >= JOBS - 1
    for job_id, state in zip(accepted, states, strict=True):
        assert measurements(controller.state_dir, job_id) == 2 or state is JobState.FAILED
    assert_invariants(controller.state_dir)


def _submit(controller: ControllerProcess, folder: Path, *, key: str) -> int:
    """As a person would: again until it is acknowledged, always under the same key."""
    spec, files = simulated_job(folder, name=key, options=SLOW)

    def attempt() -> int:
        try:
            with Client(controller.address) as client:
                return client.submit_spec(spec, files, idempotency_key=key).job_id
        except JetfleetError:
            return 0

    return wait_for(attempt, what="the submit to be acknowledged")


def _end_of(controller: ControllerProcess, job_id: int) -> JobState:
    with Client(controller.address) as client:
        return wait_for(
            lambda: (view := client.job(job_id)).done == view.total and view.state,
            what=f"job {job_id} to end",
            timeout_s=120,
        )
