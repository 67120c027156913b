"""Boards that go: in order, by their own word, or in silence. What anybody may run does not wait for them."""

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from controller.model.task import AttemptState, TaskState
from controller.store import tables as t
from controller.store.clock import now_text
from controller.store.commands.attempts import close_attempts, end_unwanted_builds, move
from controller.store.commands.bind import unbind


def depart(connection: Connection, session_ids: Sequence[str]) -> int:
    """The devices of these sessions take no work for now; returns how many tasks were given to others."""
    devices = connection.execute(select(t.device.c.id).where(t.device.c.session_id.in_(session_ids))).scalars()
    return unbind(connection, list(devices))


def remove_board(connection: Connection, device_id: str, *, name: str) -> None:
    """For good: what it works on and what anybody may run goes to others, what is for it alone ends as SKIPPED."""
    close_attempts(connection, t.attempt.c.device_id == device_id, AttemptState.RETURNED, message=f"{name} was removed")
    unbind(connection, [device_id])
    skip_bound(connection, device_id, name=name)


def skip_bound(connection: Connection, device_id: str, *, name: str) -> None:
    """What waits for a board that was removed never runs."""
    bound = (t.task.c.device_id == device_id) & t.task.c.state.in_((TaskState.WAITING.value, TaskState.READY.value))
    for task_id in connection.execute(select(t.task.c.id).where(bound)).scalars().all():
        refusal = f"{name} was removed, and this was for no other device"
        connection.execute(update(t.task).where(t.task.c.id == task_id).values(refusal=refusal))
        move(connection, task_id, TaskState.SKIPPED)
    end_unwanted_builds(connection)


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
