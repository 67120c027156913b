"""The table of files: what came, what is gone, and what a start finds."""

from controller.store.commands.blobs import keep_blobs, lose_blobs, match_inventory
from controller.store.queries.blobs import missing_blobs
from tests.store.fleet import StoreFleet

A, B, C = ("aa" * 32, "bb" * 32, "cc" * 32)


def missing(fleet: StoreFleet) -> list[str]:
    return fleet.reader.read(lambda c: missing_blobs(c, [C, B, A, A]))


def test_what_came_is_there_until_it_is_lost(fleet: StoreFleet) -> None:
    assert missing(fleet) == [A, B, C]
    fleet.write(lambda c: keep_blobs(c, {A: 1, B: 2}))
    assert missing(fleet) == [C]
    fleet.write(lambda c: lose_blobs(c, [A, C]))
    assert missing(fleet) == [A, C]
    fleet.write(lambda c: keep_blobs(c, {A: 3}))
    assert missing(fleet) == [C]
    assert fleet.sql("SELECT size_bytes, state FROM blob ORDER BY sha256") == [
        {"size_bytes": 3, "state": "STORED"},
        {"size_bytes": 2, "state": "STORED"},
    ]


def test_a_start_believes_what_it_finds(fleet: StoreFleet) -> None:
    fleet.write(lambda c: keep_blobs(c, {A: 1, B: 2}))
    assert fleet.write(lambda c: match_inventory(c, {B: 2, C: 3})) == [A]
    assert missing(fleet) == [A]
    assert fleet.write(lambda c: match_inventory(c, {B: 2, C: 3})) == []
