"""Results that cannot be taken are kept as they came, end their attempts for good, and are shown."""

from dataclasses import replace
from typing import Any

import pytest

from controller.model.lease import Measured, Outcome
from controller.model.result import Estimate, Measurement, Provenance, Round, Run
from controller.model.task import Failure, FailureKind, JobState
from controller.report.text.devices import device_table
from controller.store.commands.incident_bounds import MOST_KEPT, keep_newest
from controller.store.queries import explain
from controller.store.queries.devices import device_views
from testing.specs import spec
from tests.store.fleet import StoreFleet, failed, measured, measurement


def outcome_of(found: Measurement) -> Outcome:
    return Outcome(Measured((found,)), (), None, raw=b"as it came")


HUGE = replace(measurement(), n=2**63)
RUN = Run(index=0, n=250, window_s=1.0, warmup_s=0.1, warmup_n=5, load_s=0.5, metrics={"p50_ms": 2.0})


def valued(name: str, value: float, low: float | None = None) -> Outcome:
    return outcome_of(replace(measurement(), metrics={name: Estimate(value, low, None, "")}))


def of_run(**changes: Any) -> Outcome:
    return outcome_of(replace(measurement(), runs=(RUN, replace(RUN, **{"index": 1, **changes}))))


UNSTORABLE = {
    "a count beyond 64 bits": outcome_of(HUGE),
    "a round without a number": outcome_of(replace(measurement(), rounds=(Round(10, float("nan"), 1.0),))),
    "a memory beyond 64 bits": replace(measured(), peak_rss_bytes=2**64 - 1, raw=b"as it came"),
    "a failure's memory beyond 64 bits": Outcome(
        Failure(FailureKind.CRASHED, "died", peak_rss_bytes=2**64 - 1), (), None, raw=b"as it came"
    ),
    "negative samples": outcome_of(replace(measurement(), n=-1)),
    "an infinite latency": valued("p50_ms", float("inf")),
    "a negative latency": valued("p50_ms", -1.0),
    "an accuracy of 7": valued("accuracy", 7.0),
    "an accuracy of 7 among 5": valued("accuracy_top5", 7.0),
    "a share of arrivals of 2": valued("paced_miss_share", 2.0),
    "a power below zero": valued("power_mean_w", -3.0),
    "an infinite energy": valued("energy_mj", float("inf")),
    "an infinite temperature": valued("temperature_max_c", float("-inf")),
    "an interval without an end": valued("power_mean_w", 3.0, low=float("-inf")),
    "a run of negative samples": of_run(n=-1),
    "a run that loaded in negative time": of_run(load_s=-1.0),
    "a run of an infinite time": of_run(window_s=float("inf")),
    "a run with a negative latency": of_run(metrics={"p50_ms": -1.0}),
    "a run with an infinite latency": of_run(metrics={"p50_ms": float("inf")}),
    "a run with what is not a number": of_run(metrics={"mean_ms": float("nan")}),
    "a run with an accuracy of 7": of_run(metrics={"accuracy": 7.0}),
    "a run within negative latencies": of_run(within_low_ms=-1.0),
    "a run twice": of_run(index=0),
    "a value this version does not know": Outcome(
        Failure(FailureKind.BAD_INPUT, "FlagKind 99"), (), None, raw=b"as it came", unusable="FlagKind 99"
    ),
}


@pytest.mark.parametrize("outcome", UNSTORABLE.values(), ids=UNSTORABLE.keys())
def test_what_cannot_be_stored_is_a_dead_letter_and_the_agent_goes_on(fleet: StoreFleet, outcome: Outcome) -> None:
    fleet.register("a")
    job_id = fleet.submit(spec()).job_id
    fleet.finish("a/1", fleet.must_claim("a/1"))
    lease = fleet.must_claim("a/1")
    assert fleet.commit("a/1", lease.token, outcome).task_state == "FAILED"
    assert fleet.commit("a/1", lease.token, outcome).task_state == "FAILED"  # sent once more
    assert fleet.sql("SELECT attempt_token, device_id, outcome FROM dead_letter") == [
        {"attempt_token": lease.token, "device_id": "a", "outcome": b"as it came"}
    ]
    assert fleet.sql("SELECT * FROM measurement") == []
    job = fleet.job(job_id)
    assert job.state is JobState.FAILED
    assert job.tasks[-1].failure is not None
    assert "dead letter 1" in job.tasks[-1].failure.message
    told = fleet.reader.read(lambda c: explain.reasons(c, job_id, alive=fleet.alive, progress={}))
    assert [item.task_id for item in told if "dead letter 1" in item.why] == [lease.task_id]
    (device,) = fleet.reader.read(lambda c: device_views(c, alive=fleet.alive, paused={}))
    assert [letter.task_id for letter in device.dead_letters] == [lease.task_id]
    fleet.submit(spec(8))
    assert len(fleet.run_all("a/1")) == 2


@pytest.mark.parametrize(
    "change",
    [{"index": 0}, {"n": 0, "metrics": {}}, {"metrics": {"residual_p50_ms": -0.1, "temperature_max_c": -20.0}}],
)
def test_what_can_be_is_stored(fleet: StoreFleet, change: dict[str, Any]) -> None:
    """Boards work outdoors, and a run may come to nothing."""
    fleet.register("a")
    fleet.submit(spec())
    fleet.finish("a/1", fleet.must_claim("a/1"))
    cold = {
        name: Estimate(value, None, None, "") for name, value in {"temperature_max_c": -20.0, "score": -7.0}.items()
    }
    found = replace(measurement(), metrics=measurement().metrics | cold, runs=(replace(RUN, **change),))
    assert fleet.commit("a/1", fleet.must_claim("a/1").token, outcome_of(found)).task_state == "SUCCEEDED"
    assert fleet.sql("SELECT attempt_token FROM dead_letter") == []


def test_what_the_simulated_runtime_ran_was_not_measured(fleet: StoreFleet) -> None:
    fleet.register("a", facts={"arch": "x86_64", "simulated": True, "runtime.simulated": "1"})
    on_simulated = replace(spec(), variants=tuple(replace(item, runtime="simulated") for item in spec().variants))
    fleet.submit(on_simulated)
    fleet.finish("a/1", fleet.must_claim("a/1"))
    claimed = fleet.must_claim("a/1")
    assert measurement().provenance is Provenance.MEASURED
    assert fleet.finish("a/1", claimed).task_state == "FAILED"
    assert "simulated" in str(fleet.sql("SELECT failure_message FROM attempt ORDER BY leased_at DESC LIMIT 1"))


def test_a_commit_that_is_sent_again_with_other_content_is_refused(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(spec())
    fleet.finish("a/1", fleet.must_claim("a/1"))
    lease = fleet.must_claim("a/1")
    assert fleet.finish("a/1", lease).task_state == "SUCCEEDED"
    assert fleet.finish("a/1", lease).stale == ""
    faster = Outcome(Measured((measurement(p50_ms=1.0),)), (), None)
    assert "another result" in fleet.commit("a/1", lease.token, faster).stale
    assert "another result" in fleet.commit("a/1", lease.token, failed(FailureKind.CRASHED)).stale
    assert fleet.sql("SELECT value FROM metric WHERE name = 'p50_ms'") == [{"value": 2.0}]


def test_a_board_neither_ends_nor_marks_what_is_anothers(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.register("b")
    fleet.submit(spec())
    lease = fleet.must_claim("a/1")
    assert "another device" in fleet.finish("b/1", lease).stale
    assert fleet.sql("SELECT * FROM orphan") == []
    registered = fleet.register("b", session="b/2", held=(lease.token,))
    assert (registered.lost, registered.open) == ((lease.token,), ())
    assert fleet.finish("a/1", lease).task_state == "SUCCEEDED"


def test_each_device_has_only_so_many_results_that_do_not_count(fleet: StoreFleet) -> None:
    for name in ("a", "b"):
        fleet.register(name)
        for number in range(4):
            outcome = replace(measured(), raw=bytes(1000))
            fleet.commit(f"{name}/1", f"{name}{number}", outcome)
    kept = "SELECT attempt_token FROM orphan ORDER BY id"
    assert len(fleet.sql(kept)) == 8
    assert fleet.write(lambda c: keep_newest(c, "orphan", "a", most=2)) == 2
    assert fleet.write(lambda c: keep_newest(c, "orphan", "b", most_bytes=3500)) == 1
    assert [row["attempt_token"] for row in fleet.sql(kept)] == ["a2", "a3", "b1", "b2", "b3"]
    assert (
        fleet.write(lambda c: keep_newest(c, "orphan", "b", most_bytes=1)) == 2
    )  # the newest stays, whatever its size


def test_the_bounds_hold_for_whoever_sends_without_end(fleet: StoreFleet) -> None:
    fleet.register("a")
    for number in range(MOST_KEPT + 5):
        fleet.commit("a/1", f"token {number}", replace(measured(), raw=b"late"))
    assert fleet.sql("SELECT count(*) AS n FROM orphan") == [{"n": MOST_KEPT}]
    (view,) = fleet.write(lambda c: device_views(c, alive=set(), paused={}))
    assert (view.late_results, view.dropped_results) == (MOST_KEPT, 5)
    shown = dict(row[:2] for row in device_table(view, controller_version="1").rows)
    assert shown["results that did not count"] == f"{MOST_KEPT} kept, 5 older ones were dropped"
