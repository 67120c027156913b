"""SQLite's primary result codes: what an error was, on every Python. https://www.sqlite.org/rescode.html"""

import sqlite3
from enum import IntEnum


class ResultCode(IntEnum):
    """Those that the store tells apart; Python's own constants came with 3.11."""

    READONLY = 8
    INTERRUPT = 9
    IOERR = 10
    CORRUPT = 11
    FULL = 13
    CANTOPEN = 14
    NOTADB = 26


# Python 3.10 passes on SQLite's fixed text of a code (sqlite3_errstr), and not the code.
_BY_TEXT = {
    "attempt to write a readonly database": ResultCode.READONLY,
    "interrupted": ResultCode.INTERRUPT,
    "disk I/O error": ResultCode.IOERR,
    "database disk image is malformed": ResultCode.CORRUPT,
    "database or disk is full": ResultCode.FULL,
    "unable to open database file": ResultCode.CANTOPEN,
    "file is not a database": ResultCode.NOTADB,
}


def result_code(error: BaseException | None) -> ResultCode | None:
    """None for what is no error of SQLite's, and for a code that the store treats as a bug."""
    if not isinstance(error, sqlite3.Error):
        return None
    extended: int | None = getattr(error, "sqlite_errorcode", None)
    if extended is None:
        return _BY_TEXT.get(str(error))
    primary = extended & 0xFF
    return ResultCode(primary) if primary in ResultCode.__members__.values() else None
