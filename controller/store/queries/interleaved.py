"""Ratios of tasks whose subjects were timed in turns, held against the digests that were written with them."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from controller.model.codec import load
from controller.model.interleaved import Interleaved, PairedRun
from controller.store import interleaved_tables as t
from controller.store.queries.measurements import UNREADABLE
from controller.store.row_digest import interleaved_digest
from controller.store.stored import StoredRow

_AT_ONCE = 500  # SQLite bounds the number of parameters


def interleaved_of(connection: Connection, task_ids: Sequence[int]) -> dict[int, Interleaved | None]:
    """By task; None where the rows are not what was committed."""
    found: dict[int, Interleaved | None] = {}
    for begin in range(0, len(task_ids), _AT_ONCE):
        some = task_ids[begin : begin + _AT_ONCE]
        ratios: dict[int, list[StoredRow]] = {}
        wanted = select(t.ratio).where(t.ratio.c.task_id.in_(some)).order_by(t.ratio.c.run, t.ratio.c.name)
        for row in connection.execute(wanted):
            ratios.setdefault(row.task_id, []).append(row)
        for row in connection.execute(select(t.interleaved).where(t.interleaved.c.task_id.in_(some))):
            found[row.task_id] = _verified(row, ratios.get(row.task_id, []))
    return found


def _verified(row: StoredRow, ratios: Sequence[StoredRow]) -> Interleaved | None:
    try:
        item = _read(row, ratios)
        return item if interleaved_digest(row.task_id, item) == row.digest else None
    except UNREADABLE:
        return None


def _read(row: StoredRow, ratios: Sequence[StoredRow]) -> Interleaved:
    runs: dict[int, list[StoredRow]] = {}
    for each in ratios:
        runs.setdefault(each.run, []).append(each)
    return Interleaved(
        runs=tuple(
            PairedRun(
                index,
                bool(parts[0].second_loaded_first),
                {part.name: part.value for part in parts},
                parts[0].left_out,
            )
            for index, parts in runs.items()
        ),
        looks=load(tuple[int, ...], row.looks),
        margin=row.margin,
        confidence=row.confidence,
        stopped=row.stopped,
    )
