"""Where a metric changed over the jobs that measured it. Pure.

Binary segmentation (Scott and Knott, Biometrics 30 (1974)): of all places at which a stretch of benches could be cut in
two, the one with the smallest p-value; where that holds among all of them (Holm), both parts are looked at in the same
way. A value is a bench: the mean logarithm of what its fresh processes found. The test is Welch's. The variance of a
bench is that of its own part, and never less than that of both parts together nor than the noise floor of its device:
two benches that agree by chance prove nothing, and one bench may be a part of its own.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from controller.analysis.comparability import value_of_fact
from controller.analysis.effects import comparable_metric, spec_of
from controller.analysis.noise_floor import DRIFT_OVER_RUNS, Noise
from controller.analysis.runs import has_runs, run_values, single_value
from controller.model.circumstances import SETTINGS
from controller.model.history import ChangePoint, History, HistoryPoint
from controller.model.result import VALID, Estimate, Provenance, Row
from jetfleet.metrics import Better
from jetfleet.plural import counted
from jetfleet.stats import holm
from jetfleet.stats.repeats import between_benches
from jetfleet.stats.welch import LogMean, LogRatio, Variance, combined, log_mean

FALSE_CHANGES = 0.01  # the chance of any, in a stretch without one
NEVER_BETTER = 20  # comparisons in a row: by chance alone once in a million
_OUTSIDE = 0.05


@dataclass(frozen=True)
class _Bench:
    point: HistoryPoint
    value: float  # its logarithm


def histories(rows: Iterable[Row], metric: str, *, beside: Iterable[Row] = ()) -> list[History]:
    """One per variant, device and way of measuring, by name; rows without the metric are points without a value.
    `beside` are more rows to learn the noise of the devices from.

    Raises BadInput for a metric that does not exist, or of which no ratio means anything.
    """
    metric = comparable_metric(metric)
    series: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    known = {row.measurement_id: row for row in rows}
    for _, row in sorted(known.items()):
        series[_key(row)].append(row)
    noise = Noise([*known.values(), *beside], metric)
    return [_history(found, noise) for _, found in sorted(series.items())]


def _key(row: Row) -> tuple[str, ...]:
    settings = (value_of_fact(row, name) for name in ("mode", *SETTINGS))
    return (row.model_name, row.label, row.device, row.measurement.provenance.value, *settings)


def _history(rows: Sequence[Row], noise: Noise) -> History:
    points = tuple(HistoryPoint(row, row.measurement.value(noise.metric)) for row in rows)
    benches = [
        _Bench(point, value)
        for point in points
        if point.row.measurement.verdict == VALID and (value := _log_value(point.row, noise.metric)) is not None
    ]
    first = rows[0]
    return History(
        first.model_name,
        first.label,
        first.device,
        noise.metric,
        first.measurement.provenance,
        points,
        tuple(_changes(benches, noise)),
        _alarm(benches, noise.metric, first.measurement.provenance),
    )


def _log_value(row: Row, metric: str) -> float | None:
    if has_runs(row, metric):
        return log_mean(run_values(row, metric)).mean
    value = single_value(row, metric)
    return None if value is None else math.log(value)


def _changes(benches: Sequence[_Bench], noise: Noise) -> list[ChangePoint]:
    if len(benches) < 2:
        return []
    floor = _floor(benches, noise)
    cuts = sorted(_cuts([bench.value for bench in benches], 0, floor))
    edges = [0, *(place for place, _ in cuts), len(benches)]
    lower_is_better = spec_of(noise.metric).better is Better.LOWER
    found = []
    for index, (place, chance) in enumerate(cuts):
        before, after = benches[edges[index] : place], benches[place : edges[index + 2]]
        ratio = _ratio([item.value for item in before], [item.value for item in after], floor)
        change = Estimate(ratio.ratio, *ratio.interval(1 - _OUTSIDE))
        better = (ratio.value < 0) == lower_is_better
        found.append(ChangePoint(before[-1].point, after[0].point, change, chance, better))
    return found


def _floor(benches: Sequence[_Bench], noise: Noise) -> Variance:
    """Of one bench, by what else the device repeated: the own repeats would hide their change."""
    pooled = noise.of_others(benches[-1].point.row)
    deviations = [
        log_mean(values).variance for bench in benches if (values := run_values(bench.point.row, noise.metric))
    ]
    run_deviation = math.sqrt(math.fsum(deviations) / len(deviations)) if deviations else 0.0
    return between_benches(pooled, assumed=DRIFT_OVER_RUNS * run_deviation)


def _cuts(values: Sequence[float], begin: int, floor: Variance) -> list[tuple[int, float]]:
    """Places, counted from `begin`, with the p-value of each among all places of its stretch."""
    if len(values) < 2:
        return []
    chances = holm.adjusted([_ratio(values[:cut], values[cut:], floor).p_value() for cut in range(1, len(values))])
    best = min(range(len(chances)), key=chances.__getitem__)
    if chances[best] > FALSE_CHANGES:
        return []
    cut = best + 1
    return [
        (begin + cut, chances[best]),
        *_cuts(values[:cut], begin, floor),
        *_cuts(values[cut:], begin + cut, floor),
    ]


def _ratio(before: Sequence[float], after: Sequence[float], floor: Variance) -> LogRatio:
    one, other = _mean(before), _mean(after)
    freedom = one.n + other.n - 2
    shared = ((one.n - 1) * one.variance + (other.n - 1) * other.variance) / freedom if freedom else 0.0
    least = max(floor, Variance(shared, freedom), key=lambda item: item.variance)
    own = [side for side in (one, other) if side.n > 1 and side.variance > least.variance]
    as_least = math.fsum(1 / side.n for side in (one, other) if side not in own)
    alike = Variance(as_least * least.variance, least.freedom)  # known once for both, and not twice
    total = combined((alike, *(side.variance_of_mean for side in own)))
    return LogRatio(other.mean - one.mean, math.sqrt(total.variance), total.freedom)


def _mean(logs: Sequence[float]) -> LogMean:
    mean = math.fsum(logs) / len(logs)
    squares = math.fsum((value - mean) ** 2 for value in logs)
    return LogMean(mean, len(logs), squares / (len(logs) - 1) if len(logs) > 1 else 0.0)


def _alarm(benches: Sequence[_Bench], metric: str, provenance: Provenance) -> str:
    """Noise alone makes every second bench better than the one before; what never does is not measured anew."""
    sign = 1 if spec_of(metric).better is Better.LOWER else -1
    never = 0
    for before, after in pairwise(benches):
        never = 0 if sign * (after.value - before.value) < 0 else never + 1
    if never < NEVER_BETTER or provenance is Provenance.SIMULATED:
        return ""
    first = benches[-never - 1].point.row
    return (
        f"none of the last {counted(never, 'comparison')} of {first.label} on {first.device} shows any improvement "
        f"of {metric}, not even by noise (since job {first.job_id}): is it measured anew, and the right thing?"
    )
