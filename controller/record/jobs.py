"""Jobs and their tasks, plans and reasons as data: what stands under `jobs`, `job`, `submitted` and `reasons`."""

from typing import Any, TypeAlias

from controller.model.job import Artifact
from controller.model.view import JobView, PlannedTask, Reason, Submitted, TaskView

Record: TypeAlias = dict[str, Any]


def job_summary_record(job: JobView) -> Record:
    """What a listing knows."""
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
        "labels": dict(sorted(job.labels.items())),
        "submitted_by": job.submitted_by or None,
    }


def job_record(job: JobView) -> Record:
    return {**job_summary_record(job), "tasks": [task_record(task) for task in job.tasks]}


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
        "logs": [_file_record(log) for log in task.logs],
        "files": [_file_record(file) for file in task.files],
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


def _file_record(file: Artifact) -> Record:
    return {"name": file.name, "sha256": file.sha256, "size_bytes": file.size_bytes}


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
        "boards": task.boards or None,
    }


def reason_record(reason: Reason) -> Record:
    return {
        "task_id": reason.task_id,
        "task_name": reason.task_name,
        "state": reason.state.value,
        "why": reason.why,
    }
