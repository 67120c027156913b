"""Shares of successes, as of accuracy: their intervals, and that of the difference of two."""

import math
from dataclasses import dataclass

from jetfleet.stats.student import point, two_sided

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Proportion:
    """`share` of n trials, n > 0; not a whole number where trials that are alike count for fewer."""

    share: float
    n: float

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Wilson's: holds what it says for few trials and near 0 and 1 too (Brown, Cai and DasGupta, 2001)."""
        z = point(1 - confidence, math.inf)
        scale = 1 + z * z / self.n
        centre = (self.share + z * z / (2 * self.n)) / scale
        half = z / scale * math.sqrt(self.share * (1 - self.share) / self.n + z * z / (4 * self.n**2))
        # At 0 and 1 a rounding may leave the share itself outside.
        return min(self.share, max(0.0, centre - half)), max(self.share, min(1.0, centre + half))


def difference_interval(
    candidate: Proportion, baseline: Proportion, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Of candidate less baseline, as of independent trials: Newcombe, Statistics in Medicine 17 (1998), method 10.

    Where both answered the same questions it is too wide, and never too narrow.
    """
    away = candidate.share - baseline.share
    low, high = candidate.interval(confidence)
    base_low, base_high = baseline.interval(confidence)
    below = math.hypot(candidate.share - low, base_high - baseline.share)
    above = math.hypot(high - candidate.share, baseline.share - base_low)
    return away - below, away + above


def standard_error(candidate: Proportion, baseline: Proportion) -> float:
    """Of the difference, where both have one and the same share."""
    pooled = (candidate.share * candidate.n + baseline.share * baseline.n) / (candidate.n + baseline.n)
    return math.sqrt(pooled * (1 - pooled) * (1 / candidate.n + 1 / baseline.n))


def p_value(candidate: Proportion, baseline: Proportion) -> float:
    """Of the hypothesis that both have the same share."""
    error = standard_error(candidate, baseline)
    return 1.0 if error == 0 else two_sided((candidate.share - baseline.share) / error, math.inf)
