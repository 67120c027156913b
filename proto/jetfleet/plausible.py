"""Numbers that cannot be: one answer for the child that writes an outcome, the agent that sends it, the controller.

Pure, on messages. What a number means is said in task.proto; here only what none of them can ever be.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from jetfleet.v1.task_pb2 import PROVENANCE_SIMULATED, Estimate, Measurement, Outcome, TensorCheck

SIMULATED_RUNTIME = "simulated"
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
        for fault in _measurement_faults(measurement, runtimes):
            yield f"subject {measurement.subject_index}: {fault}" if measurement.HasField("subject_index") else fault


def _measurement_faults(item: Measurement, runtimes: Sequence[str]) -> Iterator[str]:
    yield from _provenance_fault(item, runtimes)
    yield from _latency_faults(item)
    yield from _round_faults(item)
    yield from _accuracy_faults(item)
    for stage in item.stages:  # the residual of two clocks may be below zero
        if not (math.isfinite(stage.p50_ms) and math.isfinite(stage.mean_ms)):
            yield f"stage {stage.name} of {stage.p50_ms:g} ms"
    for check in item.checks:
        yield from _check_faults(check)


def _provenance_fault(item: Measurement, runtimes: Sequence[str]) -> Iterator[str]:
    if not runtimes:
        return
    if item.HasField("subject_index"):
        if item.subject_index >= len(runtimes):
            yield f"a subject that is not in the task, which has {len(runtimes)}"
            return
        simulated = runtimes[item.subject_index] == SIMULATED_RUNTIME
    else:
        simulated = SIMULATED_RUNTIME in runtimes
    if simulated != (item.provenance == PROVENANCE_SIMULATED):
        ran = "the simulated runtime" if simulated else "a real runtime"
        yield f"a provenance that {ran} does not have"


def _latency_faults(item: Measurement) -> Iterator[str]:
    for name in ("p50_ms", "p90_ms", "p99_ms"):
        yield from _estimate_faults(name, getattr(item, name))
    has_p50 = item.p50_ms.HasField("value")
    if has_p50 and item.n == 0:
        yield "a p50 of no samples"
    for name in ("mean_ms", "std_ms", "min_ms", "max_ms", "throughput_per_s"):
        value = _value(item, name)
        if value is not None and not _is_amount(value):
            yield f"{name} = {value:g}"
    for name in ("window", "warmup"):
        if getattr(item, name).ToNanoseconds() < 0:
            yield f"a {name} of {getattr(item, name).ToNanoseconds() / 1e9:g} s"
    yield from _order_faults(item)


def _order_faults(item: Measurement) -> Iterator[str]:
    """min <= p50 <= p90 <= p99 <= max, and the mean between min and max."""
    estimates = (("p50", item.p50_ms), ("p90", item.p90_ms), ("p99", item.p99_ms))
    named = [(name, _value(estimate, "value")) for name, estimate in estimates]
    named = [("min", _value(item, "min_ms")), *named, ("max", _value(item, "max_ms"))]
    known = [(name, value) for name, value in named if value is not None]
    for (low_name, low), (high_name, high) in pairwise(known):
        if low > high * (1 + _SLACK):
            yield f"{low_name} = {low:g} ms above {high_name} = {high:g} ms"
    if item.HasField("mean_ms") and item.HasField("min_ms") and item.HasField("max_ms"):
        low, high = item.min_ms * (1 - _SLACK), item.max_ms * (1 + _SLACK)
        if not low <= item.mean_ms <= high:
            yield f"mean = {item.mean_ms:g} ms outside of min to max"


def _estimate_faults(name: str, estimate: Estimate) -> Iterator[str]:
    if not estimate.HasField("value"):
        if estimate.HasField("low") or estimate.HasField("high"):
            yield f"{name} has an interval and no value"
        return
    if not (_is_amount(estimate.value) and estimate.value > 0):
        yield f"{name} = {estimate.value:g}"
    low = estimate.low if estimate.HasField("low") else estimate.value
    high = estimate.high if estimate.HasField("high") else estimate.value
    if not (_is_amount(low) and _is_amount(high) and low <= estimate.value <= high):
        yield f"{name} = {estimate.value:g} outside of its interval {low:g} to {high:g}"


def _round_faults(item: Measurement) -> Iterator[str]:
    for found in item.rounds:
        if found.n == 0 or not (_is_amount(found.p50_ms) and _is_amount(found.mean_ms)):
            yield f"a round of {found.n} samples with p50 = {found.p50_ms:g} ms"
    if item.rounds and sum(found.n for found in item.rounds) != item.n:
        yield f"n = {item.n} and rounds of {sum(found.n for found in item.rounds)} samples"


def _accuracy_faults(item: Measurement) -> Iterator[str]:
    if item.HasField("accuracy"):
        if not 0 <= item.accuracy <= 1:
            yield f"an accuracy of {item.accuracy:g}"
        if item.accuracy_n == 0:
            yield "an accuracy on no samples"
    if item.HasField("dla_time_share") and not 0 <= item.dla_time_share <= 1 + _COSINE_SLACK:
        yield f"a share of time on DLAs of {item.dla_time_share:g}"


def _check_faults(check: TensorCheck) -> Iterator[str]:
    """Differences may be infinite or undefined where an engine's outputs are."""
    for name in ("top1_agreement", "equal_share"):
        value = _value(check, name)
        if value is not None and not 0 <= value <= 1:
            yield f"{check.tensor}: {name} = {value:g}"
    for name in ("cosine", "worst_slice_cosine"):
        value = _value(check, name)
        if value is not None and abs(value) > 1 + _COSINE_SLACK:
            yield f"{check.tensor}: {name} = {value:g}"
    for name in ("max_abs", "max_rel", "norm_ratio", "worst_slice_norm_ratio"):
        value = _value(check, name)
        if value is not None and value < 0:
            yield f"{check.tensor}: {name} = {value:g}"


def _value(message: Any, name: str) -> float | None:
    """An optional number; the generated types take no name that is computed."""
    return getattr(message, name) if message.HasField(name) else None


def _is_amount(value: float) -> bool:
    return math.isfinite(value) and value >= 0
