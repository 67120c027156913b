"""The public views, read by the tools that people have: the sqlite3 shell, pandas, DuckDB and Datasette.

On the file of a running controller that has measured a simulated board. docs/database.md must say what is in them.
"""

import csv
import io
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pandas
import pytest

from controller.api.client import Client
from controller.model.interleaved import Pair
from controller.record.results import COLUMNS, result_frame, result_record
from controller.store.sqlite.views import VIEWS
from jetfleet.address import socket_address
from jetfleet.metrics import COLUMNS as METRIC_COLUMNS
from jetfleet.metrics import METRICS
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job
from testing.processes import AgentProcess, ControllerProcess, wait_online

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "database.md"
SUMMARY = "SELECT variant, device, provenance, verdict, n FROM v_results ORDER BY measurement_id"
JOINED = "SELECT count(*) AS n FROM v_results JOIN v_rounds USING (measurement_id)"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("views")
    controller = ControllerProcess(folder / "state")
    agent = AgentProcess(
        folder / "agents" / "board", controller.address, name="board", facts=simulated_board(sku="orin-nano-8gb")
    )
    try:
        controller.ready()
        agent.start()
        with Client(controller.address) as client:
            wait_online(client, "board")
            spec, files = simulated_job(folder / "job", batches=(1, 2), options={"latency_ms": "2"})
            client.submit_spec(spec, files).wait()
            first, second = (variant.key for variant in spec.variants)
            client.submit_spec(replace(spec, name="in turns", pairs=(Pair(first, second),)), files).wait()
            again = replace(spec.variants[0], key=f"{first}-build_2", repeat=1)
            client.submit_spec(replace(spec, name="twice", variants=(spec.variants[0], again)), files).wait()
        yield folder / "state" / "fleet.db"
    finally:
        agent.kill()
        controller.kill()


@pytest.fixture(scope="module")
def expected(database: Path) -> list[list[Any]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        found = [list(row) for row in connection.execute(SUMMARY)]
    keys = [*(f"simulated-fp32-b{batch}-cpu" for batch in (1, 2, 1, 2, 1)), "simulated-fp32-b1-cpu-build_2"]
    assert [row[:4] for row in found] == [[key, "board", "SIMULATED", "VALID"] for key in keys]
    return found


def columns_of(database: Path, view: str) -> list[str]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return [row[1] for row in connection.execute(f"PRAGMA table_info({view})")]


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="no sqlite3 shell; .ci/run installs it")
def test_the_sqlite3_shell(database: Path, expected: list[list[Any]]) -> None:
    done = subprocess.run(
        ["sqlite3", "-readonly", "-csv", str(database), SUMMARY], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(csv.reader(io.StringIO(done.stdout))) == [[str(cell) for cell in row] for row in expected]


def test_pandas(database: Path, expected: list[list[Any]]) -> None:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        frame = pandas.read_sql(SUMMARY, connection)
        rounds = pandas.read_sql("SELECT * FROM v_rounds", connection)
    assert frame.values.tolist() == expected
    assert (rounds.groupby("variant").p50_ms.median() > 0).all()


def test_duckdb_on_frames_that_pandas_read(database: Path) -> None:
    """DuckDB's own sqlite extension is downloaded at run time, so it is not what is tested here."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as source, duckdb.connect() as duck:
        for view in ("v_results", "v_rounds"):
            duck.register(view, pandas.read_sql(f"SELECT * FROM {view}", source))
        counted = source.execute(JOINED).fetchone()
        assert duck.execute(JOINED).fetchone() == counted
        medians = duck.execute("SELECT variant, median(p50_ms) FROM v_rounds GROUP BY ALL ORDER BY ALL").fetchall()
    found = ["simulated-fp32-b1-cpu", "simulated-fp32-b1-cpu-build_2", "simulated-fp32-b2-cpu"]
    assert [variant for variant, _ in medians] == found


def test_datasette(database: Path, expected: list[list[Any]], tmp_path: Path) -> None:
    copy = tmp_path / "fleet.db"
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "datasette", "serve", str(copy), "--get", "/fleet/v_results.json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    place = {name: index for index, name in enumerate(answer["columns"])}
    wanted = [place[name] for name in ("variant", "device", "provenance", "verdict", "n")]
    assert [[row[index] for index in wanted] for row in answer["rows"]] == expected


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_answers(database: Path, view: str) -> None:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        assert connection.execute(f"SELECT * FROM {view} LIMIT 1").fetchone() is not None


@pytest.mark.parametrize("view", VIEWS)
def test_the_document_names_every_column_in_its_order(database: Path, view: str) -> None:
    section = DOCUMENT.read_text().partition(f"## {view}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| (`\w+`|\*metrics\*|\*metric values\*) \|", section, re.MULTILINE)
    stand_for = {"*metrics*": METRIC_COLUMNS, "*metric values*": [metric.name for metric in METRICS]}
    named = [name for line in lines for name in stand_for.get(line, (line.strip("`"),))]
    assert named == columns_of(database, view)


def test_a_row_is_called_and_holds_the_same_in_every_form(database: Path) -> None:
    """Also the order of columns; JSON in a cell is an object in JSON, and columns of their own in a table."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        view = pandas.read_sql("SELECT * FROM v_results ORDER BY measurement_id DESC", connection)
    with Client(socket_address(database.parent)) as client:
        rows = client.results()
    columns, records = result_frame(rows)
    assert [name for name in view.columns if name not in ("options", "settings", "labels", "facts")] == list(COLUMNS)
    assert list(columns[: len(COLUMNS)]) == list(COLUMNS)
    for stored, record, row in zip(view.to_dict("records"), records, rows, strict=True):
        document = result_record(row)
        for name in COLUMNS:
            value = None if pandas.isna(stored[name]) else stored[name]
            assert record[name] == value, name
            if name != "flags":
                assert document[name] == value, name
        assert json.loads(stored["facts"]) == document["facts"]
        assert json.loads(stored["settings"]) == document["settings"]
        assert (json.loads(stored["options"]), json.loads(stored["labels"])) == (document["options"], {})
        assert record["option.latency_ms"] == document["options"]["latency_ms"]


def examples() -> list[str]:
    return re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL) if DOCUMENT.exists() else []


@pytest.mark.parametrize("sql", examples())
def test_the_documents_examples_run(database: Path, sql: str) -> None:
    with warnings.catch_warnings(), closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.execute(sql).fetchall()


def test_there_are_examples() -> None:
    assert len(examples()) >= len(VIEWS)
