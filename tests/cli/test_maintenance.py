"""Backup beside a running controller, restore into a new folder, fsck of whole and damaged ones: as people run them."""

import io
import json
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from controller.api.client import Client
from testing.jobs import simulated_job
from testing.processes import AgentProcess, ControllerProcess, wait_online
from tests.cli.conftest import Command
from tests.cli.shapes import Reader

RESULTS = "SELECT measurement_id, job, variant, device, p50_ms, verdict FROM v_results ORDER BY 1"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("live")
    controller = ControllerProcess(folder / "state")
    agent = AgentProcess(folder / "agent", controller.address, name="board")
    try:
        controller.ready()
        agent.start()
        with Client(controller.address) as client:
            wait_online(client, "board")
            client.submit_spec(*simulated_job(folder / "job", options={"latency_ms": "2"})).wait()
        yield folder / "state"
    finally:
        agent.kill()
        controller.kill()


def rows(state: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{state / 'fleet.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(RESULTS).fetchall()


def objects(state: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (state / "blobs" / "objects").glob("*/*")}


@pytest.fixture
def restored(live: Path, tmp_path: Path) -> Path:
    """A copy of the live folder, by backup and restore."""
    assert Command(live)("backup", str(tmp_path / "b.tar")).returncode == 0
    done = Command(tmp_path / "new")("restore", str(tmp_path / "b.tar"))
    assert done.returncode == 0, done.stderr
    return tmp_path / "new"


def fsck(state: Path, *arguments: str) -> tuple[int, dict[str, object]]:
    done = Command(state)("fsck", "--json", *arguments)
    document = json.loads(done.stdout)
    Reader().read(document)
    return done.returncode, document["fsck"]


def test_a_backup_of_a_running_controller_holds_all(live: Path, restored: Path) -> None:
    assert rows(restored) == rows(live) != []
    assert objects(restored) == objects(live) != {}
    assert (restored / "fleet.db").stat().st_mode & 0o077 == 0
    code, report = fsck(restored)
    assert (code, report["faults"], report["unlisted"]) == (0, [], 0)


def test_a_restored_folder_is_served(restored: Path) -> None:
    controller = ControllerProcess(restored)
    try:
        with controller.ready().client() as client:
            assert [row.job_name for row in client.results()] == [row[1] for row in rows(restored)]
    finally:
        controller.kill()


def test_a_backup_without_files_says_what_is_not_in_it(live: Path, tmp_path: Path) -> None:
    assert Command(live)("backup", "--no-blobs", str(tmp_path / "b.tar")).returncode == 0
    with tarfile.open(tmp_path / "b.tar") as archive:
        assert archive.getnames() == ["backup.json", "fleet.db"]
    done = Command(tmp_path / "new")("restore", "--json", str(tmp_path / "b.tar"))
    assert len(json.loads(done.stdout)["restored"]["missing"]) == len(objects(live))


def test_refuses_to_write_over_anything(live: Path, tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_text("mine")
    assert Command(live)("backup", str(tmp_path / "b.tar")).returncode == 2
    assert (tmp_path / "b.tar").read_text() == "mine"
    assert Command(live)("backup", str(tmp_path / "c.tar")).returncode == 0
    assert Command(tmp_path)("restore", str(tmp_path / "c.tar")).returncode == 2


@pytest.mark.parametrize("damage", ["cut", "flipped", "foreign"])
def test_a_damaged_backup_is_refused(live: Path, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "b.tar"
    assert Command(live)("backup", str(file)).returncode == 0
    content = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(content[: len(content) * 2 // 3])
    elif damage == "flipped":
        with tarfile.open(file) as archive:
            place = next(item.offset_data for item in archive if item.name.startswith("blobs/") and item.size > 0)
        content[place] ^= 1
        file.write_bytes(content)
    else:
        (tmp_path / "x").write_text("x")
        with tarfile.open(file, "a") as archive:
            archive.add(tmp_path / "x", "../escaped")
    done = Command(tmp_path / "new")("restore", str(file))
    assert done.returncode in (2, 4), done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "escaped").exists()
    assert list((tmp_path / "new").iterdir()) == []  # half a controller would be served, and bar the next try


@pytest.mark.parametrize("about", [b"", b"text", b"[]", b"7", b"{}", b"\xff\xfe"])
def test_a_file_that_says_nothing_of_a_backup_is_refused(tmp_path: Path, about: bytes) -> None:
    with tarfile.open(tmp_path / "b.tar", "w") as archive:
        header = tarfile.TarInfo("backup.json")
        header.size = len(about)
        archive.addfile(header, io.BytesIO(about))
    done = Command(tmp_path / "new")("restore", str(tmp_path / "b.tar"))
    assert done.returncode == 2, done.stderr


def make_foreign(folder: Path, *statements: str) -> bytes:
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "fleet.db")) as connection, connection:
        for statement in ("CREATE TABLE users (name TEXT)", "CREATE TABLE orders (id INTEGER)", *statements):
            connection.execute(statement)
    return (folder / "fleet.db").read_bytes()


@pytest.mark.parametrize(
    "statements",
    [
        (),
        ("CREATE TABLE job (id INTEGER)",),
        ("CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('0001')"),
    ],
)
def test_a_database_of_somebody_elses_is_refused_untouched(tmp_path: Path, statements: tuple[str, ...]) -> None:
    before = make_foreign(tmp_path / "state", *statements)
    for words in (("jobs",), ("serve",), ("fsck",), ("fsck", "--repair"), ("backup", str(tmp_path / "b.tar"))):
        done = Command(tmp_path / "state")(*words)
        assert done.returncode == 2, (words, done.stderr)
        assert "users" in done.stderr, words
        assert "orders" in done.stderr, words
    assert (tmp_path / "state" / "fleet.db").read_bytes() == before
    assert not (tmp_path / "b.tar").exists()


def test_an_empty_database_is_not_clean(tmp_path: Path) -> None:
    (tmp_path / "fleet.db").touch()
    code, report = fsck(tmp_path)
    assert (code, [fault["kind"] for fault in report["faults"]]) == (1, ["database"])


def test_fsck_finds_a_flipped_and_a_lost_file_and_repairs(restored: Path) -> None:
    paths = sorted((restored / "blobs" / "objects").glob("*/*"))
    flipped, lost = paths[0], paths[1]
    flipped.chmod(0o600)
    content = bytearray(flipped.read_bytes() or b"x")
    content[0] ^= 1
    flipped.write_bytes(content)
    lost.unlink()
    wanted = {("damaged", flipped.name), ("missing", lost.name)}
    code, report = fsck(restored)
    assert (code, {(fault["kind"], fault["subject"]) for fault in report["faults"]}) == (1, wanted)
    assert flipped.exists()
    code, report = fsck(restored, "--repair")
    assert code == 0
    assert not flipped.exists()
    code, report = fsck(restored)
    assert (code, report["faults"]) == (0, [])


def test_fsck_finds_a_measurement_that_was_changed_and_marks_it(restored: Path) -> None:
    (before,) = rows(restored)
    with closing(sqlite3.connect(restored / "fleet.db")) as connection, connection:
        connection.execute("UPDATE metric SET value = value + 1 WHERE name = 'p50_ms'")
    code, report = fsck(restored)
    assert (code, [fault["kind"] for fault in report["faults"]], report["measurements"]) == (1, ["row"], 1)
    assert rows(restored)[0][-1] == before[-1] == "VALID"
    assert fsck(restored, "--repair")[0] == 0
    assert rows(restored)[0][-1] == "DAMAGED"
    code, report = fsck(restored)
    assert (code, report["is_clean"], len(report["faults"])) == (0, True, 1)  # as damaged as before, and marked


def test_a_reader_that_finds_damage_marks_it_for_the_views(restored: Path) -> None:
    with closing(sqlite3.connect(restored / "fleet.db")) as connection, connection:
        connection.execute("UPDATE metric SET value = value + 1 WHERE name = 'p50_ms'")
    controller = ControllerProcess(restored)
    try:
        with controller.ready().client() as client:
            assert [row.measurement.verdict for row in client.results()] == ["DAMAGED"]
            assert rows(restored)[0][-1] == "DAMAGED"
    finally:
        controller.kill()


def test_fsck_finds_a_needed_file_that_is_not_listed(restored: Path) -> None:
    with closing(sqlite3.connect(restored / "fleet.db")) as connection, connection:
        (engine,) = connection.execute("SELECT sha256 FROM engine").fetchone()
        connection.execute("DELETE FROM blob WHERE sha256 = ?", (engine,))
    assert fsck(restored)[0] == 0  # the file is there, and is listed when a controller starts
    (restored / "blobs" / "objects" / engine[:2] / engine).unlink()
    code, report = fsck(restored)
    assert (code, [(fault["kind"], fault["subject"]) for fault in report["faults"]]) == (1, [("unlisted", engine)])
    assert fsck(restored, "--repair")[0] == 0
    assert fsck(restored)[0] == 0


def test_fsck_finds_a_row_that_refers_to_nothing(restored: Path) -> None:
    with closing(sqlite3.connect(restored / "fleet.db")) as connection, connection:
        connection.execute("DELETE FROM facts")
    code, report = fsck(restored, "--repair")
    assert code == 1
    assert {fault["kind"] for fault in report["faults"]} == {"reference"}


def test_fsck_of_a_broken_database_says_so(restored: Path) -> None:
    content = bytearray((restored / "fleet.db").read_bytes())
    content[4096:12288] = b"\xff" * 8192
    (restored / "fleet.db").write_bytes(content)
    done = Command(restored)("fsck")
    assert done.returncode in (1, 4)
    assert "Traceback" not in done.stderr


def test_repairs_nothing_under_a_running_controller(live: Path) -> None:
    assert fsck(live)[0] == 0
    assert Command(live)("fsck", "--repair").returncode == 4


def test_without_a_database(tmp_path: Path) -> None:
    for arguments in (("fsck",), ("backup", str(tmp_path / "b.tar"))):
        assert Command(tmp_path / "none")(*arguments).returncode == 2
    shutil.rmtree(tmp_path / "none", ignore_errors=True)
    assert not (tmp_path / "b.tar").exists()


def test_gc_says_what_it_would_remove_and_then_does(live: Path) -> None:
    for arguments in (("--older-than", "soon"), ("--max-size", "much"), ("--kinds", "jobs,things")):
        assert Command(live)("gc", *arguments).returncode == 2
    before = rows(live)
    rehearsed = json.loads(Command(live)("gc", "--older-than", "0s", "--dry-run", "--json").stdout)["removed"]
    assert rows(live) == before
    removed = json.loads(Command(live)("gc", "--older-than", "0s", "--json").stdout)["removed"]
    counted = ("jobs", "engines", "samples", "blobs", "freed_bytes", "stored_bytes")
    assert {name: removed[name] for name in counted} == {name: rehearsed[name] for name in counted}
    assert removed["samples"] > 0
    assert rows(live) == before  # the newest job of its name
    assert fsck(live)[0] == 0
    assert "removed nothing" in Command(live)("gc", "--older-than", "0s").stderr
