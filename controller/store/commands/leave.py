"""The end of a session in order."""

from sqlalchemy import Connection, update

from controller.model.task import AttemptState
from controller.store import tables as t
from controller.store.clock import now_text
from controller.store.commands.attempts import close_attempts


def leave(connection: Connection, session_id: str, *, reason: str) -> None:
    """Ends a session in order; what it still works on goes back."""
    close_attempts(
        connection,
        t.attempt.c.session_id == session_id,
        AttemptState.RETURNED,
        message=reason,
    )
    connection.execute(
        update(t.session)
        .where(t.session.c.id == session_id, t.session.c.ended_at.is_(None))
        .values(ended_at=now_text(), end_reason=reason)
    )
    connection.execute(update(t.device).where(t.device.c.session_id == session_id).values(session_id=None))
