"""From what the timed loop recorded to a Measurement: estimates with intervals or the reason for none, and flags.

Rounds are the unit of statistics because neighbouring samples are not independent. Pure; knows no session or file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.runtime.base import RoundRecord
from agent.work import stats
from jetfleet.metrics import METRICS, MetricSpec, percentile
from jetfleet.plural import counted
from jetfleet.stats.percentiles import samples_for_bound, samples_needed
from jetfleet.v1.task_pb2 import (
    FLAG_KIND_BOUND_BY_LAUNCHES,
    FLAG_KIND_TOO_FEW_SAMPLES,
    FLAG_KIND_UNSTABLE,
    Estimate,
    Flag,
    Measurement,
    Round,
)

Floats = NDArray[np.float64]

UNSTABLE_HALF_WIDTH = 0.025  # of p50: not known well enough, say so
UNSTABLE_DRIFT = 0.05  # last third of rounds against the first
AROUND = ("pre", "post")  # stages that are in e2e and not in latency
LAUNCH_SHARE = 0.8  # of compute's p50: from there on a GPU has nothing queued to go on with


@dataclass
class Recording:
    """What the loop saw. Latencies in milliseconds, one array per round, in time order."""

    warmup_s: float = 0.0
    warmup_n: int = 0
    window_s: float = 0.0  # rounds only: what happens between them is not the engine's time
    rounds: list[Floats] = field(default_factory=list)
    stages: dict[str, list[Floats]] = field(default_factory=dict)
    begins_ns: list[NDArray[np.int64]] = field(default_factory=list)  # of each inference, by its session's clock
    streams: list[NDArray[np.int64]] = field(default_factory=list)  # in which of the subject's
    warmup_p50_ms: float = 0.0  # of its last window, back to back
    metrics: dict[str, Estimate] = field(default_factory=dict)  # what is no statistic of a stage
    flags: list[Flag] = field(default_factory=list)  # what only who recorded it knows

    @property
    def n(self) -> int:
        return sum(len(block) for block in self.rounds)

    def add(self, wall_ms: Floats, elapsed_ns: int, collected: RoundRecord, *, begins_ns: NDArray[np.int64]) -> None:
        """One round by the host's clock, which is e2e unless the session took its own. Where the session tells the
        latency, the residual is what no stage has by then; elsewhere an inference is all compute."""
        if collected.e2e_ms is not None:
            wall_ms = collected.e2e_ms
        if collected.latency_ms is None:
            latency_ms, stages = wall_ms, {"compute": wall_ms, **collected.stages_ms}
        else:
            latency_ms = collected.latency_ms
            around = sum(values for name, values in collected.stages_ms.items() if name in AROUND)
            stages = {**collected.stages_ms, "residual": wall_ms - latency_ms - around}
        stages |= {"latency": latency_ms, "e2e": wall_ms}
        self.window_s += elapsed_ns / 1e9
        self.rounds.append(latency_ms)
        self.begins_ns.append(begins_ns)
        self.streams.append(np.zeros(len(begins_ns), dtype=np.int64))
        for name, values in stages.items():
            self.stages.setdefault(name, []).append(values)


class _Times:
    """What was recorded of one stage, or of whole inferences."""

    def __init__(self, rounds: Sequence[Floats]) -> None:
        self.rounds = rounds
        self.samples = np.concatenate(rounds)  # in time order
        self.ordered = np.sort(self.samples)


def summarise(recording: Recording, batch: int) -> Measurement:
    """The recording as numbers, each with its interval or the reason why it has none, and with what is wrong."""
    found = Measurement(
        n=recording.n,
        warmup_n=recording.warmup_n,
        rounds=[_round(block) for block in recording.rounds],
        flags=[*find_flags(recording.rounds), *launch_flags(recording.stages), *recording.flags],
    )
    times = {stage: _Times(blocks) for stage, blocks in (("", recording.rounds), *recording.stages.items())}
    for metric in METRICS:
        estimate = _estimate(metric, times[metric.stage]) if metric.statistic and metric.stage in times else None
        if estimate is not None:
            found.metrics[metric.name].CopyFrom(estimate)
    for name, known in recording.metrics.items():
        found.metrics[name].CopyFrom(known)
    if recording.window_s > 0:
        found.metrics["throughput_per_s"].value = recording.n * max(batch, 1) / recording.window_s
    found.window.FromNanoseconds(round(recording.window_s * 1e9))
    found.warmup.FromNanoseconds(round(recording.warmup_s * 1e9))
    return found


def untimed(reason: str) -> Measurement:
    """The measurement of an engine that was not timed."""
    found = Measurement(n=0)
    for metric in METRICS:
        if metric.has_interval and metric.statistic:
            found.metrics[metric.name].reason = reason
    return found


def find_flags(rounds: Sequence[Floats]) -> list[Flag]:
    if len(rounds) < stats.MIN_ROUNDS:
        few = f"{counted(len(rounds), 'round')}, n={sum(map(len, rounds))}: p50's interval needs {stats.MIN_ROUNDS}"
        return [Flag(kind=FLAG_KIND_TOO_FEW_SAMPLES, evidence=few)]
    reasons = []
    width = half_width(rounds)
    if width is not None and width > UNSTABLE_HALF_WIDTH:
        reasons.append(f"p50 known to {100 * width:.1f} % only (limit {100 * UNSTABLE_HALF_WIDTH:g} %)")
    moved = stats.drift([stats.nearest_rank(np.sort(block), 0.5) for block in rounds])
    if moved is not None and abs(moved) > UNSTABLE_DRIFT:
        where = "above" if moved > 0 else "below"
        reasons.append(f"p50 of the last third of rounds {100 * abs(moved):.1f} % {where} the first")
    return [Flag(kind=FLAG_KIND_UNSTABLE, evidence="; ".join(reasons))] if reasons else []


def launch_flags(stages: Mapping[str, Sequence[Floats]]) -> list[Flag]:
    """BOUND_BY_LAUNCHES where enqueueing takes about as long as computing: trtexec warns of the same."""
    if "enqueue" not in stages:
        return []
    enqueue_ms, compute_ms = (float(np.median(np.concatenate(stages[name]))) for name in ("enqueue", "compute"))
    if enqueue_ms <= LAUNCH_SHARE * compute_ms:
        return []
    seen = f"enqueue takes {enqueue_ms:.3g} ms, compute {compute_ms:.3g} ms (p50; limit {LAUNCH_SHARE:.0%})"
    advice = "the host decides the number: a CUDA graph, a larger batch or a faster CPU clock would change it"
    return [Flag(kind=FLAG_KIND_BOUND_BY_LAUNCHES, evidence=f"{seen}: {advice}")]


def _estimate(metric: MetricSpec, times: _Times) -> Estimate | None:
    """None where the samples are too few for it; with an interval, that is told as the reason."""
    share = percentile(metric.statistic)
    if share is None:
        value = _PLAIN[metric.statistic](times.samples)
        return None if value is None else Estimate(value=value)
    if metric.has_interval:
        return _median(times) if share == 0.5 else _tail(times, share)
    if share != 0.5 and len(times.samples) < samples_for_bound(share):
        return None
    return Estimate(value=stats.nearest_rank(times.ordered, share))


def _deviation(samples: Floats) -> float | None:
    return float(samples.std(ddof=1)) if len(samples) > 1 else None


_PLAIN: Mapping[str, Callable[[Floats], float | None]] = {
    "min": lambda samples: float(samples.min()),
    "mean": lambda samples: float(samples.mean()),
    "max": lambda samples: float(samples.max()),
    "std": _deviation,
}


def _median(times: _Times) -> Estimate:
    estimate = Estimate(value=stats.nearest_rank(times.ordered, 0.5))
    interval = stats.median_interval(times.rounds)
    if interval is None:
        estimate.reason = f"no interval: {counted(len(times.rounds), 'round')} < {stats.MIN_ROUNDS}"
    else:
        estimate.low, estimate.high = interval
    return estimate


def _tail(times: _Times, share: float) -> Estimate:
    samples, ordered = times.samples, times.ordered
    bounded, needed = samples_for_bound(share), samples_needed(share)
    if len(samples) < bounded:
        return Estimate(reason=f"n={len(samples)} < {bounded}")
    estimate = Estimate(value=stats.nearest_rank(ordered, share))
    effective = stats.effective_size(samples, estimate.value)
    interval = stats.tail_interval(ordered, share, effective)
    if interval is None:
        estimate.reason = f"no interval: n={len(samples)} is worth {effective:.0f} independent samples < {needed}"
    else:
        estimate.low, estimate.high = interval
    return estimate


def _round(block: Floats) -> Round:
    return Round(n=len(block), p50_ms=stats.nearest_rank(np.sort(block), 0.5), mean_ms=float(block.mean()))


def half_width(rounds: Sequence[Floats], *, replicates: int = 2000) -> float | None:
    """The longer arm of p50's interval, relative to p50; None where there is no interval."""
    interval = stats.median_interval(rounds, replicates=replicates)
    if interval is None:
        return None
    median = stats.nearest_rank(np.sort(np.concatenate(rounds)), 0.5)
    return max(interval[1] - median, median - interval[0]) / median if median > 0 else 0.0
