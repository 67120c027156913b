"""Rows as a real session would give them: an offset of the session, rounds that resemble their neighbours, a tail."""

import random
import statistics
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from controller.model.job import Precision
from controller.model.result import Estimate, Flag, FlagKind, Measurement, Provenance, Round, Row
from testing import measurements

BOARD = {"arch": "aarch64", "sku": "orin-nano-8gb", "cpu_count": 6, "l4t": "36.4", "power_mode": "15W"}


def round_medians(
    noise: random.Random, *, p50_ms: float = 10.0, session: float = 0.005, within: float = 0.01, count: int = 20
) -> list[float]:
    """`session` and `within` are relative standard deviations; neighbouring rounds correlate by 0.3 (AR(1))."""
    centre, last, found = p50_ms * (1 + noise.gauss(0, session)), noise.gauss(0, 1), []
    for _ in range(count):
        last = 0.3 * last + (1 - 0.3**2) ** 0.5 * noise.gauss(0, 1)
        found.append(centre * (1 + within * last))
    return found


def measurement(rounds: list[float], *flags: FlagKind, provenance: Provenance = Provenance.MEASURED) -> Measurement:
    return measurements.measurement(
        provenance=provenance,
        n=50 * len(rounds),
        window_s=1.0,
        warmup_n=10,
        rounds=tuple(Round(50, value, value) for value in rounds),
        accuracy_n=0,
        flags=tuple(Flag(kind, "seen") for kind in flags),
        metrics={"p50_ms": Estimate(statistics.median(rounds)) if rounds else Estimate(None, reason="no rounds")},
    )


def steady(p50_ms: float, count: int = 10) -> list[float]:
    """Rounds with next to no noise, around a value."""
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


def row(number: int, rounds: list[float] | float = 10.0, *flags: FlagKind, **changes: Any) -> Row:
    """Measurement `number` of job `number`, unless said otherwise."""
    provenance = changes.pop("provenance", Provenance.MEASURED)
    values = steady(rounds) if isinstance(rounds, float) else rounds
    made: dict[str, Any] = {
        "measurement_id": number,
        "task_id": number,
        "job_id": number,
        "measured_at": datetime(2026, 3, 1, 12, number % 60, tzinfo=timezone.utc),
        "measurement": measurement(values, *flags, provenance=provenance),
    }
    return replace(TEMPLATE, **{**made, **changes})
