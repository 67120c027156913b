"""Attempts and what their ends mean for tasks. Every change of state passes lifecycle's guards."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

from controller.core import lifecycle
from controller.model.job import Artifact
from controller.model.task import AttemptState, Failure, TaskKind, TaskState
from controller.store import tables as t
from controller.store.clock import now_text
from controller.store.commands.readiness import became_free, became_ready, was_given_back
from controller.store.queries.tasks import OPEN_STATES, history, is_wanted, missing_engines, needs, waiting_for, wanting
from controller.store.sqlite.prepared import PreparedStatement


def close_attempts(connection: Connection, which: ColumnElement[bool], end: AttemptState, *, message: str) -> list[int]:
    """Closes open attempts that nobody will commit; returns their tasks, settled."""
    found = connection.execute(
        select(t.attempt.c.token, t.attempt.c.task_id).where(which, t.attempt.c.state.in_(OPEN_STATES))
    ).all()
    for row in found:
        close_attempt(connection, row.token, end, message=message)
        settle(connection, row.task_id)
        was_given_back(connection, end.value)
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
    row = _ATTEMPT.first(connection, token_=token)
    became_free(connection, row.bench_domain)
    lifecycle.advance_attempt(AttemptState(row.state), end, story=f"attempt {token[:8]} of task {row.task_id}")
    _CLOSE.run(
        connection,
        token_=token,
        state_=end.value,
        ended_at_=now_text(),
        kind_=failure.kind.value if failure else None,
        message_=failure.message if failure else message or None,
        phase_=failure.phase if failure else None,
        exit_code_=failure.exit_code if failure else None,
        signal_=failure.signal if failure else None,
        peak_=peak_rss_bytes or (failure.peak_rss_bytes if failure else None),
    )


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


def settle(connection: Connection, task_id: int) -> TaskState:
    """Moves a LEASED task on after its attempt has ended, and with it whoever waited for it."""
    row = _TASK.first(connection, task_id_=task_id)
    build = row.kind == TaskKind.BUILD.value
    stopped_as = _stopped_build(connection, task_id, row.engine_key) if build else _stopped_bench(row)
    end = lifecycle.after_attempt(history(connection, task_id), stopped_as=stopped_as)
    move(connection, task_id, end)
    if build and end is TaskState.SUCCEEDED:
        release_waiting(connection, row.engine_key)
    elif build and end in lifecycle.TERMINAL:
        skip_waiting(connection, row.engine_key, because_of=task_id)
    elif end in lifecycle.TERMINAL:
        end_unwanted_builds(connection, of_task=task_id)
    return end


def move(connection: Connection, task_id: int, end: TaskState, *, because_of: int | None = None) -> None:
    """The only place that changes a task's state: guarded, and compare-and-set."""
    row = _STATE.first(connection, task_id_=task_id)
    lifecycle.advance(TaskState(row.state), end, story=f"task {task_id} ({row.name})")
    ended_at = now_text() if end in lifecycle.TERMINAL else None
    _MOVE.run(
        connection, task_id_=task_id, start_=row.state, end_=end.value, ended_at_=ended_at, because_of_=because_of
    )
    if end is TaskState.READY:
        became_ready(connection, row.device_id, row.demand_id)


def release_waiting(connection: Connection, engine_key: str) -> None:
    """An engine exists now: tasks that have all their engines become READY."""
    for task_id in waiting_for(connection, engine_key):
        if not missing_engines(connection, task_id):
            move(connection, task_id, TaskState.READY)


def skip_waiting(connection: Connection, engine_key: str, *, because_of: int) -> None:
    for task_id in waiting_for(connection, engine_key):
        move(connection, task_id, TaskState.SKIPPED, because_of=because_of)


def end_unwanted_builds(connection: Connection, *, of_task: int | None = None) -> None:
    """A BUILD lives as long as a live job wants it; one that is running learns of it at its next Renew.

    `of_task`: look only at the engines of this BENCH, because nothing else has ended.
    """
    unwanted = _UNWANTED.all(connection) if of_task is None else _UNWANTED_OF_TASK.all(connection, task_id_=of_task)
    for row in unwanted:
        move(connection, row.id, _end_of_unwanted(connection, row.id))


def _stopped_build(connection: Connection, task_id: int, engine_key: str) -> TaskState | None:
    return None if is_wanted(connection, engine_key) else _end_of_unwanted(connection, task_id)


def _stopped_bench(row: Any) -> TaskState | None:
    if row.cancel_asked_at is None:
        return None
    return TaskState.CANCELLED if row.timed_out_at is None else TaskState.TIMED_OUT


def _end_of_unwanted(connection: Connection, build_id: int) -> TaskState:
    """Why nobody wants a BUILD any more: the jobs that need its engine were stopped, by a deadline or by somebody; or
    no job needs it, because its BENCHes went to other boards or need other engines by now.
    """
    stopped = _STOPPED_JOBS.all(connection, task_id_=build_id)
    if not stopped:
        return TaskState.SUPERSEDED
    late = any(job.timed_out_at is not None for job in stopped)
    return TaskState.TIMED_OUT if late else TaskState.CANCELLED


_ATTEMPT = PreparedStatement(
    select(t.attempt.c.state, t.attempt.c.task_id, t.attempt.c.bench_domain).where(
        t.attempt.c.token == bindparam("token_")
    )
)
_CLOSE = PreparedStatement(
    update(t.attempt)
    .where(t.attempt.c.token == bindparam("token_"))
    .values(
        state=bindparam("state_"),
        ended_at=bindparam("ended_at_"),
        failure_kind=bindparam("kind_"),
        failure_message=bindparam("message_"),
        phase=bindparam("phase_"),
        exit_code=bindparam("exit_code_"),
        signal=bindparam("signal_"),
        peak_rss_bytes=bindparam("peak_"),
    )
)
_TASK = PreparedStatement(
    select(t.task.c.kind, t.task.c.engine_key, t.job.c.cancel_asked_at, t.job.c.timed_out_at)
    .join(t.job)
    .where(t.task.c.id == bindparam("task_id_"))
)
_STATE = PreparedStatement(
    select(t.task.c.state, t.task.c.name, t.task.c.device_id, t.task.c.demand_id).where(
        t.task.c.id == bindparam("task_id_")
    )
)
_MOVE = PreparedStatement(
    update(t.task)
    .where(t.task.c.id == bindparam("task_id_"), t.task.c.state == bindparam("start_"))
    .values(state=bindparam("end_"), ended_at=bindparam("ended_at_"), because_of=bindparam("because_of_"))
)
_STOPPED_JOBS = PreparedStatement(
    select(t.job.c.timed_out_at)
    .join(t.job_build, t.job_build.c.job_id == t.job.c.id)
    .where(
        t.job_build.c.task_id == bindparam("task_id_"),
        t.job.c.cancel_asked_at.is_not(None),
        needs(t.job.c.id, select(t.task.c.engine_key).where(t.task.c.id == bindparam("task_id_")).scalar_subquery()),
    )
)
_SELECT_UNWANTED = select(t.task.c.id).where(
    t.LIVE_BUILD, t.task.c.state != TaskState.LEASED.value, ~wanting(t.task.c.engine_key)
)
_UNWANTED = PreparedStatement(_SELECT_UNWANTED)
_UNWANTED_OF_TASK = PreparedStatement(
    _SELECT_UNWANTED.where(
        t.task.c.engine_key.in_(select(t.subject.c.engine_key).where(t.subject.c.task_id == bindparam("task_id_")))
    )
)
