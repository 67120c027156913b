"""A backup: one tar file with a consistent copy of the database and, unless they are left out, the files by digest.

It is made beside a running controller: the database by SQLite's own backup, the files after it, because a file never
changes and is there before the database counts on it.
"""

import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from controller.maintenance.folder import BLOBS, DATABASE, alone, reading, stored_blobs
from jetfleet.blobs import BlobDir, check_digest, sync_folder
from jetfleet.errors import BadInput, Corrupt, Infrastructure
from jetfleet.os_errors import explained, of_the_disk
from jetfleet.version import VERSION

_ABOUT = "backup.json"
_FORMAT = 1
_PAGES = 256  # copied at once; a writer waits for no more
_OBJECTS = f"{BLOBS}/objects/"


@dataclass(frozen=True)
class BackupReport:
    """`missing` are files that the database counts on and that were not there."""

    file: str
    size_bytes: int
    blobs: int
    blob_bytes: int
    missing: tuple[str, ...] = ()


def back_up(state_dir: Path, file: Path, *, with_blobs: bool) -> BackupReport:
    """Raises NotFound for no database, BadInput for a file that is there already, Infrastructure."""
    if file.exists():
        raise BadInput("this file is there already", where=str(file), hint="name a new one")
    part = file.with_name(f"{file.name}.part")
    try:
        report = _write(state_dir, part, with_blobs=with_blobs)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(file)
        sync_folder(file.parent)
    except OSError as error:
        raise Infrastructure(f"cannot write the backup: {error.strerror}", where=str(file)) from None
    finally:
        part.unlink(missing_ok=True)
    size = file.stat().st_size
    return BackupReport(str(file), size, report.blobs, report.blob_bytes, report.missing)


def restore(file: Path, state_dir: Path) -> BackupReport:
    """Raises BadInput for a folder with something in it or a file that is not a backup, Corrupt for a damaged one."""
    if state_dir.exists() and any(state_dir.iterdir()):
        raise BadInput(
            "the state folder is not empty", where=str(state_dir), hint="restore into a new one: --state FOLDER"
        )
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(state_dir):
        try:
            blobs, total = _read(file, state_dir)
            with reading(state_dir / DATABASE) as connection:
                stored = stored_blobs(connection)
        except BaseException:
            _clear(state_dir)  # half of a controller would be served, and is in the way of the next try
            raise
    missing = tuple(sorted(set(stored) - blobs))
    return BackupReport(str(file), file.stat().st_size, len(blobs), total, missing)


def _write(state_dir: Path, part: Path, *, with_blobs: bool) -> BackupReport:
    with tempfile.TemporaryDirectory(dir=part.parent, prefix=".backup-") as folder:
        copy = Path(folder) / DATABASE
        with reading(state_dir / DATABASE) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target, pages=_PAGES)
            wanted = stored_blobs(target) if with_blobs else {}
        blobs, total, missing = BlobDir(state_dir / BLOBS), 0, []
        with tarfile.open(part, "x", format=tarfile.PAX_FORMAT) as archive:
            about = json.dumps({"format": _FORMAT, "version": VERSION, "blobs": with_blobs}).encode()
            header = tarfile.TarInfo(_ABOUT)
            header.size = len(about)
            archive.addfile(header, io.BytesIO(about))
            archive.add(copy, DATABASE)
            for sha256 in sorted(wanted):
                if blobs.has(sha256):
                    archive.add(blobs.path(sha256), f"{_OBJECTS}{sha256}")
                    total += wanted[sha256]
                else:
                    missing.append(sha256)
    return BackupReport(str(part), 0, len(wanted) - len(missing), total, tuple(missing))


def _read(file: Path, state_dir: Path) -> tuple[set[str], int]:
    try:
        with tarfile.open(file) as archive:
            return _unpack(archive, state_dir)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        if (failing := of_the_disk(error)) is not None and (told := explained(failing)) is not None:
            raise told from None
        raise BadInput(f"cannot be read as a backup: {error}", where=str(file)) from None


def _clear(folder: Path) -> None:
    for item in folder.iterdir():
        if item.is_dir():
            shutil.rmtree(item)
        else:
            item.unlink()


def _unpack(archive: tarfile.TarFile, state_dir: Path) -> tuple[set[str], int]:
    """By name and as regular files: nothing that a tar file can say places a file elsewhere."""
    _check_format(archive)
    blobs, found, total = BlobDir(state_dir / BLOBS), set(), 0
    while (item := archive.next()) is not None:
        content = archive.extractfile(item) if item.isreg() else None
        if content is None:
            raise BadInput(f"{item.name!r} does not belong into a backup", where=str(archive.name))
        if item.name == DATABASE:
            _copy(content, state_dir / DATABASE)
            continue
        sha256 = check_digest(item.name.removeprefix(_OBJECTS))
        _keep(blobs, sha256, content, size=item.size)
        found.add(sha256)
        total += item.size
    if not (state_dir / DATABASE).is_file():
        raise BadInput("the backup has no database", where=str(archive.name))
    return found, total


def _check_format(archive: tarfile.TarFile) -> None:
    first = archive.next()
    stream = archive.extractfile(first) if first is not None and first.name == _ABOUT and first.isreg() else None
    about = json.loads(stream.read(1 << 16)) if stream is not None else None
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise BadInput("this is not a backup that this version can read", where=str(archive.name))


def _keep(blobs: BlobDir, sha256: str, content: IO[bytes], *, size: int) -> None:
    """Raises Corrupt if the bytes are not what their name says."""
    upload = blobs.open_upload(sha256, size=size, offset=0)
    try:
        while block := content.read(1 << 20):
            upload.write(block)
    finally:
        complete = upload.close()
    if not complete:
        raise Corrupt(f"the backup ends within {sha256[:12]}")


def _copy(content: IO[bytes], target: Path) -> None:
    with target.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        while block := content.read(1 << 20):
            file.write(block)
        os.fsync(file.fileno())
