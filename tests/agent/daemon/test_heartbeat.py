"""The agent's own fence: work stops in time without an answer from anybody, and no measurement spans a pause."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from agent.daemon import heartbeat
from agent.daemon.heartbeat import ActiveAttempt, Heartbeat, StopReason
from jetfleet.errors import JetfleetError, StaleSession, Unreachable
from jetfleet.v1 import fleet_pb2, task_pb2

ATTEMPT = "t"
CONTINUE = fleet_pb2.RenewResponse.DIRECTIVE_CONTINUE


class Link:
    """Answers every Renew as told; an exception is raised instead."""

    def __init__(self, *answers: "int | JetfleetError | None") -> None:
        self.answers = list(answers)
        self.reports: list[list[fleet_pb2.AttemptReport]] = []
        self.told: list[str] = []
        self.asked = asyncio.Event()

    async def renew(self, request: fleet_pb2.RenewRequest, *, timeout_s: float) -> fleet_pb2.RenewResponse:
        self.reports.append(list(request.attempts))
        self.told.append(request.paused_reason)
        self.asked.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, JetfleetError):
            raise answer
        response = fleet_pb2.RenewResponse()
        response.lease.FromSeconds(30)
        if answer is not None:
            response.answers.add(attempt_token=ATTEMPT, directive=answer)
        return response


def active(*, lease_s: float = 30.0, age_s: float = 0.0) -> ActiveAttempt:
    return ActiveAttempt(ATTEMPT, task_pb2.TaskSpec(), lease_s, heartbeat.boot_clock() - age_s)


def heartbeat_of(
    link: Link,
    attempt: ActiveAttempt | None = None,
    *,
    every_s: float = 0.05,
    undelivered: Callable[[], list[str]] = list,
    pulse: Path | None = None,
) -> tuple[Heartbeat, list[int]]:
    registered: list[int] = []

    async def register() -> None:
        registered.append(1)

    made = Heartbeat(cast(Any, link), "s", every_s=every_s, register=register, undelivered=undelivered, pulse=pulse)
    made.attempt = attempt
    return made, registered


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The boot clock, moved by hand; the heartbeat watches it at every turn of the loop."""
    now = [1000.0]
    monkeypatch.setattr(heartbeat, "boot_clock", lambda: now[0])
    monkeypatch.setattr(heartbeat, "WATCH_S", 0.0)
    return now


async def live(made: Heartbeat, clock: list[float], seconds: float) -> None:
    """So many seconds of the clock, half a one at a time, each with a renewal and a watch; fewer if the work stops."""
    assert made.attempt is not None
    task = asyncio.create_task(made.run())
    end = clock[0] + seconds
    while clock[0] < end and not made.attempt.stop.is_set():
        clock[0] += 0.5
        await made.renew()
        await asyncio.sleep(0)  # the watch's turn
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (CONTINUE, None),
        (fleet_pb2.RenewResponse.DIRECTIVE_CANCEL, StopReason.CANCEL),
        (fleet_pb2.RenewResponse.DIRECTIVE_LOST, StopReason.LOST),
        (None, StopReason.LOST),
    ],
)
async def test_what_the_controller_says_is_done(
    answer: int | None, reason: StopReason | None, clock: list[float]
) -> None:
    attempt = active(age_s=3)
    made, _ = heartbeat_of(Link(answer), attempt)
    await made.renew()
    assert attempt.stop_reason is reason
    assert attempt.stop.is_set() is (reason is not None)
    assert (attempt.renewed_at == clock[0]) is (reason is not StopReason.LOST)


async def test_only_an_answer_moves_the_pulse_that_a_health_check_reads(tmp_path: Path) -> None:
    pulse = tmp_path / "pulse"
    made, _ = heartbeat_of(Link(Unreachable("away"), None, Unreachable("away")), pulse=pulse)
    await made.renew()
    assert not pulse.exists()
    await made.renew()
    assert pulse.exists()
    os.utime(pulse, (1, 1))
    await made.renew()
    assert pulse.stat().st_mtime == 1


async def test_an_unknown_session_registers_again_and_an_outage_is_waited_out() -> None:
    made, registered = heartbeat_of(Link(StaleSession("gone"), Unreachable("away"), CONTINUE), active())
    for _ in range(3):
        await made.renew()
    assert registered == [1]
    assert made.attempt is not None
    assert made.attempt.stop_reason is None


async def test_work_that_cannot_be_renewed_is_stopped_before_the_lease_ends(clock: list[float]) -> None:
    attempt = active(lease_s=30)
    made, _ = heartbeat_of(Link(Unreachable("away")), attempt, every_s=600)
    await live(made, clock, 40)
    assert attempt.stop_reason is StopReason.LOST
    assert 30 - heartbeat.FENCE_S < clock[0] - attempt.renewed_at < 30 - 5  # not too soon, and the runner's grace fits


async def test_work_that_is_renewed_goes_on(clock: list[float]) -> None:
    attempt = active(lease_s=30, age_s=30 - heartbeat.FENCE_S - 1)
    made, _ = heartbeat_of(Link(CONTINUE), attempt, every_s=600)
    await live(made, clock, 100)
    assert attempt.stop_reason is None


async def test_a_lost_lease_beats_every_other_reason_and_the_first_reason_stands() -> None:
    attempt = active()
    for reason in (StopReason.CANCEL, StopReason.DRAIN):
        attempt.stop_for(reason)
    assert attempt.stop_reason is StopReason.CANCEL
    attempt.stop_for(StopReason.LOST)
    assert attempt.stop_reason is StopReason.LOST


async def test_renewing_soon_comes_before_the_period_is_over() -> None:
    link = Link(CONTINUE)
    made, _ = heartbeat_of(link, active(), every_s=600)
    task = asyncio.create_task(made.run())
    made.renew_soon()
    made.renew_soon()
    await asyncio.wait_for(link.asked.wait(), 60)  # long before the period is over
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(link.reports) == 1


def test_a_pause_is_noticed() -> None:
    """A real process, stopped and continued."""
    program = (
        "import asyncio\n"
        "from tests.agent.daemon.test_heartbeat import CONTINUE, Link, heartbeat_of, active\n"
        "async def main():\n"
        "    attempt = active(); attempt.running = True\n"
        "    made, _ = heartbeat_of(Link(CONTINUE), attempt)\n"
        "    task = asyncio.create_task(made.run())\n"
        "    await asyncio.sleep(0.1)\n"  # the heartbeat's own tasks have begun when this one goes on
        "    print('ready', flush=True)\n"
        "    await asyncio.wait_for(attempt.stop.wait(), 20)\n"
        "    print(attempt.stop_reason.value)\n"
        "    task.cancel()\n"
        "asyncio.run(main())\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    os.kill(child.pid, 19)
    time.sleep(heartbeat.PAUSE_S + 0.5)
    os.kill(child.pid, 18)
    told, _ = child.communicate(timeout=30)
    assert told == "the agent was paused\n"


async def test_results_on_their_way_keep_their_leases_and_a_pause_is_told() -> None:
    link = Link(CONTINUE)
    made, _ = heartbeat_of(link, active(), undelivered=lambda: [ATTEMPT, "older"])
    made.paused_reason = "the disk is full"
    await made.renew()
    assert [report.attempt_token for report in link.reports[0]] == [ATTEMPT, "older"]
    assert link.told == ["the disk is full"]
