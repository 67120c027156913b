"""SIGKILL of every process in the middle of a job: it completes all the same, once."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from controller.api.client import Client
from controller.model.task import JobState
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, ControllerProcess, Process, wait_for, wait_online
from tests.faults.evidence import assert_invariants, attempts, measurements

# A bench that takes real time: 20 ms for each simulated inference, for at least two seconds.
SLOW = {"latency_ms": "20", "wall": "1"}


def slow_job(folder: Path):
    from controller.model.job import Measure

    return simulated_job(folder, options=SLOW, measure=Measure(warmup_s=0.1, min_s=2.0, max_s=4.0))


def measuring(client: Client, job_id: int) -> bool:
    return any(
        task.kind.value == "BENCH" and task.progress is not None and task.progress.phase in ("warm-up", "measure")
        for task in client.job(job_id).tasks
    )


def measuring_job(client: Client, folder: Path) -> int:
    """A job whose bench is being measured on `board`."""
    wait_online(client, "board")
    job_id = submit(client, slow_job(folder / "job"))
    wait_for(lambda: measuring(client, job_id), what="the measurement")
    return job_id


def ended(client: Client, job_id: int) -> JobState:
    return wait_for(lambda: (view := client.job(job_id)).done == view.total and view.state, what=f"job {job_id} to end")


def children_of(agent: Process) -> list[int]:
    return wait_for(agent.children, what="a child of the agent")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_agent_is_killed_while_it_measures(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    agent = start_agent(facts=simulated_board())
    job_id = measuring_job(client, tmp_path)
    child = children_of(agent)[0]
    agent.kill()
    wait_for(lambda: not is_alive(child), what="the orphaned child to die")
    assert ended_after_restart(client, start_agent, job_id) is JobState.SUCCEEDED
    assert attempts(controller.state_dir, job_id, "BUILD") == ["COMMITTED"]
    assert attempts(controller.state_dir, job_id, "BENCH") == ["EXPIRED", "COMMITTED"]
    assert measurements(controller.state_dir, job_id) == 1
    assert_invariants(controller.state_dir)


def ended_after_restart(client: Client, start_agent: Callable[..., AgentProcess], job_id: int) -> JobState:
    start_agent(facts=simulated_board())
    return ended(client, job_id)


def test_the_child_is_killed_while_it_measures(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    agent = start_agent(facts=simulated_board())
    job_id = measuring_job(client, tmp_path)
    os.kill(children_of(agent)[0], signal.SIGKILL)
    assert ended(client, job_id) is JobState.SUCCEEDED
    assert attempts(controller.state_dir, job_id, "BENCH") == ["FAILED", "COMMITTED"]
    assert agent.popen is not None
    assert agent.popen.poll() is None
    assert_invariants(controller.state_dir)


def test_the_controller_is_killed_while_an_agent_measures(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    start_agent(facts=simulated_board())
    job_id = measuring_job(client, tmp_path)
    controller.kill()
    controller.ready()
    assert ended(client, job_id) is JobState.SUCCEEDED
    assert attempts(controller.state_dir, job_id, "BENCH") == ["COMMITTED"]  # the agent worked through it
    assert_invariants(controller.state_dir)


def test_a_result_that_was_spooled_survives_the_agent(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    agent = start_agent(facts=simulated_board())
    job_id = measuring_job(client, tmp_path)
    controller.signal(signal.SIGSTOP)  # the agent finishes, and cannot deliver
    spool = agent.state_dir / "spool"
    try:
        wait_for(lambda: list(spool.glob("*.outcome")), what="the spooled result")
        agent.kill()
    finally:
        controller.signal(signal.SIGCONT)
    assert ended_after_restart(client, start_agent, job_id) is JobState.SUCCEEDED
    assert attempts(controller.state_dir, job_id, "BENCH") == ["COMMITTED"]
    assert list(spool.glob("*.outcome")) == []
    assert_invariants(controller.state_dir)


def test_a_frozen_agent_loses_its_lease_and_its_late_result_does_not_count(
    tmp_path: Path, keep: Callable[[Process], Process]
) -> None:
    from controller.model.job import Quantifier, Target

    # Half of a lease is what the other agent may stand still on a busy machine without giving up its own work.
    controller = ControllerProcess(tmp_path / "state", lease_s=6.0, renew_s=0.3)
    keep(controller)
    controller.ready()
    boards = {
        name: AgentProcess(tmp_path / "agents" / name, controller.address, name=name, facts=simulated_board())
        for name in ("one", "two")
    }
    with Client(controller.address) as client:
        for board in boards.values():
            keep(board)
            board.start()
        wait_online(client, *boards)
        spec, files = slow_job(tmp_path / "job")
        from dataclasses import replace

        job_id = submit(client, (replace(spec, targets=(Target(Quantifier.ANY),)), files))
        wait_for(lambda: measuring(client, job_id), what="the measurement")
        first = next(task.device for task in client.job(job_id).tasks if task.kind.value == "BENCH")
        frozen = boards[first]
        frozen_group = [frozen.pid, *frozen.children()]
        for pid in frozen_group:
            os.kill(pid, signal.SIGSTOP)
        assert ended(client, job_id) is JobState.SUCCEEDED
        for pid in frozen_group:
            os.kill(pid, signal.SIGCONT)
        wait_for(lambda: "the lease is gone" in frozen.text() or "not renewed" in frozen.text(), what="the fence")
        wait_online(client, first)
    assert measurements(controller.state_dir, job_id) == 1
    assert sorted(attempts(controller.state_dir, job_id, "BENCH")) == ["COMMITTED", "EXPIRED"]
    assert_invariants(controller.state_dir)


def test_a_poisoned_task_fails_and_the_agent_lives(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    agent = start_agent(facts=simulated_board())
    wait_online(client, "board")
    job_id = submit(client, simulated_job(tmp_path / "job", options={"fail": "segfault", "fail_at": "load"}))
    assert ended(client, job_id) is JobState.FAILED
    bench = next(task for task in client.job(job_id).tasks if task.kind.value == "BENCH")
    assert bench.failure is not None
    assert (bench.failure.kind.value, bench.failure.signal, bench.attempts) == ("CRASHED", "SIGSEGV", 2)
    good = submit(client, simulated_job(tmp_path / "good", name="good"))
    assert ended(client, good) is JobState.SUCCEEDED
    assert agent.popen is not None
    assert agent.popen.poll() is None
    assert_invariants(controller.state_dir)


def test_cancel_stops_the_child_and_ends_the_job(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    agent = start_agent(facts=simulated_board())
    job_id = measuring_job(client, tmp_path)
    child = children_of(agent)[0]
    client.cancel(job_id)
    assert ended(client, job_id) is JobState.CANCELLED
    assert not is_alive(child)
    assert measurements(controller.state_dir, job_id) == 0


def test_a_draining_agent_gives_its_work_back(
    controller: ControllerProcess, client: Client, start_agent: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    agent = start_agent(facts=simulated_board(), extra=("--drain-seconds", "0.2"))
    job_id = measuring_job(client, tmp_path)
    agent.signal(signal.SIGTERM)
    assert agent.wait() == 0
    assert attempts(controller.state_dir, job_id, "BENCH") == ["RETURNED"]
    assert ended_after_restart(client, start_agent, job_id) is JobState.SUCCEEDED
