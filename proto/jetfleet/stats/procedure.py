"""What two in turns are seen to differ by: the power of all planned looks together, not of the one that ended it.

By simulation with the rule itself, seeded: of a thousand series of processes, in how many the answer is a difference.
Whoever stops at the fourth process because all is clear had twenty more to come if it had not been.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from jetfleet.stats.looks import Looks
from jetfleet.stats.power import POWER, likely_deviation
from jetfleet.stats.student import point

_SERIES = 1000  # a power of 80 % is known to 1.3 points
_STEPS = 12  # of halving, on a logarithmic scale
_ANSWER_OUTSIDE = 0.05  # of the interval that is held against the margin
_DIGITS = 2  # of the margin in deviations: as many different designs are simulated
_FAR = 1e3  # deviations
_64_BITS = (1 << 64) - 1


@dataclass(frozen=True)
class Procedure:
    """`outside`: the level at which the answer tells a difference; `stop_outside`: at which no other process is run."""

    looks: Looks
    margin: float
    outside: float
    stop_outside: float
    bias: float  # that is no difference

    def power(self, difference: float, deviation: float, n: int) -> float:
        """Of a relative difference, where ratios of n processes deviate so much."""
        likely = likely_deviation(deviation, n - 1)
        if likely == 0:
            return 1.0 if difference > self.margin else 0.0
        return self._share(math.log1p(difference) / likely, _rounded(math.log1p(self.margin) / likely))

    def smallest(self, deviation: float, n: int, *, wanted: float = POWER) -> float:
        """The relative difference that is told in `wanted` of cases."""
        likely = likely_deviation(deviation, n - 1)
        if likely == 0:
            return self.margin
        return math.expm1(_smallest(self, _rounded(math.log1p(self.margin) / likely), wanted) * likely)

    def _share(self, shift: float, margin: float) -> float:
        """Both in deviations of a process."""
        bias = margin * math.log1p(self.bias) / math.log1p(self.margin) if self.margin else 0.0
        found = sum(self._tells(series, shift, margin, bias) for series in _series(self.looks.at))
        return found / _SERIES

    def _tells(self, series: "_Series", shift: float, margin: float, bias: float) -> bool:
        """Whether it ends with this difference, which is above 0, being told."""
        for (mean, error), (stop, told, shown) in zip(series, _bounds(self), strict=True):
            value = mean + shift
            is_last = stop == 0.0
            if is_last or value > stop * error + bias or abs(value) + stop * error <= margin:
                return value > told * error + bias and abs(value) + shown * error > margin
        return False


_Series = tuple[tuple[float, float], ...]  # at each look the mean of normal values so far, and its standard error


@lru_cache(maxsize=64)
def _bounds(procedure: Procedure) -> tuple[tuple[float, float, float], ...]:
    """At each look, in standard errors: to stop (0: whatever there is), to tell a difference, and of what is shown."""
    found = []
    for n, share in zip(procedure.looks.at, procedure.looks.shares, strict=True):
        levels = (procedure.stop_outside, procedure.outside, _ANSWER_OUTSIDE)
        stop, told, shown = (point(level * share, n - 1) for level in levels)
        found.append((0.0 if n == procedure.looks.at[-1] else stop, told, shown))
    return tuple(found)


@lru_cache(maxsize=32)
def _series(at: tuple[int, ...]) -> tuple[_Series, ...]:
    drawn = _normals()
    return tuple(_one_series([next(drawn) for _ in range(at[-1])], at) for _ in range(_SERIES))


def _normals() -> Iterator[float]:
    """The same ones everywhere: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    state, normal = 0, NormalDist()
    while True:
        state = (state + 0x9E3779B97F4A7C15) & _64_BITS
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _64_BITS
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _64_BITS
        yield normal.inv_cdf(((mixed ^ (mixed >> 31)) + 0.5) / 2.0**64)


def _one_series(values: Sequence[float], at: tuple[int, ...]) -> _Series:
    found = []
    for n in at:
        mean = math.fsum(values[:n]) / n
        squares = math.fsum((value - mean) ** 2 for value in values[:n])
        found.append((mean, math.sqrt(squares / (n - 1) / n)))
    return tuple(found)


@lru_cache(maxsize=1024)
def _smallest(procedure: Procedure, margin: float, wanted: float) -> float:
    low, high = 1e-3, _FAR
    for _ in range(2 * _STEPS):
        middle = math.sqrt(low * high)
        if procedure._share(middle, margin) < wanted:
            low = middle
        else:
            high = middle
        if high / low < 1 + 1 / (1 << _STEPS):
            break
    return high


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
