"""Tasks whose files are gone: set aside until somebody brings the files again, instead of failing board after board."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from controller.model.task import BlobState, TaskState
from controller.store import tables as t
from controller.store.commands.attempts import move
from controller.store.queries.lost_files import lost_files
from controller.store.queries.tasks import missing_engines
from controller.store.sqlite.prepared import PreparedStatement


def set_aside(connection: Connection, task_id: int) -> bool:
    """Makes a READY task wait if a file that it is made of is gone; True if it waits now."""
    if _ANY_LOST.first(connection) is None or not lost_files(connection, task_id):
        return False
    move(connection, task_id, TaskState.WAITING)
    return True


def release_found(connection: Connection, digests: Iterable[str]) -> None:
    """Some of these files were gone, and all of them are here: what waited for nothing else is READY."""
    lost = {row.sha256 for row in _LOST.all(connection)}
    if lost.isdisjoint(digests):
        return
    connection.execute(
        t.blob.update().where(t.blob.c.sha256.in_(lost.intersection(digests))).values(state=BlobState.STORED.value)
    )
    waiting = select(t.task.c.id).join(t.job, t.job.c.id == t.task.c.job_id)
    for row in connection.execute(waiting.where(t.task.c.state == TaskState.WAITING.value, t.ACCEPTED)).all():
        if not missing_engines(connection, row.id) and not lost_files(connection, row.id):
            move(connection, row.id, TaskState.READY)


_LOST = PreparedStatement(select(t.blob.c.sha256).where(t.LOST))
_ANY_LOST = PreparedStatement(select(t.blob.c.sha256).where(t.LOST).limit(1))
