"""One metric of a row against its baseline's: a ratio with its interval, or the difference of two shares in points."""

import math
from dataclasses import replace

from controller.analysis.evidence import Evidence, evidence
from controller.analysis.noise_floor import Noise
from controller.model.comparison import Effect, Source
from controller.model.quantities import WORDS, unknown_metric
from controller.model.result import Estimate, Row
from jetfleet.metrics import ACCURACIES, METRICS, Better, MetricSpec
from jetfleet.stats import proportions
from jetfleet.stats.power import detectable
from jetfleet.stats.proportions import Proportion

OUTSIDE = 0.05
_OF_AN_INFERENCE = frozenset({"ms", "mJ", "J"})
_SPECS = {metric.name: metric for metric in METRICS}


def _is_comparable(metric: MetricSpec) -> bool:
    """Twice as many degrees are not twice as warm, and counts of a run depend on its length."""
    return metric.better is not Better.NEITHER and metric.unit not in ("°C", "count")


# What stands beside the metric that is asked about: not the stages, nor what one sample alone decides.
BESIDE = tuple(
    metric.name
    for metric in METRICS
    if _is_comparable(metric) and not metric.stage and metric.statistic not in ("min", "max", "std")
)


def comparable_metric(text: str) -> str:
    """The metric's name, by itself or by a word of WORDS. Raises BadInput for one that does not exist, or of which
    neither more nor less is better.
    """
    name = WORDS.get(text, text)
    if name not in _SPECS or not _is_comparable(_SPECS[name]):
        comparable = [metric.name for metric in METRICS if _is_comparable(metric)]
        raise unknown_metric(text, comparable, where="--metric", purpose="compare by")
    return name


def spec_of(metric: str) -> MetricSpec:
    return _SPECS[metric]


def effect_of(row: Row, baseline: Row, noise: Noise, *, outside: float) -> tuple[Effect, Evidence | None]:
    """`outside` is the level at which a difference would be believed; what is shown has the usual 95 %."""
    metric = spec_of(noise.metric)
    if metric.unit == "share":
        return _points(row, baseline, metric, outside=outside), None
    if metric.name in ACCURACIES:
        return _error(row, baseline, metric), None
    return _ratio(row, baseline, noise, outside=outside)


def _ratio(row: Row, baseline: Row, noise: Noise, *, outside: float) -> tuple[Effect, Evidence]:
    metric = spec_of(noise.metric)
    value, base = row.measurement.value(metric.name), baseline.measurement.value(metric.name)
    per_item = row.batch != baseline.batch and is_of_an_inference(metric)
    scale = baseline.batch / row.batch if per_item else 1.0
    if not value or not base or value < 0 or base < 0:
        which = "the baseline" if value else "it"
        nothing = Evidence(Source.RUNS, reason=f"no {metric.name} to compare: {which} has none")
        return Effect(metric.name, value, base, Estimate(None, reason=nothing.reason), per_item=per_item), nothing
    found = _scaled(evidence(row, baseline, noise), scale)
    effect = Effect(
        metric.name,
        value,
        base,
        _change(found, value / base * scale),
        source=found.source,
        per_item=per_item,
        p_value=found.p_value(),
        smallest=found.smallest(outside),
    )
    return effect, found


def is_of_an_inference(metric: MetricSpec) -> bool:
    """Of a whole batch: where batches differ, it is looked at per item."""
    return metric.unit in _OF_AN_INFERENCE


def _scaled(found: Evidence, scale: float) -> Evidence:
    if found.found is None or scale == 1.0:
        return found
    return replace(found, found=replace(found.found, value=found.found.value + math.log(scale)))


def _change(found: Evidence, plain: float) -> Estimate:
    """In turns, the ratio is that of the processes; else of the two numbers that are shown, and the interval, which is
    about means of logarithms, is widened where it would not hold it.
    """
    interval = found.interval(OUTSIDE)
    if interval is None or found.found is None:
        return Estimate(plain, reason=f"no interval: {found.reason}")
    if found.source is Source.INTERLEAVED:
        return Estimate(found.found.ratio, *interval)
    return Estimate(plain, min(interval[0], plain), max(interval[1], plain))


def _error(row: Row, baseline: Row, metric: MetricSpec) -> Effect:
    """An engine has one, whatever process it is asked in, and what each sample contributed is not kept."""
    value, base = _value(row, metric), _value(baseline, metric)
    plain = value / base if value is not None and base else None
    reason = "no interval: what each sample contributed is not kept"
    return Effect(metric.name, value, base, Estimate(plain, reason=reason))


def _points(row: Row, baseline: Row, metric: MetricSpec, *, outside: float) -> Effect:
    """Of independent samples, which is wider than of the same ones; and for means of what lies between 0 and 1, as of
    IoU, too: none varies by more than the share of successes does.
    """
    above, below = _share(row, metric), _share(baseline, metric)
    value, base = _value(row, metric), _value(baseline, metric)
    if above is None or below is None:
        away = None if value is None or base is None else value - base
        reason = f"no interval: {metric.name} is not of evaluated samples"
        return Effect(metric.name, value, base, Estimate(away, reason=reason), in_points=True)
    error = proportions.standard_error(above, below)
    return Effect(
        metric.name,
        above.share,
        below.share,
        Estimate(above.share - below.share, *proportions.difference_interval(above, below)),
        source=Source.ITEMS,
        in_points=True,
        p_value=proportions.p_value(above, below),
        smallest=detectable(math.inf, outside=outside) * error if error else None,
    )


def _share(row: Row, metric: MetricSpec) -> Proportion | None:
    value, n = _value(row, metric), row.measurement.accuracy_n if metric.name in ACCURACIES else 0
    return Proportion(value, n) if value is not None and n and 0 <= value <= 1 else None


def _value(row: Row, metric: MetricSpec) -> float | None:
    return row.measurement.value(metric.name)
