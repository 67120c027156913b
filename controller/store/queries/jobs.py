"""Jobs and tasks as people see them, and the wish to cancel."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Connection, and_, case, exists, func, or_, select, union

from controller.core.lifecycle import OPEN_ATTEMPT, TERMINAL, job_state
from controller.model.codec import load_labels
from controller.model.job import Artifact, Role
from controller.model.task import AttemptState, Failure, FailureKind, Progress, TaskKind, TaskState
from controller.model.view import JobView, Submitted, TaskView
from controller.store import tables as t
from controller.store.clock import parse, seconds_between
from controller.store.queries.forecast import Past, forecast
from controller.store.queries.listed import ListedRow, listed_row
from controller.store.queries.tasks import LIVE_STATES
from controller.store.steady import steady_now
from controller.store.stored import StoredRow
from jetfleet.errors import BadInput, NotFound

_FOR_PEOPLE = tuple(role.value for role in (Role.LOG, Role.TIMELINE, Role.TELEMETRY))


def job_view(
    connection: Connection,
    job_id: int,
    *,
    progress: Mapping[str, Progress],
    past: Past | None = None,
    alive: Collection[str] = (),
) -> JobView:
    """One job with its tasks, BUILDs first. `progress` is by attempt token; `past` is what its ETA comes from, for
    the sessions that are `alive`. Raises NotFound.
    """
    job = job_row(connection, job_id)
    rows = job_tasks(connection, job_id)
    attempts, files = _attempts(connection, job_id), _files(connection, job_id)
    tasks = [_task_view(row, attempts.get(row.id, ()), files, progress) for row in rows]
    view = _view(job, tuple(tasks), [task.state for task in tasks])
    if past is None:
        return view
    leased_at = {task_id: found[-1].leased_at for task_id, found in attempts.items() if found[-1].ended_at is None}
    return replace(view, eta_s=forecast(connection, rows, leased_at, past=past, alive=alive))


def listed_jobs(connection: Connection, *, limit: int, before_id: int = 0) -> list[ListedRow[JobView]]:
    """Newest first, without tasks; with `before_id` only older ones."""
    wanted = select(t.job).where(t.ACCEPTED).order_by(t.job.c.id.desc()).limit(limit)
    jobs = connection.execute(wanted.where(t.job.c.id < before_id) if before_id else wanted).all()
    states = _states(connection, [job.id for job in jobs])
    return [listed_row(job.id, partial(_summary, job, states[job.id])) for job in jobs]


def known_job(connection: Connection, key: str, *, content: str) -> Submitted | None:
    """The answer to a key that was submitted before. Raises BadInput if it was submitted for something else."""
    columns = (t.job.c.id, t.job.c.name, t.job.c.content_digest)
    job = connection.execute(select(*columns).where(t.job.c.idempotency_key == key, t.ACCEPTED)).first()
    if job is None:
        return None
    if job.content_digest not in ("", content):
        raise BadInput(
            f"the idempotency key {key!r} was used for job {job.id} ({job.name}), which asks for something else",
            expected="the same job under the same key",
            hint=f"use another key, or look at it: controller job show {job.id}",
        )
    return Submitted(job.id, (), repeated_request=True, notes=())


def is_over(connection: Connection, job_id: int) -> bool:
    return all(TaskState(row.state) in TERMINAL for row in job_tasks(connection, job_id))


def any_live_task(connection: Connection) -> bool:
    """The reason for an embedded controller to stay."""
    return connection.execute(select(t.task.c.id).where(t.task.c.state.in_(LIVE_STATES)).limit(1)).first() is not None


def overdue_jobs(connection: Connection) -> list[int]:
    """Jobs that still have something to do though their deadline has passed, and that nobody asked to stop yet."""
    return list(
        connection.execute(
            select(t.job.c.id)
            .join(t.task, t.task.c.job_id == t.job.c.id)
            .where(
                t.task.c.state.in_(LIVE_STATES),
                t.task.c.kind == TaskKind.BENCH.value,
                t.job.c.deadline_steady_s <= steady_now(connection),
                t.job.c.cancel_asked_at.is_(None),
            )
            .distinct()
        ).scalars()
    )


def job_row(connection: Connection, job_id: int) -> StoredRow:
    """Raises NotFound."""
    job = connection.execute(select(t.job).where(t.job.c.id == job_id, t.ACCEPTED)).first()
    if job is None:
        raise NotFound(f"there is no job {job_id}", hint="`controller jobs` lists them")
    return job


def job_tasks(connection: Connection, job_id: int) -> list[StoredRow]:
    """The BUILDs a job is attached to, and its own BENCHes. Raises NotFound.

    A BUILD whose engine none of the BENCHes runs on any more is SUPERSEDED as far as this job goes, whatever becomes of
    it for others.
    """
    job_row(connection, job_id)
    plain = [column for column in t.task.c if column.name != "state"]
    return list(
        connection.execute(
            select(*plain, _state_in(job_id).label("state"), t.device.c.name.label("device_name"))
            .outerjoin(t.device, t.device.c.id == t.task.c.device_id)
            .where(t.task.c.id.in_(_task_ids(job_id)))
            .order_by(t.task.c.kind.desc(), t.task.c.id)
        )
    )


def _summary(job: StoredRow, states: Sequence[str]) -> JobView:
    return _view(job, (), [TaskState(state) for state in states])


def _states(connection: Connection, job_ids: Sequence[int]) -> dict[int, list[str]]:
    """The states of the tasks of each job, by two queries however many jobs there are."""
    kind, own, shared = t.task.c.kind == TaskKind.BENCH.value, t.task.c.job_id, t.job_build.c.job_id
    counted = func.count().label("n")
    benches = select(own.label("job_id"), t.task.c.state, counted).where(kind, own.in_(job_ids))
    state = _state_in(shared)
    builds = select(shared, state.label("state"), counted).join(t.task, t.task.c.id == t.job_build.c.task_id)
    found: dict[int, list[str]] = {job_id: [] for job_id in job_ids}
    for query in (
        benches.group_by(own, t.task.c.state),
        builds.where(shared.in_(job_ids)).group_by(shared, state),
    ):
        for row in connection.execute(query):
            found[row.job_id] += [row.state] * row.n
    return found


def _state_in(job_id: "int | ColumnElement[int]") -> ColumnElement[str]:
    """What a BUILD's state, and a BENCH's, means to a job."""
    bench, later, again = t.task.alias("bench"), t.task.alias("later"), t.job_build.alias("again")
    needed = (
        select(t.subject.c.engine_key)
        .join(bench, bench.c.id == t.subject.c.task_id)
        .where(bench.c.job_id == job_id, t.subject.c.engine_key.is_not(None))
    )
    built_again = exists(
        select(1)
        .select_from(again.join(later, later.c.id == again.c.task_id))
        .where(again.c.job_id == job_id, later.c.engine_key == t.task.c.engine_key, later.c.id > t.task.c.id)
    )
    superseded = and_(
        t.task.c.kind == TaskKind.BUILD.value,
        t.task.c.state != TaskState.SUCCEEDED.value,
        or_(t.task.c.engine_key.not_in(needed), built_again),
    )
    return case((superseded, TaskState.SUPERSEDED.value), else_=t.task.c.state)


def _task_ids(job_id: int) -> CompoundSelect[Any]:
    attached = select(t.job_build.c.task_id).where(t.job_build.c.job_id == job_id)
    mine = select(t.task.c.id).where(t.task.c.job_id == job_id, t.task.c.kind == TaskKind.BENCH.value)
    return union(mine, attached)


def _view(job: StoredRow, tasks: tuple[TaskView, ...], states: list[TaskState]) -> JobView:
    counted = [state for state in states if state is not TaskState.SUPERSEDED]
    return JobView(
        id=job.id,
        name=job.name,
        state=job_state(states, cancel_asked=job.cancel_asked_at is not None),
        created_at=parse(job.created_at),
        tasks=tasks,
        done=sum(state in TERMINAL for state in counted),
        total=len(counted),
        retry_of=job.retry_of,
        deadline_at=parse(job.deadline_at) if job.deadline_at else None,
        labels=load_labels(job.labels),
        submitted_by=job.submitted_by,
    )


def _task_view(
    row: StoredRow,
    attempts: Sequence[StoredRow],
    files: Mapping[str, Sequence[Artifact]],
    progress: Mapping[str, Progress],
) -> TaskView:
    last = attempts[-1] if attempts else None
    last_files = files.get(last.token, ()) if last else ()
    last_logs = tuple(item for item in last_files if item.role is Role.LOG)
    is_open = last is not None and AttemptState(last.state) in OPEN_ATTEMPT
    return TaskView(
        id=row.id,
        kind=TaskKind(row.kind),
        name=row.name,
        state=TaskState(row.state),
        device=row.device_name or (last.device_name if last else ""),
        attempts=len(attempts),
        progress=progress.get(last.token) if last is not None and is_open else None,
        failure=_refusal(row) or _last_failure(attempts),
        because_of_task=row.because_of,
        log_sha256=last_logs[0].sha256 if last_logs else "",
        elapsed_s=_elapsed_s(last) if last is not None else None,
        logs=last_logs,
        files=tuple(item for item in last_files if item.role is not Role.LOG),
    )


def _elapsed_s(attempt: StoredRow) -> float | None:
    """From when it began to run; None while it fetches its files or waits for hardware that others use."""
    if attempt.started_at is None and attempt.ended_at is None:
        return None
    return seconds_between(attempt.started_at or attempt.leased_at, attempt.ended_at)


def _attempts(connection: Connection, job_id: int) -> dict[int, list[StoredRow]]:
    """The attempts of each task of a job, oldest first."""
    found: dict[int, list[StoredRow]] = defaultdict(list)
    for row in connection.execute(
        select(t.attempt, t.device.c.name.label("device_name"))
        .join(t.device, t.device.c.id == t.attempt.c.device_id)
        .where(t.attempt.c.task_id.in_(_task_ids(job_id)))
        .order_by(t.attempt.c.number)
    ):
        found[row.task_id].append(row)
    return found


def _files(connection: Connection, job_id: int) -> dict[str, list[Artifact]]:
    """What each attempt left for people, in the order of the processes that wrote it: log.txt, log-2.txt."""
    found: dict[str, list[Artifact]] = defaultdict(list)
    for row in connection.execute(
        select(t.attempt_artifact)
        .join(t.attempt, t.attempt.c.token == t.attempt_artifact.c.attempt_token)
        .where(t.attempt.c.task_id.in_(_task_ids(job_id)), t.attempt_artifact.c.role.in_(_FOR_PEOPLE))
    ):
        found[row.attempt_token].append(Artifact(Role(row.role), row.name, row.sha256, row.size_bytes))
    return {token: sorted(files, key=lambda file: (len(file.name), file.name)) for token, files in found.items()}


def _refusal(task: StoredRow) -> Failure | None:
    """Of a task that was never tried, or that will not be tried again."""
    skipped = task.state == TaskState.SKIPPED.value
    kind = FailureKind.INFRASTRUCTURE if skipped else FailureKind.BUILD_REFUSED
    return Failure(kind, task.refusal) if task.refusal else None


def _last_failure(attempts: Sequence[StoredRow]) -> Failure | None:
    """Of the last attempt that ended badly; a lost agent counts, as INFRASTRUCTURE."""
    for attempt in reversed(attempts):
        if attempt.state == AttemptState.COMMITTED.value:
            return None
        if attempt.state == AttemptState.RETURNED.value:
            continue
        if attempt.failure_message or attempt.failure_kind:
            return _failure(attempt)
    return None


def _failure(attempt: StoredRow) -> Failure:
    return Failure(
        kind=FailureKind(attempt.failure_kind) if attempt.failure_kind else FailureKind.INFRASTRUCTURE,
        message=attempt.failure_message or "",
        phase=attempt.phase or "",
        exit_code=attempt.exit_code,
        signal=attempt.signal,
        peak_rss_bytes=attempt.peak_rss_bytes,
    )
