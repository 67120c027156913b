"""Measurements and their rows, made up; every field is settable by name."""

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from controller.model.job import Precision
from controller.model.result import Estimate, Measurement, Provenance, Row
from jetfleet.metrics import NAMES

WHEN = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)

METRICS = {
    "p50_ms": Estimate(14.7213, 14.67, 14.77),
    "p90_ms": Estimate(15.2, 15.1, 15.3),
    "p99_ms": Estimate(16.0, 15.8, 16.4),
    "mean_ms": Estimate(14.8),
    "std_ms": Estimate(0.2),
    "min_ms": Estimate(14.1),
    "max_ms": Estimate(17.0),
    "throughput_per_s": Estimate(67.9),
    "accuracy": Estimate(0.7612),
}


def measurement(**changes: Any) -> Measurement:
    """Metrics are changed by their names, like fields."""
    metrics = {**METRICS, **{name: changes.pop(name) for name in NAMES & set(changes)}}
    made = Measurement(
        subject_index=0,
        provenance=Provenance.MEASURED,
        n=800,
        window_s=10.0,
        warmup_s=0.5,
        warmup_n=30,
        rounds=(),
        checks=(),
        accuracy_n=1000,
        flags=(),
        samples=None,
        metrics=metrics,
    )
    return replace(made, **changes)


def row(*, facts: dict[str, Any] | None = None, variant: str = "onnxruntime-fp32-b1-cpu", **changes: Any) -> Row:
    return Row(
        measurement_id=7,
        task_id=5,
        job_id=12,
        job_name="digits",
        model_name="mlp",
        variant_key=variant,
        device="bench-1",
        runtime="onnxruntime",
        runtime_version="1.23.0",
        precision=Precision.FP32,
        batch=1,
        placement="cpu",
        engine_key="e" * 64,
        measured_at=WHEN,
        facts={"arch": "x86_64", "cpu_isa": ("avx2", "fma")} if facts is None else facts,
        measurement=measurement(**changes),
    )
