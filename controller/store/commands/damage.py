"""Notes which rows are not what was committed, for readers that cannot find out: the views, and who queries them."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, update

from controller.model.result import FlagKind, Row
from controller.store import tables as t


def note_found(connection: Connection, rows: Iterable[Row]) -> None:
    """What a reader came upon."""
    flags = {row.measurement_id: row.measurement.flags for row in rows}
    found = {number: item.evidence for number, some in flags.items() for item in some if item.kind is FlagKind.DAMAGED}
    note_damage(connection, found)


def note_damage(connection: Connection, found: Mapping[int, str]) -> None:
    """`found` is why, by the number of the measurement; empty for a row that is what was committed after all."""
    for measurement_id, damage in found.items():
        connection.execute(update(t.measurement).where(t.measurement.c.id == measurement_id).values(damage=damage))
