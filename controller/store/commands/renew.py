"""What Renews change: an attempt that has started, a device that was heard from, and leases that nobody renewed."""

from collections.abc import Collection

from sqlalchemy import Connection, update

from controller.model.task import AttemptState
from controller.store import tables as t
from controller.store.clock import now_text
from controller.store.commands.attempts import close_attempts


def start_attempts(connection: Connection, tokens: Collection[str]) -> None:
    """The children of these attempts run now."""
    connection.execute(
        update(t.attempt)
        .where(t.attempt.c.token.in_(tokens), t.attempt.c.state == AttemptState.LEASED.value)
        .values(state=AttemptState.RUNNING.value, started_at=now_text())
    )


def expire(connection: Connection, tokens: Collection[str], *, after_s: float) -> list[int]:
    """Nobody renewed these: their tasks may be tried again. Returns the tasks."""
    return close_attempts(
        connection,
        t.attempt.c.token.in_(tokens),
        AttemptState.EXPIRED,
        message=f"the agent was not heard from for {after_s:.0f} s",
    )


def touch(connection: Connection, session_ids: Collection[str]) -> None:
    """Notes for readers of the database that these sessions were heard from."""
    connection.execute(update(t.device).where(t.device.c.session_id.in_(session_ids)).values(last_seen_at=now_text()))
