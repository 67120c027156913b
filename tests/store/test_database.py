"""The file itself: versions, the writer's groups, the reader's limits, the views."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from controller.maintenance.fsck import check
from controller.model import codec
from controller.model.job import Condition, Op
from controller.store.queries.damage import is_current
from controller.store.sqlite.copying import copy_database
from controller.store.sqlite.database import FILE_NAME, HEAD, open_database
from controller.store.sqlite.reader import Reader
from controller.store.sqlite.views import VIEWS
from jetfleet.errors import DatabaseTooNew, Infrastructure
from testing.specs import batch_variant, spec
from tests.store.fleet import StoreFleet, measurement


def test_opening_twice_migrates_once(tmp_path: Path) -> None:
    for _ in range(2):
        open_database(tmp_path).dispose()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]
    connection.close()


def test_a_newer_database_is_refused_untouched(tmp_path: Path) -> None:
    open_database(tmp_path).dispose()
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(DatabaseTooNew, match=rf"schema 9999, this version knows {HEAD}"):
        open_database(tmp_path)


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%41b", "a&mode=rw", "q'q \"x"])
def test_a_state_folder_may_be_called_anything(tmp_path: Path, name: str) -> None:
    state = tmp_path / name
    state.mkdir()
    open_database(state).dispose()
    with closing(Reader(state / FILE_NAME)) as reader:
        assert reader.read(is_current)
    copy_database(state / FILE_NAME, tmp_path / "copy.db")
    assert check(state).is_clean
    assert {path.name for path in tmp_path.iterdir()} == {name, "copy.db"}


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("not a database, but long enough to look like one" * 100)
    with pytest.raises(Infrastructure, match="not a usable database"):
        open_database(tmp_path)


def test_one_refused_call_does_not_spoil_its_group(fleet: StoreFleet) -> None:
    gate = threading.Event()

    def insert(connection: Connection, name: str) -> None:
        connection.execute(text("INSERT INTO facts (content) VALUES (:name)"), {"name": name})

    def wait(connection: Connection) -> None:
        gate.wait(60)

    def fail(connection: Connection) -> None:
        insert(connection, "refused")
        raise ValueError("no")

    fleet.writer.submit(wait)  # so that the next three make one group
    good = fleet.writer.submit(lambda c: insert(c, "one"))
    bad = fleet.writer.submit(fail)
    twice = fleet.writer.submit(lambda c: insert(c, "one"))
    last = fleet.writer.submit(lambda c: insert(c, "two"))
    gate.set()
    good.result(60)
    last.result(60)
    with pytest.raises(ValueError, match="no"):
        bad.result(60)
    assert twice.exception(60) is not None  # the unique index forbids it
    assert [row["content"] for row in fleet.sql("SELECT content FROM facts ORDER BY id")] == ["one", "two"]


def test_nothing_is_written_after_closing(tmp_path: Path) -> None:
    fleet = StoreFleet(tmp_path / "s")
    fleet.close()
    with pytest.raises(Infrastructure, match="stopping"):
        fleet.write(lambda _: None)


def test_a_reader_cannot_write(fleet: StoreFleet) -> None:
    with pytest.raises(Infrastructure, match="attempt to write a readonly database"):
        fleet.sql("INSERT INTO facts (content) VALUES ('x') RETURNING id")


def test_the_database_forbids_a_second_open_attempt(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(spec())
    fleet.must_claim("a/1")
    duplicate = (
        "INSERT INTO attempt SELECT 'other', {}, 9, 'LEASED', device_id, session_id, 'r9', {}, facts_id, leased_at"
    )
    rest = ", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM attempt"
    for task, domain in (("task_id", "'elsewhere'"), ("task_id + 1", "bench_domain")):
        statement = text(duplicate.format(task, domain) + rest)
        with pytest.raises(Exception, match="UNIQUE constraint failed"):
            fleet.write(lambda c, statement=statement: c.execute(statement))


@pytest.mark.parametrize("view", VIEWS)
def test_views_answer_and_agree_with_the_tables(fleet: StoreFleet, view: str) -> None:
    fleet.register("a")
    fleet.submit(spec())
    fleet.run_all("a/1")
    rows = fleet.sql(f"SELECT * FROM {view}")
    expected = {"v_results": 1, "v_rounds": 2, "v_runs": 2, "v_ratios": 0, "v_engines": 1, "v_devices": 1}
    expected["v_attempts"], expected["v_builds"] = 2, 0
    assert len(rows) == expected[view]


def test_v_results_shows_unknown_as_null_with_its_reason(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(spec())
    fleet.run_all("a/1")
    row = fleet.sql("SELECT p99_ms, p99_ms_reason, verdict, provenance, outputs_ok, device FROM v_results")[0]
    assert row == {
        "p99_ms": None,
        "p99_ms_reason": "n=120 < 368",
        "verdict": "VALID",
        "provenance": "MEASURED",
        "outputs_ok": 1,
        "device": "a",
    }


def test_model_values_survive_json() -> None:
    for value in (batch_variant(8), measurement(), spec().measure):
        assert codec.load(type(value), codec.dump(value)) == value
    conditions = (Condition("sku", Op.IN, ("a", "b")),)
    assert codec.load(tuple[Condition, ...], codec.dump(conditions)) == conditions
    assert codec.load_facts(codec.dump({"cpu_isa": ("a", "b"), "n": 1})) == {"cpu_isa": ("a", "b"), "n": 1}
