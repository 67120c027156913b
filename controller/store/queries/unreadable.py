"""Cells that hold something else than was written into them: no JSON, or no time.

Only these tell by themselves that they are damaged; what measurements say has a digest of its own.
"""

from typing import NamedTuple

from sqlalchemy import Column, Connection, Table, func, or_, select

from controller.store import tables as t

JSON_COLUMNS = frozenset(
    {
        t.job.c.measure,
        t.job.c.labels,
        t.variant.c.content,
        t.device.c.labels,
        t.device.c.also_ids,
        t.facts.c.content,
        t.engine.c.recipe,
        t.engine.c.class_fields,
        t.engine.c.report,
        t.demand.c.content,
    }
)
_TIME_SUFFIX = "_at"
_MOST = 100


class UnreadableCell(NamedTuple):
    """`row` is its primary key."""

    table: str
    row: str
    column: str


def unreadable_cells(connection: Connection) -> list[UnreadableCell]:
    """Of a sound database of this version; at most 100 of a column."""
    return [
        cell
        for table in t.metadata.sorted_tables
        for column in table.columns
        if column in JSON_COLUMNS or column.name.endswith(_TIME_SUFFIX)
        for cell in _unreadable(connection, table, column)
    ]


def _unreadable(connection: Connection, table: Table, column: "Column[object]") -> list[UnreadableCell]:
    readable = func.json_valid(column) if column in JSON_COLUMNS else func.datetime(column).is_not(None)
    wrong = select(*table.primary_key).where(column != "", or_(func.typeof(column) != "text", ~readable)).limit(_MOST)
    return [UnreadableCell(table.name, " ".join(map(str, row)), column.name) for row in connection.execute(wrong).all()]
