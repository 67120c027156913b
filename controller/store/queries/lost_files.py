"""Which of the files that a task is made of are gone: damaged or removed here, and not brought again yet."""

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from controller.model.codec import load
from controller.model.job import Artifact, Role, Variant
from controller.model.task import BlobState, Recipe
from controller.store import tables as t
from controller.store.sqlite.prepared import PreparedStatement


class GoneFile(NamedTuple):
    """`is_sought`: agents are asked for it."""

    artifact: Artifact
    is_sought: bool


def gone_files(connection: Connection, task_id: int) -> tuple[GoneFile, ...]:
    """Of the recipe of a BUILD; of the variants of a BENCH, and its engines while agents are asked for them: one that
    nobody has is built again.
    """
    recipe = _RECIPE.scalar(connection, task_id_=task_id)
    made_of: list[Recipe | Variant] = [load(Recipe, recipe)] if recipe else []
    made_of += [load(Variant, row.content) for row in _VARIANTS.all(connection, task_id_=task_id)]
    files = {item.sha256: item for part in made_of for item in part.artifacts}
    found = [(item, _GONE.scalar(connection, sha256_=sha256)) for sha256, item in files.items()]
    gone = [GoneFile(item, state == BlobState.SOUGHT.value) for item, state in found if state]
    for row in _ENGINES.all(connection, task_id_=task_id):
        if _GONE.scalar(connection, sha256_=row.sha256) == BlobState.SOUGHT.value:
            gone.append(GoneFile(Artifact(Role.ENGINE, row.key[:12], row.sha256, row.size_bytes), is_sought=True))
    return tuple(gone)


def sought_blobs(connection: Connection) -> list[str]:
    """What agents are to be asked for."""
    return [row.sha256 for row in _ALL_GONE.all(connection) if row.state == BlobState.SOUGHT.value]


_RECIPE = PreparedStatement(
    select(t.engine.c.recipe)
    .join(t.task, t.task.c.engine_key == t.engine.c.key)
    .where(t.task.c.id == bindparam("task_id_"))
)
_VARIANTS = PreparedStatement(
    select(t.variant.c.content)
    .join(t.subject, t.subject.c.variant_id == t.variant.c.id)
    .where(t.subject.c.task_id == bindparam("task_id_"))
)
_ENGINES = PreparedStatement(
    select(t.engine.c.key, t.engine.c.sha256, t.engine.c.size_bytes)
    .join(t.subject, t.subject.c.engine_key == t.engine.c.key)
    .where(t.subject.c.task_id == bindparam("task_id_"), t.engine.c.sha256.is_not(None))
)
_GONE = PreparedStatement(select(t.blob.c.state).where(t.GONE, t.blob.c.sha256 == bindparam("sha256_")))
_ALL_GONE = PreparedStatement(select(t.blob.c.sha256, t.blob.c.state).where(t.GONE))
