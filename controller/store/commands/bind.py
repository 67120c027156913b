"""Binds a BENCH to a device and the engines that it needs there now, and takes the binding away again."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select, update

from controller.core.ability import inability
from controller.core.plan import build_for
from controller.model.codec import load
from controller.model.job import Variant
from controller.model.task import Device, SubmitState, TaskKind, TaskState
from controller.store import tables as t
from controller.store.commands.attempts import end_unwanted_builds, move
from controller.store.commands.lost_files import lacks_files
from controller.store.commands.readiness import became_ready
from controller.store.commands.rows import ensure_build
from controller.store.queries.blobs import may_come_back
from controller.store.queries.tasks import missing_engines
from controller.store.sqlite.prepared import PreparedStatement
from controller.store.stored import StoredRow


def bind(connection: Connection, task_id: int, device: Device) -> bool:
    """Binds a READY BENCH to a device under its facts of now; True if it can run at once.

    If an engine is missing (another device class than planned, or its file is gone for good), a BUILD is planned and
    the BENCH waits for it; it also waits for files that agents are asked for.
    """
    for row in _SUBJECTS.all(connection, task_id_=task_id):
        build = build_for(load(Variant, row.content), device, row.placement)
        built = _is_built(connection, build.engine_key)
        if row.engine_key != build.engine_key or not built:
            ensure_build(connection, build, job_id=row.job_id)
            _set_engine(connection, task_id, row.idx, build.engine_key)
    _BIND.run(connection, task_id_=task_id, device_id_=device.id)
    if not missing_engines(connection, task_id) and not lacks_files(connection, task_id):
        return True
    move(connection, task_id, TaskState.WAITING)
    return False


def unbind(connection: Connection, device_ids: Sequence[str], *, task_id: int | None = None) -> int:
    """Gives the BENCHes of `any` targets that wait for these devices back to whoever matches; returns how many."""
    wanted = select(t.task.c.id, t.task.c.state, t.task.c.demand_id).where(
        t.task.c.conditions.is_not(None),
        t.task.c.device_id.in_(device_ids),
        t.task.c.state.in_((TaskState.WAITING.value, TaskState.READY.value)),
    )
    found = connection.execute(wanted if task_id is None else wanted.where(t.task.c.id == task_id)).all()
    for row in found:
        connection.execute(update(t.task).where(t.task.c.id == row.id).values(device_id=None))
        connection.execute(update(t.subject).where(t.subject.c.task_id == row.id).values(engine_key=None))
        if row.state == TaskState.WAITING.value:
            move(connection, row.id, TaskState.READY)
        else:
            became_ready(connection, None, row.demand_id)
    if found:
        end_unwanted_builds(connection)
    return len(found)


def replan_device(connection: Connection, device: Device) -> None:
    """The facts of a device have changed: its waiting BENCHes may need other engines."""
    rows = connection.execute(
        select(t.task.c.id, t.task.c.state, t.task.c.conditions)
        .join(t.job, t.job.c.id == t.task.c.job_id)
        .where(
            t.job.c.submit_state == SubmitState.DONE.value,  # others see to it themselves
            t.task.c.device_id == device.id,
            t.task.c.kind == TaskKind.BENCH.value,
            t.task.c.state.in_((TaskState.WAITING.value, TaskState.READY.value)),
        )
        .order_by(t.task.c.id)
    ).all()
    for row in rows:
        subjects = _SUBJECTS.all(connection, task_id_=row.id)
        if any(_unable(item, device) for item in subjects):
            if row.conditions is not None:
                unbind(connection, [device.id], task_id=row.id)
            continue  # `job why` tells; the runtime may come back
        if row.state == TaskState.WAITING.value:
            move(connection, row.id, TaskState.READY)
        bind(connection, row.id, device)
    end_unwanted_builds(connection)


_SUBJECTS = PreparedStatement(
    select(t.subject, t.variant.c.content, t.variant.c.runtime, t.variant.c.job_id)
    .join(t.variant)
    .where(t.subject.c.task_id == bindparam("task_id_"))
    .order_by(t.subject.c.idx)
)
_BIND = PreparedStatement(
    update(t.task).where(t.task.c.id == bindparam("task_id_")).values(device_id=bindparam("device_id_"))
)
_ENGINE_FILE = PreparedStatement(select(t.engine.c.sha256).where(t.engine.c.key == bindparam("key_")))


def _unable(subject: StoredRow, device: Device) -> str:
    return inability(subject.runtime, subject.placement, device.facts, load(Variant, subject.content))


def _is_built(connection: Connection, engine_key: str) -> bool:
    """An engine whose file is gone for good is not built, and is marked so."""
    sha256 = _ENGINE_FILE.scalar(connection, key_=engine_key)
    if sha256 is not None and not may_come_back(connection, sha256):
        connection.execute(update(t.engine).where(t.engine.c.key == engine_key).values(sha256=None))
        return False
    return sha256 is not None


def _set_engine(connection: Connection, task_id: int, idx: int, engine_key: str) -> None:
    connection.execute(
        update(t.subject).where(t.subject.c.task_id == task_id, t.subject.c.idx == idx).values(engine_key=engine_key)
    )
