"""Submit, claim, commit: the path of a job through the database."""

from dataclasses import replace

import pytest

from controller.model.lease import BenchWork, BuildWork, Measured, Outcome, Returned
from controller.model.result import FlagKind
from controller.model.task import FailureKind, JobState
from controller.model.view import ResultQuery
from controller.store.commands.cancel import cancel
from controller.store.commands.renew import expire, start_attempts
from controller.store.queries import results
from controller.store.queries.leases import directives
from jetfleet.errors import NoDevice, NotFound, StaleSession
from testing.devices import CPU
from testing.specs import spec
from tests.store.fleet import StoreFleet, built, failed, measured

LATER = {**CPU, "runtime.onnxruntime": "1.33.0"}


def test_a_job_runs_to_its_end(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec(1, 8)).job_id
    assert fleet.states(job_id) == [("BUILD", "READY"), ("BUILD", "READY"), ("BENCH", "WAITING"), ("BENCH", "WAITING")]
    assert fleet.job(job_id).state is JobState.WAITING
    first = fleet.must_claim("a/1")
    assert isinstance(first.work, BuildWork)
    assert fleet.job(job_id).state is JobState.RUNNING
    assert fleet.finish("a/1", first).task_state == "SUCCEEDED"
    assert fleet.states(job_id)[2:] == [("BENCH", "READY"), ("BENCH", "WAITING")]
    assert len(fleet.run_all("a/1")) == 3
    view = fleet.job(job_id)
    assert (view.state, view.done, view.total) == (JobState.SUCCEEDED, 4, 4)
    assert view.tasks[0].log_sha256
    assert view.tasks[0].device == "a"


def test_submit_with_the_same_key_is_the_same_job(fleet: StoreFleet) -> None:
    fleet.register("a")
    first = fleet.submit(spec(), key="k")
    again = fleet.submit(spec(), key="k")
    assert again.job_id == first.job_id
    assert again.repeated_request
    assert len(fleet.sql("SELECT * FROM job")) == 1


def test_a_dry_run_plans_and_stores_nothing(fleet: StoreFleet) -> None:
    fleet.register("a")
    planned = fleet.submit(spec(1, 8), validate_only=True)
    assert [(task.kind.value, task.device, task.reused) for task in planned.tasks] == [
        ("BUILD", "", False),
        ("BUILD", "", False),
        ("BENCH", "a", False),
        ("BENCH", "a", False),
    ]
    assert planned.job_id == 0
    assert fleet.sql("SELECT * FROM job") == []


def test_no_device_stores_nothing_and_names_the_nearest(fleet: StoreFleet) -> None:
    with pytest.raises(NoDevice, match="no registered device"):
        fleet.submit(spec())
    assert fleet.sql("SELECT * FROM job") == []


def test_a_claim_asked_twice_gets_the_same_lease(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(spec())
    first = fleet.claim("a/1", request="r")
    assert fleet.claim("a/1", request="r") == first
    assert fleet.claim("a/1", request="other") is None  # its bench domain is busy
    assert len(fleet.sql("SELECT * FROM attempt")) == 1


def test_a_claim_repeated_after_its_end_gets_nothing(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(spec())
    lease = fleet.claim("a/1", request="r")
    assert lease is not None
    fleet.finish("a/1", lease)
    assert fleet.claim("a/1", request="r") is None


def test_a_claim_of_an_unknown_session_is_refused(fleet: StoreFleet) -> None:
    with pytest.raises(StaleSession):
        fleet.claim("nobody/1")


def test_a_commit_sent_twice_gets_the_same_answer(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(spec())
    fleet.finish("a/1", fleet.must_claim("a/1"))
    bench = fleet.must_claim("a/1")
    assert fleet.commit("a/1", bench.token, measured()) == fleet.commit("a/1", bench.token, measured())
    assert len(fleet.sql("SELECT * FROM measurement")) == 1
    assert fleet.sql("SELECT * FROM orphan") == []


def test_a_stale_commit_is_kept_as_an_orphan(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    lease = fleet.must_claim("a/1")
    fleet.write(lambda connection: expire(connection, [lease.token], after_s=30))
    assert fleet.states(job_id)[0] == ("BUILD", "READY")
    stale = fleet.commit("a/1", lease.token, Outcome(built().end, (), None, raw=b"what came"))
    assert "EXPIRED" in stale.stale
    assert fleet.sql("SELECT attempt_token, outcome FROM orphan") == [
        {"attempt_token": lease.token, "outcome": b"what came"}
    ]
    assert fleet.commit("a/1", "no such token", built()).stale
    fleet.run_all("a/1")
    assert fleet.job(job_id).state is JobState.SUCCEEDED
    assert fleet.job(job_id).tasks[0].attempts == 2


def test_another_device_cannot_commit(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.register("b", facts={})
    fleet.submit(spec())
    lease = fleet.must_claim("a/1")
    assert "another device" in fleet.commit("b/1", lease.token, built()).stale


def test_a_crash_is_tried_twice_and_then_the_bench_is_skipped(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    assert fleet.commit("a/1", fleet.must_claim("a/1").token, failed(FailureKind.CRASHED)).task_state == "READY"
    assert fleet.commit("a/1", fleet.must_claim("a/1").token, failed(FailureKind.CRASHED)).task_state == "FAILED"
    build, bench = fleet.job(job_id).tasks
    assert (bench.state.value, bench.because_of_task) == ("SKIPPED", build.id)
    assert build.failure is not None
    assert (build.failure.kind, build.failure.message, build.failure.phase) == (
        FailureKind.CRASHED,
        "it broke",
        "measure",
    )
    assert fleet.job(job_id).state is JobState.FAILED
    assert fleet.claim("a/1") is None


def test_time_limits_and_refusals_are_final(fleet: StoreFleet) -> None:
    fleet.register("a")
    timed = fleet.submit(spec()).job_id
    fleet.commit("a/1", fleet.must_claim("a/1").token, failed(FailureKind.TIME_LIMIT))
    assert fleet.job(timed).state is JobState.TIMED_OUT
    refused = fleet.submit(spec()).job_id
    fleet.commit("a/1", fleet.must_claim("a/1").token, failed(FailureKind.BUILD_REFUSED))
    assert fleet.job(refused).state is JobState.FAILED


def test_a_success_that_does_not_answer_its_task_fails_it(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    lease = fleet.must_claim("a/1")
    assert fleet.commit("a/1", lease.token, measured()).task_state == "FAILED"
    failure = fleet.job(job_id).tasks[0].failure
    assert failure is not None
    assert "answered a BUILD with something else" in failure.message


def test_returned_work_is_claimed_again(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    lease = fleet.must_claim("a/1")
    assert fleet.commit("a/1", lease.token, Outcome(Returned("draining"), (), None)).task_state == "READY"
    assert fleet.job(job_id).tasks[0].failure is None
    assert fleet.must_claim("a/1").token != lease.token


def test_waiting_for_hardware_is_no_part_of_the_elapsed_time(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    lease = fleet.must_claim("a/1")
    assert fleet.job(job_id).tasks[0].elapsed_s is None  # it fetches its files, or stands in the queue
    fleet.write(lambda connection: start_attempts(connection, [lease.token]))
    assert fleet.job(job_id).tasks[0].elapsed_s is not None


def test_an_engine_is_built_once_for_all_jobs(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.register("b")
    first, second = fleet.submit(spec()).job_id, fleet.submit(spec()).job_id
    assert [task.id for task in fleet.job(first).tasks[:1]] == [task.id for task in fleet.job(second).tasks[:1]]
    fleet.finish("a/1", fleet.must_claim("a/1"))
    assert fleet.run_all("b/1") == ["bench onnxruntime-fp32-b1-cpu"] * 2
    third = fleet.submit(spec())
    assert [(task.kind.value, task.reused) for task in third.tasks if task.kind.value == "BUILD"] == [("BUILD", True)]
    assert fleet.states(third.job_id) == [("BENCH", "READY")] * 2
    assert len(fleet.sql("SELECT * FROM task WHERE kind = 'BUILD'")) == 1


def test_a_shared_build_lives_while_one_job_wants_it(fleet: StoreFleet) -> None:
    fleet.register("a")
    first, second = fleet.submit(spec()).job_id, fleet.submit(spec()).job_id
    fleet.write(lambda connection: cancel(connection, first))
    assert fleet.states(first) == [("BUILD", "READY"), ("BENCH", "CANCELLED")]
    fleet.write(lambda connection: cancel(connection, second))
    assert fleet.states(second) == [("BUILD", "CANCELLED"), ("BENCH", "CANCELLED")]
    assert fleet.job(second).state is JobState.CANCELLED


def test_cancelling_what_runs_reaches_the_agent_and_ends_as_cancelled(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    lease = fleet.must_claim("a/1")

    def asked() -> str:
        return fleet.reader.read(lambda c: directives(c, "a/1", [lease.token]))[lease.token].value

    assert asked() == "CONTINUE"
    fleet.write(lambda connection: cancel(connection, job_id))
    assert asked() == "CANCEL"
    assert fleet.commit("a/1", lease.token, failed(FailureKind.INFRASTRUCTURE, "stopped")).task_state == "CANCELLED"
    assert fleet.job(job_id).state is JobState.CANCELLED
    assert asked() == "LOST"


def test_cancelling_is_idempotent_and_spares_what_is_over(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    fleet.run_all("a/1")
    for _ in range(2):
        fleet.write(lambda connection: cancel(connection, job_id))
    assert fleet.job(job_id).state is JobState.SUCCEEDED
    with pytest.raises(NotFound, match="no job 99"):
        fleet.write(lambda connection: cancel(connection, 99))


def test_changed_facts_are_planned_anew(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    fleet.finish("a/1", fleet.must_claim("a/1"))
    fleet.register("a", facts=LATER)
    assert [task.state.value for task in fleet.job(job_id).tasks] == ["SUCCEEDED", "READY", "WAITING"]
    again = fleet.must_claim("a/1")
    assert isinstance(again.work, BuildWork)
    assert again.work.recipe.runtime_version == "1.33.0"
    fleet.finish("a/1", again)
    bench = fleet.must_claim("a/1")
    assert isinstance(bench.work, BenchWork)
    assert bench.work.subjects[0].runtime_version == "1.33.0"


def test_an_engine_whose_file_is_gone_is_built_again(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(spec())
    fleet.finish("a/1", fleet.must_claim("a/1"))
    fleet.lost_blobs.add("cd" * 32)
    again = fleet.must_claim("a/1")
    assert isinstance(again.work, BuildWork)
    fleet.lost_blobs.clear()
    fleet.finish("a/1", again)
    assert isinstance(fleet.must_claim("a/1").work, BenchWork)


def test_results_come_back_as_they_were_committed(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec(1, 8)).job_id
    while (lease := fleet.claim("a/1")) is not None:
        flags = (FlagKind.UNSTABLE,) if "b8" in lease.name and isinstance(lease.work, BenchWork) else ()
        fleet.commit("a/1", lease.token, built() if isinstance(lease.work, BuildWork) else measured(*flags))
    rows = fleet.reader.read(lambda c: results.query_rows(c, ResultQuery(job_ids=(job_id,))))
    assert [(row.variant_key, row.measurement.verdict) for row in rows] == [
        ("onnxruntime-fp32-b8-cpu", "UNSTABLE"),
        ("onnxruntime-fp32-b1-cpu", "VALID"),
    ]
    sent = measured().end
    assert isinstance(sent, Measured)
    found, wanted = rows[1].measurement, sent.measurements[0]
    assert replace(found, metrics={}, repeats=None) == replace(wanted, metrics={})
    assert {name: item.value for name, item in found.metrics.items()} == {
        name: item.value for name, item in wanted.metrics.items()
    }
    assert rows[1].facts == CPU
    one = fleet.reader.read(
        lambda c: results.query_rows(c, ResultQuery(variant_keys=("onnxruntime-fp32-b1-cpu",), limit=1))
    )
    assert [row.variant_key for row in one] == ["onnxruntime-fp32-b1-cpu"]


def test_results_come_in_pages(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(spec(1, 2, 3, 4, 5))
    fleet.run_all("a/1")

    def page(before_id: int | None) -> list[int]:
        query = ResultQuery(limit=2, before_id=before_id)
        return [row.measurement_id for row in fleet.reader.read(lambda c: results.query_rows(c, query))]

    first = page(None)
    second = page(first[-1])
    third = page(second[-1])
    assert [*first, *second, *third] == [5, 4, 3, 2, 1]
    assert page(third[-1]) == []
