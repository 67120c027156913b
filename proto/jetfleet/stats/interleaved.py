"""Two things timed in turns: a ratio for each process, planned looks at all of them, and what may be said at each.

The agent asks it whether another process is worth it, whoever reads the ratios what they mean: one rule for both.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import stdev

from jetfleet.stats.decision import Relation, relation
from jetfleet.stats.looks import Looks, planned
from jetfleet.stats.power import likely_deviation, power, values_needed
from jetfleet.stats.procedure import Procedure
from jetfleet.stats.welch import LogRatio, paired_ratio

# Even numbers: who is loaded first changes from one process to the next.
LOOKS = planned(4, 6, 8, 12, 16, 24)
METRIC = "p50_ms"  # by which processes are ended, unless a gate asks about others
CONFIDENCE = 0.99
# What equal ones may be off by for who is loaded first and who stands where (docs/adr/0020): no difference to be told.
# Without it 2.4 % of equal pairs that were off so much were called different, at a spread of 1 %.
BIAS = 0.002
POWER = 0.95  # with which the smallest difference is stated that would have been seen
FEWEST = 2  # processes, of which anything can be said
_MOST_NEEDED = 10_000
_FAR = 40.0  # standard errors: certain


@dataclass(frozen=True)
class Finding:
    """What the ratios of n processes say. `smallest` is relative: 0.02 is 2 %."""

    n: int
    ratio: LogRatio
    low: float
    high: float
    relation: Relation
    smallest: float  # difference that would have been told, with POWER
    p_value: float


def looks_for(asked: int) -> Looks:
    """One look at as many processes as somebody asked for, which are FEWEST or more; 0: those that are planned.

    A job of fewer is refused when it is planned (controller/core/pairing.py); an older one is looked at with FEWEST.
    """
    return planned(max(asked, FEWEST)) if asked else LOOKS


def looks_at(at: Sequence[int]) -> Looks:
    """The same, by the numbers that were kept of them."""
    return planned(*at) if at else LOOKS


def find(ratios: Sequence[float], looks: Looks, *, margin: float, confidence: float) -> Finding | None:
    """None for fewer than FEWEST ratios. Valid at every look, and between two of them too."""
    n = len(ratios)
    if n < FEWEST:
        return None
    found, outside = paired_ratio(ratios), 1 - confidence
    low, high = looks.interval(found, n=n, outside=outside)
    which = relation(low, high, margin=margin, bias=BIAS)
    return Finding(
        n=n,
        ratio=found,
        low=low,
        high=high,
        relation=which,
        smallest=procedure_of(ratios, looks, margin=margin, confidence=confidence).smallest(
            deviation_of(found, n), n, wanted=POWER
        ),
        p_value=looks.p_value(found, n=n, bias=BIAS),
    )


def related(ratios: Sequence[float], looks: Looks, *, margin: float, confidence: float) -> Relation:
    """What so many processes say, without how well."""
    if len(ratios) < FEWEST:
        return Relation.UNDECIDED
    low, high = looks.interval(paired_ratio(ratios), n=len(ratios), outside=1 - confidence)
    return relation(low, high, margin=margin, bias=BIAS)


def is_decided(ratios: Sequence[float], looks: Looks, *, margin: float, confidence: float) -> bool:
    """Whether this is a planned look, and it decides. Asked between two looks, the answer is no."""
    if not looks.is_planned(len(ratios)):
        return False
    return related(ratios, looks, margin=margin, confidence=confidence) is not Relation.UNDECIDED


def procedure_of(
    ratios: Sequence[float], looks: Looks, *, margin: float, confidence: float, outside: float | None = None
) -> Procedure:
    """What these ratios came of, if they are those that it was ended by; `outside` is the level of the answer. Where it
    ended without a decision, time was up, and the looks that were still to come are none of it.
    """
    stop_outside = 1 - confidence
    asked = looks
    if not is_decided(ratios, looks, margin=margin, confidence=confidence):
        asked = looks.until(len(ratios))
    return Procedure(asked, margin, stop_outside if outside is None else outside, stop_outside, BIAS)


def smallest_at_one_look(found: LogRatio, looks: Looks, n: int, *, outside: float, wanted: float) -> float:
    """The relative difference that is told in `wanted` of cases, of what had no say in how many processes there are."""
    return (1 + found.smallest(outside=outside * looks.share(n), wanted=wanted)) * (1 + BIAS) - 1


def power_at_one_look(found: LogRatio, looks: Looks, n: int, *, outside: float, difference: float) -> float:
    """With which a relative difference is told, of the same."""
    error = likely_deviation(found.standard_error, found.freedom)
    away = max(0.0, math.log1p(difference) - math.log1p(BIAS))
    return power(min(away / error, _FAR) if error else _FAR, found.freedom, outside=outside * looks.share(n))


def deviation_of(found: LogRatio, n: int) -> float:
    """Of one process' ratio."""
    return found.standard_error * math.sqrt(n)


def processes_needed(ratios: Sequence[float], *, margin: float, confidence: float) -> int | None:
    """Enough to see the difference that was seen or, where that is small, that it is within the margin; as far as can
    be told. None beyond some thousands.
    """
    away, bound = abs(paired_ratio(ratios).value), math.log1p(margin)
    deviation = stdev(math.log(ratio) for ratio in ratios)
    difference = max(away - math.log1p(BIAS), bound - away)
    return values_needed(difference, deviation, outside=1 - confidence, wanted=POWER, most=_MOST_NEEDED)
