"""SQL on the file: read-only in every way that SQLite offers to write."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from controller.cli.database import QueryLimits, run_sql
from jetfleet.errors import BadInput, Infrastructure, NotFound, TimeLimit
from tests.cli.conftest import Command


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "a folder?with#marks" / "fleet.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE job (id INTEGER, name TEXT)")
        connection.execute("INSERT INTO job VALUES (1, 'digits'), (2, NULL)")
        connection.execute("CREATE VIEW v_jobs AS SELECT * FROM job")
        connection.commit()
    return path


def test_reads(database: Path) -> None:
    assert run_sql(database, "SELECT * FROM v_jobs ORDER BY id") == (["id", "name"], [(1, "digits"), (2, None)])
    counted = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i) FROM n"
    assert run_sql(database, counted)[1] == [(15,)]
    assert run_sql(database, "PRAGMA table_info(job)")[1][0][1] == "id"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM job",
        "INSERT INTO job VALUES (3, 'x')",
        "CREATE TABLE other (a)",
        "DROP TABLE job",
        "PRAGMA query_only = OFF",
        "PRAGMA journal_mode = DELETE",
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'copy.db'",
        "SELECT load_extension('x')",
        "SELEC 1",
        "SELECT 1; SELECT 2",
        "",
    ],
)
def test_refuses(database: Path, sql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(database.parent)
    if sql:
        with pytest.raises(BadInput):
            run_sql(database, sql)
    else:
        assert run_sql(database, sql) == ([], [])
    assert run_sql(database, "SELECT count(*) FROM job")[1] == [(2,)]
    assert not {"other.db", "copy.db"} & {path.name for path in database.parent.iterdir()}


def test_what_json_has_no_word_for_is_told_as_a_text(database: Path) -> None:
    done = Command(database.parent)("query", "select 1e999 as a, -1e999 as b, x'00ff' as c, 1.5 as d", "--json")
    assert (done.returncode, json.loads(done.stdout)["rows"]) == (0, [["inf", "-inf", "x'00ff'", 1.5]])


def test_an_unknown_table_names_the_views(database: Path) -> None:
    with pytest.raises(BadInput, match="no such table") as caught:
        run_sql(database, "SELECT * FROM results")
    assert "v_jobs" in caught.value.hint


def test_no_database_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no results database"):
        run_sql(tmp_path / "fleet.db", "SELECT 1")


def test_no_database_at_all(tmp_path: Path) -> None:
    path = tmp_path / "fleet.db"
    path.write_bytes(b"not a database, but as long as one would be" * 100)
    with pytest.raises(Infrastructure, match="not a database"):
        run_sql(path, "SELECT * FROM job")


ENDLESS = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n)"


def test_a_query_without_an_end_is_broken_off(database: Path) -> None:
    with pytest.raises(TimeLimit, match=r"did not end within 0\.3 s"):
        run_sql(database, f"{ENDLESS} SELECT max(i) FROM n", limits=QueryLimits(timeout_s=0.3))


def test_rows_without_an_end_are_refused(database: Path) -> None:
    with pytest.raises(BadInput, match="more than 1000 rows"):
        run_sql(database, f"{ENDLESS} SELECT i FROM n", limits=QueryLimits(max_rows=1000))
    assert len(run_sql(database, f"{ENDLESS} SELECT i FROM n LIMIT 1000", limits=QueryLimits(max_rows=1000))[1]) == 1000


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT zeroblob(900000000)",
        f"{ENDLESS} SELECT i, zeroblob(30000000) FROM n",
        f"{ENDLESS} SELECT count(DISTINCT hex(randomblob(1000000)) || i) FROM n",
    ],
)
def test_memory_without_an_end_is_refused(database: Path, sql: str) -> None:
    with pytest.raises(BadInput):
        run_sql(database, sql)
