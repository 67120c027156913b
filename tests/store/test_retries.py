"""`job retry` on real rows: what the new job holds, whom it asks, and what it builds again."""

from dataclasses import replace

import pytest

from controller.core.content import retry_digest
from controller.model.job import Artifact, Limits, Role
from controller.model.task import FailureKind, JobState
from controller.model.view import Submitted
from controller.store.commands.blobs import lose_blobs
from controller.store.commands.cancel import cancel
from controller.store.commands.retry import plan_retry
from controller.store.queries.jobs import known_job
from jetfleet.errors import BadInput, NotFound
from testing.specs import ANY, spec
from tests.store.fleet import DIGEST, StoreFleet, failed, measured


def retried(fleet: StoreFleet, job_id: int, *, key: str = "again", lost: str = "") -> Submitted:
    known = fleet.reader.read(lambda c: known_job(c, key, content=retry_digest(job_id)))
    if known is not None:
        return known
    fleet.write(lambda c: lose_blobs(c, [lost]))
    submission = fleet.reader.read(
        lambda c: plan_retry(
            c,
            job_id,
            alive=fleet.alive,
            key=key,
        )
    )
    return fleet.write_all(submission)


def half_failed(fleet: StoreFleet) -> int:
    """A job of two variants whose second BENCH is refused."""
    fleet.register("a")
    job_id = fleet.submit(
        replace(spec(1, 8, priority=3), limits=Limits(60, 70, 1000), labels={"branch": "main"})
    ).job_id
    while (lease := fleet.claim("a/1")) is not None:
        if lease.name == "bench onnxruntime-fp32-b8-cpu":
            fleet.commit("a/1", lease.token, failed(FailureKind.BAD_INPUT))
        else:
            fleet.finish("a/1", lease)
    return job_id


def test_only_what_did_not_succeed_is_in_the_new_job(fleet: StoreFleet) -> None:
    old = half_failed(fleet)
    made = retried(fleet, old)
    view = fleet.job(made.job_id)
    assert (view.retry_of, view.name, view.state) == (old, "job", JobState.WAITING)
    assert view.labels == {"branch": "main"}
    assert [(task.kind.value, task.name, task.state.value, task.device) for task in view.tasks] == [
        ("BENCH", "onnxruntime-fp32-b8-cpu", "READY", "a")
    ]
    assert fleet.run_all("a/1") == ["bench onnxruntime-fp32-b8-cpu"]
    assert fleet.job(made.job_id).state is JobState.SUCCEEDED
    assert fleet.job(old).state is JobState.FAILED


def test_it_is_asked_for_in_the_same_way(fleet: StoreFleet) -> None:
    old = half_failed(fleet)
    made = retried(fleet, old)
    columns = "name, model_name, priority, measure, build_limit_s, bench_limit_s, source"
    first, second = fleet.sql(f"SELECT {columns} FROM job ORDER BY id")
    assert first == second
    view = fleet.job(made.job_id)
    assert view.deadline_at is not None
    assert (view.deadline_at - view.created_at).total_seconds() == 1000


def test_the_same_key_is_the_same_new_job(fleet: StoreFleet) -> None:
    old = half_failed(fleet)
    first, second = retried(fleet, old), retried(fleet, old)
    assert (second.job_id, second.repeated_request) == (first.job_id, True)
    assert retried(fleet, old, key="another").job_id == first.job_id + 1


def test_a_build_that_failed_is_built_again_and_what_was_skipped_with_it(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.register("b")
    old = fleet.submit(spec()).job_id
    fleet.commit("a/1", fleet.must_claim("a/1").token, failed(FailureKind.BUILD_REFUSED))
    assert [state for _, state in fleet.states(old)] == ["FAILED", "SKIPPED", "SKIPPED"]
    made = retried(fleet, old)
    assert fleet.states(made.job_id) == [("BUILD", "READY"), ("BENCH", "WAITING"), ("BENCH", "WAITING")]
    fleet.run_all("a/1")
    fleet.run_all("b/1")
    assert fleet.job(made.job_id).state is JobState.SUCCEEDED


def test_any_is_kept_open(fleet: StoreFleet) -> None:
    fleet.register("a")
    old = fleet.submit(spec(targets=(ANY,))).job_id
    fleet.finish("a/1", fleet.must_claim("a/1"))
    fleet.commit("a/1", fleet.must_claim("a/1").token, failed(FailureKind.BAD_INPUT))
    made = retried(fleet, old)
    assert [(task.state.value, task.device) for task in fleet.job(made.job_id).tasks] == [("READY", "")]
    fleet.register("b")
    assert fleet.run_all("b/1") == ["bench onnxruntime-fp32-b1-cpu"]


def test_cancelled_and_timed_out_work_is_retried(fleet: StoreFleet) -> None:
    fleet.register("a")
    cancelled = fleet.submit(spec(1)).job_id
    fleet.write(lambda c: cancel(c, cancelled))
    slow = fleet.submit(spec(8)).job_id
    fleet.finish("a/1", fleet.must_claim("a/1"))
    fleet.commit("a/1", fleet.must_claim("a/1").token, failed(FailureKind.TIME_LIMIT))
    assert fleet.states(retried(fleet, cancelled, key="1").job_id) == [("BUILD", "READY"), ("BENCH", "WAITING")]
    assert fleet.states(retried(fleet, slow, key="2").job_id) == [("BENCH", "READY")]


def test_refusals(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    with pytest.raises(BadInput, match="is not over"):
        retried(fleet, job_id)
    fleet.run_all("a/1")
    with pytest.raises(BadInput, match="everything in job 1 succeeded"):
        retried(fleet, job_id)
    with pytest.raises(NotFound, match="no job 99"):
        retried(fleet, 99)
    assert len(fleet.sql("SELECT * FROM job")) == 1


def test_a_job_whose_files_are_gone_is_refused(fleet: StoreFleet) -> None:
    old = half_failed(fleet)
    with pytest.raises(BadInput, match="1 files of job 1 are no longer here"):
        retried(fleet, old, lost="aa" * 32)


def test_an_attempt_with_two_logs_is_one_attempt(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    fleet.finish("a/1", fleet.must_claim("a/1"))
    two = [Artifact(Role.LOG, name, digest, 3) for name, digest in (("log-2.txt", "ef" * 32), ("log.txt", DIGEST))]
    fleet.commit("a/1", fleet.must_claim("a/1").token, replace(measured(), artifacts=tuple(two)))
    bench = fleet.job(job_id).tasks[1]
    assert bench.attempts == 1
    assert [log.name for log in bench.logs] == ["log.txt", "log-2.txt"]
    assert bench.log_sha256 == DIGEST
