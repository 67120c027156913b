"""The results database as a file: read in SQL, by a connection that can do nothing else. Imported late: sqlite3."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jetfleet.errors import BadInput, NotFound

_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
_DESCRIBING_PRAGMAS = frozenset({"table_info", "table_xinfo", "table_list", "index_list", "foreign_key_list"})
# How many steps of SQLite's machine between two looks at Ctrl-C.
_STEPS = 100_000
# SQLite's fixed text of SQLITE_INTERRUPT; Python passes the code on only since 3.11.
_INTERRUPTED = "interrupted"


def run_sql(database: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows. Raises NotFound for no database, BadInput for SQL that is wrong or would write."""
    if not database.is_file():
        raise NotFound(
            "there is no results database here yet",
            where=str(database),
            hint="submit a job first, or name the state folder with --state",
        )
    with _reader(database) as connection:
        try:
            cursor = connection.execute(sql)
            columns = [column[0] for column in cursor.description or ()]
            return columns, cursor.fetchall()
        except (sqlite3.Error, sqlite3.Warning) as error:
            if str(error) == _INTERRUPTED:
                raise KeyboardInterrupt from None  # SQLite swallowed it: only Ctrl-C makes the handler fail
            raise BadInput(f"{error}", where="SQL", expected="one SELECT", hint=_hint(connection, error)) from None


@contextmanager
def _reader(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection that can neither write this database nor open another."""
    with closing(sqlite3.connect(f"file:{quote(str(database.resolve()))}?mode=ro", uri=True)) as connection:
        connection.execute("PRAGMA query_only = ON")
        connection.set_authorizer(_only_reads)
        connection.set_progress_handler(lambda: 0, _STEPS)
        yield connection


def _only_reads(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    """SQLite's authoriser: https://www.sqlite.org/c3ref/c_alter_table.html lists the actions and their arguments."""
    describes = action == sqlite3.SQLITE_PRAGMA and first in _DESCRIBING_PRAGMAS
    return sqlite3.SQLITE_OK if action in _READS or describes else sqlite3.SQLITE_DENY


def _hint(connection: sqlite3.Connection, error: Exception) -> str:
    if "no such table" not in str(error):
        return ""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name")
    return "the views are " + ", ".join(name for (name,) in names)
