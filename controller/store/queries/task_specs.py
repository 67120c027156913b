"""What an agent is handed for a task, to be run again elsewhere: a measurement's BENCH, or the BUILD of an engine."""

from sqlalchemy import Connection, select

from controller.model.codec import load
from controller.model.lease import BuildWork, Lease
from controller.model.task import Recipe, TaskKind
from controller.store import tables as t
from controller.store.commands.claim import lease_of
from controller.store.commands.timing_caches import current
from jetfleet.errors import BadInput, NotFound

_BUILD_LIMIT_S = 1800.0


def task_spec(connection: Connection, *, task_id: int, engine_key: str) -> Lease:
    """Without a token. Raises BadInput for neither or both, NotFound for what is not there or not bound yet."""
    if bool(task_id) == bool(engine_key):
        raise BadInput("which task is meant?", expected="task_id or engine_key")
    if engine_key:
        return _build_of(connection, engine_key)
    row = connection.execute(select(t.task.c.kind, t.task.c.device_id).where(t.task.c.id == task_id)).first()
    if row is None:
        raise NotFound(f"there is no task {task_id}")
    if row.kind == TaskKind.BENCH.value and row.device_id is None:
        raise NotFound(f"task {task_id} is bound to no device yet, and so to no engine")
    return lease_of(connection, "", task_id)


def _build_of(connection: Connection, engine_key: str) -> Lease:
    row = connection.execute(
        select(t.engine.c.recipe, t.engine.c.class_key).where(t.engine.c.key == engine_key)
    ).first()
    if row is None:
        raise NotFound(f"there is no engine {engine_key[:12]}", hint="`controller engines` lists them")
    recipe = load(Recipe, row.recipe)
    work = BuildWork(engine_key, recipe, current(connection, recipe, row.class_key))
    return Lease("", 0, f"build {recipe.runtime}-{recipe.precision.value}", _BUILD_LIMIT_S, work)
