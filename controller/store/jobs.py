"""Jobs and tasks as people see them, and the wish to cancel."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, select, update

from controller.core.lifecycle import OPEN_ATTEMPT, TERMINAL, job_state
from controller.model.task import AttemptState, Failure, FailureKind, Progress, TaskKind, TaskState
from controller.model.view import JobView, TaskView
from controller.store import tables as t
from controller.store.attempts import cancel_unwanted_builds, move
from controller.store.clock import now_text, parse, seconds_between
from jetfleet.errors import NotFound


def job_view(connection: Connection, job_id: int, *, progress: Mapping[str, Progress]) -> JobView:
    """One job with its tasks, BUILDs first. `progress` is by attempt token. Raises NotFound."""
    job = _job(connection, job_id)
    tasks = [_task_view(connection, row, progress) for row in job_tasks(connection, job_id)]
    return _view(job, tuple(tasks), [task.state for task in tasks])


def job_views(connection: Connection, *, limit: int) -> list[JobView]:
    """Newest first, without tasks."""
    jobs = connection.execute(select(t.job).order_by(t.job.c.id.desc()).limit(limit)).all()
    return [_view(job, (), [TaskState(row.state) for row in job_tasks(connection, job.id)]) for job in jobs]


def is_over(connection: Connection, job_id: int) -> bool:
    return all(TaskState(row.state) in TERMINAL for row in job_tasks(connection, job_id))


def any_live_task(connection: Connection) -> bool:
    """The reason for an embedded controller to stay."""
    states = [state.value for state in TaskState if state not in TERMINAL]
    return connection.execute(select(t.task.c.id).where(t.task.c.state.in_(states)).limit(1)).first() is not None


def cancel(connection: Connection, job_id: int) -> None:
    """Ends what has not begun; what runs learns of it at its next Renew. Cancelling twice changes nothing."""
    job = _job(connection, job_id)
    if job.cancel_asked_at is None and not is_over(connection, job_id):
        connection.execute(update(t.job).where(t.job.c.id == job_id).values(cancel_asked_at=now_text()))
    rows = connection.execute(
        select(t.task.c.id).where(
            t.task.c.job_id == job_id,
            t.task.c.kind == TaskKind.BENCH.value,
            t.task.c.state.in_((TaskState.WAITING.value, TaskState.READY.value)),
        )
    ).scalars()
    for task_id in list(rows):
        move(connection, task_id, TaskState.CANCELLED)
    cancel_unwanted_builds(connection)


def _job(connection: Connection, job_id: int) -> Row[Any]:
    job = connection.execute(select(t.job).where(t.job.c.id == job_id)).first()
    if job is None:
        raise NotFound(f"there is no job {job_id}", hint="`controller jobs` lists them")
    return job


def job_tasks(connection: Connection, job_id: int) -> list[Row[Any]]:
    """The BUILDs a job is attached to, and its own BENCHes. Raises NotFound."""
    _job(connection, job_id)
    attached = select(t.job_build.c.task_id).where(t.job_build.c.job_id == job_id)
    mine = (t.task.c.job_id == job_id) & (t.task.c.kind == TaskKind.BENCH.value)
    return list(
        connection.execute(
            select(t.task, t.device.c.name.label("device_name"))
            .outerjoin(t.device, t.device.c.id == t.task.c.device_id)
            .where(mine | t.task.c.id.in_(attached))
            .order_by(t.task.c.kind.desc(), t.task.c.id)
        )
    )


def _view(job: Row[Any], tasks: tuple[TaskView, ...], states: list[TaskState]) -> JobView:
    return JobView(
        id=job.id,
        name=job.name,
        state=job_state(states, cancel_asked=job.cancel_asked_at is not None),
        created_at=parse(job.created_at),
        tasks=tasks,
        done=sum(state in TERMINAL for state in states),
        total=len(states),
    )


def _task_view(connection: Connection, row: Row[Any], progress: Mapping[str, Progress]) -> TaskView:
    attempts = connection.execute(
        select(t.attempt, t.device.c.name.label("device_name"), t.attempt_artifact.c.sha256.label("log_sha256"))
        .join(t.device, t.device.c.id == t.attempt.c.device_id)
        .outerjoin(
            t.attempt_artifact,
            (t.attempt_artifact.c.attempt_token == t.attempt.c.token) & (t.attempt_artifact.c.role == "log"),
        )
        .where(t.attempt.c.task_id == row.id)
        .order_by(t.attempt.c.number)
    ).all()
    last = attempts[-1] if attempts else None
    is_open = last is not None and AttemptState(last.state) in OPEN_ATTEMPT
    return TaskView(
        id=row.id,
        kind=TaskKind(row.kind),
        name=row.name,
        state=TaskState(row.state),
        device=row.device_name or (last.device_name if last else ""),
        attempts=len(attempts),
        progress=progress.get(last.token) if last is not None and is_open else None,
        failure=_last_failure(attempts),
        because_of_task=row.because_of,
        log_sha256=(last.log_sha256 or "") if last else "",
        elapsed_s=seconds_between(last.leased_at, last.ended_at) if last else None,
    )


def _last_failure(attempts: "list[Row[Any]] | Any") -> Failure | None:
    """Of the last attempt that ended badly; a lost agent counts, as INFRASTRUCTURE."""
    for attempt in reversed(attempts):
        if attempt.state == AttemptState.COMMITTED.value:
            return None
        if attempt.state == AttemptState.RETURNED.value:
            continue
        if attempt.failure_message or attempt.failure_kind:
            return Failure(
                kind=FailureKind(attempt.failure_kind) if attempt.failure_kind else FailureKind.INFRASTRUCTURE,
                message=attempt.failure_message or "",
                phase=attempt.phase or "",
                exit_code=attempt.exit_code,
                signal=attempt.signal,
                peak_rss_bytes=attempt.peak_rss_bytes,
            )
    return None
