"""From what the timed loop recorded to a Measurement: estimates with intervals or the reason for none, and flags.

Rounds are the unit of statistics because neighbouring samples are not independent. Pure; knows no session or file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.runtime.base import Collected
from agent.work import stats
from jetfleet.v1.task_pb2 import (
    FLAG_KIND_TOO_FEW_SAMPLES,
    FLAG_KIND_UNSTABLE,
    Estimate,
    Flag,
    Measurement,
    Round,
    Stage,
)

Floats = NDArray[np.float64]

UNSTABLE_HALF_WIDTH = 0.025  # of p50: not known well enough, say so
UNSTABLE_DRIFT = 0.05  # last third of rounds against the first


@dataclass
class Recording:
    """What the loop saw. Latencies in milliseconds, one array per round, in time order."""

    warmup_s: float = 0.0
    warmup_n: int = 0
    window_s: float = 0.0  # rounds only: what happens between them is not the engine's time
    rounds: list[Floats] = field(default_factory=list)
    stages: dict[str, list[Floats]] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return sum(len(block) for block in self.rounds)

    def add(self, wall_ms: Floats, elapsed_ns: int, collected: Collected) -> None:
        """One round by the host's clock. Where the device has a clock of its own, the latency is by that, and the
        host's becomes the stage e2e; what is not in any stage by then is the residual."""
        stages = dict(collected.stages_ms)
        latency_ms = wall_ms
        if collected.latency_ms is not None:
            latency_ms = collected.latency_ms
            stages |= {"e2e": wall_ms, "residual": wall_ms - latency_ms}
        self.window_s += elapsed_ns / 1e9
        self.rounds.append(latency_ms)
        for name, values in stages.items():
            self.stages.setdefault(name, []).append(values)


def summarise(recording: Recording, batch: int) -> Measurement:
    """The recording as numbers, each with its interval or the reason why it has none, and with what is wrong."""
    samples = np.concatenate(recording.rounds)
    ordered = np.sort(samples)
    found = Measurement(
        n=len(samples),
        p50_ms=_median(recording.rounds, ordered),
        p90_ms=_tail(samples, ordered, 0.90),
        p99_ms=_tail(samples, ordered, 0.99),
        mean_ms=float(samples.mean()),
        min_ms=float(ordered[0]),
        max_ms=float(ordered[-1]),
        warmup_n=recording.warmup_n,
        rounds=[_round(block) for block in recording.rounds],
        stages=[_stage(name, blocks) for name, blocks in recording.stages.items()],
        flags=find_flags(recording.rounds),
    )
    if len(samples) > 1:
        found.std_ms = float(samples.std(ddof=1))
    if recording.window_s > 0:
        found.throughput_per_s = len(samples) * max(batch, 1) / recording.window_s
    found.window.FromNanoseconds(round(recording.window_s * 1e9))
    found.warmup.FromNanoseconds(round(recording.warmup_s * 1e9))
    return found


def untimed(reason: str) -> Measurement:
    """The measurement of an engine that was not timed."""
    absent = [Estimate(reason=reason) for _ in range(3)]
    return Measurement(n=0, p50_ms=absent[0], p90_ms=absent[1], p99_ms=absent[2])


def find_flags(rounds: Sequence[Floats]) -> list[Flag]:
    if len(rounds) < stats.MIN_ROUNDS:
        few = f"{len(rounds)} rounds, n={sum(map(len, rounds))}: p50's interval needs {stats.MIN_ROUNDS} rounds"
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


def _median(rounds: Sequence[Floats], ordered: Floats) -> Estimate:
    estimate = Estimate(value=stats.nearest_rank(ordered, 0.5))
    interval = stats.median_interval(rounds)
    if interval is None:
        estimate.reason = f"no interval: {len(rounds)} rounds < {stats.MIN_ROUNDS}"
    else:
        estimate.low, estimate.high = interval
    return estimate


def _tail(samples: Floats, ordered: Floats, share: float) -> Estimate:
    needed = stats.samples_needed(share)
    if len(samples) < needed:
        return Estimate(reason=f"n={len(samples)} < {needed}")
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


def _stage(name: str, blocks: Sequence[Floats]) -> Stage:
    values = np.concatenate(blocks)
    return Stage(name=name, p50_ms=stats.nearest_rank(np.sort(values), 0.5), mean_ms=float(values.mean()))


def half_width(rounds: Sequence[Floats], *, replicates: int = 2000) -> float | None:
    """The longer arm of p50's interval, relative to p50; None where there is no interval."""
    interval = stats.median_interval(rounds, replicates=replicates)
    if interval is None:
        return None
    median = stats.nearest_rank(np.sort(np.concatenate(rounds)), 0.5)
    return max(interval[1] - median, median - interval[0]) / median if median > 0 else 0.0
