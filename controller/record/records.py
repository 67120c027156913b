"""The JSON that `--json` prints: a documented, stable shape for programs.

Every document is one object that holds one thing under its name: {"jobs": [...]}, {"job": {...}}, {"submitted":
{...}}, {"reasons": [...]}, {"devices": [...]}, {"device": {...}}, {"engines": [...]}, {"engine": {...}}, {"results":
[...]}. Fields are only ever added; null is unknown; times are ISO 8601 with an offset; enums are the words of the
tables. Text from devices is as it came: JSON escapes control characters by itself. A command that is given several jobs
prints one such object a line.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, TextIO

from controller.model.facts import Facts
from controller.model.result import Estimate, Measurement, Row
from controller.model.view import DeviceView, JobView, PlannedTask, Reason, Submitted, TaskView

Record = dict[str, Any]


def print_json(document: Mapping[str, Any], *, out: TextIO, in_one_line: bool = False) -> None:
    """ASCII only, so that no text from a device can reach a terminal as anything but itself."""
    indent = None if in_one_line else 2
    print(json.dumps(document, indent=indent, ensure_ascii=True, allow_nan=False), file=out, flush=True)


def job_record(job: JobView) -> Record:
    return {
        "id": job.id,
        "name": job.name,
        "state": job.state.value,
        "created_at": job.created_at.isoformat(),
        "retry_of": job.retry_of,
        "deadline_at": job.deadline_at and job.deadline_at.isoformat(),
        "eta_s": job.eta_s,
        "done": job.done,
        "total": job.total,
        "tasks": [task_record(task) for task in job.tasks],
    }


def task_record(task: TaskView) -> Record:
    progress, failure = task.progress, task.failure
    return {
        "id": task.id,
        "kind": task.kind.value,
        "name": task.name,
        "state": task.state.value,
        "device": task.device or None,
        "attempts": task.attempts,
        "phase": progress.phase if progress else None,
        "fraction": progress.fraction if progress else None,
        "detail": progress.detail if progress else None,
        "elapsed_s": task.elapsed_s,
        "because_of_task": task.because_of_task,
        "log_sha256": task.log_sha256 or None,
        "logs": [{"name": log.name, "sha256": log.sha256, "size_bytes": log.size_bytes} for log in task.logs],
        "failure": failure
        and {
            "kind": failure.kind.value,
            "message": failure.message,
            "phase": failure.phase or None,
            "exit_code": failure.exit_code,
            "signal": failure.signal,
            "peak_rss_bytes": failure.peak_rss_bytes,
        },
    }


def submitted_record(submitted: Submitted) -> Record:
    """`job_id` is null for a dry run."""
    return {
        "job_id": submitted.job_id or None,
        "repeated_request": submitted.repeated_request,
        "notes": list(submitted.notes),
        "tasks": [_planned_record(task) for task in submitted.tasks],
    }


def _planned_record(task: PlannedTask) -> Record:
    return {
        "kind": task.kind.value,
        "name": task.name,
        "device": task.device or None,
        "engine_key": task.engine_key or None,
        "reused": task.reused,
    }


def reason_record(reason: Reason) -> Record:
    return {
        "task_id": reason.task_id,
        "task_name": reason.task_name,
        "state": reason.state.value,
        "why": reason.why,
    }


def device_record(device: DeviceView) -> Record:
    return {
        "id": device.id,
        "name": device.name,
        "online": device.online,
        "cordoned": device.cordoned or None,
        "busy_with": device.busy_with or None,
        "last_seen_at": device.last_seen_at.isoformat(),
        "agent_version": device.agent_version or None,
        "bench_domain": device.bench_domain or None,
        "facts": _facts_record(device.facts),
    }


def result_record(row: Row) -> Record:
    return {
        "measurement_id": row.measurement_id,
        "job_id": row.job_id,
        "job_name": row.job_name,
        "model": row.model_name,
        "variant": row.variant_key,
        "device": row.device,
        "runtime": row.runtime,
        "runtime_version": row.runtime_version,
        "precision": row.precision.value,
        "batch": row.batch,
        "placement": row.placement,
        "schedule": row.schedule.value,
        "mode": row.mode.value,
        "lowering": row.lowering.value if row.lowering else None,
        "engine_key": row.engine_key or None,
        "measured_at": row.measured_at.isoformat(),
        **_measurement_record(row.measurement),
        "facts": _facts_record(row.facts),
    }


def _measurement_record(item: Measurement) -> Record:
    return {
        "provenance": item.provenance.value,
        "verdict": item.verdict,
        "flags": [{"kind": flag.kind.value, "evidence": flag.evidence} for flag in item.flags],
        "subject_index": item.subject_index,
        "n": item.n,
        "p50_ms": _estimate_record(item.p50_ms),
        "p90_ms": _estimate_record(item.p90_ms),
        "p99_ms": _estimate_record(item.p99_ms),
        **{name: _finite(getattr(item, name)) for name in _PLAIN_FIELDS},
        "rounds": [{"n": r.n, "p50_ms": r.p50_ms, "mean_ms": r.mean_ms} for r in item.rounds],
        "stages": [{"name": s.name, "p50_ms": s.p50_ms, "mean_ms": s.mean_ms} for s in item.stages],
        "checks": [{name: _finite(getattr(check, name)) for name in _CHECK_FIELDS} for check in item.checks],
        "samples_sha256": item.samples.sha256 if item.samples else None,
    }


# Numbers and names that are what they are called; spelled out so that the model may grow without this shape changing.
_PLAIN_FIELDS = (
    *("mean_ms", "std_ms", "min_ms", "max_ms", "throughput_per_s", "window_s", "warmup_s", "warmup_n"),
    *("accuracy", "accuracy_n", "processes", "dla_time_share"),
)
_CHECK_FIELDS = (
    *("tensor", "passed", "max_abs", "max_rel", "cosine", "snr_db"),
    *("top1_agreement", "equal_share", "detail"),
    *("norm_ratio", "worst_slice", "worst_slice_cosine", "worst_slice_norm_ratio", "weakness"),
)


def _finite(value: Any) -> Any:
    """JSON has no infinity, which is the SNR of equal tensors; `detail` and `max_abs` tell that case apart."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _estimate_record(item: Estimate) -> Record:
    return {"value": item.value, "low": item.low, "high": item.high, "reason": item.reason or None}


def _facts_record(facts: Facts) -> Record:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in sorted(facts.items())}
