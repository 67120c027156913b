"""What is wrong with a BENCH, out of what was seen in its runs and of how they differ. Pure, on messages."""

from collections.abc import Iterator, Sequence
from statistics import median

from jetfleet.v1.task_pb2 import (
    FLAG_KIND_BOUND_BY_LAUNCHES,
    FLAG_KIND_CLOCK_DRIFT,
    FLAG_KIND_INTERFERED,
    FLAG_KIND_NOT_REPEATABLE,
    FLAG_KIND_PAUSED,
    FLAG_KIND_THROTTLED,
    FLAG_KIND_TOO_FEW_SAMPLES,
    FLAG_KIND_UNSTABLE,
    Flag,
    FlagKind,
    Measurement,
)

NOT_REPEATABLE_HALF_WIDTH = 0.05  # of p50's interval: no use in comparing such a number with another
UNSTABLE_DRIFT = 0.05  # last third of a run's rounds against the first
CANNOT_KEEP_UP = "it cannot keep up with"  # how the evidence begins of an engine that is slower than its inputs arrive
# Seen anew in each run; the others are true of the engine and of how it was asked for.
_OF_RUNS = (
    *(FLAG_KIND_PAUSED, FLAG_KIND_INTERFERED, FLAG_KIND_THROTTLED, FLAG_KIND_CLOCK_DRIFT, FLAG_KIND_BOUND_BY_LAUNCHES),
)
# Of a run alone: what its rounds say of its median matters no more when there are several. An engine that cannot keep
# up is another matter: each run says the same of it.
_SUPERSEDED = (FLAG_KIND_UNSTABLE, FLAG_KIND_TOO_FEW_SAMPLES)


def merge_flags(first: Measurement, counted: Sequence[Measurement], merged: Measurement) -> list[Flag]:
    """`first` is of the first run, whether it counts or not; `merged` has its metrics."""
    if len(counted) == 1:
        return _unique([*_of_engine([first]), *counted[0].flags])
    found = [*_of_engine([first, *counted]), *_of_runs(counted), *_circumstances(counted)]
    return [*found, *_too_slow(counted), *drift_flags(counted), *spread_flags(merged, len(counted))]


def spread_flags(merged: Measurement, runs: int) -> list[Flag]:
    """NOT_REPEATABLE where the interval over runs is too wide to be of use."""
    name = "p50_ms" if "p50_ms" in merged.metrics else "throughput_per_s"  # of several subjects together
    if name not in merged.metrics or not merged.metrics[name].HasField("low"):
        return []
    found, values = merged.metrics[name], [run.metrics[name] for run in merged.runs if not run.void_reason]
    if found.low <= 0:
        return []
    width = max(found.high / found.value, found.value / found.low) - 1
    if runs == 2:  # of two values an interval says nothing: it is always wide
        width = max(values) / min(values) - 1
    if width <= NOT_REPEATABLE_HALF_WIDTH:
        return []
    limit = f"(limit {NOT_REPEATABLE_HALF_WIDTH:.0%})"
    seen = f"{name} from {min(values):.4g} to {max(values):.4g} in {runs} fresh processes"
    return [Flag(kind=FLAG_KIND_NOT_REPEATABLE, evidence=f"{seen}: a repeat may differ by {width:.1%} {limit}")]


def drift_flags(counted: Sequence[Measurement]) -> list[Flag]:
    """UNSTABLE where latencies move in one direction in run after run, as of an engine that is not warm."""
    moved = [found for part in counted if (found := drift([each.p50_ms for each in part.rounds])) is not None]
    if len(moved) < len(counted) or not moved:
        return []
    typical = median(moved)
    if abs(typical) <= UNSTABLE_DRIFT:
        return []
    where = "above" if typical > 0 else "below"
    evidence = f"p50 of the last third of rounds {abs(typical):.1%} {where} the first (median of {len(moved)} runs)"
    return [Flag(kind=FLAG_KIND_UNSTABLE, evidence=evidence)]


def drift(round_medians: Sequence[float]) -> float | None:
    """How far the median of the last third of rounds is above that of the first, relative; None with fewer than 3."""
    third = len(round_medians) // 3
    if not third:
        return None
    first, last = median(round_medians[:third]), median(round_medians[-third:])
    return last / first - 1.0 if first > 0 else None


def _of_engine(parts: Sequence[Measurement]) -> list[Flag]:
    flags = [flag for part in parts for flag in part.flags]
    return _unique([flag for flag in flags if flag.kind not in (*_OF_RUNS, *_SUPERSEDED)])


def _of_runs(counted: Sequence[Measurement]) -> Iterator[Flag]:
    """Each kind once, with the runs in which it was seen and what was seen first."""
    for kind in _OF_RUNS:
        seen = [_evidence(part, kind) for part in counted]
        told = [evidence for evidence in seen if evidence]
        if told:
            yield Flag(kind=kind, evidence=f"in {len(told)} of {len(counted)} runs: {told[0]}")


def _too_slow(counted: Sequence[Measurement]) -> Iterator[Flag]:
    """UNSTABLE where an engine could not keep up with its inputs: how late it was says how long somebody looked."""
    told = [flag.evidence for part in counted for flag in part.flags if flag.evidence.startswith(CANNOT_KEEP_UP)]
    if told:
        yield Flag(kind=FLAG_KIND_UNSTABLE, evidence=f"in {len(told)} of {len(counted)} runs: {told[0]}")


def _evidence(part: Measurement, kind: "FlagKind.ValueType") -> str:
    return "; ".join(flag.evidence for flag in part.flags if flag.kind == kind)


def _circumstances(counted: Sequence[Measurement]) -> Iterator[Flag]:
    """CLOCK_DRIFT where one run was not made under the circumstances of another."""
    for name in sorted({name for part in counted for name in part.circumstances if name.endswith("_clocks")}):
        values = list(dict.fromkeys(part.circumstances.get(name, "unknown") for part in counted))
        if len(values) > 1:
            yield Flag(kind=FLAG_KIND_CLOCK_DRIFT, evidence=f"{name} differs between runs: {' and '.join(values)}")


def _unique(flags: Sequence[Flag]) -> list[Flag]:
    return list({(flag.kind, flag.evidence): flag for flag in flags}.values())
