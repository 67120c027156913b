"""Student's t: exact to about ten digits for any positive number of degrees of freedom, fractions and infinity too."""

import math
from functools import lru_cache
from statistics import NormalDist

from jetfleet.stats.beta import incomplete_beta

_NORMAL = NormalDist()
_PRECISION = 1e-12
_MOST_STEPS = 200


def cdf(t: float, freedom: float) -> float:
    """P(T <= t)."""
    return beyond(-t, freedom) if t < 0 else 1.0 - beyond(t, freedom)


def beyond(t: float, freedom: float) -> float:
    """P(T > t), precise in the far tail too. NIST/SEMATECH e-Handbook 1.3.6.6.4; Abramowitz and Stegun 26.7.1."""
    if t < 0:
        return 1.0 - beyond(-t, freedom)
    if math.isinf(freedom):
        return math.erfc(t / math.sqrt(2)) / 2
    square = t * t
    if square < 1:  # the other form would take the difference of 1 and nearly 1
        return 0.5 - incomplete_beta(square / (freedom + square), 0.5, freedom / 2) / 2
    return incomplete_beta(freedom / (freedom + square), freedom / 2, 0.5) / 2


def two_sided(t: float, freedom: float) -> float:
    """P(abs(T) > abs(t)): the p-value of a two-sided test."""
    return 2.0 * beyond(abs(t), freedom)


def quantile(probability: float, freedom: float) -> float:
    """The t with P(T <= t) = probability, 0 < probability < 1."""
    if probability < 0.5:
        return -point(2 * probability, freedom)
    return point(2 * (1 - probability), freedom)


@lru_cache(maxsize=4096)
def point(outside: float, freedom: float) -> float:
    """The t >= 0 with P(abs(T) > t) = outside, 0 < outside <= 1: half the width of an interval, in standard errors."""
    if outside >= 1.0:
        return 0.0
    if math.isinf(freedom):
        return -_NORMAL.inv_cdf(outside / 2)
    low, high = 0.0, max(1.0, _near(outside, freedom))
    start = high
    while two_sided(high, freedom) > outside:
        low, high = high, high * 2.0
    return _solved(outside, freedom, low=low, high=high, start=start)


def _near(outside: float, freedom: float) -> float:
    """Cornish and Fisher's expansion about the normal: Abramowitz and Stegun 26.7.5. Good for much freedom only."""
    z = -_NORMAL.inv_cdf(outside / 2)
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def _solved(outside: float, freedom: float, *, low: float, high: float, start: float) -> float:
    """Newton's method, and halving where it would leave the bracket."""
    t = start
    for _ in range(_MOST_STEPS):
        excess = two_sided(t, freedom) - outside
        low, high = (t, high) if excess > 0 else (low, t)
        following = t + excess / (2 * density(t, freedom))
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - t) <= _PRECISION * following:
            return following
        t = following
    return t


def density(t: float, freedom: float) -> float:
    """Of a finite number of degrees of freedom."""
    log_scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(freedom * math.pi) / 2
    return math.exp(log_scale - (freedom + 1) / 2 * math.log1p(t * t / freedom))
