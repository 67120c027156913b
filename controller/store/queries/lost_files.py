"""Which of the files that a task is made of are gone. Engines are another matter: they are built again."""

from sqlalchemy import Connection, bindparam, select

from controller.model.codec import load
from controller.model.job import Artifact, Variant
from controller.model.task import Recipe
from controller.store import tables as t
from controller.store.sqlite.prepared import PreparedStatement


def lost_files(connection: Connection, task_id: int) -> tuple[Artifact, ...]:
    """Of the recipe of a BUILD, of the variants of a BENCH."""
    recipe = _RECIPE.scalar(connection, task_id_=task_id)
    made_of: list[Recipe | Variant] = [load(Recipe, recipe)] if recipe else []
    made_of += [load(Variant, row.content) for row in _VARIANTS.all(connection, task_id_=task_id)]
    files = {item.sha256: item for part in made_of for item in part.artifacts}
    return tuple(item for sha256, item in files.items() if _LOST.first(connection, sha256_=sha256) is not None)


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
_LOST = PreparedStatement(select(t.blob.c.sha256).where(t.LOST, t.blob.c.sha256 == bindparam("sha256_")))
