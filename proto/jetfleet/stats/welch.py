"""Intervals of medians over runs and of their ratio, on logarithms: Student's t with Welch's degrees of freedom.

A value is what one fresh process found, so that what makes processes differ is in the interval. Latencies are compared
on a logarithmic scale: 2 % faster is 1 / 1.02, and swapping two sides swaps the answer.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jetfleet.stats.power import POWER, smallest_difference
from jetfleet.stats.student import point, two_sided

CONFIDENCE = 0.95
MIN_RUNS = 3  # fewer, and what an interval says rests on one difference


@dataclass(frozen=True)
class Variance:
    """A variance and how well it is known. Infinite freedom: as if known exactly."""

    variance: float
    freedom: float


@dataclass(frozen=True)
class LogMean:
    """The mean of the logarithms of n values."""

    mean: float
    n: int
    variance: float  # of one value; 0 where n is 1

    @property
    def variance_of_mean(self) -> Variance:
        """Of the mean."""
        return Variance(self.variance / self.n, self.n - 1)


@dataclass(frozen=True)
class LogRatio:
    """The logarithm of a ratio, with its standard error."""

    value: float
    standard_error: float
    freedom: float

    @property
    def ratio(self) -> float:
        return math.exp(self.value)

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Of the ratio."""
        half = point(1 - confidence, self.freedom) * self.standard_error
        return _exp(self.value - half), _exp(self.value + half)

    def p_value(self, null: float = 0.0) -> float:
        """Of the hypothesis that the logarithm of the ratio is `null`."""
        away = self.value - null
        if self.standard_error == 0:
            return 1.0 if away == 0 else 0.0
        return two_sided(away / self.standard_error, self.freedom)

    def smallest(self, *, outside: float, wanted: float = POWER, caution: float = 1.0) -> float:
        """The smallest relative difference that a test at level `outside` would have seen: 0.02 is 2 %.

        `caution`: how many times the true standard error this one is, where more was reckoned with than is there.
        """
        found = smallest_difference(self.standard_error, self.freedom, outside=outside, wanted=wanted, caution=caution)
        return _exp(found) - 1


def log_mean(values: Sequence[float]) -> LogMean:
    """Of positive values, at least one."""
    logs = [math.log(value) for value in values]
    mean = math.fsum(logs) / len(logs)
    squares = math.fsum((value - mean) ** 2 for value in logs)
    return LogMean(mean, len(logs), squares / (len(logs) - 1) if len(logs) > 1 else 0.0)


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Of what one more such series of runs would have for its median; None for fewer than MIN_RUNS.

    Around exp(mean of logs): near it lies the median of few values, whose own exact interval takes six (order
    statistics), and more to be useful.
    """
    if len(values) < MIN_RUNS or min(values) <= 0:
        return None
    found = log_mean(values)
    half = point(1 - confidence, found.n - 1) * math.sqrt(found.variance_of_mean.variance)
    return _exp(found.mean - half), _exp(found.mean + half)


def paired_ratio(ratios: Sequence[float]) -> LogRatio:
    """Of ratios taken inside one process each, at least two."""
    found = log_mean(ratios)
    return LogRatio(found.mean, math.sqrt(found.variance_of_mean.variance), found.n - 1)


def ratio(candidate: LogMean, baseline: LogMean, *, more: Iterable[Variance] = ()) -> LogRatio:
    """Welch's: no equal variances assumed. `more` are variances that neither side's own runs show (drift)."""
    total = combined((candidate.variance_of_mean, baseline.variance_of_mean, *more))
    return LogRatio(candidate.mean - baseline.mean, math.sqrt(total.variance), total.freedom)


def combined(variances: Iterable[Variance]) -> Variance:
    """The sum of independent variances, its freedom by Welch (1947) and Satterthwaite (1946)."""
    parts = [item for item in variances if item.variance > 0]
    total = math.fsum(item.variance for item in parts)
    if not parts:
        return Variance(0.0, math.inf)
    doubt = math.fsum((item.variance / total) ** 2 / item.freedom for item in parts)
    return Variance(total, 1 / doubt if doubt > 0 else math.inf)


def _exp(value: float) -> float:
    """Infinite where a double cannot hold it: an interval of two wild values."""
    return math.exp(value) if value < 700 else math.inf
