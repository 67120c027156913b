"""What the tests promise when they are used: false alarms, coverage, power, and what each answer means."""

import math
from random import Random
from statistics import fmean

import pytest

from jetfleet.stats import holm, looks, power, welch
from jetfleet.stats.decision import Relation, relation


def test_holm_by_its_textbook_example() -> None:
    assert holm.adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm.adjusted([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm.adjusted([]) == []


def test_holm_keeps_the_chance_of_any_false_alarm() -> None:
    noise = Random(1)
    alarms = sum(min(holm.adjusted([noise.random() for _ in range(40)])) <= 0.05 for _ in range(4000))
    assert alarms / 4000 <= 0.06


def test_decisions_by_the_margin_and_swapped() -> None:
    assert relation(0.995, 1.005) is Relation.WITHIN
    assert relation(1.001, 1.005) is Relation.WITHIN
    assert relation(1.001, 1.02) is Relation.ABOVE
    assert relation(1 / 1.02, 1 / 1.001) is Relation.BELOW
    assert relation(0.98, 1.02) is Relation.UNDECIDED
    assert relation(0.98, 1.02, margin=0.05) is Relation.WITHIN


@pytest.mark.parametrize("at", [(5,), (5, 8, 12), (3, 5, 8, 12, 20)])
def test_a_false_alarm_at_any_look_is_as_rare_as_promised(at: tuple[int, ...]) -> None:
    """Without planned looks, five of them at 5 % each would find a difference in about 14 % of cases."""
    plan, noise, trials, alarms = looks.planned(*at), Random(2), 4000, 0
    for _ in range(trials):
        ratios = [math.exp(noise.gauss(0, 0.01)) for _ in range(at[-1])]
        alarms += any(outside_one(plan.interval(welch.paired_ratio(ratios[:n]), n=n, outside=0.05)) for n in at)
    assert 0.02 <= alarms / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def outside_one(interval: tuple[float, float]) -> bool:
    return not interval[0] <= 1 <= interval[1]


def test_a_look_pays_its_share_and_its_p_value_agrees_with_its_interval() -> None:
    plan, noise = looks.planned(3, 5, 8), Random(3)
    assert sum(plan.shares) == pytest.approx(1.0)
    assert [plan.share(n) for n in (2, 3, 4, 5, 8, 9)] == [0.25, 0.25, 0.25, 0.25, 0.5, 0.5]
    assert plan.is_planned(5)
    assert not plan.is_planned(4)
    for _ in range(200):
        n = noise.choice([3, 5, 8])
        found = welch.paired_ratio([math.exp(noise.gauss(0.02, 0.01)) for _ in range(n)])
        assert (plan.p_value(found, n=n) < 0.01) == outside_one(plan.interval(found, n=n, outside=0.01))


@pytest.mark.parametrize("freedom", [2.0, 4.0, 12.0, 60.0, math.inf])
def test_what_is_detectable_is_seen_in_four_of_five_cases(freedom: float) -> None:
    shift = power.detectable(freedom, outside=0.01)
    assert power.power(shift, freedom, outside=0.01) == pytest.approx(0.8, abs=1e-6)
    assert power.power(0, freedom, outside=0.01) == pytest.approx(0.01, abs=1e-9)


def test_the_power_that_is_claimed_is_the_power_that_is_there() -> None:
    noise, n, deviation, seen, trials = Random(4), 6, 0.01, 0, 4000
    claimed = fmean(
        welch.paired_ratio([math.exp(noise.gauss(0, deviation)) for _ in range(n)]).smallest(outside=0.05)
        for _ in range(400)
    )
    for _ in range(trials):
        found = welch.paired_ratio([math.exp(noise.gauss(math.log1p(claimed), deviation)) for _ in range(n)])
        seen += found.p_value() < 0.05
    assert seen / trials == pytest.approx(0.8, abs=0.06)


def test_how_many_values_it_takes() -> None:
    needed = power.values_needed(0.02, 0.01, outside=0.05)
    assert needed is not None
    error = 0.01 / math.sqrt(needed)
    assert power.power(0.02 / error, needed - 1, outside=0.05) >= 0.8
    fewer = 0.01 / math.sqrt(needed - 1)
    assert power.power(0.02 / fewer, needed - 2, outside=0.05) < 0.8
    sides = power.values_needed(0.02, 0.01, outside=0.05, samples=2)
    assert sides is not None
    assert sides > needed
    assert power.values_needed(1e-9, 1.0, outside=0.05) is None
    assert power.values_needed(0.0, 1.0, outside=0.05) is None


def test_drift_that_no_run_shows_widens_the_interval_and_brings_its_own_freedom() -> None:
    above, below = welch.log_mean([1.0, 1.01, 0.99, 1.0]), welch.log_mean([1.0, 1.01, 0.99, 1.0])
    alone = welch.ratio(above, below)
    drifting = welch.ratio(above, below, more=[welch.Variance(2 * 0.02**2, 4)])
    assert drifting.standard_error == pytest.approx(math.hypot(alone.standard_error, 0.02 * math.sqrt(2)))
    assert 4 <= drifting.freedom < 6
    known = welch.ratio(above, below, more=[welch.Variance(2 * 0.02**2, math.inf)])
    assert known.interval()[1] < drifting.interval()[1]


def test_values_that_do_not_vary_have_an_interval_without_width() -> None:
    same = welch.ratio(welch.log_mean([2.0] * 3), welch.log_mean([1.0] * 3))
    assert same.interval() == pytest.approx((2.0, 2.0))
    assert same.p_value() == 0.0
    assert welch.ratio(welch.log_mean([1.0] * 3), welch.log_mean([1.0] * 3)).p_value() == 1.0
