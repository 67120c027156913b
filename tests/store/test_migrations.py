"""Databases of earlier versions, opened by this one: nothing is lost, and tables.py is what the revisions make.

`data/database_0_1.sql` is what the controller of 0.1 wrote, dumped while one of its tasks was running.
"""

import importlib
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.engine import Engine

from controller.model import codec
from controller.model.task import Demand
from controller.model.view import ResultQuery
from controller.store.audit_tables import audit
from controller.store.queries import engines, jobs, results
from controller.store.queries.devices import device_views
from controller.store.queries.listed import readable
from controller.store.sqlite.database import FILE_NAME, HEAD, open_database
from controller.store.sqlite.triggers import TRIGGERS
from controller.store.sqlite.views import VIEWS
from jetfleet.errors import Infrastructure
from tests.house.source import ROOT, modules

MIGRATIONS = ROOT / "controller" / "store" / "migrations"
DUMP = Path(__file__).parent / "data" / "database_0_1.sql"
ADVICE = "tables.py and the revisions differ: add a revision in controller/store/migrations/versions, and set HEAD"

SINCE_0_2 = {"v_ratios", "v_runs", "v_builds"}

# Tables are declared in several modules, and nothing here need import each of them otherwise.
for declaring in modules("controller/store"):
    if declaring.stem.endswith("tables") or declaring.stem == "incidents":
        importlib.import_module(f"controller.store.{declaring.stem}")


def make_database_0_1(folder: Path) -> Path:
    path = folder / FILE_NAME
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP.read_text())
    return path


def read(path: Path, sql: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql)]


@pytest.fixture
def migrated(tmp_path: Path) -> Iterator[Engine]:
    make_database_0_1(tmp_path)
    engine = open_database(tmp_path)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("view", sorted(VIEWS.keys() - SINCE_0_2))
def test_the_views_say_of_a_migrated_database_what_they_said(tmp_path: Path, view: str) -> None:
    path = make_database_0_1(tmp_path)
    before = read(path, f"SELECT * FROM {view}")
    open_database(tmp_path).dispose()
    after = read(path, f"SELECT * FROM {view}")
    renamed = {"p50_reason": "p50_ms_reason", "p99_reason": "p99_ms_reason"}
    kept = [name for name in before[0] if renamed.get(name, name) in after[0]]
    assert set(before[0]) - set(kept) == set()
    assert len(after) == len(before) > 0
    for old, new in zip(before, after, strict=True):
        assert {name: old[name] or None for name in kept} == {
            name: new[renamed.get(name, name)] or None for name in kept
        }


def test_jobs_results_engines_and_devices_are_read(migrated: Engine) -> None:
    with migrated.connect() as connection:
        views = readable(jobs.listed_jobs(connection, limit=50))
        rows = results.query_rows(connection, ResultQuery())
        found = readable(engines.listed_engines(connection, limit=50))
        devices = device_views(connection, alive=set(), paused={})
    assert [(view.name, view.state.value) for view in views] == [
        ("waiting", "WAITING"),
        ("bound", "WAITING"),
        ("long", "RUNNING"),
        ("failing", "FAILED"),
        ("real", "SUCCEEDED"),
        ("simulated", "SUCCEEDED"),
    ]
    assert len(rows) == 6
    assert all(row.measurement.p50_ms.value or row.measurement.p50_ms.reason for row in rows)
    assert sum(view.built is not None for view in found) == 4
    assert [device.name for device in devices] == ["local-1"]


def test_what_0_1_left_waiting_is_still_demanded(migrated: Engine) -> None:
    sql = "SELECT t.kind, t.state, d.content FROM task t JOIN demand d ON d.id = t.demand_id"
    with migrated.connect() as connection:
        rows = connection.exec_driver_sql(sql).all()
    assert len(rows) == 15
    for kind, _, content in rows:
        demand = codec.load(Demand, content)
        assert demand.kind.value == kind
        assert (demand.variant is None) is (kind == "BUILD")


def test_a_second_open_changes_nothing(tmp_path: Path) -> None:
    path = make_database_0_1(tmp_path)
    open_database(tmp_path).dispose()
    with closing(sqlite3.connect(path)) as connection:
        before = (list(connection.iterdump()), connection.execute("PRAGMA schema_version").fetchone())
    open_database(tmp_path).dispose()
    with closing(sqlite3.connect(path)) as connection:
        assert (list(connection.iterdump()), connection.execute("PRAGMA schema_version").fetchone()) == before
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (HEAD,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_new_database_is_made_without_alembic(tmp_path: Path) -> None:
    """With mako and pygments behind it, that took 0.1 s of CPU of every first start."""
    code = (
        "import sys; from pathlib import Path; from controller.store.sqlite.database import open_database\n"
        "open_database(Path(sys.argv[1])).dispose(); open_database(Path(sys.argv[1])).dispose()\n"
        "print(sorted({'alembic', 'mako', 'pygments'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_new_database_has_every_table_whoever_opens_it(tmp_path: Path) -> None:
    """Tables are declared in several modules; one that nobody had imported was left out."""
    code = (
        "import sys; from pathlib import Path; from controller.store.sqlite.database import open_database\n"
        "open_database(Path(sys.argv[1])).dispose()"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=ROOT)
    found = {row["name"] for row in read(tmp_path / FILE_NAME, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert found >= audit.metadata.tables.keys()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = make_database_0_1(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM device")
        connection.commit()
        before = list(connection.iterdump())
    with pytest.raises(Exception, match=r"cannot be migrated: a row of .* refers to a row of device"):
        open_database(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        assert list(connection.iterdump()) == before


@pytest.mark.parametrize("damaged", ['{"a', "[]", "7"])
def test_a_row_that_cannot_be_read_is_told_and_nothing_changes(tmp_path: Path, damaged: str) -> None:
    path = make_database_0_1(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE variant SET content = ?", (damaged,))
        connection.commit()
        before = list(connection.iterdump())
    with pytest.raises(Infrastructure, match="cannot be migrated: a row cannot be read"):
        open_database(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        assert list(connection.iterdump()) == before


def test_views_are_made_anew_where_they_differ_and_those_of_others_stay(tmp_path: Path) -> None:
    open_database(tmp_path).dispose()
    path = tmp_path / FILE_NAME
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP VIEW v_rounds; CREATE VIEW v_rounds AS SELECT 1; CREATE VIEW mine AS SELECT 2;")
    open_database(tmp_path).dispose()
    assert len(read(path, "SELECT * FROM pragma_table_info('v_rounds')")) > 5
    assert read(path, "SELECT * FROM mine") == [{"2": 2}]


def test_triggers_are_made_anew_where_they_differ(tmp_path: Path) -> None:
    open_database(tmp_path).dispose()
    path = tmp_path / FILE_NAME
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "DROP TRIGGER audit_DELETE; DROP TRIGGER impossible_round;"
            "CREATE TRIGGER impossible_round BEFORE INSERT ON round BEGIN SELECT 1; END;"
            "CREATE TRIGGER mine BEFORE INSERT ON round BEGIN SELECT 2; END;"
        )
    open_database(tmp_path).dispose()
    found = {row["name"]: row["sql"] for row in read(path, "SELECT * FROM sqlite_master WHERE type = 'trigger'")}
    assert found.pop("mine")
    assert found == TRIGGERS


_COLUMNS = 'SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?)'
_KEYS = 'SELECT "from", "table", "to" FROM pragma_foreign_key_list(?)'
_UNIQUE = """
SELECT (SELECT group_concat(name) FROM pragma_index_info(i.name)) FROM pragma_index_list(?) i WHERE i.origin = 'u'
"""
_WITHOUT_ROWID = "SELECT name FROM pragma_table_list WHERE wr AND schema = 'main'"
_SQL = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"


def schema(engine: Engine) -> dict[str, Any]:
    """What the tables are, however they came to be so: columns without their order, keys, and as written the rest."""
    found: dict[str, Any] = {}
    with engine.connect() as connection:
        for kind, name, sql in connection.exec_driver_sql(_SQL).all():
            if kind in ("index", "trigger"):
                found[name] = re.sub(r"\s+", " ", sql)
            elif kind == "table" and not name.startswith("sqlite_"):
                parts = (connection.exec_driver_sql(look, (name,)).all() for look in (_COLUMNS, _KEYS, _UNIQUE))
                found[name] = [sorted(map(repr, part)) for part in parts]
        found["without rowid"] = sorted(connection.exec_driver_sql(_WITHOUT_ROWID).scalars())
    return found


def make_by_revisions(folder: Path) -> None:
    """From the first revision on, as versions did that are older than the newest."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(f"sqlite:///{folder / FILE_NAME}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)
    engine.dispose()


@pytest.mark.parametrize("make", [make_database_0_1, make_by_revisions, None], ids=["from 0.1", "by revisions", "new"])
def test_the_revisions_make_what_tables_py_says(tmp_path: Path, make: Callable[[Path], Any] | None) -> None:
    if make is not None:
        make(tmp_path)
    engine, wanted = open_database(tmp_path), create_engine("sqlite://")
    audit.metadata.create_all(wanted)  # those of every module that is imported here
    with wanted.connect() as connection:
        for statement in TRIGGERS.values():
            connection.exec_driver_sql(statement)
    try:
        made, declared = schema(engine), schema(wanted)
        for name in sorted({*made, *declared}):
            assert made.get(name) == declared.get(name), f"{name}: {ADVICE}"
    finally:
        engine.dispose()
        wanted.dispose()
