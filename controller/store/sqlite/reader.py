"""Reads, on connections that cannot write and give up in time, so that no query ever delays a Renew."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from controller.model.codec import Unreadable
from controller.store.sqlite.database import reading_engine, refusal_of
from controller.store.sqlite.prepared import execute
from controller.store.sqlite.result_codes import ResultCode, result_code
from jetfleet.errors import TimeLimit

T = TypeVar("T")

_LIMIT_S = 10.0
_STEPS = 10_000  # virtual machine instructions between two looks at the clock


class Reader:
    """Runs functions of a read-only connection in a few threads of its own."""

    def __init__(self, path: Path) -> None:
        self._path, self._engine = path, reading_engine(path)
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="store-reader")

    def submit(self, work: Callable[[Connection], T]) -> "Future[T]":
        return self._pool.submit(self.read, work)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Runs work on a snapshot of the database. Raises TimeLimit, Infrastructure and Corrupt for a damaged one."""
        with self._engine.connect() as connection:
            raw: Any = connection.connection.dbapi_connection
            deadline = time.monotonic() + _LIMIT_S
            raw.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            execute(connection, "BEGIN")
            try:
                return work(connection)
            except (DatabaseError, OverflowError, Unreadable) as error:
                raise self._told(error) from error
            finally:
                execute(connection, "ROLLBACK")
                raw.set_progress_handler(None, 0)

    def _told(self, error: Exception) -> Exception:
        if isinstance(error, DatabaseError) and result_code(error.orig) is ResultCode.INTERRUPT:
            return TimeLimit(f"the database did not answer within {_LIMIT_S:g} s", hint="ask for less at once")
        return refusal_of(error, self._path)

    def close(self) -> None:
        self._pool.shutdown()
        self._engine.dispose()
