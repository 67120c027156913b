"""A device that only fails is taken out of service."""

from sqlalchemy import Connection, select, update

from controller.model.task import FailureKind
from controller.store import tables as t
from controller.store.commands.bind import unbind

FAULTS_TO_CORDON = 3


def cordon_if_faulty(connection: Connection, device_id: str) -> None:
    """Takes a device out of service when its last attempts, all of different tasks, ended in device faults."""
    last = connection.execute(
        select(t.attempt.c.task_id, t.attempt.c.failure_kind, t.attempt.c.failure_message)
        .where(t.attempt.c.device_id == device_id, t.attempt.c.ended_at.is_not(None))
        .order_by(t.attempt.c.ended_at.desc())
        .limit(FAULTS_TO_CORDON)
    ).all()
    faults = {row.task_id for row in last if row.failure_kind == FailureKind.DEVICE_FAULT.value}
    if len(faults) == FAULTS_TO_CORDON:
        reason = f"{FAULTS_TO_CORDON} device faults in a row, last: {last[0].failure_message}; restart its agent"
        connection.execute(update(t.device).where(t.device.c.id == device_id).values(cordoned=reason))
        unbind(connection, [device_id])
