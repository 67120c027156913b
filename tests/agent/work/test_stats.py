"""Percentiles against brute force; intervals against what they promise, on independent and on correlated samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.work import stats
from jetfleet.stats.percentiles import rank, samples_needed

latencies = st.lists(st.floats(0.001, 1e4), min_size=1, max_size=200)


def ar1(random: np.random.Generator, n: int, phi: float) -> NDArray[np.float64]:
    """Correlated latencies with median 10: what real samples look like."""
    noise = random.standard_normal(n)
    for index in range(1, n):
        noise[index] = phi * noise[index - 1] + np.sqrt(1 - phi**2) * noise[index]
    return 10 + noise


@given(latencies, st.integers(1, 100))
def test_nearest_rank_is_the_smallest_sample_with_enough_at_or_below(values: list[float], percent: int) -> None:
    ordered = np.sort(np.array(values))
    found = stats.nearest_rank(ordered, percent / 100)
    enough = [value for value in ordered if 100 * int(np.sum(ordered <= value)) >= percent * len(ordered)]
    assert found == min(enough)


@given(st.integers(1, 10_000), st.integers(1, 100))
def test_rank_is_exact_where_floats_are_not(n: int, percent: int) -> None:
    assert rank(n, percent / 100) == -(-n * percent // 100)


@pytest.mark.parametrize(("share", "needed"), [(0.99, 368), (0.90, 36), (0.5, 6), (0.999, 3688), (0.01, 368)])
def test_samples_needed_is_where_both_tails_fit(share: float, needed: int) -> None:
    assert samples_needed(share) == needed
    assert max(share, 1 - share) ** needed <= 0.025 < max(share, 1 - share) ** (needed - 1)


@pytest.mark.parametrize("share", [0.9, 0.99])
def test_a_tail_interval_exists_exactly_from_the_samples_needed_on(share: float) -> None:
    needed = samples_needed(share)
    ordered = np.arange(float(needed))
    assert stats.tail_interval(ordered, share, needed) is not None
    assert stats.tail_interval(ordered[:-1], share, needed - 1) is None
    assert stats.tail_interval(ordered, share, needed - 0.5) is None


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_effective_size_is_that_of_the_indicator_series(phi: float) -> None:
    """For the median of a Gaussian AR(1), the indicator's autocorrelation is 2/pi * arcsin(phi^k)."""
    n = 20_000
    lags = 2 / np.pi * np.arcsin(phi ** np.arange(1, 500))
    expected = n / (1 + 2 * lags.sum())
    found = stats.effective_size(ar1(np.random.default_rng(1), n, phi), 10.0)
    assert found == pytest.approx(expected, rel=0.15)


def test_effective_size_of_samples_that_do_not_vary_is_their_number() -> None:
    assert stats.effective_size(np.ones(50), 1.0) == 50


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_p90_intervals_cover_what_they_promise(phi: float) -> None:
    random, truth, hits, runs = np.random.default_rng(2), 10 + 1.2815515655, 0, 200
    for _ in range(runs):
        samples = ar1(random, 2000, phi)
        ordered = np.sort(samples)
        effective = stats.effective_size(samples, stats.nearest_rank(ordered, 0.9))
        interval = stats.tail_interval(ordered, 0.9, effective)
        assert interval is not None
        hits += interval[0] <= truth <= interval[1]
    assert hits / runs >= 0.90


@pytest.mark.parametrize(("phi", "rounds"), [(0.0, 10), (0.5, 10), (0.9, 20), (0.0, 5)])
def test_p50_intervals_cover_what_they_promise(phi: float, rounds: int) -> None:
    random, hits, runs = np.random.default_rng(3), 0, 200
    for _ in range(runs):
        interval = stats.median_interval(np.split(ar1(random, 100 * rounds, phi), rounds), replicates=400)
        assert interval is not None
        hits += interval[0] <= 10.0 <= interval[1]
    assert hits / runs >= 0.90


@given(st.lists(st.lists(st.floats(1, 100), min_size=5, max_size=9), min_size=5, max_size=9), st.integers(0, 3))
def test_a_p50_interval_lies_between_the_rounds_medians_and_is_repeatable(blocks: list[list[float]], seed: int) -> None:
    rounds = [np.array(block) for block in blocks]
    medians = [stats.nearest_rank(np.sort(block), 0.5) for block in rounds]
    interval = stats.median_interval(rounds, replicates=100, seed=seed)
    assert interval is not None
    assert min(medians) <= interval[0] <= interval[1] <= max(medians)
    assert interval == stats.median_interval(rounds, replicates=100, seed=seed)


def test_four_rounds_have_no_interval() -> None:
    assert stats.median_interval([np.ones(10)] * 4) is None


def test_drift_compares_the_last_third_with_the_first() -> None:
    assert stats.drift([1.0, 1.0, 5.0, 1.1, 1.1, 1.1]) == pytest.approx(0.1)
    assert stats.drift([2.0] * 9) == 0
    assert stats.drift([1.0, 2.0]) is None
