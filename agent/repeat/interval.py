"""What a repeat of a BENCH would print: the interval that goes with a number which is the median of several runs' (ADR
0019). Pure.

A value is what one fresh process found. Logarithms, because what disturbs a latency multiplies it.
"""

import math
from collections.abc import Sequence
from statistics import fmean, median, variance

from jetfleet.stats.student import point

CONFIDENCE = 0.95


def typical(values: Sequence[float]) -> float:
    """The median; of an even number of values the mean of the middle two."""
    return median(values)


def repeat_interval(values: Sequence[float], *, learnt_from: int) -> tuple[float, float] | None:
    """Where the median of as many other runs lies with 95 %; None of a single value.

    The variance is of the first `learnt_from` values alone: they were decided on before anything was seen. Then how
    many more there are may depend on it, and the interval is still exact (Stein, A Two-Sample Test for a Linear
    Hypothesis Whose Power is Independent of the Variance, Annals of Mathematical Statistics 16 (1945)).
    """
    first = values[:learnt_from]
    if len(first) < 2:
        return None
    if min(values) > 0:
        low, high = _interval([math.log(value) for value in values], [math.log(value) for value in first])
        low, high = math.exp(low), math.exp(high)
    else:  # a difference of two clocks
        low, high = _interval(values, first)
    middle = typical(values)
    return min(middle, low), max(middle, high)  # the mean may lie far from the median


def _interval(values: Sequence[float], first: Sequence[float]) -> tuple[float, float]:
    half = reach(len(values), freedom=len(first) - 1) * math.sqrt(variance(first))
    return fmean(values) - half, fmean(values) + half


def reach(runs: int, *, freedom: int) -> float:
    """Half the width of the interval in standard deviations of a run: of this mean, and of a median still to come."""
    return point(1 - CONFIDENCE, freedom) * math.sqrt((1 + _median_excess(runs)) / runs)


def runs_for(half_width: float, deviation: float, *, freedom: int) -> int:
    """The fewest runs from which the interval is no wider to either side than `half_width`."""
    half_width = math.log1p(half_width)
    runs = freedom + 1
    while runs < _MOST and reach(runs, freedom=freedom) * deviation > half_width:
        runs += 1
    return runs


_MOST = 10_000


def _median_excess(runs: int) -> float:
    """The variance of a median of so many normal values, over that of their mean: from 1 to pi / 2.

    Within 2 % of the exact one for odd numbers, above it for even ones. Kendall and Stuart, The Advanced Theory of
    Statistics, volume 1, section 14.
    """
    return math.pi * runs / (2 * (runs - 1) + math.pi)
