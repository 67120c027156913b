"""Deadlines and priorities in the database: what ends when, and whose BUILD goes first."""

from dataclasses import replace

from controller.model.job import JobSpec, Limits
from controller.model.task import FailureKind, JobState
from controller.store.commands.cancel import cancel
from controller.store.commands.deadlines import time_out_overdue
from controller.store.commands.renew import expire
from controller.store.queries.leases import directives
from testing.specs import spec
from tests.store.fleet import StoreFleet, failed


def hurried(*batches: int, deadline_s: int = 1000, model: str = "aa" * 32) -> JobSpec:
    return replace(spec(*batches, model=model), limits=Limits(deadline_s=deadline_s))


def pass_deadline(fleet: StoreFleet, job_id: int) -> list[int]:
    """As if the deadline had been a second ago; returns the jobs that were ended."""
    fleet.write(
        lambda c: c.exec_driver_sql(
            "UPDATE job SET deadline_steady_s = deadline_steady_s - 1e6 WHERE id = ?",
            (job_id,),
        )
    )
    return fleet.write(time_out_overdue)


def directive(fleet: StoreFleet, token: str) -> str:
    return fleet.reader.read(lambda c: directives(c, "a/1", [token]))[token].value


def test_a_deadline_counts_from_acceptance(fleet: StoreFleet) -> None:
    fleet.register("a")
    view = fleet.job(fleet.submit(hurried(deadline_s=90)).job_id)
    assert view.deadline_at is not None
    assert (view.deadline_at - view.created_at).total_seconds() == 90
    assert fleet.job(fleet.submit(spec()).job_id).deadline_at is None
    assert fleet.write(time_out_overdue) == []


def test_what_has_not_begun_times_out_at_once(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(hurried(1, 8)).job_id
    fleet.finish("a/1", fleet.must_claim("a/1"))
    assert sorted(fleet.states(job_id)[2:]) == [("BENCH", "READY"), ("BENCH", "WAITING")]
    assert pass_deadline(fleet, job_id) == [job_id]
    assert fleet.states(job_id) == [
        ("BUILD", "SUCCEEDED"),
        ("BUILD", "TIMED_OUT"),
        ("BENCH", "TIMED_OUT"),
        ("BENCH", "TIMED_OUT"),
    ]
    assert fleet.job(job_id).state is JobState.TIMED_OUT
    assert fleet.write(time_out_overdue) == []
    assert fleet.claim("a/1") is None


def test_what_runs_is_stopped_and_then_times_out(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(hurried()).job_id
    fleet.finish("a/1", fleet.must_claim("a/1"))
    bench = fleet.must_claim("a/1")
    assert directive(fleet, bench.token) == "CONTINUE"
    pass_deadline(fleet, job_id)
    assert (directive(fleet, bench.token), fleet.job(job_id).state) == ("CANCEL", JobState.RUNNING)
    stopped = failed(FailureKind.INFRASTRUCTURE, "stopped")
    assert fleet.commit("a/1", bench.token, stopped).task_state == "TIMED_OUT"
    assert fleet.job(job_id).state is JobState.TIMED_OUT


def test_what_was_measured_all_the_same_counts(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(hurried()).job_id
    fleet.finish("a/1", fleet.must_claim("a/1"))
    bench = fleet.must_claim("a/1")
    pass_deadline(fleet, job_id)
    assert fleet.finish("a/1", bench).task_state == "SUCCEEDED"
    assert fleet.job(job_id).state is JobState.SUCCEEDED


def test_a_build_that_runs_times_out_and_a_lost_agent_too(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(hurried()).job_id
    build = fleet.must_claim("a/1")
    pass_deadline(fleet, job_id)
    assert directive(fleet, build.token) == "CANCEL"
    fleet.write(lambda c: expire(c, [build.token], after_s=30))
    assert fleet.states(job_id) == [("BUILD", "TIMED_OUT"), ("BENCH", "TIMED_OUT")]


def test_a_build_that_others_want_goes_on(fleet: StoreFleet) -> None:
    fleet.register("a")
    hasty, patient = fleet.submit(hurried()).job_id, fleet.submit(spec()).job_id
    build = fleet.must_claim("a/1")
    pass_deadline(fleet, hasty)
    assert directive(fleet, build.token) == "CONTINUE"
    assert fleet.states(hasty) == [("BUILD", "LEASED"), ("BENCH", "TIMED_OUT")]
    fleet.finish("a/1", build)
    fleet.run_all("a/1")
    assert (fleet.job(hasty).state, fleet.job(patient).state) == (JobState.TIMED_OUT, JobState.SUCCEEDED)


def test_what_is_over_or_cancelled_is_not_touched(fleet: StoreFleet) -> None:
    fleet.register("a")
    done = fleet.submit(hurried()).job_id
    fleet.run_all("a/1")
    assert pass_deadline(fleet, done) == []
    stopped = fleet.submit(hurried(8)).job_id
    build = fleet.must_claim("a/1")
    fleet.write(lambda c: cancel(c, stopped))
    assert pass_deadline(fleet, stopped) == []
    assert fleet.commit("a/1", build.token, failed(FailureKind.INFRASTRUCTURE)).task_state == "CANCELLED"
    assert (fleet.job(done).state, fleet.job(stopped).state) == (JobState.SUCCEEDED, JobState.CANCELLED)


def priority_of_build(fleet: StoreFleet) -> object:
    return fleet.sql("SELECT priority FROM task WHERE kind = 'BUILD'")[0]["priority"]


def test_a_build_has_the_highest_priority_of_the_live_jobs_that_want_it(fleet: StoreFleet) -> None:
    fleet.register("a")
    first = fleet.submit(spec(priority=-3)).job_id
    assert priority_of_build(fleet) == -3
    second, third = (fleet.submit(spec(priority=item)).job_id for item in (7, 2))
    assert priority_of_build(fleet) == 7
    fleet.write(lambda c: cancel(c, second))
    assert priority_of_build(fleet) == 2
    fleet.write(lambda c: cancel(c, third))
    assert priority_of_build(fleet) == -3
    fleet.write(lambda c: cancel(c, first))
    assert priority_of_build(fleet) == -3


def test_a_deadline_takes_its_priority_along(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(spec(priority=1))
    urgent = fleet.submit(replace(hurried(), priority=9)).job_id
    assert priority_of_build(fleet) == 9
    pass_deadline(fleet, urgent)
    assert priority_of_build(fleet) == 1


def test_higher_priorities_are_claimed_first_their_builds_included(fleet: StoreFleet) -> None:
    fleet.register("a")
    low = fleet.submit(spec(1)).job_id
    high = fleet.submit(spec(8, priority=5)).job_id
    claimed = []
    while (lease := fleet.claim("a/1")) is not None:
        claimed.append(lease.name.split("-")[2])
        fleet.finish("a/1", lease)
    assert claimed == ["b8", "b8", "b1", "b1"]
    assert {fleet.job(low).state, fleet.job(high).state} == {JobState.SUCCEEDED}
