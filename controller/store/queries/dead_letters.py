"""Results that could not be taken, for people."""

from sqlalchemy import ColumnElement, Connection, select

from controller.model.view import DeadLetter
from controller.store import incidents
from controller.store.clock import parse

_NEWEST = 5


def dead_letters(connection: Connection, which: ColumnElement[bool], *, limit: int = _NEWEST) -> tuple[DeadLetter, ...]:
    """Newest first."""
    table = incidents.dead_letter
    rows = connection.execute(select(table).where(which).order_by(table.c.id.desc()).limit(limit))
    return tuple(DeadLetter(row.id, row.task_id, row.attempt_token, row.reason, parse(row.received_at)) for row in rows)
