"""A comparison as data: what stands under `compared`, and the same by columns for a table."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from controller.model.comparison import Comparison, ComparisonReport, Effect, Spread
from controller.model.result import Estimate, Row

Record: TypeAlias = dict[str, Any]


def compared_record(report: ComparisonReport) -> Record:
    return {
        "by": report.by.value,
        "baseline": report.baseline or None,
        "metric": report.metric,
        "margin": report.margin,
        "false_alarms": report.false_alarms,
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
        "effects": [_effect_record(effect) for effect in _effects(item)],
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
        "metric": report.metric,
        **_answer(item),
        "notes": "; ".join(item.notes),
    }


def _effects(item: Comparison) -> tuple[Effect, ...]:
    return (item.effect, *item.others) if item.effect else ()


def _effect_record(effect: Effect) -> Record:
    return {"metric": effect.metric, **{name: get(effect) for name, get in _EFFECT.items()}}


def _row_record(row: Row) -> Record:
    return {name: get(row) for name, get in _ROW.items()}


def _answer(item: Comparison) -> Record:
    effect = item.effect
    return {
        **{name: get(item) for name, get in _ANSWER.items()},
        **{name: effect and get(effect) for name, get in _EFFECT.items()},
    }


def _ratio(effect: Effect) -> Estimate:
    return Estimate(None) if effect.in_points else effect.change


def _difference(effect: Effect) -> Estimate:
    return effect.change if effect.in_points else Estimate(None)


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
_EFFECT: Mapping[str, Callable[[Effect], Any]] = {
    "value": lambda effect: effect.value,
    "baseline_value": lambda effect: effect.baseline_value,
    "ratio": lambda effect: _ratio(effect).value,
    "ratio_low": lambda effect: _ratio(effect).low,
    "ratio_high": lambda effect: _ratio(effect).high,
    "ratio_reason": lambda effect: _ratio(effect).reason or None,
    "difference": lambda effect: _difference(effect).value,
    "difference_low": lambda effect: _difference(effect).low,
    "difference_high": lambda effect: _difference(effect).high,
    "per_item": lambda effect: effect.per_item,
    "source": lambda effect: effect.source and effect.source.value,
    "smallest_difference": lambda effect: effect.smallest,
    "p_value": lambda effect: effect.p_value,
}
_ANSWER: Mapping[str, Callable[[Comparison], Any]] = {
    "answer": lambda item: item.answer.value,
    "reason": lambda item: item.reason,
    "advice": lambda item: item.advice or None,
    "adjusted_p": lambda item: item.adjusted_p,
    "noise_floor": lambda item: item.floor and item.floor.share,
    "noise_floor_source": lambda item: item.floor and item.floor.source,
}
COLUMNS = (
    "by",
    "baseline",
    *_ROW,
    "baseline_measurement_id",
    "baseline_p50_ms",
    "metric",
    *_ANSWER,
    *_EFFECT,
    "notes",
)
