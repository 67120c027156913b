"""Tasks whose files are gone: set aside until somebody brings the files again, instead of failing board after board."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, select, update

from controller.model.task import BlobState, TaskState
from controller.store import tables as t
from controller.store.commands.attempts import move
from controller.store.queries.lost_files import gone_files
from controller.store.queries.tasks import missing_engines
from controller.store.sqlite.prepared import PreparedStatement


def set_aside(connection: Connection, task_id: int) -> bool:
    """Makes a READY task wait if a file that it is made of is gone; True if it waits now."""
    if not lacks_files(connection, task_id):
        return False
    move(connection, task_id, TaskState.WAITING)
    return True


def lacks_files(connection: Connection, task_id: int) -> bool:
    return _ANY_GONE.first(connection) is not None and bool(gone_files(connection, task_id))


def release_found(connection: Connection, digests: Iterable[str]) -> None:
    """Some of these files were gone, and all of them are here: what waited for nothing else is READY."""
    gone = {row.sha256 for row in _GONE.all(connection)}
    if gone.isdisjoint(digests):
        return
    connection.execute(
        t.blob.update().where(t.blob.c.sha256.in_(gone.intersection(digests))).values(state=BlobState.STORED.value)
    )
    waiting = select(t.task.c.id).join(t.job, t.job.c.id == t.task.c.job_id)
    for row in connection.execute(waiting.where(t.task.c.state == TaskState.WAITING.value, t.ACCEPTED)).all():
        _release(connection, row.id)


def give_up(connection: Connection, digests: Collection[str]) -> list[str]:
    """No agent has these: engines are built again by whoever needs them, other files come with a submit. Returns those
    that were sought.
    """
    sought = t.blob.c.state == BlobState.SOUGHT.value
    lost = update(t.blob).where(t.blob.c.sha256.in_(digests), sought).values(state=BlobState.LOST.value)
    given_up = list(connection.execute(lost.returning(t.blob.c.sha256)).scalars())
    waiting = (
        select(t.task.c.id)
        .join(t.subject, t.subject.c.task_id == t.task.c.id)
        .join(t.engine, t.engine.c.key == t.subject.c.engine_key)
        .join(t.job, t.job.c.id == t.task.c.job_id)
        .where(t.engine.c.sha256.in_(given_up), t.task.c.state == TaskState.WAITING.value, t.ACCEPTED)
        .distinct()
    )
    for row in connection.execute(waiting).all():
        _release(connection, row.id)
    return given_up


def _release(connection: Connection, task_id: int) -> None:
    if not missing_engines(connection, task_id) and not gone_files(connection, task_id):
        move(connection, task_id, TaskState.READY)


_GONE = PreparedStatement(select(t.blob.c.sha256).where(t.GONE))
_ANY_GONE = PreparedStatement(select(t.blob.c.sha256).where(t.GONE).limit(1))
