"""Whether something got worse by more than it may: what an interval says of a limit, and when ratios have said it.

The agent asks whether another process is worth it, the gate what its cells are: one rule for both.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import stdev

from jetfleet.stats.interleaved import BIAS
from jetfleet.stats.looks import Looks
from jetfleet.stats.power import values_needed
from jetfleet.stats.welch import paired_ratio

OUTSIDE = 0.05  # of the interval that is held against a limit: the one that is shown
FALSE_ALARMS = 0.01  # that anything is told to be worse where nothing differs, over all limits and comparisons
_POWER = 0.95
_MOST_NEEDED = 10_000


class Regression(Enum):
    WITHIN = "within the limit"
    BEYOND = "beyond the limit"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class LimitRule:
    """At which level a difference is believed, and at which numbers of processes it may be asked for."""

    looks: Looks
    false_alarms: float = FALSE_ALARMS

    def of(self, ratios: Sequence[float], limit: float) -> Regression:
        """Of ratios of processes, of which more is worse, at least two."""
        found, n = paired_ratio(ratios), len(ratios)
        low, high = self.looks.interval(found, n=n, outside=OUTSIDE)
        by_chance = self.looks.p_value(found, n=n, bias=BIAS) > self.false_alarms
        return regression(low - 1, high - 1, limit, by_chance=by_chance)

    def is_over(self, ratios: Mapping[str, Sequence[float]], limits: Mapping[str, float]) -> bool:
        """Whether this is a planned look, at which every limit is known to be kept or not."""
        looked = all(self.looks.is_planned(len(ratios[metric])) for metric in limits)
        return looked and all(
            self.of(ratios[metric], limit) is not Regression.UNDECIDED for metric, limit in limits.items()
        )


def regression(least: float, most: float, limit: float, *, by_chance: bool) -> Regression:
    """Worse by `least` to `most`; `by_chance`: it may as well not differ at all."""
    if most <= limit:
        return Regression.WITHIN
    return Regression.BEYOND if least > limit and not by_chance else Regression.UNDECIDED


def processes_needed(ratios: Sequence[float], limit: float) -> int | None:
    """Enough to tell on which side of the limit the ratio lies, if it is what it seems; None beyond thousands."""
    deviation = stdev(math.log(ratio) for ratio in ratios)
    away = paired_ratio(ratios).value - math.log1p(limit)
    return values_needed(away, deviation, outside=OUTSIDE, wanted=_POWER, most=_MOST_NEEDED)
