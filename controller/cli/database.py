"""The results database as a file: read in SQL, by a connection that can do nothing else. Imported late: sqlite3.

A query ends: it has so much time, so many rows, and so much memory for the rows and for the values in them.
"""

import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jetfleet.errors import BadInput, Infrastructure, NotFound, TimeLimit
from jetfleet.plural import counted

_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
_DESCRIBING_PRAGMAS = frozenset({"table_info", "table_xinfo", "table_list", "index_list", "foreign_key_list"})
# How many steps of SQLite's machine between two looks at Ctrl-C and the clock.
_STEPS = 100_000
# A value, and the SQL itself; and all that SQLite allocates in this process.
_VALUE_BYTES = 64 << 20
_HEAP_BYTES = 512 << 20
_ROWS_BYTES = 256 << 20
_FILE_CODES = frozenset({3, 10, 11, 13, 14, 26})  # PERM, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB
# SQLite's fixed text of SQLITE_INTERRUPT; Python passes the code on only since 3.11.
_INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class QueryLimits:
    """What a query may take: seconds, and rows."""

    timeout_s: float = 60.0
    max_rows: int = 100_000


def run_sql(
    database: Path, sql: str, *, limits: QueryLimits = QueryLimits()
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows. Raises NotFound for no database, BadInput for SQL that is wrong, would write, or takes more
    memory or rows than it may, and TimeLimit.
    """
    if not database.is_file():
        raise NotFound(
            "there is no results database here yet",
            where=str(database),
            hint="submit a job first, or name the state folder with --state",
        )
    deadline = time.monotonic() + limits.timeout_s
    with _reader(database, deadline) as connection:
        try:
            cursor = connection.execute(sql)
            columns = [column[0] for column in cursor.description or ()]
            return columns, _rows(cursor, limits.max_rows)
        except (sqlite3.Error, sqlite3.Warning, MemoryError) as error:
            raise _explained(connection, error, limits, late=time.monotonic() > deadline) from None


def _rows(cursor: sqlite3.Cursor, most: int) -> list[tuple[Any, ...]]:
    """Raises BadInput where there are more than `most`, or where they are larger than memory should hold."""
    rows: list[tuple[Any, ...]] = []
    size = 0
    for row in cursor:
        size += sum(map(sys.getsizeof, row))
        if len(rows) == most:
            raise BadInput(
                f"more than {counted(most, 'row')}", where="SQL", hint="add LIMIT, aggregate, or raise --max-rows"
            )
        if size > _ROWS_BYTES:
            raise BadInput(
                f"more than {_ROWS_BYTES >> 20} MiB in {counted(len(rows), 'row')}",
                where="SQL",
                hint="name fewer columns, or add LIMIT",
            )
        rows.append(row)
    return rows


def _explained(connection: sqlite3.Connection, error: Exception, limits: QueryLimits, *, late: bool) -> BaseException:
    if str(error) == _INTERRUPTED:
        if not late:
            return KeyboardInterrupt()  # SQLite swallowed it: else only the clock makes the handler fail
        return TimeLimit(
            f"the query did not end within {limits.timeout_s:g} s",
            where="SQL",
            hint="narrow it down with WHERE, or raise --timeout",
        )
    if isinstance(error, MemoryError) or "out of memory" in str(error):
        return BadInput(
            f"the query needs more than {_HEAP_BYTES >> 20} MiB of memory",
            where="SQL",
            hint="narrow it down with WHERE, or aggregate in steps",
        )
    if _of_the_file(error):
        return Infrastructure(f"cannot read the database: {error}", hint="check the disk, or restore a backup")
    return BadInput(f"{error}", where="SQL", expected="one SELECT", hint=_hint(connection, error))


def _of_the_file(error: Exception) -> bool:
    """Python passes SQLite's code on only since 3.11; before, the class alone tells a file that is not a database."""
    code = getattr(error, "sqlite_errorcode", None)
    return type(error) is sqlite3.DatabaseError if code is None else code & 0xFF in _FILE_CODES


@contextmanager
def _reader(database: Path, deadline: float) -> Iterator[sqlite3.Connection]:
    """A connection that can neither write this database nor open another."""
    with closing(_connected(database)) as connection:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA temp_store = MEMORY")  # sorting has its part in the limit, and fills no disk
        connection.execute(f"PRAGMA hard_heap_limit = {_HEAP_BYTES}")
        _limit_values(connection)
        connection.set_authorizer(_only_reads)
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        yield connection


def _connected(database: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(f"file:{quote(os.fsencode(database.resolve()))}?mode=ro", uri=True)
    except sqlite3.OperationalError as error:
        raise Infrastructure(f"cannot open the database: {error}", where=str(database)) from None


def _limit_values(connection: sqlite3.Connection) -> None:
    """One value of a gigabyte is refused before it is made. Python offers this since 3.11; the heap has its limit."""
    if sys.version_info >= (3, 11):
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE_BYTES)


def _only_reads(action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
    """SQLite's authoriser: https://www.sqlite.org/c3ref/c_alter_table.html lists the actions and their arguments."""
    describes = action == sqlite3.SQLITE_PRAGMA and first in _DESCRIBING_PRAGMAS
    return sqlite3.SQLITE_OK if action in _READS or describes else sqlite3.SQLITE_DENY


def _hint(connection: sqlite3.Connection, error: Exception) -> str:
    if "no such table" not in str(error):
        return ""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name")
    return "the views are " + ", ".join(name for (name,) in names)
