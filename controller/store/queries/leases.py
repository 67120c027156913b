"""Open attempts: who holds them, and what their sessions should do with them."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from controller.model.lease import Directive
from controller.model.task import TaskKind
from controller.store import tables as t
from controller.store.queries.devices import current_device
from controller.store.queries.tasks import OPEN_STATES, is_wanted


def directives(connection: Connection, session_id: str, tokens: Sequence[str]) -> dict[str, Directive]:
    """What the session should do with each attempt it reports."""
    rows = connection.execute(
        select(t.attempt, t.task.c.kind, t.task.c.engine_key, t.job.c.cancel_asked_at)
        .join(t.task, t.task.c.id == t.attempt.c.task_id)
        .join(t.job, t.job.c.id == t.task.c.job_id)
        .where(t.attempt.c.token.in_(tokens), t.attempt.c.session_id == session_id)
        .where(t.attempt.c.state.in_(OPEN_STATES))
    ).all()
    answers = dict.fromkeys(tokens, Directive.LOST)
    for row in rows:
        wanted = (
            is_wanted(connection, row.engine_key) if row.kind == TaskKind.BUILD.value else row.cancel_asked_at is None
        )
        answers[row.token] = Directive.CONTINUE if wanted else Directive.CANCEL
    return answers


def renewal(connection: Connection, session_id: str, tokens: Sequence[str]) -> dict[str, Directive]:
    """The answer to a Renew. Raises StaleSession if the session is not the current one of its device."""
    current_device(connection, session_id)
    return directives(connection, session_id, tokens)


def open_attempts(connection: Connection) -> dict[str, str]:
    """Token -> session of every attempt that is not over."""
    rows = connection.execute(
        select(t.attempt.c.token, t.attempt.c.session_id).where(t.attempt.c.state.in_(OPEN_STATES))
    )
    return {row.token: row.session_id for row in rows}
