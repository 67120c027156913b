"""A bit that flips in the database makes no other result: the row is DAMAGED, and everything else can be read."""

import random
import sqlite3
import struct

import pytest

from controller.model.result import FlagKind, Row
from controller.model.view import ResultQuery
from controller.store.commands.damage import note_damage, note_found
from controller.store.queries import engines, results
from controller.store.queries.damage import check_rows
from testing.specs import spec
from tests.store.fleet import StoreFleet, measured


def rows(fleet: StoreFleet) -> list[Row]:
    return fleet.reader.read(lambda c: results.query_rows(c, ResultQuery()))


def change(fleet: StoreFleet, statement: str) -> None:
    with sqlite3.connect(fleet.path) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        assert connection.execute(statement).rowcount >= 1
    connection.close()


@pytest.fixture
def measured_once(fleet: StoreFleet) -> StoreFleet:
    fleet.register("a")
    fleet.submit(spec())
    fleet.run_all("a/1")
    (row,) = rows(fleet)
    assert row.measurement.verdict == "VALID"
    return fleet


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE metric SET value = 1.9 WHERE name = 'p50_ms'",
        "UPDATE metric SET low = NULL WHERE name = 'p50_ms'",
        "UPDATE metric SET name = 'p50_mr' WHERE name = 'p50_ms'",
        "DELETE FROM metric WHERE name = 'p90_ms'",
        "UPDATE round SET p50_ms = 1.5 WHERE idx = 0",
        "UPDATE run SET content = replace(content, '2.0', '2.5')",
        "UPDATE run SET content = 'x'",
        "UPDATE run SET content = '{}'",
        "DELETE FROM run",
        "UPDATE output_check SET cosine = 0.5",
        "UPDATE output_check SET passed = 0",
        "UPDATE measurement SET n = 501",
        "UPDATE measurement SET provenance = 'SIMULATED'",
        "UPDATE measurement SET provenance = 'MEASUREE'",
        "UPDATE measurement SET verdict = 'UNSTABLE'",
        "UPDATE measurement SET measured_at = '2001-01-01T00:00:00.000+00:00'",
        "UPDATE measurement SET measured_at = 'x'",
        "UPDATE measurement SET samples_bytes = 1",
        "UPDATE measurement SET window_s = 'x'",
        "UPDATE facts SET content = replace(content, 'Xeon', 'Xeom')",
        "UPDATE facts SET content = 'x'",
        "UPDATE variant SET content = replace(content, '\"batch\":1', '\"batch\":3')",
        "UPDATE variant SET content = 'x'",
        "UPDATE measurement SET digest = 'x'",
        "UPDATE measurement SET circumstances = replace(circumstances, '1020', '1028')",
        "UPDATE measurement SET circumstances = '{}'",
        "UPDATE measurement SET circumstances = 'x'",
    ],
)
def test_a_row_that_is_not_what_was_committed_is_damaged(measured_once: StoreFleet, statement: str) -> None:
    measured_once.submit(spec(8))
    measured_once.run_all("a/1")
    change(measured_once, statement + (" WHERE id = 1" if statement.startswith("UPDATE measurement") else ""))
    found = rows(measured_once)
    assert len(found) == 2
    assert found[1].measurement.verdict == FlagKind.DAMAGED.value


def test_a_flag_that_is_gone_is_missed(fleet: StoreFleet) -> None:
    fleet.register("a")
    fleet.submit(spec())
    fleet.finish("a/1", fleet.must_claim("a/1"))
    fleet.commit("a/1", fleet.must_claim("a/1").token, measured(FlagKind.THROTTLED))
    change(fleet, "DELETE FROM flag")
    change(fleet, "UPDATE measurement SET verdict = 'VALID'")
    assert [row.measurement.verdict for row in rows(fleet)] == ["DAMAGED"]


def test_random_bits_of_numbers_never_make_another_valid_result(measured_once: StoreFleet) -> None:
    chance = random.Random(1)
    (before,) = rows(measured_once)
    names = sorted(before.measurement.metrics)
    for _ in range(200):
        name = chance.choice([item for item in names if before.measurement.value(item) is not None])
        bit = chance.randrange(52)
        value = before.measurement.value(name)
        assert value is not None
        flipped = _flip(value, bit)
        change(measured_once, f"UPDATE metric SET value = {flipped!r} WHERE name = '{name}'")
        assert rows(measured_once)[0].measurement.verdict == "DAMAGED"
        change(measured_once, f"UPDATE metric SET value = {value!r} WHERE name = '{name}'")
    assert rows(measured_once) == [before]


def _flip(value: float, bit: int) -> float:
    (number,) = struct.unpack("<Q", struct.pack("<d", value))
    (flipped,) = struct.unpack("<d", struct.pack("<Q", number ^ (1 << bit)))
    return float(flipped)


def test_what_was_noted_stays_in_every_view_until_the_row_is_whole_again(measured_once: StoreFleet) -> None:
    view = "SELECT verdict, flags FROM v_results"
    change(measured_once, "UPDATE metric SET value = 1.9 WHERE name = 'p50_ms'")
    measured_once.write(lambda c: note_found(c, rows(measured_once)))
    (found,) = measured_once.sql(view)
    assert found["verdict"] == "DAMAGED"
    assert found["flags"].startswith("DAMAGED: ")
    assert measured_once.sql("SELECT DISTINCT verdict FROM v_rounds") == [{"verdict": "DAMAGED"}]
    (key,) = measured_once.sql("SELECT key FROM engine")
    audit = measured_once.reader.read(lambda c: engines.engine_view(c, key["key"])).audit
    assert audit is not None
    assert audit.verdict == "DAMAGED"
    change(measured_once, "UPDATE metric SET value = 2.0 WHERE name = 'p50_ms'")
    (checked,) = measured_once.reader.read(lambda c: check_rows(c, after=0))
    assert (checked.damage, bool(checked.noted)) == ("", True)
    measured_once.write(lambda c: note_damage(c, {checked.measurement_id: checked.damage}))
    assert measured_once.sql(view) == [{"verdict": "VALID", "flags": None}]


def test_an_audit_of_a_damaged_row_says_so_before_anybody_noted_it(measured_once: StoreFleet) -> None:
    change(measured_once, "UPDATE metric SET value = 1.9 WHERE name = 'p50_ms'")
    (key,) = measured_once.sql("SELECT key FROM engine")
    audit = measured_once.reader.read(lambda c: engines.engine_view(c, key["key"])).audit
    assert audit is not None
    assert audit.verdict == "DAMAGED"
