"""A copy of the database as it is at one moment, made beside its writer."""

import sqlite3
from contextlib import closing
from pathlib import Path

from controller.store.sqlite.file import read_only_uri

_PAGES = 1024  # copied at once


def copy_database(source: Path, target: Path) -> None:
    with (
        closing(sqlite3.connect(read_only_uri(source), uri=True)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new, pages=_PAGES)
