"""Checks a state folder: the database's own structure, what its rows refer to, and every file and every measurement
against its digest.

With `repair` what is damaged is put aside and no longer counted on, so that it is sent, made or uploaded again, and
damaged rows are marked as such; rows are never invented, and a broken database is not repaired: it is restored from a
backup.
"""

import contextlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from controller.maintenance.folder import BLOBS, DATABASE, alone, reading, stored_blobs
from controller.maintenance.rows import RowReport, read_rows
from controller.store.queries.damage import CheckedRow
from controller.store.sqlite.file import is_empty
from jetfleet.blobs import BlobDir, sha256_file
from jetfleet.errors import Corrupt

_MOST_TOLD = 100


@dataclass(frozen=True)
class Fault:
    """`kind` is one of database, reference, row, unreadable, unlisted, missing, damaged, size, unknown_name."""

    kind: str
    subject: str
    detail: str
    repaired: bool = False


@dataclass
class FsckReport:
    """`unlisted` are good files that no row knows: a controller enters them when it starts. `measurements` are the rows
    that were held against their digests: none where the database is older than this version.
    """

    blobs: int = 0
    blob_bytes: int = 0
    unlisted: int = 0
    measurements: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return all(fault.repaired for fault in self.faults)


def check(state_dir: Path, *, repair: bool = False) -> FsckReport:
    """Raises NotFound for no database, Infrastructure for one that cannot be opened, StateLocked where `repair` is
    asked for under a running controller.
    """
    report = FsckReport()
    if repair:
        with alone(state_dir):
            _check(state_dir, report, repair=True)
    else:
        _check(state_dir, report, repair=False)
    return report


def _check(state_dir: Path, report: FsckReport, *, repair: bool) -> None:
    with reading(state_dir / DATABASE) as connection:
        report.faults += _structure(connection)
        wanted = stored_blobs(connection)
    rows = RowReport() if report.faults else read_rows(state_dir / DATABASE)  # of a sound database
    report.faults += [
        Fault("unreadable", f"{cell.table} {cell.row}", f"{cell.column} is not what was written")
        for cell in rows.unreadable
    ]
    found = _check_files(BlobDir(state_dir / BLOBS), wanted, report, repair=repair)
    lost = [sha256 for sha256 in wanted if sha256 not in found]
    for sha256 in lost:
        if not any(fault.subject == sha256 for fault in report.faults):
            report.faults.append(Fault("missing", sha256, "the database counts on this file", repaired=repair))
    unlisted = [sha256 for sha256 in rows.unlisted if sha256 not in found]
    report.measurements = rows.measurements
    report.faults += [Fault("unlisted", item, "rows need this file, which is not listed", repair) for item in unlisted]
    report.faults += [
        Fault("row", f"measurement {row.measurement_id}", row.damage, repair or bool(row.noted)) for row in rows.damaged
    ]
    if repair:
        _note(state_dir / DATABASE, lost, unlisted, rows.changed)


def _structure(connection: sqlite3.Connection) -> list[Fault]:
    if is_empty(connection):
        return [Fault("database", DATABASE, "it is empty")]
    faults = [
        Fault("database", DATABASE, str(line))
        for (line,) in connection.execute(f"PRAGMA integrity_check({_MOST_TOLD})")
        if line != "ok"
    ]
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST_TOLD):
        faults.append(Fault("reference", f"{table} {row}", f"refers to a row of {parent} that is not there"))
    return faults


def _check_files(blobs: BlobDir, wanted: dict[str, int], report: FsckReport, *, repair: bool) -> set[str]:
    """The digests of the good files."""
    good: set[str] = set()
    for path in sorted((blobs.root / "objects").glob("*/*")):
        report.blobs += 1
        size = path.stat().st_size
        report.blob_bytes += size
        fault = _fault_of(blobs, path, size, wanted.get(path.name), repair=repair)
        if fault is not None:
            report.faults.append(fault)
            continue
        good.add(path.name)
        report.unlisted += path.name not in wanted
    return good


def _fault_of(blobs: BlobDir, path: Path, size: int, wanted: int | None, *, repair: bool) -> Fault | None:
    if len(path.name) != 64 or path.parent.name != path.name[:2]:
        return Fault("unknown_name", str(path), "the name is not a digest")
    found = sha256_file(path)
    if found != path.name:
        if repair:
            with contextlib.suppress(Corrupt):  # that is what it says after moving the file aside
                blobs.verify(path.name)
        return Fault("damaged", path.name, f"the file is {found[:12]} now", repaired=repair)
    if wanted not in (None, size):
        return Fault("size", path.name, f"{size} bytes, and the database says {wanted}")
    return None


def _note(path: Path, lost: list[str], unlisted: list[str], rows: list[CheckedRow]) -> None:
    """Agents are asked for files that are gone; readers of the views see which rows are damaged."""
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("UPDATE blob SET state = 'SOUGHT' WHERE sha256 = ?", [(sha256,) for sha256 in lost])
        connection.executemany("INSERT INTO blob VALUES (?, 0, 'SOUGHT', ?)", [(sha256, now) for sha256 in unlisted])
        found = [(row.damage, row.measurement_id) for row in rows]
        connection.executemany("UPDATE measurement SET damage = ? WHERE id = ?", found)
