"""The one thread that writes. It drains its queue in groups: one BEGIN IMMEDIATE, a savepoint each, one COMMIT.

A call is answered only after the COMMIT that holds it was fsynced, so what was acknowledged is on disk. It is the only
connection that ever checkpoints: SQLite before 3.51.3 can lose WAL frames when several do.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError

from controller.store.sqlite.database import refusal_of, translated
from controller.store.sqlite.prepared import execute
from jetfleet.errors import Infrastructure, StateGone

T = TypeVar("T")
Work: TypeAlias = Callable[[Connection], T]
_Queued: TypeAlias = "tuple[Work[Any], Future[Any]]"
_Answers: TypeAlias = "list[tuple[Future[Any], object]]"
_Refusals: TypeAlias = "list[tuple[Future[Any], Exception]]"

_GROUP = 64


class Writer:
    """Runs functions of a connection, one after the other. They must not touch the network, nor keep the connection."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._path = Path(engine.url.database or "")
        opened = self._path.stat()
        self._file = (opened.st_dev, opened.st_ino)
        self._queue: queue.SimpleQueue[_Queued | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._closed = False
        self._thread.start()

    def is_in_place(self) -> bool:
        """Is the file that is written to still the one of that name? A folder that was removed takes no notice."""
        try:
            found = self._path.stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._file

    def submit(self, work: Work[T]) -> "Future[T]":
        """Queues work; its future resolves once the work is on disk, or with what it raised."""
        future: Future[T] = Future()
        if self._closed:
            future.set_exception(Infrastructure("the controller is stopping"))
        else:
            self._queue.put((work, future))
        return future

    def waiting(self) -> int:
        """Changes that were not begun."""
        return self._queue.qsize()

    def close(self) -> None:
        """Finishes what is queued and closes the connection."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        self._engine.dispose()

    def _run(self) -> None:
        with self._engine.connect() as connection:
            while (first := self._queue.get()) is not None:
                group, more = self._gather(first)
                self._write(connection, group)
                if not more:
                    break
            if self.is_in_place():
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def _gather(self, first: _Queued) -> tuple[list[_Queued], bool]:
        group = [first]
        while len(group) < _GROUP:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return group, False
            group.append(item)
        return group, True

    def _write(self, connection: Connection, group: list[_Queued]) -> None:
        answers: _Answers = []
        refusals: _Refusals = []
        try:
            execute(connection, "BEGIN IMMEDIATE")
            for item in group:
                if item[1].set_running_or_notify_cancel():
                    self._one(connection, item, answers, refusals)
            execute(connection, "COMMIT")
            if not self.is_in_place():
                raise StateGone(f"{self._path} was removed or replaced: what was asked is not kept")
        except (DatabaseError, StateGone) as error:
            self._give_up(connection, error, group)
            return
        for future, answer in answers:
            future.set_result(answer)
        for future, refusal in refusals:
            future.set_exception(refusal)

    def _one(self, connection: Connection, item: _Queued, answers: _Answers, refusals: _Refusals) -> None:
        work, future = item
        execute(connection, "SAVEPOINT one")
        try:
            answers.append((future, work(connection)))
        except Exception as error:
            if isinstance(error, DatabaseError) and not _in_transaction(connection):
                raise  # SQLite itself rolled the whole group back: disk full, I/O error
            execute(connection, "ROLLBACK TO one")
            refusals.append((future, refusal_of(error, self._path)))
        execute(connection, "RELEASE one")

    def _give_up(self, connection: Connection, error: DatabaseError | StateGone, group: list[_Queued]) -> None:
        if _in_transaction(connection):
            connection.exec_driver_sql("ROLLBACK")
        for _work, future in group:
            if not future.done():
                future.set_exception(translated(error, self._path) if isinstance(error, DatabaseError) else error)


def _in_transaction(connection: Connection) -> bool:
    raw: Any = connection.connection.dbapi_connection
    return bool(raw.in_transaction)
