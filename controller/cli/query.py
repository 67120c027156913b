"""`controller query`: SQL on the results database, read-only, straight from the file. There is no RPC for it."""

import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from controller.cli.settings import settings_of
from jetfleet.errors import BadInput, NotFound

_DATABASE = "fleet.db"
_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
_DESCRIBING_PRAGMAS = frozenset({"table_info", "table_xinfo", "table_list", "index_list", "foreign_key_list"})
# How many steps of SQLite's machine between two looks at Ctrl-C.
_STEPS = 100_000


def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT; try: select * from v_results")],
    as_json: Annotated[bool, typer.Option("--json", help='Print {"columns": [...], "rows": [[...]]}.')] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Ask the results database in SQL.

    The views are v_results, v_rounds, v_engines, v_devices and v_attempts. Reads, never writes.
    """
    if as_json and as_csv:
        raise typer.BadParameter("choose --json or --csv, not both")
    columns, rows = ask(settings_of(context).state_dir / _DATABASE, sql)
    if as_json:
        from controller.report.records import print_json

        print_json({"columns": columns, "rows": [[_json_value(cell) for cell in row] for row in rows]}, out=sys.stdout)
        return
    from controller.report.table import Table, print_csv, print_table

    if as_csv:
        texts = [tuple("" if cell is None else _text(cell) for cell in row) for row in rows]
        print_csv(Table(tuple(columns), texts), out=sys.stdout)
    else:
        texts = [tuple("NULL" if cell is None else _text(cell) for cell in row) for row in rows]
        print_table(Table(tuple(columns), texts, right=_numeric(columns, rows), empty="no rows"), out=sys.stdout)


def ask(database: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
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


def _text(cell: Any) -> str:
    return f"x'{cell.hex()}'" if isinstance(cell, bytes) else str(cell)


def _json_value(cell: Any) -> Any:
    return _text(cell) if isinstance(cell, bytes) else cell


def _numeric(columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> frozenset[str]:
    """Columns without a text in them."""
    return frozenset(
        name
        for index, name in enumerate(columns)
        if all(row[index] is None or isinstance(row[index], (int, float)) for row in rows)
    )
