"""Planned looks: at which numbers of values a decision may be made, and what each look may spend.

Stopping as soon as an interval looks good finds differences that are not there. Here each look has a share of the whole
chance of a false alarm, fixed before anything is measured: by Boole's inequality the whole is kept whichever look ends
it, and whatever the values have to do with each other (repeated confidence intervals: Jennison and Turnbull, Group
Sequential Methods, chapter 9).
"""

import math
from bisect import bisect_left
from dataclasses import dataclass

from jetfleet.stats.student import two_sided
from jetfleet.stats.welch import LogRatio

_LAST_LOOK = 0.5  # of the whole: early looks cost the last one little, 10 % of its width or so


@dataclass(frozen=True)
class Looks:
    """Looks at `at` values, ascending; `shares` of the whole chance sum to 1."""

    at: tuple[int, ...]
    shares: tuple[float, ...]

    def share(self, n: int) -> float:
        """Of the look at n values, or of the next planned one after it: who stops early pays as if that was reached."""
        return self.shares[min(bisect_left(self.at, n), len(self.at) - 1)]

    def is_planned(self, n: int) -> bool:
        return n in self.at

    def until(self, n: int) -> "Looks":
        """Those that there were, where no more than n values came; the last one is at n, with what it may spend."""
        before = [(at, share) for at, share in zip(self.at, self.shares, strict=True) if at < n]
        return Looks((*(at for at, _ in before), n), (*(share for _, share in before), self.share(n)))

    def interval(self, found: LogRatio, *, n: int, outside: float) -> tuple[float, float]:
        """Holds the ratio with probability 1 - outside at whichever look it is taken."""
        return found.interval(1 - outside * self.share(n))

    def p_value(self, found: LogRatio, *, n: int, bias: float = 0.0) -> float:
        """As of one test: below alpha exactly where the interval of this look at level alpha leaves 1 out, and all that
        `bias` explains.
        """
        away = max(0.0, abs(found.value) - math.log1p(bias))
        if found.standard_error == 0:
            return 0.0 if away else 1.0
        return min(1.0, two_sided(away / found.standard_error, found.freedom) / self.share(n))


def planned(*at: int) -> Looks:
    """Half the chance for the last look, the other half in equal shares for those before it."""
    if len(at) == 1:
        return Looks(at, (1.0,))
    early = (1 - _LAST_LOOK) / (len(at) - 1)
    return Looks(at, (*[early] * (len(at) - 1), _LAST_LOOK))
