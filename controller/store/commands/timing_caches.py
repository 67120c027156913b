"""Timing caches: what builders timed, kept by device class and runtime version, handed to the next BUILD.

A BUILD gives back what it was handed, combined with what it timed itself, and that takes the place of what it was
handed. Two that ran at the same time therefore leave two caches, which the next one combines: no timing is ever lost.
"""

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from controller.model.job import Artifact, Role
from controller.model.task import Recipe
from controller.store import tables as t
from controller.store.clock import now_text
from controller.store.queries.blobs import has_blob
from controller.store.sqlite.prepared import PreparedStatement
from controller.store.stored import StoredRow
from jetfleet.options import COLD, TIMING_CACHE


def current(connection: Connection, recipe: Recipe, class_key: str) -> tuple[Artifact, ...]:
    """The caches that a BUILD is handed, oldest first: none for a cold one, and none whose file is gone."""
    if recipe.options.get(TIMING_CACHE) == COLD:
        return ()
    rows = _CURRENT.all(connection, class_=class_key, runtime_=recipe.runtime, version_=recipe.runtime_version)
    return tuple(
        Artifact(Role.TIMING_CACHE, "timing.cache", row.sha256, row.size_bytes)
        for row in rows
        if has_blob(connection, row.sha256)
    )


def keep(connection: Connection, engine: StoredRow, made: Artifact, *, handed: Collection[str], token: str) -> None:
    """Part of the commit of a BUILD: its cache takes the place of those that went into it."""
    mine = {"class_key": engine.class_key, "runtime": engine.runtime, "runtime_version": engine.runtime_version}
    columns = t.timing_cache.c
    connection.execute(
        delete(t.timing_cache).where(
            *(columns[name] == value for name, value in mine.items()), columns.sha256.in_(handed)
        )
    )
    connection.execute(
        sqlite_insert(t.timing_cache)
        .values(**mine, sha256=made.sha256, size_bytes=made.size_bytes, made_at=now_text(), made_by=token)
        .on_conflict_do_nothing()
    )


_CURRENT = PreparedStatement(
    select(t.timing_cache.c.sha256, t.timing_cache.c.size_bytes)
    .where(
        t.timing_cache.c.class_key == bindparam("class_"),
        t.timing_cache.c.runtime == bindparam("runtime_"),
        t.timing_cache.c.runtime_version == bindparam("version_"),
    )
    .order_by(t.timing_cache.c.id)
)
