"""What a gate has run in turns: bounded in time, asked the gate's own question, and nothing of it lost silently."""

from dataclasses import replace

import pytest

from benchmarks.work import simulated_spec
from controller.api.in_turns import not_timed, pair_specs
from controller.model.interleaved import RegressionLimit
from controller.model.job import JobSpec, Limits
from controller.model.task import Failure, FailureKind, TaskKind, TaskState
from testing.views import job, task

LIMITS = (RegressionLimit("p50_ms", 0.03), RegressionLimit("p99_ms", 0.05))


def paired(candidate: JobSpec) -> JobSpec:
    return pair_specs(simulated_spec("base"), candidate, ("one", "two"), LIMITS)


def test_processes_are_run_for_the_limits_of_the_gate_and_all_its_cells_share_one_chance() -> None:
    measure = paired(simulated_spec("candidate")).measure
    assert measure.max_regression == LIMITS
    assert 1 - measure.confidence == pytest.approx(0.01 / (2 * len(LIMITS)))


def test_a_gate_ends_whatever_becomes_of_its_boards() -> None:
    spec = simulated_spec("candidate")
    unbounded = replace(spec, limits=Limits(build_s=100, bench_s=60))
    assert paired(unbounded).limits.deadline_s is not None
    assert paired(replace(spec, limits=Limits(build_s=100, bench_s=60, deadline_s=90))).limits.deadline_s == 90


def test_what_was_not_timed_is_told_with_its_reason() -> None:
    done = task(id=1, state=TaskState.SUCCEEDED)
    failed = task(id=2, state=TaskState.FAILED, failure=Failure(FailureKind.OUT_OF_MEMORY, "no memory for both"))
    build = task(id=3, kind=TaskKind.BUILD, state=TaskState.FAILED, failure=Failure(FailureKind.BUILD_REFUSED, "no"))
    skipped = task(id=4, state=TaskState.SKIPPED, device="bench-2", because_of_task=3)
    late = task(id=5, state=TaskState.TIMED_OUT)
    told = list(not_timed(job(done, failed, build, skipped, late)))
    assert [text.rpartition(": ")[2] for text in told[:2]] == ["no memory for both", "no"]
    assert "timed out" in told[2]
    assert len(told) == 3
