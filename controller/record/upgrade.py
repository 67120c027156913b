"""What an upgrade did as data: what stands under `upgrade_report`."""

from typing import Any, TypeAlias

from controller.model.upgrade import UpgradeLine, UpgradeReport
from controller.record.recommendation import estimate_record

Record: TypeAlias = dict[str, Any]


def upgrade_report_record(report: UpgradeReport) -> Record:
    return {
        "old_job_id": report.old_job_id,
        "new_job_id": report.new_job_id,
        "metric": report.metric,
        "moved": list(report.moved),
        "lines": [_line_record(line, report.metric) for line in report.lines],
    }


def _line_record(line: UpgradeLine, metric: str) -> Record:
    return {
        "variant": line.label,
        "device": line.device,
        "device_class": line.device_class,
        "outcome": line.outcome.value,
        "reason": line.reason,
        "before": line.before and line.before.measurement.value(metric),
        "after": line.after and line.after.measurement.value(metric),
        "change": line.change and estimate_record(line.change),
        "counts": list(line.counts),
    }
