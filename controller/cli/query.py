"""`controller query`: SQL on the results database, read-only, straight from the file. There is no RPC for it."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.cli.numbers import LONGEST_S, MOST_ROWS, FiniteRange
from controller.cli.settings import print_message, settings_of
from jetfleet.plural import counted
from jetfleet.usage import check_outputs

_DATABASE = "fleet.db"


def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT; try: select * from v_results")],
    as_json: Annotated[bool, typer.Option("--json", help='Print {"columns": [...], "rows": [[...]]}.')] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    parquet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a Parquet file; needs pyarrow.", show_default=False)
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            click_type=FiniteRange(min=0.1, max=LONGEST_S),
            help="Break a longer query off (exit 7).",
        ),
    ] = 60.0,
    max_rows: Annotated[
        int, typer.Option("--max-rows", metavar="N", min=1, max=MOST_ROWS, help="Refuse more rows.")
    ] = 100_000,
) -> None:
    """Ask the results database in SQL.

    The views are v_results, v_rounds, v_ratios, v_runs, v_builds, v_engines, v_devices and v_attempts. Reads, never
    writes. A query has --timeout seconds, --max-rows rows, 512 MiB of memory while it runs and 256 MiB for its answer.
    """
    if as_json + as_csv + (parquet is not None) > 1:
        raise typer.BadParameter("choose one of --json, --csv and --parquet")
    check_outputs(**{"--parquet": parquet})
    from controller.cli.database import QueryLimits, run_sql

    limits = QueryLimits(timeout_s=timeout, max_rows=max_rows)
    columns, rows = run_sql(settings_of(context).state_dir / _DATABASE, sql, limits=limits)
    if parquet is not None:
        from controller.report.inferences.parquet import write_rows

        write_rows(parquet, columns, rows)
        print_message(f"{parquet}: {counted(len(rows), 'row')}")
        return
    _print(columns, rows, as_json=as_json, as_csv=as_csv)


def _print(columns: Sequence[str], rows: Sequence[tuple[Any, ...]], *, as_json: bool, as_csv: bool) -> None:
    if as_json:
        from controller.cli.formats import print_json

        print_json({"columns": columns, "rows": [[_json_value(cell) for cell in row] for row in rows]}, out=sys.stdout)
        return
    from controller.report.text.table import Table, print_csv, print_table

    if as_csv:
        texts = [tuple("" if cell is None else _text(cell) for cell in row) for row in rows]
        print_csv(Table(tuple(columns), texts), out=sys.stdout)
    else:
        texts = [tuple("NULL" if cell is None else _text(cell) for cell in row) for row in rows]
        print_table(Table(tuple(columns), texts, right=_numeric(columns, rows), empty="no rows"), out=sys.stdout)


def _text(cell: Any) -> str:
    return f"x'{cell.hex()}'" if isinstance(cell, bytes) else str(cell)


def _json_value(cell: Any) -> Any:
    """JSON knows neither bytes nor infinities: both are told as texts."""
    is_infinite = isinstance(cell, float) and math.isinf(cell)
    return _text(cell) if is_infinite or isinstance(cell, bytes) else cell


def _numeric(columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> frozenset[str]:
    """Columns without a text in them."""
    return frozenset(
        name
        for index, name in enumerate(columns)
        if all(row[index] is None or isinstance(row[index], (int, float)) for row in rows)
    )
