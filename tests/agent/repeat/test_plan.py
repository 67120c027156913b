"""How many runs there are: by cost, by spread, by what the limit leaves, and never by what they found."""

import math
from collections.abc import Sequence

import pytest

from agent.repeat.fate import decide_fates, final_fates
from agent.repeat.plan import RunPlan, planned_runs, useful_window_s
from jetfleet.v1.task_pb2 import (
    FLAG_KIND_INTERFERED,
    FLAG_KIND_PAUSED,
    FLAG_KIND_UNSTABLE,
    Failure,
    FlagKind,
    Measurement,
    Outcome,
)
from tests.agent.repeat.outcomes import outcome, wrong


def more(outcomes: Sequence[Outcome], *, asked: int = 0, each_s: float = 2.0, left_s: float = 600.0) -> bool:
    return RunPlan(asked).wants_another(outcomes, spent_s=each_s * len(outcomes), left_s=left_s)


@pytest.mark.parametrize(
    ("asked", "cost_s", "runs"),
    [(0, 0.5, 5), (0, 12.0, 5), (0, 13.0, 3), (0, 60.0, 3), (0, 61.0, 1), (7, 500.0, 7), (1, 0.1, 1)],
)
def test_slow_ones_get_fewer(asked: int, cost_s: float, runs: int) -> None:
    assert planned_runs(asked, cost_s) == runs


def test_five_that_agree_are_enough() -> None:
    alike = [outcome(p50_ms=10 + 0.01 * k) for k in range(5)]
    assert [more(alike[:count]) for count in range(1, 6)] == [True, True, True, True, False]


def test_where_they_differ_more_are_run_while_time_is_left() -> None:
    unlike = [outcome(p50_ms=10 + 0.2 * k) for k in range(5)]
    assert more(unlike, each_s=2.0)
    assert not more(unlike, each_s=2.5)  # a default measurement does not outlast fifteen seconds for that
    assert not more(unlike, asked=5)


def test_none_is_begun_that_would_not_end_in_time() -> None:
    assert more([outcome()], each_s=10.0, left_s=15.0)
    assert not more([outcome()], each_s=10.0, left_s=14.0)


def test_a_failure_or_a_wrong_engine_ends_it() -> None:
    assert not more([outcome(), Outcome(failure=Failure(message="died"))])
    assert not more([wrong()])


@pytest.mark.parametrize("kind", [FLAG_KIND_PAUSED, FLAG_KIND_INTERFERED])
def test_a_disturbed_run_is_replaced_twice_at_most(kind: "FlagKind.ValueType") -> None:
    disturbed = outcome(kind, p50_ms=9.0)
    assert more([disturbed], asked=1)
    assert not more([disturbed, outcome()], asked=1)
    assert more([disturbed, disturbed], asked=1)
    assert not more([disturbed, disturbed, disturbed], asked=1)
    fates = decide_fates([disturbed, outcome(), disturbed, disturbed])
    assert [fate.counts for fate in fates] == [False, True, False, True]
    assert [fate.counts for fate in final_fates([disturbed, disturbed])] == [False, True]
    assert [fate.counts for fate in final_fates([disturbed])] == [True]
    assert fates[0].void_reason.endswith(": seen")


def test_an_unsteady_run_is_no_reason_to_drop_it() -> None:
    assert [fate.counts for fate in decide_fates([outcome(FLAG_KIND_UNSTABLE)])] == [True]


def test_the_window_follows_cost_and_variance() -> None:
    """Kalibera and Jones: sqrt of (cost of a run / cost of a round * variance of rounds / variance of runs) rounds."""
    noisy_rounds = [run_of(10.0 * math.exp(0.001 * k), spread=0.05) for k in range(5)]
    noisy_runs = [run_of(10.0 * math.exp(0.05 * k), spread=0.01) for k in range(5)]
    assert useful_window_s(noisy_rounds) == math.inf
    assert 0 < useful_window_s(noisy_runs) < 0.5
    slow_start = [run_of(10.0 * math.exp(0.05 * k), spread=0.01, load_s=16.0) for k in range(5)]
    assert useful_window_s(slow_start) == pytest.approx(4 * useful_window_s(noisy_runs), rel=1e-6)


def run_of(p50_ms: float, *, spread: float, load_s: float = 1.0) -> Measurement:
    medians = [p50_ms * math.exp(spread * (-1) ** k) for k in range(10)]
    return outcome(p50_ms=p50_ms, rounds=medians, load_s=load_s).measured.measurements[0]
