"""A made-up fleet of any size as the data of a report."""

import random
from dataclasses import replace
from datetime import datetime, timezone

from controller.analysis.compare import compare
from controller.analysis.history import histories
from controller.analysis.recommendation.recommend import recommend
from controller.model.engine import DlaPlacement
from controller.model.quantities import read_goals
from controller.model.report import Distribution, ReportData, ReportJob, Series
from controller.model.result import Estimate, FlagKind, Row
from tests.analysis.recommendation.fleet import measured

WHEN = datetime(2026, 11, 29, 12, 0, tzinfo=timezone.utc)


def report_data(count: int, *, title: str = "sweep", hostile: str = "") -> ReportData:
    noise = random.Random(1)
    rows = [_row(number, noise, hostile) for number in range(1, count + 1)]
    jobs = tuple(ReportJob(number, f"job{hostile}", "SUCCEEDED", "ann", WHEN, {"commit": "abc"}) for number in (1, 2))
    return ReportData(
        title=title + hostile,
        made_at=WHEN,
        version="0",
        jobs=jobs,
        rows=tuple(rows),
        compared=compare(rows),
        recommended=recommend(rows, read_goals("latency", {"p99_ms": 25.0}, where="x")),
        distributions={row.measurement_id: _distribution(row, noise) for row in rows[:60]},
        telemetry={1: (Series(f"VDD{hostile}", "W", (0.0, 1.0, 2.0), (5.0, 6.0, 5.5)),)},
        histories=tuple(histories([*rows, *_later(rows[0])], "p50_ms")),
        placements={rows[0].engine_key: DlaPlacement(52, 8, 3)},
    )


def _later(row: Row) -> list[Row]:
    """The same again in ten later jobs, of which the last five are twice as slow."""
    estimates = [Estimate((row.measurement.p50_ms.value or 1.0) * (1 + (index > 4))) for index in range(10)]
    return [
        replace(
            row,
            measurement_id=100_000 + index,
            job_id=100 + index,
            labels={"commit": f"c{index}"},
            measurement=replace(row.measurement, metrics={"p50_ms": estimate}),
        )
        for index, estimate in enumerate(estimates)
    ]


def _row(number: int, noise: random.Random, hostile: str) -> Row:
    variants = [f"tensorrt-{precision}-b{batch}-gpu" for precision in ("fp32", "fp16", "int8") for batch in (1, 4, 8)]
    variant = variants[number % len(variants)]
    p50_ms = 10.0 + number % len(variants) + noise.random()
    flags = (FlagKind.THROTTLED,) if number % 17 == 0 else ()
    made = measured(
        number,
        variant + hostile if number == 2 else variant,
        p50_ms,
        *flags,
        device=f"nano-{number // len(variants)}",
        p99_ms=1.1 * p50_ms,
        throughput_per_s=1000 / p50_ms,
        compute_mean_ms=0.9 * p50_ms,
        h2d_mean_ms=0.1 * p50_ms,
        accuracy=Estimate(0.75),
    )
    return replace(made, job_id=1 + number % 2, placement="gpu")


def _distribution(row: Row, noise: random.Random) -> Distribution:
    p50_ms = row.measurement.p50_ms.value or 1.0
    values = sorted(p50_ms * (1 + abs(noise.gauss(0, 0.02))) for _ in range(100))
    shares = tuple((index + 1) / 100 for index in range(100))
    return Distribution(tuple(values), shares, (p50_ms, 1.01 * p50_ms))
