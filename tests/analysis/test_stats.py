"""The exact bootstrap against a resampled one, its coverage, and where it declines."""

import random

import pytest

from controller.analysis import stats


def test_the_weights_are_what_resampling_finds() -> None:
    noise = random.Random(1)
    values = [3.0, 1.0, 2.0, 5.0, 4.0, 9.0]
    drawn = [stats.median(noise.choices(values, k=6)) for _ in range(20_000)]
    for value, weight in stats.resampled_medians(values):
        assert drawn.count(value) / len(drawn) == pytest.approx(weight, abs=0.01)
    assert sum(weight for _, weight in stats.resampled_medians(values)) == pytest.approx(1.0)


@pytest.mark.parametrize("count", [5, 10, 40])
def test_the_interval_holds_the_truth_at_least_as_often_as_it_says(count: int) -> None:
    noise = random.Random(count)
    held = 0
    for _ in range(400):
        above = [noise.gauss(12, 0.1) for _ in range(count)]
        below = [noise.gauss(10, 0.1) for _ in range(count)]
        interval = stats.ratio_interval(above, below)
        assert interval is not None
        held += interval[0] <= 1.2 <= interval[1]
    assert held / 400 >= 0.94


def test_it_is_the_same_every_time_and_swaps_with_its_arguments() -> None:
    above, below = [10.0, 10.2, 9.9, 10.1, 10.4, 10.3], [5.0, 5.1, 4.9, 5.2, 5.05]
    found, swapped = stats.ratio_interval(above, below), stats.ratio_interval(below, above)
    assert found == stats.ratio_interval(above, below)
    assert found is not None
    assert swapped is not None
    assert swapped == pytest.approx((1 / found[1], 1 / found[0]))


def test_too_few_rounds_have_no_interval() -> None:
    assert stats.ratio_interval([1.0] * 4, [1.0] * 10) is None
    assert stats.ratio_interval([1.0] * 5, [1.0] * 5) == (1.0, 1.0)
    assert stats.ratio_interval([1.0] * 5, [0.0] * 5) is None
    assert stats.ratio_interval([], [1.0] * 5) is None
