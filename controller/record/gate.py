"""A gate as data: what stands under `gate`; and baselines."""

from typing import Any, TypeAlias

from controller.model.baseline import Baseline
from controller.model.gate import CellVerdict, GateCell, GateReport
from controller.model.result import Estimate

Record: TypeAlias = dict[str, Any]


def gate_record(report: GateReport) -> Record:
    return {
        "job_id": report.job_id,
        "baseline_id": report.baseline_id,
        "baseline": report.baseline_name or None,
        "verdict": report.verdict.value,
        "red": report.is_red,
        "stage": report.stage.value,
        "on_cannot_tell": report.on_doubt.value,
        "interleaved": report.interleaved,
        "passed": report.count(CellVerdict.PASSED),
        "failed": report.count(CellVerdict.FAILED),
        "cannot_tell": report.count(CellVerdict.CANNOT_TELL),
        "cells": [_cell_record(cell) for cell in report.cells],
        "missing": list(report.missing),
        "notes": list(report.notes),
    }


def _cell_record(cell: GateCell) -> Record:
    row, base = cell.comparison.row, cell.comparison.baseline
    change = cell.comparison.effect.change if cell.comparison.effect else Estimate(None)
    return {
        "metric": cell.limit.metric,
        "limit": cell.limit.limit,
        "in_points": cell.limit.in_points,
        "variant": row.variant_key,
        "device": row.device,
        "measurement_id": row.measurement_id,
        "baseline_measurement_id": base and base.measurement_id,
        "change": change.value,
        "change_low": change.low,
        "change_high": change.high,
        "verdict": cell.verdict.value,
        "reason": cell.reason,
    }


def baseline_record(item: Baseline) -> Record:
    return {
        "name": item.name,
        "device_class": item.device_class or None,
        "job_id": item.job_id,
        "set_at": item.set_at and item.set_at.isoformat(timespec="seconds"),
        "set_by": item.set_by or None,
    }
