"""Statements that every task passes through, compiled once and run on the bare connection.

SQLAlchemy spends about 100 us on a statement that takes SQLite 10: here it only writes the SQL. Written with constants
as literals where a partial index is to be used, because SQLite does not choose one on the strength of a parameter.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.exc import DatabaseError
from sqlalchemy.sql import ClauseElement

from controller.store.stored import StoredRow

_DIALECT = dialect(paramstyle="named")


class PreparedStatement:
    """`bindparam("name")` in the statement is filled in by the keyword of that name; other values are as they were.

    Rows are named tuples. Raises sqlalchemy's DatabaseError, like any other statement.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._shape: Callable[..., StoredRow] | None = None

    def run(self, connection: Connection, **values: object) -> int | None:
        """Executes; returns the id of an inserted row."""
        return self._execute(connection, values).lastrowid

    def all(self, connection: Connection, **values: object) -> list[StoredRow]:
        cursor = self._execute(connection, values)
        row = self._row(cursor)
        try:
            return [row(*item) for item in cursor]
        except sqlite3.DatabaseError as error:
            raise DatabaseError(self._sql[0], values, error) from error

    def first(self, connection: Connection, **values: object) -> StoredRow:
        """The first row or None."""
        cursor = self._execute(connection, values)
        found = cursor.fetchone()
        cursor.close()
        return None if found is None else self._row(cursor)(*found)

    def scalar(self, connection: Connection, **values: object) -> Any:
        """The first column of the first row, or None."""
        cursor = self._execute(connection, values)
        found = cursor.fetchone()
        cursor.close()
        return None if found is None else found[0]

    def _execute(self, connection: Connection, values: dict[str, object]) -> sqlite3.Cursor:
        sql, constants = self._sql
        return execute(connection, sql, {**constants, **values})

    @cached_property
    def _sql(self) -> tuple[str, dict[str, object]]:
        statement = self._statement
        if not isinstance(statement, ClauseElement):
            raise TypeError(f"{type(statement).__name__} is not a statement")
        compiled = statement.compile(dialect=_DIALECT)
        return str(compiled), dict(compiled.params)

    def _row(self, cursor: sqlite3.Cursor) -> Callable[..., StoredRow]:
        if self._shape is None:
            self._shape = _shape([column[0] for column in cursor.description])
        return self._shape


def _shape(names: list[str]) -> Callable[..., StoredRow]:
    return namedtuple("Row", names, rename=True)


def execute(connection: Connection, sql: str, values: "dict[str, object] | tuple[()]" = ()) -> sqlite3.Cursor:
    """Runs text on the bare connection, outside SQLAlchemy's transactions."""
    raw: Any = connection.connection.dbapi_connection
    try:
        cursor: sqlite3.Cursor = raw.execute(sql, values)
    except sqlite3.DatabaseError as error:
        raise DatabaseError(sql, values, error) from error
    return cursor
