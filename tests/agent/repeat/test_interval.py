"""The interval of a number that several runs found: as Student's t says, and as often right as it claims."""

import math
import random

import numpy as np
import pytest
from scipy import stats

from agent.repeat.interval import reach, repeat_interval, runs_for, typical
from benchmarks.coverage import RUNS_ALONE, Machine, coverage


@pytest.mark.parametrize("seed", range(50))
def test_it_is_a_prediction_interval_of_the_next_median(seed: int) -> None:
    """Of five runs: t with four degrees of freedom, of a mean and of a median that is still to come."""
    values = [10 * math.exp(random.Random(seed + k).gauss(0, 0.02)) for k in range(0, 500, 100)]
    logs = np.log(values)
    excess = math.pi * 5 / (2 * 4 + math.pi)
    half = stats.t.ppf(0.975, 4) * logs.std(ddof=1) * math.sqrt((1 + excess) / 5)
    found = repeat_interval(values, learnt_from=5)
    assert found == pytest.approx((math.exp(logs.mean() - half), math.exp(logs.mean() + half)))


def test_the_variance_of_a_median_is_nearly_exact() -> None:
    random_ = np.random.default_rng(0)
    for runs in (3, 5, 7, 9):
        drawn = random_.standard_normal((200_000, runs))
        exact = np.median(drawn, axis=1).var() * runs
        assert math.pi * runs / (2 * (runs - 1) + math.pi) == pytest.approx(exact, rel=0.03)


def test_it_holds_the_median_however_far_the_mean_is() -> None:
    values = [10.0] * 9 + [90.0]
    low, high = repeat_interval(values, learnt_from=5) or (0, 0)
    assert low <= typical(values) <= high
    assert repeat_interval([2.0, 2.0, 2.0], learnt_from=5) == (2.0, 2.0)


def test_one_value_has_none_and_two_have_a_wide_one() -> None:
    assert repeat_interval([10.0], learnt_from=5) is None
    low, high = repeat_interval([10.0, 10.1], learnt_from=5) or (0, 0)
    assert low < 9.2
    assert high > 10.9


def test_a_difference_of_two_clocks_may_be_below_zero() -> None:
    low, high = repeat_interval([-0.1, 0.0, 0.1], learnt_from=5) or (0, 0)
    assert low == -high < -0.2


def test_more_runs_narrow_it_by_the_variance_of_the_first_ones() -> None:
    assert runs_for(0.01, 0.001, freedom=4) == 5
    wanted = runs_for(0.01, 0.01, freedom=4)
    assert reach(wanted, freedom=4) * 0.01 <= math.log1p(0.01) < reach(wanted - 1, freedom=4) * 0.01


@pytest.mark.parametrize(
    "machine",
    [
        Machine(within=0.02, between=0.003, correlation=0.9),
        Machine(within=0.02, between=0.01, correlation=0.0),
        Machine(within=0.02, between=0.05, correlation=0.5),
    ],
    ids=str,
)
def test_it_holds_what_the_same_measurement_prints_again(machine: Machine) -> None:
    """With the rule that decides how many runs there are; benchmarks/coverage.py has more machines and more of each."""
    found = coverage(machine, RUNS_ALONE, pairs=1500, seed=1)
    assert 0.93 <= found.covered <= 0.97
    assert found.disjoint <= 0.01


def test_an_interval_of_pooled_samples_would_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: a reach of a standard error that knows nothing of a repeat covers far less."""
    monkeypatch.setattr("agent.repeat.interval._median_excess", lambda runs: -0.9)
    assert coverage(Machine(within=0.02, between=0.01, correlation=0.0), RUNS_ALONE, pairs=500, seed=1).covered < 0.8
