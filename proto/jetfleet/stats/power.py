"""What a t test can see: its power, the smallest difference it would have seen, how many values it would take."""

import math
from functools import lru_cache

from jetfleet.stats.student import point

POWER = 0.8  # the usual meaning of "could have seen" (Cohen, Statistical Power Analysis, section 2.4)
_FEWEST_STEPS = 240
_LONGEST_STEP = 0.06
_NEGLIGIBLE = 40.0  # exp(-40): below what a double adds to the sum
_MOST_STEPS = 100
_PRECISION = 1e-7
_CAUTION_STEP = 0.05


def likely_deviation(deviation: float, freedom: float) -> float:
    """What is as likely above as below the true deviation. The estimated one of few values is mostly below it, and what
    is claimed by it too much: 13 % of four values, by Wilson and Hilferty's median of chi squared.
    """
    return deviation / math.pow(1 - 2 / (9 * max(1.0, freedom)), 1.5)


def power(noncentrality: float, freedom: float, *, outside: float, caution: float = 1.0) -> float:
    """P(a two-sided test at level `outside` rejects) where the true difference is `noncentrality` standard errors.

    `caution`: the test reckons with standard errors so many times the true ones.
    """
    bound = point(outside, freedom) * caution
    shift = abs(noncentrality)
    if math.isinf(freedom):
        return _normal(shift - bound) + _normal(-shift - bound)
    return 1.0 - _noncentral(bound, freedom, shift) + _noncentral(-bound, freedom, shift)


def _noncentral(t: float, freedom: float, shift: float) -> float:
    """P(T <= t) of the noncentral t: the mean of Phi(t * s - shift) over s = sqrt(chi squared / freedom).

    The trapezoidal rule over log s, where the density falls so fast on both sides that it is exact to many digits
    (Trefethen and Weideman, The Exponentially Convergent Trapezoidal Rule, SIAM Review 56 (2014)).
    """
    low, high = _reach(freedom)
    steps = max(_FEWEST_STEPS, math.ceil((high - low) / _LONGEST_STEP))
    step = (high - low) / steps
    total = weights = 0.0
    for index in range(steps + 1):
        log_s = low + index * step
        weight = math.exp(-_depth(log_s, freedom))
        weights += weight
        total += weight * _normal(t * math.exp(log_s) - shift)
    return total / weights


def _depth(log_s: float, freedom: float) -> float:
    """How far below its peak, at s = 1, the logarithm of the density of log s is."""
    return freedom * (math.expm1(2 * log_s) / 2 - log_s)


@lru_cache(maxsize=1024)
def _reach(freedom: float) -> tuple[float, float]:
    """Where the density is negligible, left and right of its peak."""
    ends = []
    for sign in (-1.0, 1.0):
        end = sign * 1e-3
        while _depth(end, freedom) < _NEGLIGIBLE:
            end *= 1.25
        ends.append(end)
    return ends[0], ends[1]


@lru_cache(maxsize=4096)
def detectable(freedom: float, *, outside: float, wanted: float = POWER, caution: float = 1.0) -> float:
    """How many standard errors a true difference must be for the test to see it in `wanted` of cases."""

    def excess(shift: float) -> float:
        return power(shift, freedom, outside=outside, caution=caution) - wanted

    low, below = 0.0, excess(0.0)
    # Nearly there, where there is much freedom.
    high = caution * point(outside, freedom) + point(2 * (1 - wanted), freedom)
    while (above := excess(high)) < 0:
        low, below, high = high, above, high * 1.5
    for _ in range(_MOST_STEPS):
        # False position, halved at the end that stays (the Illinois method), so that it never leaves the bracket.
        middle = (low * above - high * below) / (above - below)
        found = excess(middle)
        if abs(found) < _PRECISION:
            return middle
        if found < 0:
            low, below, above = middle, found, above / 2
        else:
            high, above, below = middle, found, below / 2
    return high


def smallest_difference(
    standard_error: float, freedom: float, *, outside: float, wanted: float = POWER, caution: float = 1.0
) -> float:
    """On the scale of the standard error, which is the test's. Freedom and caution are rounded: equal ones are asked
    once.
    """
    likely = likely_deviation(standard_error, freedom) / caution
    steps = round(caution / _CAUTION_STEP)
    return detectable(_rounded(freedom), outside=outside, wanted=wanted, caution=steps * _CAUTION_STEP) * likely


def _rounded(freedom: float) -> float:
    if math.isinf(freedom) or freedom > 1000:
        return math.inf
    step = 0.25 if freedom < 10 else 1.0 if freedom < 100 else 10.0
    return max(1.0, step * round(freedom / step))


def values_needed(
    difference: float, deviation: float, *, outside: float, wanted: float = POWER, samples: int = 1, most: int = 10_000
) -> int | None:
    """The fewest values whose mean is seen to differ by `difference`; None beyond `most`.

    `samples` = 1: one mean against 0, as for ratios taken in pairs. 2: as many values on each of two sides.
    """
    if difference == 0:
        return None
    low, high = 1, 2
    while not _suffices(high, abs(difference), deviation, outside=outside, wanted=wanted, samples=samples):
        low, high = high, high * 2
        if low >= most:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        enough = _suffices(middle, abs(difference), deviation, outside=outside, wanted=wanted, samples=samples)
        low, high = (low, middle) if enough else (middle, high)
    return high


def _suffices(n: int, difference: float, deviation: float, *, outside: float, wanted: float, samples: int) -> bool:
    if deviation <= 0:
        return True
    standard_error = deviation * math.sqrt(samples / n)
    return power(difference / standard_error, samples * (n - 1), outside=outside) >= wanted


def _normal(z: float) -> float:
    return math.erfc(-z / math.sqrt(2)) / 2
