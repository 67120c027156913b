"""Cells and pages that hold something else than was written: told as damage, by readers and by fsck, never as a bug."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from controller.maintenance.fsck import check
from controller.model.view import ResultQuery
from controller.store import tables as t
from controller.store.queries import engines, jobs
from controller.store.queries.listed import readable
from controller.store.queries.results import query_rows
from controller.store.queries.unreadable import JSON_COLUMNS, unreadable_cells
from controller.store.sqlite import reader as reader_module
from jetfleet.errors import Corrupt, Infrastructure, TimeLimit
from testing.specs import spec
from tests.store.fleet import StoreFleet

# What measurements say has a digest of its own.
_DIGESTED = {"measurement", "run", "round", "metric", "flag", "output_check"}
DAMAGED = ["job.created_at", "job.labels", "engine.recipe", "engine.class_fields", "engine.report", "engine.built_at"]
DAMAGED += ["job.measure", "variant.content", "facts.content", "device.labels", "attempt.leased_at"]


@pytest.fixture
def worked(fleet: StoreFleet) -> StoreFleet:
    fleet.register("a")
    fleet.submit(spec())
    fleet.run_all("a/1")
    return fleet


def change(fleet: StoreFleet, column: str, value: object) -> None:
    table, name = column.split(".")
    with closing(sqlite3.connect(fleet.path)) as connection, connection:
        (row,) = connection.execute(f'SELECT min(rowid) FROM "{table}" WHERE "{name}" IS NOT NULL').fetchone()
        assert connection.execute(f'UPDATE "{table}" SET "{name}" = ? WHERE rowid = ?', (value, row)).rowcount == 1


def test_every_column_of_json_is_known(worked: StoreFleet) -> None:
    def look_like_json(connection: Connection, table: str, column: str) -> bool:
        texts = [text for (text,) in connection.exec_driver_sql(f'SELECT "{column}" FROM "{table}"') if text]
        return bool(texts) and all(str(text)[0] in "{[" and json.loads(text) is not None for text in texts)

    def found(connection: Connection) -> set[str]:
        return {
            str(column)
            for table in t.metadata.sorted_tables
            for column in table.columns
            if table.name not in _DIGESTED and look_like_json(connection, table.name, column.name)
        }

    assert worked.reader.read(found) == {str(column) for column in JSON_COLUMNS}


def test_a_sound_database_has_no_unreadable_cell(worked: StoreFleet) -> None:
    assert worked.reader.read(unreadable_cells) == []


@pytest.mark.parametrize("value", ['{"a', "2\x0126-11-29T01:37:19.569+00:00", b"\xff\xfe"])
@pytest.mark.parametrize("column", DAMAGED)
def test_fsck_names_the_cell(worked: StoreFleet, column: str, value: object) -> None:
    change(worked, column, value)
    report = check(worked.path.parent)
    table, name = column.split(".")
    faults = [fault for fault in report.faults if fault.kind == "unreadable"]
    assert [fault.subject.split()[0] for fault in faults] == [table]
    assert faults[0].detail.startswith(name)
    assert not report.is_clean


@pytest.mark.parametrize("column", ["job.created_at", "job.labels", "engine.recipe", "engine.built_at"])
def test_a_listing_leaves_damaged_rows_out_and_knows_them(worked: StoreFleet, column: str) -> None:
    worked.submit(spec(2), key="another")
    look: Any = jobs.listed_jobs if column.startswith("job") else engines.listed_engines
    change(worked, column, "{")
    rows = worked.reader.read(lambda c: look(c, limit=5))
    assert (len(rows), len(readable(rows))) == (2, 1)
    with pytest.raises(Corrupt, match="holds a row that cannot be read") as caught:
        worked.reader.read(lambda c: _show(c, rows, column))
    assert "fsck" in caught.value.hint


def _show(connection: Connection, rows: Any, column: str) -> object:
    (damaged,) = (row.cursor for row in rows if row.view is None)
    if column.startswith("job"):
        return jobs.job_view(connection, int(damaged), progress={})
    return engines.engine_view(connection, damaged)


def test_a_state_that_nobody_knows_is_one_jobs_damage(worked: StoreFleet) -> None:
    worked.submit(spec(2), key="another")
    change(worked, "task.state", "ZZZ")
    assert len(readable(worked.reader.read(lambda c: jobs.listed_jobs(c, limit=5)))) == 1


@pytest.mark.parametrize("column", ["job.labels", "job.measure"])
def test_results_of_a_job_that_cannot_be_read_are_damaged(worked: StoreFleet, column: str) -> None:
    worked.submit(spec(2), key="another")
    worked.run_all("a/1")
    change(worked, column, "{")
    rows = worked.reader.read(lambda c: query_rows(c, ResultQuery()))
    assert [row.measurement.verdict == "DAMAGED" for row in rows] == [row.job_id == 1 for row in rows]
    assert {row.job_id for row in rows} == {1, 2}
    assert worked.reader.read(lambda c: query_rows(c, ResultQuery(labels={"a": "b"}))) == []


def damage_page_of_jobs(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'job'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def test_a_reader_is_told_of_a_page_that_is_damaged(worked: StoreFleet) -> None:
    damage_page_of_jobs(worked.path)
    with pytest.raises(Infrastructure, match="is not a usable database"):
        worked.reader.read(lambda c: jobs.listed_jobs(c, limit=5))


def test_a_look_without_an_end_is_a_time_out(worked: StoreFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "_LIMIT_S", 0.05)
    endless = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(TimeLimit, match="did not answer within"):
        worked.reader.read(lambda c: c.exec_driver_sql(endless).all())
