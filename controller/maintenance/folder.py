"""A state folder as files: where what is, and its lock. For work beside a running controller, or instead of one."""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from controller.store.sqlite.file import read_only_uri, refuse_foreign
from jetfleet.errors import DiskFull, Infrastructure, NotFound, StateLocked

DATABASE = "fleet.db"
BLOBS = "blobs"
_LOCK = "controller.lock"


@contextlib.contextmanager
def alone(state_dir: Path) -> Iterator[None]:
    """No controller runs here meanwhile. Raises StateLocked."""
    handle = os.open(state_dir / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateLocked(
                f"a controller is running on {state_dir}",
                hint="stop it first",
            ) from None
        yield
    finally:
        os.close(handle)


# SQLite's fixed text of SQLITE_FULL; Python passes the code on only since 3.11.
_FULL = "database or disk is full"


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Read-only. Raises NotFound, BadInput for a database of somebody else's, Infrastructure where the file cannot be
    read as a database.
    """
    if not path.is_file():
        raise NotFound("there is no database here", where=str(path), hint="name the state folder with --state")
    try:
        with closing(sqlite3.connect(read_only_uri(path), uri=True)) as connection:
            refuse_foreign(connection, path)
            yield connection
    except sqlite3.DatabaseError as error:
        if str(error) == _FULL:
            raise DiskFull("no space left where it is copied to", where=str(path), hint="free some space") from None
        raise Infrastructure(
            f"not a usable database: {error}", where=str(path), hint="restore it from a backup"
        ) from None


def stored_blobs(connection: sqlite3.Connection) -> dict[str, int]:
    """The size of every file that the database counts on; none where it is older than its table of files."""
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'blob'").fetchone()
    return dict(connection.execute("SELECT sha256, size_bytes FROM blob WHERE state = 'STORED'")) if known else {}
