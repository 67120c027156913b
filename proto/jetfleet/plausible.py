"""Numbers that cannot be: one answer for the child that writes an outcome, the agent that sends it, the controller.

Pure, on messages. What a number means is said in metrics.py and task.proto; here only what none of them can ever be.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from jetfleet.metrics import METRICS, STAGES, MetricSpec
from jetfleet.options import SIMULATED_RUNTIME
from jetfleet.v1.task_pb2 import PROVENANCE_SIMULATED, Estimate, Interleaved, Measurement, Outcome, Run, TensorCheck

_SPECS = {metric.name: metric for metric in METRICS}
_ASCENDING = ("min", "p50", "p90", "p95", "p99", "max")
_SLACK = 1e-9  # relative: a mean of equal numbers may lie a rounding beside them
_COSINE_SLACK = 1e-6


def impossible_number(outcome: Outcome, *, runtimes: Sequence[str] = ()) -> str:
    """The first number of an outcome that cannot be, in words; empty where there is none.

    `runtimes` are those of the task's subjects, where they are known: only what `simulated` ran is simulated.
    """
    return next(_faults(outcome, runtimes), "")


def _faults(outcome: Outcome, runtimes: Sequence[str]) -> Iterator[str]:
    if outcome.HasField("built") and outcome.built.build_time.ToNanoseconds() < 0:
        yield f"a build time of {outcome.built.build_time.ToNanoseconds() / 1e9:g} s"
    for measurement in outcome.measured.measurements:
        whose = f"subject {measurement.subject_index}: " if measurement.HasField("subject_index") else ""
        for fault in _measurement_faults(measurement, runtimes):
            yield whose + fault
    if outcome.measured.HasField("interleaved"):
        yield from _interleaved_faults(outcome.measured.interleaved)


def _interleaved_faults(item: Interleaved) -> Iterator[str]:
    """One process alone knows neither margin nor confidence, and leaves them at 0."""
    if not 0 <= item.margin < math.inf or not 0 <= item.confidence < 1:
        yield f"ratios within a margin of {item.margin:g} at a confidence of {item.confidence:g}"
    for run in item.runs:
        for name, ratio in run.ratios.items():
            if not 0 < ratio < math.inf:
                yield f"process {run.index}: a ratio of {name} of {ratio:g}"


def _measurement_faults(item: Measurement, runtimes: Sequence[str]) -> Iterator[str]:
    yield from _provenance_faults(item, runtimes)
    for name, estimate in item.metrics.items():
        yield from _estimate_faults(name, estimate)
    values = {name: estimate.value for name, estimate in item.metrics.items() if estimate.HasField("value")}
    yield from _order_faults(values)
    yield from _count_faults(item)
    for run in item.runs:
        for fault in _run_faults(run):
            yield f"run {run.index}: {fault}"
    for check in item.checks:
        yield from _check_faults(check)


def _provenance_faults(item: Measurement, runtimes: Sequence[str]) -> Iterator[str]:
    if not runtimes:
        return
    ran = list(runtimes)
    if item.HasField("subject_index"):
        ran = ran[item.subject_index : item.subject_index + 1]
    if not ran:
        yield f"a subject that is not in the task, which has {len(runtimes)}"
    elif (SIMULATED_RUNTIME in ran) != (item.provenance == PROVENANCE_SIMULATED):
        yield f"a provenance that {' and '.join(ran)} does not have"


def _estimate_faults(name: str, estimate: Estimate) -> Iterator[str]:
    value, low, high = _value(estimate, "value"), _value(estimate, "low"), _value(estimate, "high")
    if value is None:
        if low is not None or high is not None:
            yield f"{name} has an interval and no value"
    elif not _can_be(value, _SPECS.get(name)):
        yield f"{name} = {value:g}"
    elif (low is not None and not -math.inf < low <= value) or (high is not None and not value <= high < math.inf):
        yield f"{name} = {value:g} outside of its interval"


def _can_be(value: float, spec: MetricSpec | None) -> bool:
    """Of a metric that only a newer version knows, nothing but that it is a number."""
    if not math.isfinite(value):
        return False
    if spec is None or spec.signed:
        return True
    if spec.name == "p50_ms":
        return value > 0
    return value >= 0 and (spec.unit != "share" or value <= 1 + _COSINE_SLACK)


def _order_faults(values: Mapping[str, float]) -> Iterator[str]:
    """Of the whole and of every stage."""
    for prefix in ("", *(f"{stage}_" for stage in STAGES)):
        known = {name: values[key] for name in _ASCENDING if (key := f"{prefix}{name}_ms") in values}
        yield from _stage_order_faults(prefix, known, values.get(f"{prefix}mean_ms"))


def _stage_order_faults(prefix: str, known: Mapping[str, float], mean: float | None) -> Iterator[str]:
    """min <= p50 <= p90 <= p95 <= p99 <= max, and the mean between min and max."""
    for (low_name, low), (high_name, high) in pairwise(known.items()):
        if low > high + _SLACK * abs(high):
            yield f"{prefix}{low_name} = {low:g} ms above {prefix}{high_name} = {high:g} ms"
    if mean is None or not {"min", "max"} <= known.keys():
        return
    low, high = known["min"], known["max"]
    if not low - _SLACK * abs(low) <= mean <= high + _SLACK * abs(high):
        yield f"{prefix}mean = {mean:g} ms outside of min to max"


def _run_faults(run: Run) -> Iterator[str]:
    """Of one fresh process: what is asked of the whole is asked of each."""
    for name, value in run.metrics.items():
        if not _can_be(value, _SPECS.get(name)):
            yield f"{name} = {value:g}"
    yield from _order_faults(run.metrics)
    if run.n == 0 and "p50_ms" in run.metrics:
        yield "a p50 of no samples"
    for name, length in (("window", run.window), ("warmup", run.warmup), ("load", run.load)):
        yield from _length_faults(name, length)
    within = [value for value in (_value(run, "within_low_ms"), _value(run, "within_high_ms")) if value is not None]
    if not all(0 <= value < math.inf for value in within) or within != sorted(within):
        yield f"a p50 within {' to '.join(f'{value:g}' for value in within)} ms"


def _length_faults(name: str, length: Any) -> Iterator[str]:
    length_s = length.ToNanoseconds() / 1e9
    if length_s < 0:
        yield f"a {name} of {length_s:g} s"


def _count_faults(item: Measurement) -> Iterator[str]:
    if item.n == 0 and _metric(item, "p50_ms") is not None:
        yield "a p50 of no samples"
    if item.accuracy_n == 0 and _metric(item, "accuracy") is not None:
        yield "an accuracy on no samples"
    for name, length in (("window", item.window), ("warmup", item.warmup)):
        yield from _length_faults(name, length)
    yield from _round_faults(item)


def _round_faults(item: Measurement) -> Iterator[str]:
    for found in item.rounds:
        if found.n == 0 or not (0 <= found.p50_ms < math.inf and 0 <= found.mean_ms < math.inf):
            yield f"a round of {found.n} samples with p50 = {found.p50_ms:g} ms"
    if item.rounds and sum(found.n for found in item.rounds) != item.n:
        yield f"n = {item.n} and rounds of {sum(found.n for found in item.rounds)} samples"


def _check_faults(check: TensorCheck) -> Iterator[str]:
    """Differences may be infinite or undefined where an engine's outputs are."""
    for name, least, most in _CHECK_RANGES:
        value = _value(check, name)
        if value is not None and (value < least or value > most):
            yield f"{check.tensor}: {name} = {value:g}"


_CHECK_RANGES = (
    *((name, 0.0, 1.0) for name in ("top1_agreement", "equal_share")),
    *((name, -1 - _COSINE_SLACK, 1 + _COSINE_SLACK) for name in ("cosine", "worst_slice_cosine")),
    *((name, 0.0, math.inf) for name in ("max_abs", "max_rel", "norm_ratio", "worst_slice_norm_ratio")),
)


def _metric(item: Measurement, name: str) -> float | None:
    return _value(item.metrics[name], "value") if name in item.metrics else None  # to look one up would make it


def _value(message: Any, name: str) -> float | None:
    """An optional number; the generated types take no name that is computed."""
    return getattr(message, name) if message.HasField(name) else None
