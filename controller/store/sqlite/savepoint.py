"""A change within a change: taken back whole where the database cannot hold what it says."""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from controller.store.sqlite.prepared import execute

T = TypeVar("T")

# Of the values, not of the disk: the same change would fail again, whenever it is tried.
_OF_VALUES = (
    *(OverflowError, ValueError, TypeError, LookupError),
    *(sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError),
)


def or_unstorable(connection: Connection, change: Callable[[], T]) -> T | str:
    """What the change answers; if the database cannot hold its values, why, and nothing of it has happened."""
    execute(connection, "SAVEPOINT values_fit")
    try:
        answer = change()
    except Exception as error:
        cause = error.orig if isinstance(error, DatabaseError) else error
        if not isinstance(cause, _OF_VALUES):
            raise
        execute(connection, "ROLLBACK TO values_fit")
        execute(connection, "RELEASE values_fit")
        return f"{type(cause).__name__}: {cause}"
    execute(connection, "RELEASE values_fit")
    return answer
