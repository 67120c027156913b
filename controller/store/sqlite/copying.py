"""A copy of the database as it is at one moment, made beside its writer."""

import sqlite3
from contextlib import closing
from pathlib import Path

_PAGES = 1024  # copied at once


def copy_database(source: Path, target: Path) -> None:
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new, pages=_PAGES)
