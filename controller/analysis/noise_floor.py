"""The noise floor of a device: how far two runs of the very same thing differ there.

Learnt from A/A repeats, that is VALID rows of one variant and one engine on one device under the same circumstances.
"""

import math
from collections import defaultdict
from collections.abc import Iterable

from controller.analysis.comparability import circumstances
from controller.model.comparison import NoiseFloor
from controller.model.result import VALID, Row
from jetfleet.stats.student import point

MINIMUM = 0.02  # two sessions on one board agree within this, or are flagged (the project's bar for repeats)
FALSE_ALARMS = 0.01
# The minimum is what is known of a board before it has run anything twice; it weighs as much as this many repeats.
_PRIOR_FREEDOM = 4


def noise_floor(row: Row, baseline: Row, history: Iterable[Row], *, minimum: float = MINIMUM) -> NoiseFloor:
    """The larger of the minimum and of what the devices of both have shown.

    The pair itself is left out: were it A/A, its own difference would make the floor that hides it.
    """
    pair = {row.measurement_id, baseline.measurement_id}
    others = [item for item in history if item.measurement_id not in pair]
    best = NoiseFloor(minimum, f"the minimum of {minimum:.1%}")
    for device in sorted({row.device, baseline.device}):
        learnt, runs = repeatability([item for item in others if item.device == device], minimum=minimum)
        if runs and learnt > best.share:
            best = NoiseFloor(learnt, f"{learnt:.1%}, learnt from {runs} A/A runs on {device}")
    return best


def repeatability(rows: Iterable[Row], *, minimum: float = MINIMUM) -> tuple[float, int]:
    """The difference that two runs of the same thing exceed in 1 % of cases, and how many runs taught it.

    t * sqrt(2) * s, with s the standard deviation of log p50 pooled over all sets of repeats: the repeatability limit
    of ISO 5725-6 (4.1.4) at 99 %, and Student's t because s is itself an estimate. Few repeats must not make more noise
    than there is, nor hide it, so the minimum joins the pool as a scaled inverse chi-squared prior (Gelman, Bayesian
    Data Analysis, section 2.6).
    """
    repeats: dict[object, list[float]] = defaultdict(list)
    for row in rows:
        p50_ms = row.measurement.p50_ms.value
        if row.measurement.verdict == VALID and p50_ms:
            repeats[row.variant_key, row.engine_key, row.device, circumstances(row)].append(math.log(p50_ms))
    sets = [values for values in repeats.values() if len(values) > 1]
    runs = sum(len(values) for values in sets)
    squares = math.fsum((value - math.fsum(values) / len(values)) ** 2 for values in sets for value in values)
    freedom = _PRIOR_FREEDOM + runs - len(sets)
    before = math.log1p(minimum) / (math.sqrt(2) * point(FALSE_ALARMS, _PRIOR_FREEDOM))
    deviation = math.sqrt((_PRIOR_FREEDOM * before**2 + squares) / freedom)
    return math.expm1(point(FALSE_ALARMS, freedom) * math.sqrt(2) * deviation), runs
