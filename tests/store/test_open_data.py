"""Open data: Parquet of any query, the words that Datasette shows, and the scripts of examples/data on a real file."""

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from controller.report.inferences.parquet import write_rows
from controller.store.sqlite.database import FILE_NAME, open_database
from controller.store.sqlite.views import VIEWS
from jetfleet.errors import BadInput
from jetfleet.metrics import METRICS
from tests.cli.conftest import Command
from tests.store.datasette import WRITTEN, metadata, written
from tests.store.test_views import columns_of

SCRIPTS = Path(__file__).resolve().parents[2] / "examples" / "data"
ROW = (
    "select 1 as measurement_id, 'mlp' as model, 'v' as variant, 'nano' as device, 'MEASURED' as provenance,"
    " 'VALID' as verdict, 'ALONE' as schedule, 2.5 as p50_ms, null as energy_mj, x'00ff' as digest"
)


def test_the_words_for_datasette_are_those_of_the_document() -> None:
    assert WRITTEN.read_text(encoding="utf-8") == written(), "make docs"


def test_every_column_of_every_view_has_its_words_and_unit(tmp_path: Path) -> None:
    open_database(tmp_path).dispose()
    tables = metadata()["databases"]["fleet"]["tables"]
    assert list(tables) == list(VIEWS)
    for view, said in tables.items():
        assert list(said["columns"]) == columns_of(tmp_path / FILE_NAME, view)
        assert said["description"]
        timed = {name for name in said["columns"] if re.search(r"_(ms|s|bytes)$", name)}
        assert timed <= said["units"].keys()
    results = tables["v_results"]
    assert results["units"]["p50_ms_low"] == "ms"
    assert results["columns"]["p50_ms_low"].startswith("lower end of the 95 % interval of")


def test_the_schema_says_the_unit_of_each_metric(tmp_path: Path) -> None:
    open_database(tmp_path).dispose()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        (schema,) = database.execute("select sql from sqlite_master where name = 'v_results'").fetchone()
        (version,) = database.execute("select version_num from alembic_version").fetchone()
    for metric in METRICS:
        assert f"AS {metric.name} /* {metric.unit} */" in schema
        assert ("low" in metric.parts) is (f"AS {metric.name}_low /* {metric.unit} */" in schema)
    assert version


def test_a_query_as_parquet_and_the_script_that_reads_it(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    pytest.importorskip("duckdb")
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        database.execute(f"create table fleet as {ROW} union all {ROW.replace('2.5', '3.5')}")
        database.commit()
    path = tmp_path / "results.parquet"
    done = Command(tmp_path)("query", "select * from fleet order by p50_ms", "--parquet", str(path))
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    table = parquet.read_table(path)
    assert table.column("p50_ms").to_pylist() == [2.5, 3.5]
    assert table.column("energy_mj").to_pylist() == [None, None]
    assert table.column("digest").to_pylist() == [b"\x00\xff"] * 2
    ran = subprocess.run(
        [sys.executable, SCRIPTS / "duckdb_fleet.py", path], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "2.5" in ran.stdout
    both = Command(tmp_path)("query", "select 1", "--parquet", str(path), "--json")
    assert both.returncode == 2


def test_what_parquet_cannot_hold_is_refused_by_its_column(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(BadInput, match="mixed"):
        write_rows(tmp_path / "x.parquet", ["plain", "mixed"], [(1, 1), (2, "two")])
    with pytest.raises(BadInput, match="twice"):
        write_rows(tmp_path / "x.parquet", ["a", "a"], [(1, 1)])
    with pytest.raises(BadInput, match="cannot be written"):
        write_rows(tmp_path / "none" / "x.parquet", ["a"], [(1,)])


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BadInput) as caught:
        write_rows(tmp_path / "x.parquet", ["a"], [(1,)])
    assert (caught.value.where, caught.value.hint) == ("--parquet", "pip install 'jetfleet[parquet]'")


def test_the_script_for_pandas_reads_the_views(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    open_database(tmp_path).dispose()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database:
        database.execute("drop view v_results")
        database.execute(f"create view v_results as {ROW}")
        database.execute("drop view v_runs")
        runs = "select 'nano' as device, 'v' as variant, 1 as measurement_id, 1 as counts"
        database.execute(f"create view v_runs as {runs}, 2.0 as p50_ms union all {runs}, 2.1 as p50_ms")
        database.commit()
    ran = subprocess.run(
        [sys.executable, SCRIPTS / "pandas_fleet.py", tmp_path / FILE_NAME], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "2.5" in ran.stdout
    assert "0.05" in ran.stdout


def test_the_written_words_are_json() -> None:
    assert json.loads(WRITTEN.read_text(encoding="utf-8")) == metadata()
