"""Damage on the disk of the controller is found when a file is sent, and healed: by an agent that has it, else anew."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.model.job import Quantifier, Role, Target
from controller.model.task import JobState
from jetfleet.errors import Corrupt, NotFound
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, ControllerProcess, wait_for, wait_online
from testing.specs import where
from tests.faults.evidence import query


def flip(controller: ControllerProcess, sha256: str) -> None:
    """Another bit in place: an agent that shares the file by a link has its own copy of it."""
    path = controller.state_dir / "blobs" / "objects" / sha256[:2] / sha256
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    changed = path.with_name("changed")
    changed.write_bytes(content)
    os.replace(changed, path)


def test_a_damaged_engine_that_no_agent_holds_is_built_again(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    board = start_agent("first", facts=simulated_board())
    wait_online(client, "first")
    assert client.wait(submit(client, simulated_job(tmp_path / "job"))).state is JobState.SUCCEEDED
    ((engine,),) = query(controller.state_dir, "SELECT sha256 FROM v_engines")
    board.stop()
    shutil.rmtree(board.state_dir / "blobs")
    board.start()
    wait_online(client, "first")
    flip(controller, engine)
    with pytest.raises(Corrupt):
        client.download(engine, tmp_path / "engine")
    with pytest.raises(NotFound):
        client.download(engine, tmp_path / "engine")
    assert list((controller.state_dir / "blobs" / "quarantine").iterdir())
    again = submit(client, simulated_job(tmp_path / "job"), key="again")
    assert client.wait(again).state is JobState.SUCCEEDED
    assert query(controller.state_dir, "SELECT count(*) FROM v_attempts WHERE kind = 'BUILD'") == [(2,)]
    client.download(engine, tmp_path / "engine")


def test_an_agent_sends_a_damaged_engine_again_and_nobody_builds_it(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    """The board that built it holds it; another of its class is the first to find the damage."""
    start_agent("builder", facts=simulated_board())
    wait_online(client, "builder")
    assert client.wait(submit(client, simulated_job(tmp_path / "job"))).state is JobState.SUCCEEDED
    ((engine,),) = query(controller.state_dir, "SELECT sha256 FROM v_engines")
    flip(controller, engine)
    start_agent("other", facts=simulated_board())
    wait_online(client, "other")
    other = (Target(Quantifier.EVERY, (where("device", "other"),)),)
    again = submit(client, simulated_job(tmp_path / "job", targets=other), key="again")
    assert client.wait(again).state is JobState.SUCCEEDED
    assert query(controller.state_dir, "SELECT count(*) FROM v_attempts WHERE kind = 'BUILD'") == [(1,)]
    assert list((controller.state_dir / "blobs" / "quarantine").iterdir())
    client.download(engine, tmp_path / "engine")


def test_a_damaged_model_comes_with_the_next_submit_and_the_first_job_goes_on(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    board = start_agent("first", facts=simulated_board())
    wait_online(client, "first")
    board.kill()
    spec, files = simulated_job(tmp_path / "job", targets=(Target(Quantifier.ANY),))
    first = submit(client, (spec, files))
    model = next(item.sha256 for item in spec.variants[0].artifacts if item.role is Role.MODEL_FP32)
    flip(controller, model)
    with pytest.raises(Corrupt):
        client.download(model, tmp_path / "model")
    start_agent("second", facts=simulated_board())
    wait_for(lambda: any("damaged" in item.why for item in client.explain(first)), what="the job to say what it lacks")
    second = submit(client, (spec, files), key="second")
    assert {client.wait(job_id).state for job_id in (first, second)} == {JobState.SUCCEEDED}
