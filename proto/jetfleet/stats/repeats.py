"""Repeats of things: how far benches of the very same thing differ, beyond what their own runs show. On logarithms.

A thing is one engine on one device under the same circumstances; what is learnt of several is pooled.
"""

import math
from dataclasses import dataclass

from jetfleet.stats.student import point
from jetfleet.stats.welch import Variance

# Before a device has repeated anything: as a standard deviation, and how many repeats it weighs as much as.
ASSUMED = 0.02
_ASSUMED_WEIGHT = 6
_ASSUMED_WEIGHT_BELOW = 4  # where repeats already show more noise than was assumed
ENOUGH_REPEATS = 6  # degrees of freedom from which on a thing's own repeats are all that counts for it


@dataclass(frozen=True)
class Repeats:
    """Benches of one thing: how many, the mean of their log values, the sum of squares about it, and the sum of the
    variances that the runs of each state of its own value. Adding and leaving out cost the same however many there are.
    """

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0
    own: float = 0.0

    def added(self, value: float, own: float = 0.0) -> "Repeats":
        """Welford, Technometrics 4 (1962)."""
        mean = self.mean + (value - self.mean) / (self.n + 1)
        squares = self.squares + (value - self.mean) * (value - mean)
        return Repeats(self.n + 1, mean, squares, self.own + own)

    def without(self, value: float, own: float) -> "Repeats":
        if self.n <= 1:
            return Repeats()
        mean = self.mean - (value - self.mean) / (self.n - 1)
        squares = self.squares - (value - self.mean) * (value - mean)
        return Repeats(self.n - 1, mean, max(0.0, squares), self.own - own)


@dataclass(frozen=True)
class Pooled:
    """All repeats of a device. `freedom` is their number less one for each thing that was repeated."""

    benches: int = 0
    things: int = 0
    squares: float = 0.0
    own: float = 0.0

    @property
    def freedom(self) -> int:
        return self.benches - self.things

    def changed(self, repeats: Repeats, sign: int) -> "Pooled":
        """With (+1) or without (-1) the repeats of a thing. One bench alone is not a repeat."""
        if repeats.n < 2:
            return self
        return Pooled(
            self.benches + sign * repeats.n,
            self.things + sign,
            max(0.0, self.squares + sign * repeats.squares),
            self.own + sign * repeats.own,
        )

    @property
    def total(self) -> float:
        """Variance of a bench's log value."""
        return self.squares / self.freedom if self.freedom else 0.0


def between_benches(pooled: Pooled, *, assumed: float) -> Variance:
    """Variance of a bench's log value: what was seen, and while little was, a deviation is `assumed`, ASSUMED at least.

    As a scaled inverse chi-squared prior (Gelman, Bayesian Data Analysis, section 2.6) that fades as repeats come in.
    """
    prior = max(ASSUMED, assumed) ** 2
    seen = pooled.total
    weight = max(0, (_ASSUMED_WEIGHT if seen <= prior else _ASSUMED_WEIGHT_BELOW) - pooled.freedom)
    freedom = weight + pooled.freedom
    return Variance((weight * prior + pooled.freedom * seen) / freedom, freedom)


def log_limit(variance: Variance, *, outside: float) -> float:
    """The logarithms of two benches differ by more with the chance `outside`: the repeatability limit of ISO 5725-6
    (4.1.4). At most that of a million.
    """
    return min(point(outside, variance.freedom) * math.sqrt(2 * variance.variance), math.log(1e6))
