"""Deadlines and the wall clock: whatever somebody sets it to, a job has the time that it was given."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from controller.model.job import Limits
from controller.model.task import JobState
from controller.store import clock, steady
from controller.store.commands.deadlines import time_out_overdue
from controller.store.commands.renew import start_attempts
from controller.store.steady import note_clock, resume_clock, steady_now
from testing.specs import spec
from tests.store.fleet import StoreFleet

YEARS_S = 5 * 365 * 86400.0


class Clocks:
    """What the wall says, how long the machine is up, and in which boot."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
        self.up_s = 1000.0
        self.boot = "boot-1"

    def pass_s(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.up_s += seconds

    def reboot(self, *, off_s: float) -> None:
        self.wall += timedelta(seconds=off_s)
        self.up_s, self.boot = 3.0, self.boot + "'"


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    made = Clocks()
    monkeypatch.setattr(clock, "wall_now", lambda: made.wall)
    monkeypatch.setattr(steady, "uptime_s", lambda: made.up_s)
    monkeypatch.setattr(steady, "boot_id", lambda: made.boot)
    return made


@pytest.fixture
def job_id(clocks: Clocks, fleet: StoreFleet) -> int:
    fleet.write(resume_clock)
    fleet.register("a")
    return fleet.submit(replace(spec(), limits=Limits(deadline_s=1000))).job_id


@pytest.mark.parametrize("jump_s", [YEARS_S, -YEARS_S, 3600.0, -3600.0])
def test_a_wall_clock_that_jumps_ends_no_job_and_saves_none(
    clocks: Clocks, fleet: StoreFleet, job_id: int, jump_s: float
) -> None:
    clocks.pass_s(400)
    clocks.wall += timedelta(seconds=jump_s)
    assert fleet.write(time_out_overdue) == []
    clocks.pass_s(599)
    assert fleet.write(time_out_overdue) == []
    clocks.pass_s(2)
    assert fleet.write(time_out_overdue) == [job_id]
    assert fleet.job(job_id).state is JobState.TIMED_OUT


def test_the_clock_goes_on_while_the_controller_is_away(clocks: Clocks, fleet: StoreFleet, job_id: int) -> None:
    clocks.pass_s(999)
    clocks.wall -= timedelta(days=100)
    fleet.write(resume_clock)
    assert fleet.write(time_out_overdue) == []
    clocks.pass_s(2)
    fleet.write(resume_clock)
    assert fleet.write(time_out_overdue) == [job_id]


@pytest.mark.parametrize(("off_s", "counted_s"), [(300.0, 300.0), (YEARS_S, 0.0), (-YEARS_S, 0.0)])
def test_across_a_reboot_the_wall_clock_is_believed_within_bounds(
    clocks: Clocks, fleet: StoreFleet, job_id: int, off_s: float, counted_s: float
) -> None:
    clocks.pass_s(600)
    fleet.write(note_clock)
    before_s = fleet.reader.read(steady_now)
    clocks.reboot(off_s=off_s)
    fleet.write(resume_clock)
    assert fleet.reader.read(steady_now) - before_s == pytest.approx(counted_s)
    assert fleet.write(time_out_overdue) == []
    clocks.pass_s(401 - counted_s)
    assert fleet.write(time_out_overdue) == [job_id]


def test_no_time_is_less_than_none(clocks: Clocks, fleet: StoreFleet, job_id: int) -> None:
    lease = fleet.must_claim("a/1")
    fleet.write(lambda c: start_attempts(c, [lease.token]))
    clocks.wall -= timedelta(hours=1)
    task = next(task for task in fleet.job(job_id).tasks if task.attempts)
    assert task.elapsed_s == 0.0
