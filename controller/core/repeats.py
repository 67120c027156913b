"""What a bench is a repeat of, and the interval that the repeats of its device give its numbers (ADR 0027). Pure.

The runs of a bench follow one another within seconds, and share what happens to the machine within minutes. How far
equal benches differ only the device's history tells, and until it does, a deviation is assumed.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from controller.model.circumstances import CHOSEN, CIRCUMSTANCES, HARDWARE
from controller.model.facts import Facts, shown
from controller.model.result import Estimate, Measurement, Provenance
from jetfleet.circumstances import OTHERWISE
from jetfleet.metrics import METRICS
from jetfleet.stats.repeats import ENOUGH_REPEATS, Pooled, Repeats, between_benches
from jetfleet.stats.student import point
from jetfleet.stats.welch import CONFIDENCE, log_mean

_SHARES = frozenset(metric.name for metric in METRICS if metric.unit == "share")


@dataclass(frozen=True)
class PastValue:
    """What an earlier bench on the device found of a metric."""

    repeats_of: str
    value: float


def repeats_of(item: Measurement, *, device_id: str, facts: Facts, task: Iterable[str]) -> str:
    """A key that benches share where they are repeats: on one device, under the same circumstances, of the same `task`:
    its engines, how it is scheduled and timed.
    """
    said = {name: OTHERWISE[name] for name in CHOSEN} | {name: shown(facts.get(name)) for name in CIRCUMSTANCES}
    said |= {name: value for name, value in item.circumstances.items() if name in said}
    hardware = {name: shown(facts.get(name)) for name in HARDWARE}
    whole = json.dumps(
        [device_id, item.provenance.value, item.subject_index, list(task), said, hardware], sort_keys=True
    )
    return hashlib.sha256(whole.encode()).hexdigest()[:32]


def repeated_metrics(item: Measurement) -> list[str]:
    """The metrics whose intervals say what a repeat would print. None of a simulated device, which does not drift."""
    if item.provenance is Provenance.SIMULATED or len(item.counted_runs) < 2:
        return []
    return sorted(name for name, found in item.metrics.items() if name not in _SHARES and _has_interval(found))


def as_repeated(item: Measurement, own: str, past: Mapping[str, Iterable[PastValue]]) -> Measurement:
    """With intervals that cover what a repeat would print at another time. `past` is by the names of metrics."""
    metrics, benches = dict(item.metrics), None
    for name in repeated_metrics(item):
        found = item.metrics[name]
        known = _known([*past.get(name, ()), PastValue(own, found.value or 0.0)], own)
        metrics[name] = _widened(found, _reach(known, run_deviation(item, name)))
        if name == "p50_ms":
            benches = known.benches
    return replace(item, metrics=metrics, repeats=benches)


def run_deviation(item: Measurement, metric: str) -> float:
    """From run to run, relatively."""
    values = [run.metrics.get(metric, 0.0) for run in item.counted_runs]
    return math.sqrt(log_mean(values).variance) if min(values) > 0 else 0.0


def _has_interval(found: Estimate) -> bool:
    return found.low is not None and found.high is not None and bool(found.value) and found.low > 0


def _known(past: Iterable[PastValue], own: str) -> Pooled:
    """Of its own repeats, or where they are few, of all that the device repeated."""
    repeats: dict[str, Repeats] = {}
    for item in past:
        if item.value > 0:
            repeats[item.repeats_of] = repeats.get(item.repeats_of, Repeats()).added(math.log(item.value))
    own_repeats = Pooled().changed(repeats[own], +1)
    if own_repeats.freedom >= ENOUGH_REPEATS:
        return own_repeats
    pooled = Pooled()
    for found in repeats.values():
        pooled = pooled.changed(found, +1)
    return pooled


def _reach(known: Pooled, deviation: float) -> float:
    """Of the difference of two benches, as a logarithm: the repeatability limit of ISO 5725-6 (4.1.4) at 95 %."""
    variance = between_benches(known, deviation)
    return point(1 - CONFIDENCE, variance.freedom) * math.sqrt(2 * variance.variance)


def _widened(found: Estimate, reach: float) -> Estimate:
    """Never narrowed: that its own runs differ more than repeats do is a reason to trust it less."""
    if found.value is None or found.low is None or found.high is None:
        return found
    factor = math.exp(min(reach, math.log(1e6)))
    return replace(found, low=min(found.low, found.value / factor), high=max(found.high, found.value * factor))
