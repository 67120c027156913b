"""Removes what is old or too much: rows in slices through the writer, then the files that nobody needs any more.

A dry run does the same to a copy of the database and touches no file. Plain functions, for a thread of their own.
"""

import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection, create_engine

from controller.model.removal import Removed, Retention
from controller.store.clock import text_of
from controller.store.commands import collect
from controller.store.queries.references import FileUses, file_uses
from controller.store.sqlite.copying import copy_database

T = TypeVar("T")

# Who uploads a file says within this time what it is for.
GRACE_S = 24 * 3600.0
_FILES = 100
_JOBS = 20
_ROW_KINDS = ("orphans", "sessions", "facts", "timing_caches")


class RemovableFiles(Protocol):
    """As much as is asked of a blob store here."""

    def remove(self, sha256: str) -> None: ...

    def remove_unfinished(self, *, before_s: float) -> int: ...


class RunWork(Protocol):
    """Runs work on a connection and returns its answer."""

    def __call__(self, work: Callable[[Connection], T]) -> T: ...


@dataclass
class Collector:
    """`write` runs a change and returns once it is on disk. Without `blobs` only rows are looked at: a dry run.

    `deleting` holds the digests of files that are just being removed: nobody may count on them.
    """

    write: RunWork
    read: RunWork
    blobs: "RemovableFiles | None"
    deleting: set[str] = field(default_factory=set)
    removed: dict[str, int] = field(default_factory=dict)
    freed_bytes: int = 0

    def collect(self, retention: Retention) -> Removed:
        now = datetime.now(timezone.utc)
        before = text_of(now - timedelta(seconds=retention.older_than_s))
        grace = text_of(now - timedelta(seconds=min(GRACE_S, retention.older_than_s)))
        self._remove_rows(retention.kinds, before)
        if "samples" in retention.kinds:
            self._remove_files("samples", self.read(file_uses).kept_before(before), before)
        if "blobs" in retention.kinds:
            self._remove_files("blobs", self.read(file_uses).unused(), grace)
        if retention.max_bytes is not None:
            self._shrink(retention.max_bytes, now=text_of(now), grace=grace)
        if "incoming" in retention.kinds and self.blobs is not None:
            cutoff_s = now.timestamp() - min(GRACE_S, retention.older_than_s)
            self.removed["incoming"] = self.blobs.remove_unfinished(before_s=cutoff_s)
        left = sum(self.read(file_uses).stored.values())
        return Removed(**self.removed, freed_bytes=self.freed_bytes, stored_bytes=left)

    def _remove_rows(self, kinds: Collection[str], before: str) -> None:
        if "jobs" in kinds:
            self._remove_jobs(before, most=None)
        if "engines" in kinds:
            self._repeat("engines", partial(collect.remove_engines, before=before))
        for kind in _ROW_KINDS:
            if kind in kinds:
                self._repeat(kind, partial(collect.remove_rows, kind=kind, before=before))

    def _remove_jobs(self, before: str, *, most: int | None) -> int:
        """Oldest first; returns how many."""
        count = 0
        while most is None or count < most:
            found: list[int] = self.write(partial(collect.old_jobs, before=before, most=_JOBS))
            if not found:
                break
            for job_id in found:
                while not self.write(partial(collect.remove_job, job_id=job_id)):
                    pass
                self._count("jobs", 1)
                count += 1
        return count

    def _shrink(self, max_bytes: int, *, now: str, grace: str) -> None:
        """Until the files fit: what nobody needs, samples and logs, then jobs, the oldest first of each."""
        while (excess := sum((uses := self.read(file_uses)).stored.values()) - max_bytes) > 0:
            before = self.freed_bytes
            self._remove_files("blobs", _enough(uses, uses.unused(), excess), grace)
            if self.freed_bytes == before:
                self._remove_files("samples", _enough(uses, uses.kept_before(now), excess), now)
            if self.freed_bytes == before:
                removed = self._remove_jobs(now, most=1)
                self._repeat("engines", partial(collect.remove_engines, before=now))
                if not removed:
                    return

    def _repeat(self, kind: str, work: Callable[[Connection], int]) -> None:
        while count := self.write(work):
            self._count(kind, count)

    def _remove_files(self, kind: str, digests: list[str], before: str) -> None:
        """The rows first: no file is removed that the database counts on."""
        for start in range(0, len(digests), _FILES):
            group = digests[start : start + _FILES]
            self.deleting.update(group)
            try:
                rows = self.write(partial(collect.remove_blobs, digests=group, before=before))
                for row in rows:
                    if self.blobs is not None:
                        self.blobs.remove(row.sha256)
                    self.freed_bytes += row.size_bytes
                self._count(kind, len(rows))
            finally:
                self.deleting.difference_update(group)

    def _count(self, kind: str, count: int) -> None:
        self.removed[kind] = self.removed.get(kind, 0) + count


def rehearse(database: Path, retention: Retention) -> Removed:
    """What would be removed: found out on a copy of the database, beside it, and without a look at files."""
    with tempfile.TemporaryDirectory(dir=database.parent, prefix=".dry-run-") as folder:
        copy = Path(folder) / database.name
        copy_database(database, copy)
        engine = create_engine(f"sqlite:///{copy}")

        def run(work: Callable[[Connection], T]) -> T:
            with engine.begin() as connection:
                return work(connection)

        try:
            return Collector(write=run, read=run, blobs=None).collect(retention)
        finally:
            engine.dispose()


def _enough(uses: FileUses, digests: list[str], excess: int) -> list[str]:
    """As many of them, in their order, as are worth `excess` bytes."""
    chosen = []
    for sha256 in digests:
        if excess <= 0:
            break
        chosen.append(sha256)
        excess -= uses.stored[sha256]
    return chosen
