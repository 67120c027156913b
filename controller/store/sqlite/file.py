"""The database as a file: how SQLite spells it, and whether it is ours, found by a look that changes nothing."""

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from jetfleet.errors import BadInput

# Of every version since 0.1. alembic_version alone proves nothing: other projects number their revisions, too.
_OURS = frozenset({"alembic_version", "job", "variant", "task", "attempt", "device", "engine"})
_TABLES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
_MOST_NAMED = 5
_LONGEST_NAME = 40


def read_only_uri(path: Path) -> str:
    """As SQLite takes a file that is only read, whatever characters its folders are called by."""
    return f"file:{quote(os.fsencode(path.resolve()))}?mode=ro"


def is_empty(connection: sqlite3.Connection) -> bool:
    """Has it neither a table nor a view?"""
    return connection.execute(f"{_TABLES} LIMIT 1").fetchone() is None


def refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    """Raises BadInput with the tables of a database that is neither empty nor ours, sqlite3.DatabaseError."""
    found = sorted(str(name)[:_LONGEST_NAME] for (name,) in connection.execute(_TABLES))
    if not found or set(found) >= _OURS:
        return
    more = len(found) - _MOST_NAMED
    named = ", ".join(found[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    raise BadInput(
        f"this is not a database of jetfleet: it holds {named}",
        where=str(path),
        hint="name another state folder with --state",
    )
