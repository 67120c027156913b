"""A made-up sweep of one network over five boards before and after a change, as large as a report has to carry: 500
measurements with distributions, sensors, a history and a DLA. What the pictures of the documents show.
"""

import hashlib
import random
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from controller.analysis.compare import compare
from controller.analysis.history import histories
from controller.analysis.quantiles import thinned
from controller.analysis.recommendation.recommend import recommend
from controller.model.engine import DlaPlacement
from controller.model.job import Precision
from controller.model.quantities import read_goals
from controller.model.report import Distribution, ReportData, ReportJob, Series
from controller.model.result import Estimate, FlagKind, Row
from jetfleet.version import VERSION
from tests.analysis import runs

TITLE = "resnet50 on five boards (made-up numbers)"
WHEN = datetime(2026, 11, 29, 12, 0, tzinfo=timezone.utc)
COMMITS = {7: "4f1c2ab90e11", 8: "9be07d25c3a4"}
BATCHES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64)
SHAPES = (("fp32", "gpu"), ("fp16", "gpu"), ("int8", "gpu"), ("fp16", "dla0"), ("int8", "dla0"))
BOARDS = {"nx-1": 1.0, "nx-2": 1.01, "nx-3": 0.995, "nx-4": 1.004, "nx-5": 1.16}  # how slow each is
BASE_MS = {"fp32": 12.0, "fp16": 5.2, "int8": 3.3}
ACCURACY = {"fp32": 0.761, "fp16": 0.7605, "int8": 0.752}
FACTS = {
    "arch": "aarch64",
    "sku": "orin-nx-16gb",
    "cpu_count": 8,
    "l4t": "36.4.3",
    "jetpack": "6.2",
    "power_mode": "25W",
}
STAGES = {"h2d": 0.07, "compute": 0.88, "d2h": 0.03, "residual": 0.02}


def showcase() -> ReportData:
    noise = random.Random(4)
    rows = [replace(row, measurement_id=number) for number, row in enumerate(_rows(noise), 1)]
    shown = [row for row in rows if row.device == "nx-1" and row.placement == "gpu"][:60]
    return ReportData(
        title=TITLE,
        made_at=WHEN,
        version=VERSION,
        jobs=tuple(ReportJob(job, "resnet50", "SUCCEEDED", "ann", _when(job), _labels(job)) for job in COMMITS),
        rows=tuple(rows),
        compared=compare(rows, history=_repeats()),
        recommended=recommend(rows, read_goals("latency", {"p99_ms": 16.0, "accuracy_drop": 0.02}, where="x")),
        distributions={row.measurement_id: _distribution(row, noise) for row in shown},
        telemetry={shown[0].measurement_id: _sensors(noise)},
        histories=tuple(histories(list(_history(rows, noise)), "p50_ms")),
        placements=_placements(rows),
    )


def _repeats() -> list[Row]:
    """Benches of one network again and again, by which the boards' noise between benches is known."""
    return [
        row
        for index, device in enumerate(BOARDS)
        for row in runs.repeats(first=20_000 + 100 * index, spread=0.003, device=device, facts=FACTS)
    ]


def _rows(noise: random.Random) -> Iterator[Row]:
    for job in COMMITS:
        for device, slowness in BOARDS.items():
            for precision, placement in SHAPES:
                for batch in BATCHES:
                    yield _row(job, device, precision, placement, batch, slowness, noise)


def _row(
    job: int, device: str, precision: str, placement: str, batch: int, slowness: float, noise: random.Random
) -> Row:
    changed = {"int8": 1.06, "fp16": 0.95}.get(precision, 1.0) if job == 8 else 1.0
    centre_ms = BASE_MS[precision] * (0.55 + 0.45 * batch) * slowness * changed * (1.9 if placement == "dla0" else 1)
    values = runs.run_medians(noise, p50_ms=centre_ms, session=0.002, between=0.003)
    flags = (FlagKind.THROTTLED,) if device == "nx-5" and batch == 64 else ()
    made = runs.row(
        1,
        values,
        *flags,
        job_id=job,
        job_name="resnet50",
        model_name="resnet50.onnx",
        device=device,
        facts=FACTS,
        variant_key=f"tensorrt-{precision}-b{batch}-{placement}",
        precision=Precision(precision),
        batch=batch,
        placement=placement,
        engine_key=hashlib.sha256(f"{job} {precision} {batch} {placement}".encode()).hexdigest(),
        labels=_labels(job),
        measured_at=_when(job),
    )
    return replace(made, measurement=replace(made.measurement, metrics=_metrics(values, precision, batch, placement)))


def _metrics(values: list[float], precision: str, batch: int, placement: str) -> Mapping[str, Estimate]:
    p50_ms = statistics.median(values)
    watts = 6.0 if placement == "dla0" else {"fp32": 14.5, "fp16": 11.0, "int8": 9.5}[precision]
    stages = {f"{name}_mean_ms": _about(p50_ms * share) for name, share in STAGES.items()}
    return {
        "p50_ms": Estimate(p50_ms, min(values), max(values)),
        "p99_ms": _about(1.12 * p50_ms, 0.02),
        "throughput_per_s": _about(1000 * batch / p50_ms),
        "accuracy": Estimate(ACCURACY[precision]),
        "power_mean_w": _about(watts, 0.01),
        "energy_mj": _about(watts * p50_ms, 0.012),
        **stages,
    }


def _about(value: float, share: float = 0.005) -> Estimate:
    return Estimate(value, value * (1 - share), value * (1 + share))


def _when(job: int) -> datetime:
    return WHEN - timedelta(days=9 - job)


def _labels(job: int) -> Mapping[str, str]:
    return {"commit": COMMITS.get(job, f"{job:012x}"), "branch": "main"}


def _distribution(row: Row, noise: random.Random) -> Distribution:
    """Skewed, as latencies are, and now and then a straggler."""
    medians = [run.metrics["p50_ms"] for run in row.measurement.runs]
    late = [noise.random() < 0.01 for _ in range(1500)]
    values = [
        medians[index % len(medians)] * (0.985 + noise.gammavariate(2.0, 0.008) + is_late * 0.1 * noise.random())
        for index, is_late in enumerate(late)
    ]
    return Distribution(*thinned(sorted(values)), tuple(medians))


def _sensors(noise: random.Random) -> tuple[Series, ...]:
    seconds = tuple(index / 10 for index in range(-20, 120))
    busy = [float(time > -1) for time in seconds]
    heat = [44 + 6 * max(0.0, time + 1) / (4 + max(0.0, time + 1)) for time in seconds]
    middles = tuple(0.1 + 0.5 * index for index in range(22))
    latencies = tuple(12.0 + 0.02 * noise.random() + 0.012 * index for index in range(22))
    return (
        Series("p50 of each round", "ms", middles, latencies),
        Series("power.VDD_IN", "W", seconds, tuple(6.1 + 8.2 * item + noise.gauss(0, 0.15) for item in busy)),
        Series("temperature.gpu", "°C", seconds, tuple(heat)),
        Series("clock.gpu", "MHz", seconds, tuple(306 + 612 * item for item in busy)),
        Series("cpu.busy", "share", seconds, tuple(0.03 + 0.12 * item + 0.01 * noise.random() for item in busy)),
    )


def _history(rows: list[Row], noise: random.Random) -> Iterator[Row]:
    """Three variants over eight commits; int8 became slower with the fourth."""
    for index, variant in enumerate(("tensorrt-int8-b1-gpu", "tensorrt-fp16-b1-gpu", "tensorrt-fp32-b1-gpu")):
        now = [row for row in rows if row.variant_key == variant and row.device == "nx-1"]
        for job in range(1, 7):
            level = (now[0].measurement.p50_ms.value or 1.0) * (0.85 if job < 4 and "int8" in variant else 1.0)
            values = runs.run_medians(noise, p50_ms=level, session=0.003, between=0.003)
            found = replace(now[0].measurement, metrics={"p50_ms": Estimate(statistics.median(values))})
            yield replace(
                now[0],
                measurement_id=100 * index + job - 10_000,
                job_id=job,
                labels=_labels(job),
                measured_at=_when(job),
                measurement=replace(found, runs=runs.measurement(values).runs),
            )
        yield from now


def _placements(rows: list[Row]) -> Mapping[str, DlaPlacement]:
    found = {row.engine_key: row.variant_key for row in rows if row.placement == "dla0" and row.batch in (1, 8)}
    return {key: DlaPlacement(*((57, 3, 2) if "int8" in variant else (60, 0, 1))) for key, variant in found.items()}
