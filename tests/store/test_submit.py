"""A job is written in pieces, and nobody sees it before the last."""

from dataclasses import replace

import pytest

from controller.model.job import JobSpec
from controller.model.task import Failure, FailureKind, JobState, TaskState
from controller.store.commands.submit import Submission, discard, plan_job, settle_unfinished
from controller.store.queries import jobs
from controller.store.queries.devices import planning_devices
from controller.store.queries.engines import known_engines
from controller.store.queries.listed import readable
from jetfleet.errors import NotFound
from testing.devices import CPU
from testing.specs import ANY, EVERY, spec
from tests.store.fleet import StoreFleet

LARGE = spec(*range(1, 121), targets=(EVERY, ANY))
TABLES = ("job", "variant", "task", "subject", "engine", "job_build")


def planned(fleet: StoreFleet, job: JobSpec = LARGE, *, key: str = "k") -> Submission:
    return fleet.reader.read(lambda c: plan_job(job, planning_devices(c, alive=fleet.alive), known_engines(c), key=key))


def step(fleet: StoreFleet, submission: Submission, times: int = 1) -> None:
    """The smallest pieces there are."""
    for _ in range(times):
        assert fleet.write(lambda c: submission.step(c, budget_s=0.0)) is None


def counts(fleet: StoreFleet) -> list[object]:
    return [fleet.sql(f"SELECT count(*) AS n FROM {name}")[0]["n"] for name in TABLES]


def state(fleet: StoreFleet) -> list[object]:
    return [row["submit_state"] for row in fleet.sql("SELECT submit_state FROM job")]


def test_nobody_sees_a_part_of_a_job(fleet: StoreFleet) -> None:
    fleet.register("a")
    submission, steps = planned(fleet), 0
    while (answer := fleet.write(lambda c: submission.step(c, budget_s=0.0))) is None:
        steps += 1
        if state(fleet) == ["WRITING"]:
            assert fleet.reader.read(lambda c: jobs.listed_jobs(c, limit=9)) == []
            assert fleet.claim("a/1") is None
            with pytest.raises(NotFound):
                fleet.job(1)
    assert steps > 120 * 4
    assert state(fleet) == ["DONE"]
    assert len(fleet.job(answer.job_id).tasks) == 120 * 3
    assert len(fleet.run_all("a/1")) == 120 * 3
    assert fleet.job(answer.job_id).state is JobState.SUCCEEDED


def test_what_a_crash_left_is_gone_and_its_key_is_free(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(spec(1))
    before = counts(fleet)
    step(fleet, planned(fleet), 400)
    assert state(fleet) == ["DONE", "WRITING"]
    assert fleet.write(settle_unfinished) == [2]
    assert counts(fleet) == before
    assert fleet.write(settle_unfinished) == []
    answer = fleet.write_all(planned(fleet))
    assert not answer.repeated_request
    assert fleet.job(answer.job_id).total == 120 * 3


def test_what_was_accepted_is_carried_on_after_a_crash(fleet: StoreFleet) -> None:
    fleet.register("a")
    submission = planned(fleet)
    while state(fleet) != ["RELEASING"]:
        step(fleet, submission)
    assert fleet.job(1).total > 0
    assert fleet.write(settle_unfinished) == []
    assert state(fleet) == ["DONE"]
    assert len(fleet.run_all("a/1")) == 120 * 3


def test_a_part_of_a_job_is_removed_before_the_same_key_is_written_again(fleet: StoreFleet) -> None:
    fleet.register("a")
    step(fleet, planned(fleet), 300)
    answer = fleet.write_all(planned(fleet, spec(1)))
    assert fleet.job(answer.job_id).total == 2
    assert len(state(fleet)) == 1
    assert fleet.write(lambda c: discard(c, "k")) is False


def test_facts_that_change_meanwhile_are_planned_anew(fleet: StoreFleet) -> None:
    fleet.register("a")
    submission = planned(fleet, spec(1, 2))
    step(fleet, submission, 3)
    fleet.register("a", facts={**CPU, "runtime.onnxruntime": "1.33.0"})
    answer = fleet.write_all(submission)
    assert sorted(fleet.run_all("a/1"))[:2] == ["bench onnxruntime-fp32-b1-cpu", "bench onnxruntime-fp32-b2-cpu"]
    assert fleet.job(answer.job_id).state is not JobState.WAITING
    versions = fleet.sql("SELECT DISTINCT e.runtime_version AS v FROM subject s JOIN engine e ON e.key = s.engine_key")
    assert versions == [{"v": "1.33.0"}]


def test_an_engine_that_is_built_meanwhile_releases_nothing_that_nobody_sees(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(spec(1))
    build = fleet.must_claim("a/1")
    submission = planned(fleet, spec(1, 2))
    step(fleet, submission, 6)
    fleet.finish("a/1", build)
    assert fleet.sql("SELECT count(*) AS n FROM task WHERE job_id = 2 AND state <> 'WAITING'") == [{"n": 0}]
    answer = fleet.write_all(submission)
    fleet.run_all("a/1")
    assert fleet.job(answer.job_id).state is JobState.SUCCEEDED


def test_a_listing_costs_the_same_however_many_jobs_and_tasks_there_are(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(spec(1))
    few = fleet.statements(lambda c: jobs.listed_jobs(c, limit=50))
    for batch in range(1, 20):
        fleet.submit(spec(batch, batch + 1))
    assert fleet.statements(lambda c: jobs.listed_jobs(c, limit=50)) == few
    listed = readable(fleet.reader.read(lambda c: jobs.listed_jobs(c, limit=50)))
    assert [(item.id, item.state, item.done, item.total) for item in listed] == [
        (item.id, item.state, item.done, item.total) for item in (fleet.job(number) for number in range(20, 0, -1))
    ]


def test_a_refused_variant_fails_without_an_attempt_and_the_job_tells_why(fleet: StoreFleet) -> None:
    fleet.register("a")
    job = spec(1, 2)
    refused = replace(job.variants[1], refusal="in int8, output 'y' is too far from FP32")
    found = fleet.submit(replace(job, variants=(job.variants[0], refused)))
    (failed,) = [task for task in fleet.job(found.job_id).tasks if task.state is TaskState.FAILED]
    assert (failed.name, failed.attempts, failed.device) == (refused.key, 0, "")
    assert failed.failure == Failure(FailureKind.BUILD_REFUSED, "in int8, output 'y' is too far from FP32")
    fleet.run_all("a/1")
    assert [task.state for task in fleet.job(found.job_id).tasks if task is not failed].count(TaskState.FAILED) == 1
    assert fleet.job(found.job_id).state is JobState.FAILED
