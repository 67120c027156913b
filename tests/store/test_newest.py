"""The newest measurements that pass every filter, whichever way they are found."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from benchmarks.million import PER_JOB, fill
from controller.model.job import Condition, Op
from controller.model.result import Row
from controller.model.view import ResultQuery
from controller.store.queries.newest import newest_ids
from controller.store.queries.results import query_rows
from controller.store.sqlite.database import FILE_NAME, open_database

JOBS = 3
VARIANT, OTHER = "onnxruntime-fp32-b1-cpu", "onnxruntime-fp32-b2-cpu"


def on(*names: str) -> tuple[Condition, ...]:
    return (Condition("device", Op.IN, names),)


HOST_3 = Condition("hostname", Op.EQUALS, ("host-3",))
QUERIES = {
    "everything": ResultQuery(),
    "a job": ResultQuery((2,)),
    "two jobs": ResultQuery((1, 3)),
    "a variant": ResultQuery(variant_keys=(VARIANT,)),
    "variants of a job": ResultQuery((2,), variant_keys=(VARIANT, OTHER)),
    "a device": ResultQuery(conditions=on("stored-3")),
    "devices, and one that does not exist": ResultQuery(conditions=on("stored-3", "stored-7", "nobody")),
    "devices twice": ResultQuery(conditions=(*on("stored-3", "stored-7"), *on("stored-7"))),
    "a variant on devices": ResultQuery(variant_keys=(VARIANT,), conditions=on("stored-3", "stored-7")),
    "a fact": ResultQuery(conditions=(HOST_3,)),
    "a fact of a device": ResultQuery(conditions=(HOST_3, *on("stored-3", "stored-7"))),
    "a label": ResultQuery(labels={"commit": "abc"}),
    "a label of a device": ResultQuery(labels={"commit": "abc"}, conditions=on("stored-3")),
    "nothing": ResultQuery(variant_keys=("nobody",)),
}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    state: Path = tmp_path_factory.mktemp("stored")
    fill(state, JOBS * PER_JOB)
    database = sqlite3.connect(state / FILE_NAME)
    database.execute("UPDATE job SET labels = json_object('commit', 'abc') WHERE id = 2")
    database.execute("UPDATE measurement SET variant_id = NULL WHERE id % 7 = 0")  # of several variants
    database.commit()
    database.close()
    engine = open_database(state)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def passes(row: Row, query: ResultQuery) -> bool:
    facts = {"device": row.device, **row.facts}
    return (
        (not query.job_ids or row.job_id in query.job_ids)
        and row.job_id not in query.except_job_ids
        and (not query.variant_keys or row.variant_key in query.variant_keys)
        and all(facts[item.fact] in item.values for item in query.conditions)
        and query.labels.items() <= row.labels.items()
        and (query.before_id is None or row.measurement_id < query.before_id)
    )


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize(
    "bounds",
    [{}, {"limit": 4}, {"before_id": 2 * PER_JOB}, {"except_job_ids": (3,)}, {"except_job_ids": (1, 3), "limit": 5}],
)
def test_what_passes_every_filter_is_found_newest_first(
    connection: Connection, everything: list[Row], name: str, bounds: dict[str, object]
) -> None:
    query = replace(QUERIES[name], **{"limit": JOBS * PER_JOB, **bounds})
    wanted = [row.measurement_id for row in everything if passes(row, query)][: query.limit]
    assert newest_ids(connection, query) == wanted
    assert bool(wanted) is (name != "nothing" and not (name == "two jobs" and bounds.get("except_job_ids") == (1, 3)))


@pytest.mark.parametrize("name", [name for name, query in QUERIES.items() if not (query.job_ids or query.labels)])
def test_nothing_sorts_all_that_passes(connection: Connection, name: str) -> None:
    """Of a million measurements there may be a million, of which few are wanted."""
    asked: list[tuple[str, object]] = []
    event.listen(connection, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])))
    newest_ids(connection, replace(QUERIES[name], except_job_ids=(3,)))
    plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all() for sql, values in asked[:]]
    steps = [step[3] for plan in plans for step in plan]
    assert steps
    assert not [step for step in steps if "TEMP B-TREE" in step]


@pytest.fixture(scope="module")
def everything(connection: Connection) -> list[Row]:
    rows = query_rows(connection, ResultQuery(limit=JOBS * PER_JOB))
    assert len(rows) == sum(number % 7 != 0 for number in range(1, JOBS * PER_JOB + 1))
    return sorted(rows, key=lambda row: row.measurement_id, reverse=True)
