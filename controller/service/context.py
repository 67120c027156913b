"""What the services share: the store, the blobs, liveness and notifiers, opened once and closed once."""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from controller.blobstore.folder import FolderStore
from controller.blobstore.protocol import BlobStore
from controller.service.liveness import Liveness
from controller.service.notifier import Notifier
from controller.service.options import ServeOptions
from controller.service.recall import Recall
from controller.service.skew import Skew
from controller.service.tally import RunningTally
from controller.store.commands.readiness import Readiness, watched
from controller.store.queries.devices import OpenBoard
from controller.store.queries.queue import fits
from controller.store.sqlite.database import FILE_NAME, open_database
from controller.store.sqlite.reader import Reader
from controller.store.sqlite.writer import Work, Writer

T = TypeVar("T")


@dataclass(frozen=True)
class ServiceContext:
    """`work` tells the claims of a bench domain that there may be something for it, `news` what watchers may want to
    see. `boards` are those of open sessions, by session: whom a change can be of use to. `deleting` are files that are
    just being removed: nobody may count on them. `recall` are files that agents are asked for, `skew` boards that speak
    another protocol, and `tally` what happened since the start.
    """

    options: ServeOptions
    writer: Writer
    reader: Reader
    blobs: BlobStore
    liveness: Liveness
    work: Notifier
    news: Notifier
    stopping: asyncio.Event
    boards: dict[str, OpenBoard]
    recall: Recall
    deleting: set[str] = field(default_factory=set)
    tally: RunningTally = field(default_factory=RunningTally)
    skew: Skew = field(default_factory=Skew)

    async def write(self, change: Work[T]) -> T:
        """Runs a change in the writer's next group; returns once it is on disk and who can use it was woken."""
        asked = time.monotonic()
        answer, readiness = await _result(self.writer.submit(partial(watched, change=change)))
        self.tally.write_s.add(time.monotonic() - asked)
        self.tally.attempts.update(readiness.given_back)
        domains = set(readiness.bench_domains)
        domains.update(board.bench_domain for board in self.boards.values() if board.device_id in readiness.device_ids)
        if readiness.demands:
            domains |= await asyncio.to_thread(_usable_by, readiness, dict(self.boards))
        self.work.notify(domains)
        if domains or readiness.demands:
            self.news.notify_all()
        return answer

    async def read(self, look: Work[T]) -> T:
        return await _result(self.reader.submit(look))

    def stop(self) -> None:
        """Nothing more is handed out; whoever waits is sent home."""
        self.stopping.set()
        self.work.notify_all()
        self.news.notify_all()

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
        blobs=FolderStore(options.state_dir / "blobs"),
        liveness=Liveness(lease_s=options.lease_s),
        work=Notifier(),
        news=Notifier(),
        stopping=asyncio.Event(),
        boards={},
        recall=Recall(patience_s=options.lease_s),
    )


def _usable_by(readiness: Readiness, boards: Mapping[str, OpenBoard]) -> set[str]:
    """The bench domains of boards that can run what any board may take."""
    return {
        board.bench_domain
        for board in boards.values()
        if any(fits(board.device_id, board.facts, demand, bound=False) for demand in readiness.demands)
    }


async def _result(future: "Future[T]") -> T:
    return await asyncio.wrap_future(future)
