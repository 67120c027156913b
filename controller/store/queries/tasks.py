"""What a task has behind it and before it: ended attempts, engines that it lacks, jobs that want it."""

from sqlalchemy import ColumnElement, Connection, bindparam, exists, literal_column, select

from controller.core import lifecycle
from controller.model.task import AttemptEnd, AttemptState, FailureKind, TaskState
from controller.store import tables as t
from controller.store.sqlite.prepared import PreparedStatement

OPEN_STATES = tuple(state.value for state in lifecycle.OPEN_ATTEMPT)
LIVE_STATES = tuple(state.value for state in TaskState if state not in lifecycle.TERMINAL)
# The same as constants, for prepared statements, which have no lists among their parameters.
_OPEN: "list[ColumnElement[str]]" = [literal_column(f"'{state}'") for state in OPEN_STATES]
_LIVE: "list[ColumnElement[str]]" = [literal_column(f"'{state}'") for state in LIVE_STATES]


def history(connection: Connection, task_id: int) -> list[AttemptEnd]:
    """How the ended attempts of a task ended, oldest first."""
    rows = _HISTORY.all(connection, task_id_=task_id)
    return [
        AttemptEnd(
            AttemptState(row.state),
            row.device_id,
            FailureKind(row.failure_kind) if row.failure_kind else None,
        )
        for row in rows
    ]


def waiting_for(connection: Connection, engine_key: str) -> list[int]:
    return list(
        connection.execute(
            select(t.task.c.id)
            .join(t.subject)
            .join(t.job, t.job.c.id == t.task.c.job_id)
            .where(t.subject.c.engine_key == engine_key, t.task.c.state == TaskState.WAITING.value, t.ACCEPTED)
            .distinct()
        ).scalars()
    )


def missing_engines(connection: Connection, task_id: int) -> list[str]:
    """Keys of the engines of a BENCH that are not built."""
    return [row.key for row in _MISSING.all(connection, task_id_=task_id)]


def has_work_ahead(connection: Connection, device_id: str) -> bool:
    """Are tasks bound to this device that have not ended, whatever they wait for?"""
    return _AHEAD.first(connection, device_id_=device_id) is not None


def is_wanted(connection: Connection, engine_key: str) -> bool:
    """Does a BENCH of a job that nobody cancelled still need this engine?"""
    return bool(connection.execute(select(wanting(engine_key))).scalar())


def needs(job_id: ColumnElement[int], engine_key: ColumnElement[str]) -> ColumnElement[bool]:
    """Does a BENCH of the job, over or not, run on this engine?"""
    bench = t.task.alias("bench")
    return exists(
        select(1)
        .select_from(t.subject.join(bench, bench.c.id == t.subject.c.task_id))
        .where(t.subject.c.engine_key == engine_key, bench.c.job_id == job_id)
    )


def wanting(engine_key: "str | ColumnElement[str]") -> ColumnElement[bool]:
    bench = t.task.alias("bench")
    return exists(
        select(1)
        .select_from(t.subject.join(bench, bench.c.id == t.subject.c.task_id).join(t.job, t.job.c.id == bench.c.job_id))
        .where(
            t.subject.c.engine_key == engine_key,
            bench.c.state.in_(_LIVE),
            t.job.c.cancel_asked_at.is_(None),
        )
    )


_HISTORY = PreparedStatement(
    select(t.attempt.c.state, t.attempt.c.device_id, t.attempt.c.failure_kind)
    .where(t.attempt.c.task_id == bindparam("task_id_"), t.attempt.c.state.not_in(_OPEN))
    .order_by(t.attempt.c.number)
)
_MISSING = PreparedStatement(
    select(t.engine.c.key)
    .join(t.subject, t.subject.c.engine_key == t.engine.c.key)
    .where(t.subject.c.task_id == bindparam("task_id_"), t.engine.c.sha256.is_(None))
)
_AHEAD = PreparedStatement(
    select(t.task.c.id).where(t.task.c.device_id == bindparam("device_id_"), t.task.c.state.in_(_LIVE))
)
