"""Rows as real benches would give them: an offset of the session, and fresh processes that differ."""

import math
import random
import statistics
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from controller.model.job import Precision
from controller.model.result import Estimate, Flag, FlagKind, Measurement, Provenance, Round, Row, Run
from testing import measurements

BOARD = {"arch": "aarch64", "sku": "orin-nano-8gb", "cpu_count": 6, "l4t": "36.4", "power_mode": "15W"}


def run_medians(
    noise: random.Random, *, p50_ms: float = 10.0, session: float = 0.005, between: float = 0.003, count: int = 5
) -> list[float]:
    """What the fresh processes of one bench find: `session` moves them all, `between` each; standard deviations."""
    centre = p50_ms * math.exp(noise.gauss(0, session))
    return [centre * math.exp(noise.gauss(0, between)) for _ in range(count)]


def run(index: int, **metrics: float) -> Run:
    return Run(index, n=500, window_s=1.0, warmup_s=0.5, warmup_n=10, load_s=0.5, metrics=metrics)


def measurement(
    values: list[float], *flags: FlagKind, provenance: Provenance = Provenance.MEASURED, one_process: bool = False
) -> Measurement:
    """`values` are the medians of its runs, or, `one_process`, of the rounds of one."""
    p50 = Estimate(statistics.median(values)) if values else Estimate(None, reason="no rounds")
    return measurements.measurement(
        provenance=provenance,
        n=50 * len(values),
        window_s=1.0,
        warmup_n=10,
        rounds=tuple(Round(50, value, value, run=0 if one_process else n) for n, value in enumerate(values)),
        runs=() if one_process else tuple(run(index, p50_ms=value) for index, value in enumerate(values)),
        accuracy_n=0,
        flags=tuple(Flag(kind, "seen") for kind in flags),
        metrics={"p50_ms": p50},
    )


def steady(p50_ms: float, count: int = 5) -> list[float]:
    """Runs with next to no noise, around a value."""
    return [p50_ms * (1 + 0.0001 * (index - count // 2)) for index in range(count)]


TEMPLATE = replace(
    measurements.row(facts=BOARD, variant="tensorrt-fp16-b1-gpu"),
    job_name="job",
    device="nano-1",
    runtime="tensorrt",
    runtime_version="10.3",
    precision=Precision.FP16,
    placement="gpu",
)


def row(number: int, found: list[float] | float = 10.0, *flags: FlagKind, **changes: Any) -> Row:
    """Measurement `number` of job `number`, unless said otherwise."""
    provenance = changes.pop("provenance", Provenance.MEASURED)
    values = steady(found) if isinstance(found, float) else found
    one_process = changes.pop("one_process", False)
    made: dict[str, Any] = {
        "measurement_id": number,
        "task_id": number,
        "job_id": number,
        "measured_at": datetime(2026, 3, 1, 12, number % 60, tzinfo=timezone.utc),
        "measurement": measurement(values, *flags, provenance=provenance, one_process=one_process),
    }
    return replace(TEMPLATE, **{**made, **changes})


def repeats(p50_ms: float = 10.0, *, first: int, count: int = 12, spread: float = 0.0005, **changes: Any) -> list[Row]:
    """A quiet device's A/A history: alternating about a value."""
    return [row(first + index, p50_ms * (1 + spread * (-1) ** index), **changes) for index in range(count)]
