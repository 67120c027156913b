"""Single inferences, or the rows of a query, as a Parquet file. The only importer of pyarrow, which only this needs."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from controller.report.inferences.process import ProcessRecord, stages_of
from jetfleet.errors import BadInput

Columns = dict[str, list[Any]]


def write_parquet(path: Path, found: Sequence[tuple[Mapping[str, Any], int, ProcessRecord]]) -> None:
    """A row for each inference: what its measurement is (equal keys in all), its subject, its process.

    Raises BadInput where pyarrow is not installed.
    """
    arrow, parquet = _pyarrow("--format parquet")
    parquet.write_table(arrow.table(_table(found)), path)


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """The rows of a query, each column of the one type that its values have.

    Raises BadInput where pyarrow is not installed, for values of several types, and for a name that is there twice.
    """
    where = "--parquet"
    arrow, parquet = _pyarrow(where)
    if again := [name for index, name in enumerate(columns) if name in columns[:index]]:
        raise BadInput(f"the column {again[0]!r} is there twice", where=where, expected="a name of its own: AS NAME")
    found = {}
    for index, name in enumerate(columns):
        try:
            found[name] = arrow.array([row[index] for row in rows])
        except (arrow.ArrowException, OverflowError) as error:
            expected = "values of one type: cast(... as text)"
            raise BadInput(f"the column {name!r} is of several types", where=where, expected=expected) from error
    try:
        parquet.write_table(arrow.table(found), path)
    except OSError as error:
        raise BadInput(f"it cannot be written: {error.strerror or error}", where=str(path)) from error


def _pyarrow(where: str) -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise BadInput("pyarrow is not installed", where=where, hint="pip install 'jetfleet[parquet]'") from error


def _table(found: Sequence[tuple[Mapping[str, Any], int, ProcessRecord]]) -> Columns:
    parts = [_part(known, subject, process) for known, subject, process in found]
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: [value for part in parts for value in _column(part, name)] for name in names}


def _part(known: Mapping[str, Any], subject: int, process: ProcessRecord) -> Columns:
    columns = process.subjects.get(subject, {})
    count = len(columns.get("begin_ms", ()))
    found: Columns = {name: [value] * count for name, value in {**known, "process": process.number}.items()}
    found["round"] = [int(value) for value in columns.get("round", ())]
    found["stream"] = [int(value) for value in columns.get("stream", ())]
    return {**found, **{f"{name}_ms": list(values) for name, values in stages_of(columns).items()}}


def _column(part: Columns, name: str) -> Iterator[Any]:
    """Null where this part has no such stage."""
    yield from part.get(name) or [None] * len(part["process"])
