"""What the runs of a measurement amount to."""

import pytest

from agent.repeat.flags import CANNOT_KEEP_UP
from agent.repeat.merge import merge_runs
from agent.repeat.repetition import RepeatedRuns, SingleRun, repetition_of
from jetfleet.v1.task_pb2 import (
    FAILURE_KIND_CRASHED,
    FAILURE_KIND_TIME_LIMIT,
    FLAG_KIND_BOUND_BY_LAUNCHES,
    FLAG_KIND_CLOCK_DRIFT,
    FLAG_KIND_NOT_REPEATABLE,
    FLAG_KIND_PAUSED,
    FLAG_KIND_TOO_FEW_SAMPLES,
    FLAG_KIND_UNCHECKED,
    FLAG_KIND_UNSTABLE,
    FLAG_KIND_WRONG_OUTPUT,
    Artifact,
    BenchTask,
    BuildTask,
    Failure,
    Measurement,
    Outcome,
    TaskSpec,
)
from tests.agent.repeat.outcomes import outcome, wrong


def merged(*outcomes: Outcome) -> Measurement:
    (found,) = merge_runs(outcomes).measured.measurements
    return found


def kinds(found: Measurement) -> list[int]:
    return [flag.kind for flag in found.flags]


def test_the_median_of_medians_and_everything_of_each_run() -> None:
    found = merged(*(outcome(p50_ms=value, index=k) for k, value in enumerate((10.0, 10.4, 10.1))))
    p50 = found.metrics["p50_ms"]
    assert p50.value == 10.1
    assert p50.low < 10.0 < 10.4 < p50.high
    assert [run.metrics["p50_ms"] for run in found.runs] == [10.0, 10.4, 10.1]
    assert (found.n, found.window.seconds, len(found.rounds), found.processes) == (300, 3, 30, 3)
    assert [found.rounds[k].run for k in (0, 10, 29)] == [0, 1, 2]


def test_extremes_are_of_all_and_what_was_taken_once_stays() -> None:
    first = outcome(metrics={"min_ms": 9.0, "max_ms": 12.0, "accuracy": 0.9, "throughput_per_s": 100.0})
    others = [outcome(metrics={"min_ms": 8.0 + k, "max_ms": 11.0 + k, "throughput_per_s": 90.0}) for k in range(2)]
    found = merged(first, *others)
    values = {name: estimate.value for name, estimate in found.metrics.items()}
    assert values == {"p50_ms": 10, "min_ms": 8, "max_ms": 12, "accuracy": 0.9, "throughput_per_s": 90}
    assert found.metrics["throughput_per_s"].HasField("low")
    assert not found.metrics["min_ms"].HasField("low")


def test_a_metric_that_one_run_could_not_support_is_absent_with_its_reason() -> None:
    lacking = outcome()
    lacking.measured.measurements[0].metrics["p99_ms"].reason = "n=100 < 299"
    found = merged(outcome(metrics={"p99_ms": 12.0}), lacking, outcome(metrics={"p99_ms": 12.0}))
    assert not found.metrics["p99_ms"].HasField("value")
    assert found.metrics["p99_ms"].reason == "n=100 < 299"
    absent = merged(outcome(metrics={"energy": 12.0}), outcome(metrics={"energy": 12.0}), outcome())
    assert absent.metrics["energy"].reason == "in 2 of 3 runs only"


def test_a_void_run_is_kept_and_counts_for_nothing() -> None:
    found = merged(outcome(FLAG_KIND_PAUSED, p50_ms=99.0), *(outcome(index=k) for k in (1, 2, 3)))
    assert [bool(run.void_reason) for run in found.runs] == [True, False, False, False]
    assert found.metrics["p50_ms"].value == 10
    assert (found.n, found.processes) == (300, 4)
    assert kinds(found) == []


def test_a_disturbance_that_stays_is_told_once_with_how_often() -> None:
    found = merged(*[outcome(FLAG_KIND_PAUSED)] * 5)
    (flag,) = found.flags
    assert (flag.kind, flag.evidence) == (FLAG_KIND_PAUSED, "in 3 of 3 runs: seen")
    remarked = merged(outcome(), outcome(FLAG_KIND_BOUND_BY_LAUNCHES), outcome())
    assert [flag.evidence for flag in remarked.flags] == ["in 1 of 3 runs: seen"]


def test_what_is_true_of_the_engine_is_told_once() -> None:
    found = merged(outcome(FLAG_KIND_UNCHECKED), outcome(FLAG_KIND_UNCHECKED), outcome(FLAG_KIND_UNCHECKED))
    assert [(flag.kind, flag.evidence) for flag in found.flags] == [(FLAG_KIND_UNCHECKED, "seen")]


def test_what_a_run_says_of_its_own_median_matters_only_where_it_is_the_only_one() -> None:
    unsure = (FLAG_KIND_UNSTABLE, FLAG_KIND_TOO_FEW_SAMPLES)
    assert kinds(merged(*[outcome(*unsure)] * 3)) == []
    assert kinds(merged(outcome(*unsure))) == list(unsure)


def test_an_engine_that_could_not_keep_up_in_any_run_is_unstable() -> None:
    late = outcome()
    evidence = f"{CANNOT_KEEP_UP} 1000 Hz: an inference takes 2 ms, and 374 of 500 inputs were left"
    late.measured.measurements[0].flags.add(kind=FLAG_KIND_UNSTABLE, evidence=evidence)
    (flag,) = merged(outcome(), late, outcome()).flags
    assert (flag.kind, flag.evidence) == (FLAG_KIND_UNSTABLE, f"in 1 of 3 runs: {evidence}")


def test_runs_that_all_drift_are_unsteady() -> None:
    warming = [12.0] * 3 + [11.0] * 3 + [10.0] * 3
    assert kinds(merged(*[outcome(rounds=warming)] * 3)) == [FLAG_KIND_UNSTABLE]
    assert kinds(merged(outcome(rounds=warming), outcome(), outcome())) == []


@pytest.mark.parametrize(
    ("medians", "flagged"),
    [
        ((10.0, 10.1, 10.2, 10.1, 10.0), False),
        ((10.0, 11.0, 10.5, 9.5, 10.0), True),
        ((10.0, 10.4), False),
        ((10.0, 10.6), True),
    ],
)
def test_processes_that_differ_too_much_are_not_repeatable(medians: tuple[float, ...], flagged: bool) -> None:
    found = merged(*(outcome(p50_ms=value) for value in medians))
    assert (FLAG_KIND_NOT_REPEATABLE in kinds(found)) == flagged
    if flagged:
        assert "fresh processes: a repeat may differ by" in found.flags[0].evidence


def test_clocks_that_changed_between_runs_are_a_drift() -> None:
    low = [outcome(circumstances={"gpu_clocks": clock, "zero_copy": "off"}) for clock in ("free", "free", "locked")]
    found = merged(*low)
    assert kinds(found) == [FLAG_KIND_CLOCK_DRIFT]
    assert "gpu_clocks differs between runs: free and locked" in found.flags[0].evidence


def test_an_engine_that_is_wrong_once_is_wrong() -> None:
    found = merged(outcome(), outcome(), wrong())
    assert kinds(found) == [FLAG_KIND_WRONG_OUTPUT]
    assert (found.n, found.processes) == (0, 3)


def test_a_crash_of_a_later_run_is_the_attempts_and_a_time_limit_is_not() -> None:
    died = Outcome(failure=Failure(kind=FAILURE_KIND_CRASHED, message="died of SIGSEGV", phase="measure"))
    told = merge_runs([outcome(), outcome(), died])
    assert told.failure.message == "run 3 of this measurement: died of SIGSEGV"
    late = Outcome(
        failure=Failure(kind=FAILURE_KIND_TIME_LIMIT, message="late"), artifacts=[Artifact(name="log-3.txt")]
    )
    kept = merge_runs([outcome(), outcome(), late])
    assert len(kept.measured.measurements[0].runs) == 2
    assert [item.name for item in kept.artifacts] == ["log-3.txt"]


def test_a_build_is_done_once() -> None:
    assert isinstance(repetition_of(TaskSpec(build=BuildTask())), SingleRun)
    assert isinstance(repetition_of(TaskSpec(bench=BenchTask())), RepeatedRuns)
