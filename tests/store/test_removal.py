"""What `gc` removes and what it never does: on a store with real rows and real files, without a server."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, text

from controller.blobstore.folder import FolderStore
from controller.model.removal import KINDS, Removed, Retention
from controller.store.commands.blobs import keep_blobs
from controller.store.commands.collector import Collector
from controller.store.queries.references import file_uses
from testing.specs import spec
from tests.store.fleet import StoreFleet

T = TypeVar("T")
NOW = Retention(older_than_s=0)


def collector(fleet: StoreFleet, blobs: FolderStore | None = None) -> Collector:
    def read(work: Callable[[Connection], T]) -> T:
        return fleet.reader.submit(work).result()

    return Collector(write=fleet.write, read=read, blobs=blobs)


def collect(fleet: StoreFleet, retention: Retention = NOW, blobs: FolderStore | None = None) -> Removed:
    return collector(fleet, blobs).collect(retention)


def counts(fleet: StoreFleet) -> dict[str, int]:
    tables = ("job", "task", "attempt", "measurement", "metric", "round", "engine", "subject", "variant", "job_build")
    return {table: int(str(fleet.sql(f"SELECT count(*) AS n FROM {table}")[0]["n"])) for table in tables}


def intact(fleet: StoreFleet) -> bool:
    return fleet.sql("SELECT * FROM pragma_foreign_key_check") == []


def finished(fleet: StoreFleet, name: str) -> int:
    job_id = fleet.submit(replace(spec(), name=name), key=f"{name} {len(fleet.sql('SELECT id FROM job'))}").job_id
    fleet.run_all("a/1")
    return job_id


def test_old_jobs_go_and_the_newest_of_each_name_stays(fleet: StoreFleet) -> None:
    fleet.register("a")
    jobs = [finished(fleet, name) for name in ("one", "one", "two")]
    removed = collect(fleet)
    assert removed.jobs == 1
    # The first job owned the BUILD of an engine that stays.
    visible = fleet.sql("SELECT id FROM job WHERE submit_state = 'DONE' ORDER BY id")
    assert [row["id"] for row in visible] == jobs[1:]
    assert counts(fleet)["measurement"] == 2
    assert counts(fleet)["engine"] == 1
    assert intact(fleet)
    assert collect(fleet).jobs == 0


def test_what_is_young_stays(fleet: StoreFleet) -> None:
    fleet.register("a")
    for _ in range(2):
        finished(fleet, "one")
    before = counts(fleet)
    assert collect(fleet, Retention(older_than_s=3600)) == Removed(
        stored_bytes=collect(fleet, Retention(3600)).stored_bytes
    )
    assert counts(fleet) == before


def test_a_job_with_work_to_do_stays(fleet: StoreFleet) -> None:
    fleet.register("a")
    for name in ("one", "one"):
        fleet.submit(replace(spec(), name=name), key=f"{len(fleet.sql('SELECT id FROM job'))}")
    before = counts(fleet)
    assert collect(fleet).jobs == 0
    assert counts(fleet) == before


def test_the_key_of_a_removed_job_can_be_used_again(fleet: StoreFleet) -> None:
    fleet.register("a")
    first = fleet.submit(replace(spec(), name="one"), key="k").job_id
    fleet.run_all("a/1")
    finished(fleet, "one")
    collect(fleet)
    again = fleet.submit(replace(spec(), name="one"), key="k")
    assert again.job_id > first
    assert not again.repeated_request


def stored(fleet: StoreFleet, blobs: FolderStore, content: bytes, *, days_old: int) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    upload = blobs.open_upload(sha256, size=len(content), offset=0)
    upload.write(content)
    assert upload.close()
    fleet.write(lambda connection: keep_blobs(connection, {sha256: len(content)}))
    age = text("UPDATE blob SET created_at = strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', :age) WHERE sha256 = :sha256")
    fleet.write(lambda connection: connection.execute(age, {"age": f"-{days_old} days", "sha256": sha256}))
    return sha256


def test_files_that_nobody_needs_go_after_a_day(fleet: StoreFleet, tmp_path: Path) -> None:
    blobs = FolderStore(tmp_path / "blobs")
    old, young = (stored(fleet, blobs, content, days_old=days) for content, days in ((b"old", 2), (b"young", 0)))
    removed = collect(fleet, Retention(older_than_s=90 * 86400), blobs)
    assert (removed.blobs, removed.freed_bytes) == (1, 3)
    assert (blobs.size(old), blobs.size(young)) == (None, 5)
    assert set(fleet.reader.read(file_uses).stored) == {young}


def test_files_that_jobs_need_stay(fleet: StoreFleet, tmp_path: Path) -> None:
    fleet.register("a")
    finished(fleet, "one")
    uses = fleet.reader.read(file_uses)
    assert uses.needed
    assert set(collect(fleet, replace(NOW, kinds=("blobs",))).__dict__) >= {"blobs"}
    assert uses.needed & set(uses.stored) == uses.needed & set(fleet.reader.read(file_uses).stored)


def test_a_limit_of_size_removes_until_it_fits(fleet: StoreFleet, tmp_path: Path) -> None:
    fleet.register("a")
    for _ in range(4):
        finished(fleet, "one")
    removed = collect(fleet, Retention(older_than_s=90 * 86400, max_bytes=0))
    assert removed.jobs == 3
    assert counts(fleet)["measurement"] == 1
    assert intact(fleet)


def test_a_limit_that_is_kept_removes_nothing(fleet: StoreFleet) -> None:
    fleet.register("a")
    finished(fleet, "one")
    finished(fleet, "one")
    assert collect(fleet, Retention(older_than_s=90 * 86400, max_bytes=1 << 40)).jobs == 0


def test_facts_of_nobody_go_and_those_of_attempts_and_devices_stay(fleet: StoreFleet) -> None:
    fleet.register("a")
    finished(fleet, "one")
    for number in range(3):  # each registration says something else; the last is the device's
        fleet.register("a", facts={"label.n": str(number)})
    assert len(fleet.sql("SELECT id FROM facts")) == 4
    assert collect(fleet, replace(NOW, kinds=("facts",))).facts == 2
    assert intact(fleet)
    used = "SELECT facts_id AS id FROM attempt UNION SELECT facts_id FROM device UNION SELECT facts_id FROM measurement"
    assert fleet.sql("SELECT id FROM facts ORDER BY id") == fleet.sql(f"SELECT id FROM ({used}) ORDER BY id")


def test_unfinished_uploads_go(tmp_path: Path, fleet: StoreFleet) -> None:
    blobs = FolderStore(tmp_path / "blobs")
    upload = blobs.open_upload("ab" * 32, size=10, offset=0)
    upload.write(b"12345")
    assert collect(fleet, NOW, blobs).incoming == 0  # it is being written
    upload.close()
    assert collect(fleet, NOW, blobs).incoming == 1
    assert blobs.received("ab" * 32) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_alone(fleet: StoreFleet, kind: str) -> None:
    fleet.register("a")
    for _ in range(2):
        finished(fleet, "one")
    collect(fleet, replace(NOW, kinds=(kind,)))
    assert intact(fleet)
    assert counts(fleet)["measurement"] == (1 if kind == "jobs" else 2)
