"""What a bench is a repeat of, and the interval that the repeats of its device give its numbers (ADR 0027). Pure.

The runs of a bench follow one another within seconds, and share what happens to the machine within minutes. How far
equal benches differ only the device's history tells, and until it does, a deviation is assumed.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from controller.model.circumstances import CHOSEN, CIRCUMSTANCES, HARDWARE
from controller.model.facts import Facts, shown
from controller.model.result import Estimate, Measurement, Provenance
from jetfleet.circumstances import OTHERWISE
from jetfleet.metrics import METRICS
from jetfleet.stats.repeats import ENOUGH_REPEATS, Pooled, Repeats, between_benches, log_limit
from jetfleet.stats.welch import CONFIDENCE, log_mean

_TRUSTED = 2  # times as far as repeats differ, and what the runs say of themselves stands
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
        deviation = _run_deviation([run.metrics.get(name, 0.0) for run in item.counted_runs])
        metrics[name], found = repeated(item.metrics[name], past.get(name, ()), own=own, run_deviation=deviation)
        if name == "p50_ms":
            benches = found
    return replace(item, metrics=metrics, repeats=benches)


def repeated(found: Estimate, past: Iterable[PastValue], *, own: str, run_deviation: float) -> tuple[Estimate, int]:
    """With the interval of a repeat at another time, and how many benches that rests on, this one among them.

    Where the thing's own repeats are enough, their interval takes the place of that of the runs, unless those reach
    more than twice as far, which chance does once in 300 times. Before that it is the wider one.
    """
    repeats = _by_thing([*past, PastValue(own, found.value or 0.0)])
    known = Pooled().changed(repeats[own], +1)
    if known.freedom >= ENOUGH_REPEATS:
        reached = _reaching(found, _reach(known, run_deviation))
        return (found if _width(found) > _TRUSTED * _width(reached) else reached), known.benches
    for thing, item in repeats.items():
        known = known if thing == own else known.changed(item, +1)
    reached = _reaching(found, _reach(known, run_deviation))
    return max((found, reached), key=_width), known.benches


def _run_deviation(values: Sequence[float]) -> float:
    """From run to run, relatively."""
    return math.sqrt(log_mean(values).variance) if min(values) > 0 else 0.0


def _has_interval(found: Estimate) -> bool:
    return found.low is not None and found.high is not None and bool(found.value) and found.low > 0


def _by_thing(past: Iterable[PastValue]) -> dict[str, Repeats]:
    repeats: dict[str, Repeats] = {}
    for item in past:
        if item.value > 0:
            repeats[item.repeats_of] = repeats.get(item.repeats_of, Repeats()).added(math.log(item.value))
    return repeats


def _reach(known: Pooled, run_deviation: float) -> float:
    """Of the difference of two benches, as a logarithm."""
    return log_limit(between_benches(known, assumed=run_deviation), outside=1 - CONFIDENCE)


def _reaching(found: Estimate, reach: float) -> Estimate:
    factor, value = math.exp(reach), found.value or 0.0
    return replace(found, low=value / factor, high=value * factor)


def _width(found: Estimate) -> float:
    """As a logarithm."""
    return math.log((found.high or math.inf) / found.low) if found.low else math.inf
