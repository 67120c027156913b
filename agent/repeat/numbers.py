"""The metrics of a BENCH out of those of its runs. Pure, on messages."""

from collections.abc import Sequence
from statistics import fmean

from agent.repeat.interval import repeat_interval, typical
from agent.repeat.plan import PLANNED_RUNS
from jetfleet.metrics import METRICS
from jetfleet.stats.proportions import Proportion
from jetfleet.v1.task_pb2 import Estimate, Measurement

_EXTREMES = {"min": min, "max": max}
_SHARES = frozenset(metric.name for metric in METRICS if metric.unit == "share")


def merge_metrics(found: Measurement, *, first: Measurement, counted: Sequence[Measurement]) -> None:
    """Writes every metric: the median over the runs that count, means of means, extremes of all that was seen."""
    names = sorted({name for part in (first, *counted) for name in part.metrics})
    for name in names:
        found.metrics[name].CopyFrom(_merged(name, first, counted))


def _merged(name: str, first: Measurement, counted: Sequence[Measurement]) -> Estimate:
    estimates = [part.metrics[name] for part in counted if name in part.metrics]
    if name in first.metrics and all(part is first or name not in part.metrics for part in counted):
        return first.metrics[name]  # taken once: accuracy, a DLA's share of the time
    lacking = [estimate for estimate in estimates if not estimate.HasField("value")]
    if lacking:
        return Estimate(reason=lacking[0].reason)
    if len(estimates) < len(counted):
        return Estimate(reason=f"in {len(estimates)} of {len(counted)} runs only")
    if len(estimates) == 1:
        return estimates[0]
    found = estimate_of(name, [estimate.value for estimate in estimates])
    if name in _SHARES and found.reason:
        low, high = Proportion(found.value, sum(part.n for part in counted)).interval()
        return Estimate(value=found.value, low=low, high=high)
    return found


def estimate_of(name: str, values: Sequence[float]) -> Estimate:
    """Of several runs' values."""
    extremes = [_EXTREMES[word] for word in name.split("_") if word in _EXTREMES]
    if extremes:
        return Estimate(value=extremes[0](values))
    # Means of stages add up to that of the whole, and their means do; medians of them need not.
    value = fmean(values) if f"_{name}".endswith("_mean_ms") else typical(values)
    estimate = Estimate(value=value)
    interval = repeat_interval(values, learnt_from=PLANNED_RUNS)
    if interval is None:
        return estimate
    low, high = min(value, interval[0]), max(value, interval[1])
    if name in _SHARES:
        low, high = max(0.0, low), min(1.0, high)
    if name in _SHARES and low == high:  # nothing in any run is no proof of nothing in the next
        estimate.reason = f"no interval: {value:g} in all {len(values)} runs"
    else:
        estimate.low, estimate.high = low, high
    return estimate
