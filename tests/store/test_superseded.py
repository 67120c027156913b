"""BUILDs that a job no longer needs, because its BENCHes went to other boards or need other engines, are no part of
what became of it.
"""

from collections.abc import Callable

import pytest

from controller.model.task import FailureKind, JobState
from controller.store.commands.cancel import cancel
from controller.store.commands.depart import depart, leave
from controller.store.commands.renew import expire
from testing.devices import CPU
from testing.specs import ANY, spec
from tests.store.fleet import StoreFleet, failed

OTHER = {**CPU, "cpu_model": "Other 1"}
NEWER = {**CPU, "runtime.onnxruntime": "1.33.0"}


def dies(fleet: StoreFleet, token: str) -> None:
    fleet.write(lambda c: expire(c, [token], after_s=30))
    fleet.write(lambda c: depart(c, ["a/1"]))


def leaves(fleet: StoreFleet, _token: str) -> None:
    fleet.write(lambda c: leave(c, "a/1", reason="stopped"))


@pytest.mark.parametrize("goes", [dies, leaves])
def test_an_any_job_whose_builder_goes_succeeds_on_another_board(
    fleet: StoreFleet, goes: Callable[[StoreFleet, str], None]
) -> None:
    fleet.register("a")
    fleet.register("b", facts=OTHER)
    job_id = fleet.submit(spec(targets=(ANY,))).job_id
    goes(fleet, fleet.must_claim("a/1").token)
    assert len(fleet.run_all("b/1")) == 2
    assert fleet.states(job_id) == [("BUILD", "SUPERSEDED"), ("BUILD", "SUCCEEDED"), ("BENCH", "SUCCEEDED")]
    view = fleet.job(job_id)
    assert (view.state, view.done, view.total) == (JobState.SUCCEEDED, 2, 2)


def test_a_board_that_leaves_keeps_nothing_that_waited_for_it(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.register("b", facts=OTHER)
    job_id = fleet.submit(spec(targets=(ANY,))).job_id
    fleet.finish("a/1", fleet.must_claim("a/1"))
    assert fleet.job(job_id).tasks[1].device == "a"
    fleet.write(lambda c: leave(c, "a/1", reason="stopped"))
    assert len(fleet.run_all("b/1")) == 2
    assert fleet.job(job_id).state is JobState.SUCCEEDED


def test_a_cordoned_board_keeps_nothing_that_waited_for_it(fleet: StoreFleet) -> None:
    fleet.register("a")
    waiting = fleet.submit(spec(targets=(ANY,))).job_id
    fleet.finish("a/1", fleet.must_claim("a/1"))  # its BENCH is bound to a
    for batch in (2, 3, 4):
        fleet.submit(spec(batch, priority=5))
    fleet.register("b")
    while (lease := fleet.claim("a/1")) is not None:
        fleet.commit("a/1", lease.token, failed(FailureKind.DEVICE_FAULT, "Xid 79"))
    assert fleet.sql("SELECT cordoned FROM device WHERE id = 'a'") != [{"cordoned": ""}]
    fleet.run_all("b/1")
    assert fleet.job(waiting).state is JobState.SUCCEEDED


def test_a_runtime_that_changes_while_its_build_waits(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    fleet.register("a", facts=NEWER)
    assert fleet.states(job_id) == [("BUILD", "SUPERSEDED"), ("BUILD", "READY"), ("BENCH", "WAITING")]
    fleet.run_all("a/1")
    assert fleet.job(job_id).state is JobState.SUCCEEDED


def test_a_runtime_that_changes_while_its_build_runs(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    lease = fleet.must_claim("a/1")
    fleet.register("a", facts=NEWER)
    assert fleet.commit("a/1", lease.token, failed(FailureKind.CRASHED, "stopped")).task_state == "SUPERSEDED"
    fleet.run_all("a/1")
    assert fleet.job(job_id).state is JobState.SUCCEEDED


def test_a_runtime_that_goes_away_gives_what_anybody_may_run_to_others(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.register("b", facts=OTHER)
    job_id = fleet.submit(spec(targets=(ANY,))).job_id
    fleet.finish("a/1", fleet.must_claim("a/1"))
    fleet.register("a", facts={name: value for name, value in CPU.items() if not name.startswith("runtime.")})
    fleet.run_all("b/1")
    assert fleet.job(job_id).state is JobState.SUCCEEDED


def test_a_build_that_fails_for_others_does_not_count(fleet: StoreFleet) -> None:
    """The BUILD goes on for another job, and fails; nothing of the first job needs it by then."""
    fleet.register("a")
    fleet.register("b", facts=OTHER)
    moved = fleet.submit(spec(targets=(ANY,))).job_id
    build = fleet.must_claim("a/1")
    stays = fleet.submit(spec()).job_id  # on both boards
    fleet.write(lambda c: depart(c, ["a/1"]))
    fleet.run_all("b/1")
    assert fleet.job(moved).state is JobState.SUCCEEDED
    fleet.commit("a/1", build.token, failed(FailureKind.BUILD_REFUSED, "no kernel"))
    assert fleet.job(moved).state is JobState.SUCCEEDED
    assert fleet.job(stays).state is JobState.FAILED


def test_what_somebody_cancelled_is_cancelled(fleet: StoreFleet) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec(targets=(ANY,))).job_id
    lease = fleet.must_claim("a/1")
    fleet.write(lambda c: cancel(c, job_id))
    assert fleet.commit("a/1", lease.token, failed(FailureKind.CRASHED, "stopped")).task_state == "CANCELLED"
    assert fleet.states(job_id) == [("BUILD", "CANCELLED"), ("BENCH", "CANCELLED")]
    assert fleet.job(job_id).state is JobState.CANCELLED
