"""Percentiles by nearest rank, and the order statistics between which they lie. No arrays: any ascending sequence."""

import math
from collections.abc import Sequence

CONFIDENCE = 0.95


def rank(n: int, share: float) -> int:
    """1-based nearest rank: ceil(share * n), with share * n rounded first so that 0.07 * 100 is 7 and not 8."""
    return max(1, math.ceil(round(share * n, 9)))


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """The smallest value with at least `share` of all at or below it. `ordered` ascends, 0 < share <= 1."""
    return float(ordered[rank(len(ordered), share) - 1])


def samples_needed(share: float, confidence: float = CONFIDENCE) -> int:
    """The fewest independent samples from which a two-sided interval for a percentile can be read off.

    Both tails must be able to hold alpha/2: max(share, 1 - share)^n <= alpha/2, so 368 for p99 and 36 for p90.
    Source: order-statistic (distribution-free) intervals, Hahn and Meeker, Statistical Intervals, chapter 5.
    """
    return math.ceil(math.log((1 - confidence) / 2) / math.log(max(share, 1 - share)))


def samples_for_bound(share: float, confidence: float = CONFIDENCE) -> int:
    """The fewest independent samples whose largest is above a percentile with that confidence: for p99 299."""
    return math.ceil(math.log(1 - confidence) / math.log(share))


def interval_ranks(trials: int, share: float, confidence: float = CONFIDENCE) -> tuple[int, int] | None:
    """1-based ranks of `trials` independent samples between which the percentile lies; None where there are too few."""
    if trials < samples_needed(share, confidence):
        return None
    low = binomial_quantile(trials, share, (1 - confidence) / 2)
    high = binomial_quantile(trials, share, (1 + confidence) / 2) + 1
    return (low, high) if 1 <= low <= high <= trials else None


def binomial_quantile(trials: int, share: float, probability: float) -> int:
    """The smallest k with P(B <= k) >= probability for B ~ Binomial(trials, share), within ten deviations."""
    mean, reach = trials * share, 10 * math.sqrt(trials * share * (1 - share)) + 10
    first, last = max(0, math.floor(mean - reach)), min(trials, math.ceil(mean + reach))
    total = 0.0
    for k in range(first, last + 1):
        total += binomial_weight(k, trials, share)
        if total >= probability:
            return k
    return last


def binomial_weight(k: int, trials: int, share: float) -> float:
    """P(B = k)."""
    log_ways = math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
    return math.exp(log_ways + k * math.log(share) + (trials - k) * math.log1p(-share))
