"""Boards that go: in order, by their own word, or in silence. What anybody may run does not wait for them."""

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from controller.model.task import AttemptState
from controller.store import tables as t
from controller.store.clock import now_text
from controller.store.commands.attempts import close_attempts
from controller.store.commands.bind import unbind


def depart(connection: Connection, session_ids: Sequence[str]) -> int:
    """The devices of these sessions take no work for now; returns how many tasks were given to others."""
    devices = connection.execute(select(t.device.c.id).where(t.device.c.session_id.in_(session_ids))).scalars()
    return unbind(connection, list(devices))


def leave(connection: Connection, session_id: str, *, reason: str) -> None:
    """Ends a session in order: what it still works on goes back, and so does what waits for its device alone."""
    close_attempts(
        connection,
        t.attempt.c.session_id == session_id,
        AttemptState.RETURNED,
        message=reason,
    )
    depart(connection, [session_id])
    connection.execute(
        update(t.session)
        .where(t.session.c.id == session_id, t.session.c.ended_at.is_(None))
        .values(ended_at=now_text(), end_reason=reason)
    )
    connection.execute(update(t.device).where(t.device.c.session_id == session_id).values(session_id=None))
