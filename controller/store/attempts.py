"""Attempts and what their ends mean for tasks. Every change of state passes lifecycle's guards."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, exists, insert, select, update

from controller.core import lifecycle
from controller.model.job import Artifact
from controller.model.task import AttemptState, Ended, Failure, FailureKind, TaskState
from controller.store import tables as t
from controller.store.clock import now_text

OPEN_STATES = tuple(state.value for state in lifecycle.OPEN_ATTEMPT)
LIVE_STATES = tuple(state.value for state in TaskState if state not in lifecycle.TERMINAL)


def close_attempts(connection: Connection, which: ColumnElement[bool], end: AttemptState, *, message: str) -> list[int]:
    """Closes open attempts that nobody will commit; returns their tasks, settled."""
    found = connection.execute(
        select(t.attempt.c.token, t.attempt.c.task_id).where(which, t.attempt.c.state.in_(OPEN_STATES))
    ).all()
    for row in found:
        close_attempt(connection, row.token, end, message=message)
        settle(connection, row.task_id)
    return [row.task_id for row in found]


def close_attempt(
    connection: Connection,
    token: str,
    end: AttemptState,
    *,
    message: str = "",
    failure: Failure | None = None,
    peak_rss_bytes: int | None = None,
) -> None:
    row = connection.execute(select(t.attempt.c.state, t.attempt.c.task_id).where(t.attempt.c.token == token)).one()
    lifecycle.advance_attempt(AttemptState(row.state), end, story=f"attempt {token[:8]} of task {row.task_id}")
    values: dict[str, object] = {"state": end.value, "ended_at": now_text(), "failure_message": message or None}
    if failure is not None:
        values |= {
            "failure_kind": failure.kind.value,
            "failure_message": failure.message,
            "phase": failure.phase,
            "exit_code": failure.exit_code,
            "signal": failure.signal,
        }
    peak = peak_rss_bytes or (failure.peak_rss_bytes if failure else None)
    connection.execute(update(t.attempt).where(t.attempt.c.token == token).values(**values, peak_rss_bytes=peak))


def keep_artifacts(connection: Connection, token: str, artifacts: Iterable[Artifact]) -> None:
    rows = {
        (item.role.value, item.name): {
            "attempt_token": token,
            "role": item.role.value,
            "name": item.name,
            "sha256": item.sha256,
            "size_bytes": item.size_bytes,
        }
        for item in artifacts
    }
    if rows:
        connection.execute(insert(t.attempt_artifact), list(rows.values()))


def history(connection: Connection, task_id: int) -> list[Ended]:
    """How the ended attempts of a task ended, oldest first."""
    rows = connection.execute(
        select(t.attempt)
        .where(t.attempt.c.task_id == task_id, t.attempt.c.state.not_in(OPEN_STATES))
        .order_by(t.attempt.c.number)
    )
    return [
        Ended(
            AttemptState(row.state),
            row.device_id,
            FailureKind(row.failure_kind) if row.failure_kind else None,
        )
        for row in rows
    ]


def settle(connection: Connection, task_id: int) -> TaskState:
    """Moves a LEASED task on after its attempt has ended, and with it whoever waited for it."""
    row = connection.execute(
        select(t.task, t.job.c.cancel_asked_at, t.job.c.timed_out_at).join(t.job).where(t.task.c.id == task_id)
    ).one()
    build = row.kind == "BUILD"
    cancel_asked = not is_wanted(connection, row.engine_key) if build else bool(row.cancel_asked_at)
    timed_out = cancel_asked and (_ran_out_of_time(connection, task_id) if build else bool(row.timed_out_at))
    end = lifecycle.after_attempt(history(connection, task_id), cancel_asked=cancel_asked, timed_out=timed_out)
    move(connection, task_id, end)
    if row.kind == "BUILD" and end is TaskState.SUCCEEDED:
        release_waiting(connection, row.engine_key)
    elif row.kind == "BUILD" and end in lifecycle.TERMINAL:
        skip_waiting(connection, row.engine_key, because_of=task_id)
    elif end in lifecycle.TERMINAL:
        cancel_unwanted_builds(connection)
    return end


def move(connection: Connection, task_id: int, end: TaskState, *, because_of: int | None = None) -> None:
    """The only place that changes a task's state: guarded, and compare-and-set."""
    row = connection.execute(select(t.task.c.state, t.task.c.name).where(t.task.c.id == task_id)).one()
    lifecycle.advance(TaskState(row.state), end, story=f"task {task_id} ({row.name})")
    values: dict[str, object] = {"state": end.value}
    if end in lifecycle.TERMINAL:
        values |= {"ended_at": now_text(), "because_of": because_of}
    connection.execute(update(t.task).where(t.task.c.id == task_id, t.task.c.state == row.state).values(**values))


def waiting_for(connection: Connection, engine_key: str) -> list[int]:
    return list(
        connection.execute(
            select(t.task.c.id)
            .join(t.subject)
            .where(t.subject.c.engine_key == engine_key, t.task.c.state == TaskState.WAITING.value)
            .distinct()
        ).scalars()
    )


def release_waiting(connection: Connection, engine_key: str) -> None:
    """An engine exists now: tasks that have all their engines become READY."""
    for task_id in waiting_for(connection, engine_key):
        if not missing_engines(connection, task_id):
            move(connection, task_id, TaskState.READY)


def skip_waiting(connection: Connection, engine_key: str, *, because_of: int) -> None:
    for task_id in waiting_for(connection, engine_key):
        move(connection, task_id, TaskState.SKIPPED, because_of=because_of)


def missing_engines(connection: Connection, task_id: int) -> list[str]:
    """Keys of the engines of a BENCH that are not built."""
    return list(
        connection.execute(
            select(t.engine.c.key)
            .join(t.subject, t.subject.c.engine_key == t.engine.c.key)
            .where(t.subject.c.task_id == task_id, t.engine.c.sha256.is_(None))
        ).scalars()
    )


def is_wanted(connection: Connection, engine_key: str) -> bool:
    """Does a BENCH of a job that nobody cancelled still need this engine?"""
    return bool(connection.execute(select(_wanting(engine_key))).scalar())


def cancel_unwanted_builds(connection: Connection) -> None:
    """A BUILD lives as long as a live job wants it; one that is running learns of it at its next Renew."""
    unwanted = connection.execute(
        select(t.task.c.id).where(
            t.task.c.kind == "BUILD",
            t.task.c.state.in_((TaskState.WAITING.value, TaskState.READY.value)),
            ~_wanting(t.task.c.engine_key),
        )
    ).scalars()
    for task_id in list(unwanted):
        timed_out = _ran_out_of_time(connection, task_id)
        move(connection, task_id, TaskState.TIMED_OUT if timed_out else TaskState.CANCELLED)


def _ran_out_of_time(connection: Connection, build_id: int) -> bool:
    """Was one of the jobs that wanted a BUILD, which nobody wants any more, ended by its deadline?"""
    late = (
        select(t.job.c.id)
        .join(t.job_build, t.job_build.c.job_id == t.job.c.id)
        .where(t.job_build.c.task_id == build_id, t.job.c.timed_out_at.is_not(None))
    )
    return connection.execute(late.limit(1)).first() is not None


def _wanting(engine_key: "str | ColumnElement[str]") -> ColumnElement[bool]:
    bench = t.task.alias("bench")
    return exists(
        select(1)
        .select_from(t.subject.join(bench, bench.c.id == t.subject.c.task_id).join(t.job, t.job.c.id == bench.c.job_id))
        .where(
            t.subject.c.engine_key == engine_key,
            bench.c.state.in_(LIVE_STATES),
            t.job.c.cancel_asked_at.is_(None),
        )
    )
