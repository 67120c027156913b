"""An agent that is told to stop does what the crash path does: its work goes back, and nobody waits for it."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.model.job import Quantifier, Target
from controller.model.task import JobState
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, ControllerProcess, wait_for, wait_online
from tests.faults.evidence import assert_invariants, attempts, query

ANY = (Target(Quantifier.ANY),)


@pytest.mark.parametrize("signals", [1, 2])
def test_sigterm_in_mid_build_gives_the_work_back(
    controller: ControllerProcess,
    client: Client,
    start_agent: Callable[..., AgentProcess],
    tmp_path: Path,
    signals: int,
) -> None:
    drain = "0" if signals == 1 else "60"
    first = start_agent("first", facts=simulated_board(), extra=("--drain-seconds", drain))
    wait_online(client, "first")
    job = submit(client, simulated_job(tmp_path / "job", options={"build_s": "30"}, targets=ANY))
    wait_for(lambda: client.job(job).tasks[0].elapsed_s is not None, what="the build to run")
    first.signal(signal.SIGTERM)
    if signals == 2:
        wait_for(lambda: "draining" in first.text(), what="the first signal")  # two at once would count as one
        first.signal(signal.SIGTERM)
    assert first.wait(20) == 0
    assert attempts(controller.state_dir, job, "BUILD") == ["RETURNED"]
    sessions = query(controller.state_dir, "SELECT end_reason FROM session")
    assert sessions == [("drained",)]
    assert list((first.state_dir / "spool").iterdir()) == []  # it was said, and acknowledged
    assert_invariants(controller.state_dir)


@pytest.mark.parametrize("other", ["aarch64", "x86_64"], ids=["of the same class", "of another class"])
def test_a_second_board_finishes_what_the_first_left_in_mid_build(
    controller: ControllerProcess,
    client: Client,
    start_agent: Callable[..., AgentProcess],
    tmp_path: Path,
    other: str,
) -> None:
    first = start_agent("first", facts=simulated_board(), extra=("--drain-seconds", "0"))
    wait_online(client, "first")
    job = submit(client, simulated_job(tmp_path / "job", options={"build_s": "2"}, targets=ANY))
    wait_for(lambda: client.job(job).tasks[0].elapsed_s is not None, what="the build to run")
    start_agent("second", facts=simulated_board(arch=other))
    wait_online(client, "second")
    first.signal(signal.SIGTERM)
    assert first.wait(20) == 0
    assert client.wait(job).state is JobState.SUCCEEDED
    assert attempts(controller.state_dir, job, "BUILD").count("COMMITTED") == 1
    assert query(controller.state_dir, "SELECT device FROM v_results") == [("second",)]
    assert_invariants(controller.state_dir)


def test_an_idle_agent_stays_while_work_is_ahead_of_it(
    client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    """The engine that it waits for takes others longer than the time after which it would leave."""
    start_agent("builder", facts=simulated_board())
    first = start_agent("idle", facts=simulated_board())
    wait_online(client, "builder", "idle")
    client.change_device("idle", cordon="the other one shall build")
    every = (Target(Quantifier.EVERY),)
    job = submit(client, simulated_job(tmp_path / "job", options={"build_s": "6"}, targets=every))
    wait_for(lambda: client.job(job).tasks[0].elapsed_s is not None, what="the build to run")
    client.change_device("idle", uncordon=True)
    first.stop()
    idle = start_agent("idle", facts=simulated_board(), extra=("--idle-exit", "1"))
    assert client.wait(job).state is JobState.SUCCEEDED
    assert idle.wait(20) == 0  # and then it leaves
