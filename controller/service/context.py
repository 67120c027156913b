"""What the services share: the store, the blobs, liveness and notifiers, opened once and closed once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection

from controller.service.liveness import Liveness
from controller.service.notifier import Notifier
from controller.service.options import ServeOptions
from controller.store.sqlite.database import FILE_NAME, open_database
from controller.store.sqlite.reader import Reader
from controller.store.sqlite.writer import Writer
from jetfleet.blobs import BlobDir

T = TypeVar("T")


@dataclass(frozen=True)
class ServiceContext:
    """`work` tells of tasks that may have become READY, by bench domain; `news` what a watcher may want to see.

    `domains` are the bench domains of sessions: the end of most attempts lets only their own domain work on.
    """

    options: ServeOptions
    writer: Writer
    reader: Reader
    blobs: BlobDir
    liveness: Liveness
    work: Notifier
    news: Notifier
    stopping: asyncio.Event
    domains: dict[str, str]

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Runs a change in the writer's next group; returns once it is on disk."""
        return await _result(self.writer.submit(change))

    async def read(self, look: Callable[[Connection], T]) -> T:
        return await _result(self.reader.submit(look))

    def changed(self) -> None:
        self.work.notify_all()
        self.news.notify_all()

    def ended(self, session_id: str, *, others_too: bool) -> None:
        """An attempt of this session is over; its hardware is free, and perhaps there is new work for others too."""
        if others_too:
            self.work.notify_all()
        else:
            self.work.notify([self.domains.get(session_id, "")])
        self.news.notify_all()

    def stop(self) -> None:
        """Nothing more is handed out; whoever waits is sent home."""
        self.stopping.set()
        self.changed()

    def close(self) -> None:
        self.writer.close()
        self.reader.close()


def open_context(options: ServeOptions) -> ServiceContext:
    """Opens, and where needed migrates, the database. Raises DatabaseTooNew, DiskFull, Infrastructure."""
    engine = open_database(options.state_dir)
    return ServiceContext(
        options=options,
        writer=Writer(engine),
        reader=Reader(options.state_dir / FILE_NAME),
        blobs=BlobDir(options.state_dir / "blobs"),
        liveness=Liveness(lease_s=options.lease_s),
        work=Notifier(),
        news=Notifier(),
        stopping=asyncio.Event(),
        domains={},
    )


async def _result(future: "Future[T]") -> T:
    return await asyncio.wrap_future(future)
