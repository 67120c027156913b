"""Which rows of measurements are not what was committed: all of them in pages, or a single one."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from controller.store import tables as t
from controller.store.queries.measurements import Parts, read_measurement
from controller.store.sqlite.database import HEAD
from controller.store.stored import StoredRow

PAGE = 500
_STORED = (
    select(t.measurement, t.facts.c.content.label("facts"), t.variant.c.content.label("variant"))
    .outerjoin(t.facts, t.facts.c.id == t.measurement.c.facts_id)
    .outerjoin(t.variant, t.variant.c.id == t.measurement.c.variant_id)
)


class CheckedRow(NamedTuple):
    """`damage` is why the row is not what was committed, empty if it is; `noted` is what was found before."""

    measurement_id: int
    damage: str
    noted: str


def check_rows(connection: Connection, *, after: int) -> list[CheckedRow]:
    """The next page of rows, by their numbers; empty at the end."""
    rows = connection.execute(_STORED.where(t.measurement.c.id > after).order_by(t.measurement.c.id).limit(PAGE))
    return _checked(connection, rows.all())


def damage_of(connection: Connection, measurement_id: int) -> str:
    """Why one row is not what was committed, or was not when it was looked at before; empty if it is."""
    (checked,) = _checked(connection, connection.execute(_STORED.where(t.measurement.c.id == measurement_id)).all())
    return checked.damage or checked.noted


def is_current(connection: Connection) -> bool:
    """Is this a database of the version whose rows are known here?"""
    known = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").first()
    return known is not None and connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == HEAD


def _checked(connection: Connection, rows: Sequence[StoredRow]) -> list[CheckedRow]:
    parts = Parts(connection, [row.id for row in rows])
    return [CheckedRow(row.id, read_measurement(row, parts)[1], row.damage) for row in rows]
