"""A history as data: what stands under `histories`."""

from typing import Any, TypeAlias

from controller.model.history import ChangePoint, History, HistoryPoint
from controller.record.recommendation import estimate_record

Record: TypeAlias = dict[str, Any]


def history_record(found: History) -> Record:
    return {
        "model": found.model_name,
        "variant": found.label,
        "device": found.device,
        "metric": found.metric,
        "provenance": found.provenance.value,
        "points": [_point_record(item) for item in found.points],
        "changes": [_change_record(item) for item in found.changes],
        "alarm": found.alarm or None,
    }


def _point_record(item: HistoryPoint) -> Record:
    return {
        "measurement_id": item.row.measurement_id,
        "job_id": item.row.job_id,
        "measured_at": item.measured_at.isoformat(timespec="seconds"),
        "commit": item.commit or None,
        "value": item.value,
        "verdict": item.row.measurement.verdict,
    }


def _change_record(item: ChangePoint) -> Record:
    return {
        "last": _point_record(item.last),
        "first": _point_record(item.first),
        "ratio": estimate_record(item.ratio),
        "adjusted_p": item.adjusted_p,
        "better": item.better,
    }
