"""The Python API against a real controller: every call, and what a restart in the middle of one does."""

import signal
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.model.result import Provenance
from controller.model.task import JobState
from controller.model.view import JobView, ResultQuery
from jetfleet.errors import JetfleetError, NoDevice, NotFound, Unreachable
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, ControllerProcess, wait_online

StartAgent = Callable[..., AgentProcess]


@pytest.fixture
def board(start_agent: StartAgent, client: Client) -> AgentProcess:
    agent = start_agent("board", facts=simulated_board(sku="orin-nano-8gb"))
    wait_online(client, "board")
    return agent


def test_a_job_from_submit_to_results(client: Client, board: AgentProcess, tmp_path: Path) -> None:
    job_id = submit(client, simulated_job(tmp_path / "job"))
    ended = client.wait(job_id)
    assert ended.state is JobState.SUCCEEDED
    assert client.job(job_id) == ended
    assert [job.id for job in client.jobs()] == [job_id]
    assert client.explain(job_id) == []
    (row,) = client.results(ResultQuery(job_ids=(job_id,)))
    assert row.measurement.provenance is Provenance.SIMULATED
    assert len(row.measurement.sample_files) == len(row.measurement.runs) == 2
    for file in row.measurement.sample_files:
        client.download(file.sha256, tmp_path / file.name)
        assert (tmp_path / file.name).stat().st_size == file.size_bytes
    (device,) = client.devices()
    assert device.name == row.device == "board"


def test_the_same_key_gives_the_same_job(client: Client, board: AgentProcess, tmp_path: Path) -> None:
    spec, files = simulated_job(tmp_path / "job")
    key = uuid.uuid4().hex
    first = client.submit_spec(spec, files, idempotency_key=key)
    again = client.submit_spec(spec, files, idempotency_key=key)
    assert (again.job_id, again.repeated_request) == (first.job_id, True)
    assert client.submit_spec(spec, files).job_id != first.job_id


def test_validating_sends_no_file_and_stores_no_job(
    client: Client, board: AgentProcess, controller: ControllerProcess, tmp_path: Path
) -> None:
    spec, files = simulated_job(tmp_path / "job")
    planned = client.submit_spec(spec, files, validate_only=True)
    assert (planned.job_id, len(planned.tasks)) == (0, 2)
    assert client.jobs() == []
    assert not [path for path in (controller.state_dir / "blobs" / "objects").rglob("*") if path.is_file()]


def test_errors_are_the_controllers_own(client: Client, tmp_path: Path) -> None:
    for call in (client.job, client.cancel, client.explain, client.wait, lambda job: list(client.watch(job))):
        with pytest.raises(NotFound, match="4711"):
            call(4711)
    spec, files = simulated_job(tmp_path / "job")
    with pytest.raises(NoDevice):
        client.submit_spec(spec, files)


def test_nobody_there_is_noticed_at_once(tmp_path: Path) -> None:
    with Client(f"unix:{tmp_path}/nobody.sock") as client, pytest.raises(Unreachable):
        client.hello()


def test_a_watch_outlives_a_killed_controller(
    client: Client, controller: ControllerProcess, board: AgentProcess, tmp_path: Path
) -> None:
    job_id = submit(client, simulated_job(tmp_path / "job", options={"build_s": "600"}))
    drops: list[JetfleetError] = []
    seen: list[JobView] = []
    for view in client.watch(job_id, on_drop=drops.append):
        seen.append(view)
        if len(seen) == 1:
            controller.signal(signal.SIGKILL)
            controller.wait()
            controller.ready()
            client.cancel(job_id)
    assert seen[-1].state is JobState.CANCELLED
    assert drops
    assert all(isinstance(drop, Unreachable) for drop in drops)


def test_a_watch_gives_up_when_nobody_comes_back(
    controller: ControllerProcess, client: Client, board: AgentProcess, tmp_path: Path
) -> None:
    job_id = submit(client, simulated_job(tmp_path / "job", options={"build_s": "600"}))
    with Client(controller.address, reconnect_s=0.5) as impatient:
        views = impatient.watch(job_id)
        assert next(views).id == job_id
        controller.signal(signal.SIGTERM)
        with pytest.raises(Unreachable):
            list(views)
