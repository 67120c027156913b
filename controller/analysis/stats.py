"""The interval of a ratio of medians, by bootstrap over rounds. Knows numbers only: no rows, no devices.

Nothing is drawn at random: the bootstrap distribution of a median is known in closed form, so the interval is the one
that endless resampling would give, the same on every run, in milliseconds and without numpy.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from statistics import NormalDist

from jetfleet.stats.percentiles import CONFIDENCE, binomial_weight
from jetfleet.stats.student import point

MIN_ROUNDS = 5  # fewer blocks than this, and a bootstrap over them says nothing
_NEGLIGIBLE = 1e-9
_NORMAL = NormalDist()


def median(values: Sequence[float]) -> float:
    """By nearest rank: always one of the values."""
    return sorted(values)[_rank(len(values)) - 1]


def ratio_interval(candidate: Sequence[float], baseline: Sequence[float]) -> tuple[float, float] | None:
    """95 % interval of median(candidate) / median(baseline); None where either has fewer than MIN_ROUNDS values.

    The values are medians of rounds: a round is a block, so that what is correlated inside it stays together. With few
    blocks the percentile interval is too short, hence its probabilities are expanded as if by Student's t: Hesterberg,
    What Teachers Should Know About the Bootstrap, The American Statistician 69 (2015), section 3.3.
    """
    fewest = min(len(candidate), len(baseline))
    if fewest < MIN_ROUNDS or min(*candidate, *baseline) <= 0:
        return None
    below = resampled_medians(baseline)
    pairs = sorted(
        (above / under, weight * share)
        for above, weight in resampled_medians(candidate)
        for under, share in below
        if weight * share > _NEGLIGIBLE
    )
    tail = _expanded_tail(fewest)
    return _quantile(pairs, tail), _quantile(pairs, 1 - tail)


def resampled_medians(values: Sequence[float]) -> list[tuple[float, float]]:
    """Every value that the median of a resample can take, ascending, with its probability.

    Efron, Bootstrap Methods: Another Look at the Jackknife, The Annals of Statistics 7 (1979), section 3.
    """
    weights = _weights(len(values))
    return [(value, weight) for value, weight in zip(sorted(values), weights, strict=True) if weight > _NEGLIGIBLE]


@lru_cache(maxsize=256)
def _weights(n: int) -> tuple[float, ...]:
    """P(the median of n draws with replacement is the k-th smallest of n values), for k = 1 .. n."""
    at_most = [_at_least(_rank(n), n, k / n) for k in range(n + 1)]
    return tuple(here - before for before, here in pairwise(at_most))


def _at_least(successes: int, trials: int, probability: float) -> float:
    """P(B >= successes) for B ~ Binomial(trials, probability)."""
    if probability in (0.0, 1.0):
        return probability
    return math.fsum(binomial_weight(k, trials, probability) for k in range(successes, trials + 1))


def _rank(n: int) -> int:
    return math.ceil(n / 2)


def _quantile(weighted: Sequence[tuple[float, float]], probability: float) -> float:
    """Of ascending values with weights that sum to nearly 1."""
    totals = list(accumulate(weight for _, weight in weighted))
    return weighted[bisect_left(totals, probability * totals[-1])][0]


def _expanded_tail(count: int) -> float:
    return _NORMAL.cdf(-math.sqrt(count / (count - 1)) * point(1 - CONFIDENCE, count - 1))
