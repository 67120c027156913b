"""A comparison as data: what stands under `compared`, and the same by columns for a table."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from controller.model.comparison import Comparison, ComparisonReport, Spread
from controller.model.result import Estimate, Row

Record: TypeAlias = dict[str, Any]


def compared_record(report: ComparisonReport) -> Record:
    return {
        "by": report.by.value,
        "baseline": report.baseline or None,
        "comparisons": [_comparison_record(item) for item in report.comparisons],
        "spreads": [_spread_record(item) for item in report.spreads],
    }


def compared_frame(report: ComparisonReport) -> tuple[tuple[str, ...], list[Record]]:
    """The columns of a table, and a record for each comparison."""
    return COLUMNS, [_flat(report, item) for item in report.comparisons]


def _comparison_record(item: Comparison) -> Record:
    return {
        **_answer(item),
        "notes": list(item.notes),
        "row": _row_record(item.row),
        "baseline": item.baseline and _row_record(item.baseline),
    }


def _flat(report: ComparisonReport, item: Comparison) -> Record:
    return {
        "by": report.by.value,
        "baseline": report.baseline,
        **_row_record(item.row),
        "baseline_measurement_id": item.baseline and item.baseline.measurement_id,
        "baseline_p50_ms": item.baseline and item.baseline.measurement.p50_ms.value,
        **_answer(item),
        "notes": "; ".join(item.notes),
    }


def _row_record(row: Row) -> Record:
    return {name: get(row) for name, get in _ROW.items()}


def _answer(item: Comparison) -> Record:
    return {name: get(item) for name, get in _ANSWER.items()}


def _ratio(item: Comparison) -> Estimate:
    return item.ratio or Estimate(None)


def _spread_record(item: Spread) -> Record:
    return {
        "model": item.model_name,
        "variant": item.variant_key,
        "label": item.label,
        "provenance": item.provenance.value,
        "p50_ms": dict(item.p50_ms),
        "min_ms": item.min_ms,
        "median_ms": item.median_ms,
        "max_ms": item.max_ms,
        "relative": item.relative,
        "outliers": list(item.outliers),
        "reason": item.reason,
    }


_ROW: Mapping[str, Callable[[Row], Any]] = {
    "measurement_id": lambda row: row.measurement_id,
    "task_id": lambda row: row.task_id,
    "job_id": lambda row: row.job_id,
    "model": lambda row: row.model_name,
    "variant": lambda row: row.variant_key,
    "device": lambda row: row.device,
    "provenance": lambda row: row.measurement.provenance.value,
    "verdict": lambda row: row.measurement.verdict,
    "measured_at": lambda row: row.measured_at.isoformat(timespec="milliseconds"),
    "schedule": lambda row: row.schedule.value,
    "subject_index": lambda row: row.measurement.subject_index,
    "commit": lambda row: row.labels.get("commit"),
    "branch": lambda row: row.labels.get("branch"),
    "p50_ms": lambda row: row.measurement.p50_ms.value,
}
_ANSWER: Mapping[str, Callable[[Comparison], Any]] = {
    "answer": lambda item: item.answer.value,
    "reason": lambda item: item.reason,
    "ratio": lambda item: _ratio(item).value,
    "ratio_low": lambda item: _ratio(item).low,
    "ratio_high": lambda item: _ratio(item).high,
    "ratio_reason": lambda item: _ratio(item).reason or None,
    "noise_floor": lambda item: item.floor and item.floor.share,
    "noise_floor_source": lambda item: item.floor and item.floor.source,
}
COLUMNS = ("by", "baseline", *_ROW, "baseline_measurement_id", "baseline_p50_ms", *_ANSWER, "notes")
