"""The house's statistics against SciPy's, and percentiles against NumPy's, on a thousand random cases each."""

import math
from random import Random

import numpy as np
import pytest
from scipy import special, stats

from jetfleet.stats import beta, percentiles, power, proportions, student, welch

CASES = 1000


def freedom(noise: Random) -> float:
    return math.exp(noise.uniform(0, math.log(5000)))


def test_the_incomplete_beta_function() -> None:
    noise = Random(1)
    for _ in range(CASES):
        x, a, b = noise.random(), math.exp(noise.uniform(-2, 7)), math.exp(noise.uniform(-2, 7))
        assert beta.incomplete_beta(x, a, b) == pytest.approx(special.betainc(a, b, x), rel=1e-9, abs=1e-250)


def test_students_t_and_its_tail() -> None:
    noise = Random(2)
    for _ in range(CASES):
        t, df = noise.gauss(0, 1) * math.exp(noise.uniform(-8, 3)), freedom(noise)
        assert student.cdf(t, df) == pytest.approx(stats.t.cdf(t, df), rel=1e-9)
        assert student.beyond(t, df) == pytest.approx(stats.t.sf(t, df), rel=1e-8, abs=1e-290)


def test_quantiles_of_students_t() -> None:
    noise = Random(3)
    for _ in range(CASES):
        share, df = math.exp(noise.uniform(math.log(1e-8), 0)) / 2, freedom(noise)
        for probability in (share, 1 - share):
            assert student.quantile(probability, df) == pytest.approx(stats.t.ppf(probability, df), rel=1e-7)
    assert student.quantile(0.5, 3) == 0
    assert student.point(0.05, math.inf) == pytest.approx(1.959964)


def test_the_power_of_a_t_test() -> None:
    noise = Random(4)
    for _ in range(CASES):
        shift, df = noise.uniform(0, 8), math.exp(noise.uniform(0, math.log(300)))
        outside = math.exp(noise.uniform(math.log(0.001), math.log(0.2)))
        bound = stats.t.isf(outside / 2, df)
        wrong_side = stats.nct.cdf(-bound, df, shift)  # not a number where it is next to nothing
        exact = stats.nct.sf(bound, df, shift) + np.nan_to_num(wrong_side)
        assert power.power(shift, df, outside=outside) == pytest.approx(exact, abs=1e-7)


def test_welchs_interval_and_test() -> None:
    noise = Random(5)
    for _ in range(CASES):
        above = [noise.lognormvariate(1, noise.uniform(0.001, 0.3)) for _ in range(noise.randint(2, 20))]
        below = [noise.lognormvariate(1, noise.uniform(0.001, 0.3)) for _ in range(noise.randint(2, 20))]
        found = welch.ratio(welch.log_mean(above), welch.log_mean(below))
        exact = stats.ttest_ind(np.log(above), np.log(below), equal_var=False)
        confidence = noise.choice([0.9, 0.95, 0.99])
        interval = exact.confidence_interval(confidence)
        assert found.freedom == pytest.approx(exact.df)
        assert found.p_value() == pytest.approx(exact.pvalue, rel=1e-6)
        assert found.interval(confidence) == pytest.approx((math.exp(interval.low), math.exp(interval.high)), rel=1e-7)


def test_intervals_of_one_series_of_runs() -> None:
    noise = Random(6)
    for _ in range(CASES):
        values = [noise.lognormvariate(2, noise.uniform(0.001, 0.3)) for _ in range(noise.randint(3, 20))]
        exact = stats.ttest_1samp(np.log(values), 0).confidence_interval(0.95)
        assert welch.median_interval(values) == pytest.approx((math.exp(exact.low), math.exp(exact.high)), rel=1e-7)
    assert welch.median_interval([1.0, 2.0]) is None
    assert welch.median_interval([1.0, 0.0, 2.0]) is None


def test_percentiles_are_numpys() -> None:
    noise = np.random.default_rng(7)
    for _ in range(CASES):
        values = np.sort(noise.lognormal(size=int(noise.integers(1, 500))))
        percent = int(noise.integers(1, 101))
        # A hair below, because NumPy takes 28 % of 175 for more than 49.
        exact = np.percentile(values, percent - 1e-9, method="inverted_cdf")
        assert percentiles.nearest_rank(values.tolist(), percent / 100) == exact


def test_order_statistics_are_the_binomials() -> None:
    noise = Random(8)
    for _ in range(CASES):
        trials, share = noise.randint(1, 3000), noise.choice([0.01, 0.5, 0.9, 0.95, 0.99])
        for probability in (0.025, 0.975):
            found = percentiles.binomial_quantile(trials, share, probability)
            assert found == stats.binom.ppf(probability, trials, share)
        ranks = percentiles.interval_ranks(trials, share)
        assert (ranks is not None) == (trials >= percentiles.samples_needed(share))
        if ranks:
            covered = stats.binom.cdf(ranks[1] - 1, trials, share) - stats.binom.cdf(ranks[0] - 1, trials, share)
            assert covered >= 0.95


def test_shares_and_their_differences() -> None:
    noise = Random(9)
    for _ in range(CASES):
        n, m = noise.randint(1, 2000), noise.randint(1, 2000)
        above, below = noise.randint(0, n), noise.randint(0, m)
        first, second = proportions.Proportion(above / n, n), proportions.Proportion(below / m, m)
        exact = stats.binomtest(above, n).proportion_ci(0.95, method="wilson")
        assert first.interval() == pytest.approx((exact.low, exact.high), abs=1e-9)
        low, high = proportions.difference_interval(first, second)
        assert low - 1e-12 <= above / n - below / m <= high + 1e-12
        if 0 < above + below < n + m:
            table = np.array([[above, n - above], [below, m - below]])
            chi = stats.chi2_contingency(table, correction=False)
            assert proportions.p_value(first, second) == pytest.approx(chi.pvalue, rel=1e-6, abs=1e-12)
    # Newcombe (1998), table II, case (a): 56/70 and 48/80, by method 10.
    found = proportions.difference_interval(proportions.Proportion(56 / 70, 70), proportions.Proportion(48 / 80, 80))
    assert found == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert proportions.p_value(proportions.Proportion(1.0, 9), proportions.Proportion(1.0, 5)) == 1.0
