"""Removals on request: one at a time, in a thread, beside all else that the controller does."""

import asyncio
import logging
from functools import partial
from typing import TypeVar

from controller.model.removal import Removed, Retention
from controller.service.context import ServiceContext
from controller.store.commands.collector import Collector, rehearse
from controller.store.sqlite.database import FILE_NAME
from controller.store.sqlite.writer import Work

T = TypeVar("T")
log = logging.getLogger(__name__)


class Removals:
    """Who asks for the same again while it is under way, as a client does that lost its link, waits for that one."""

    def __init__(self, service: ServiceContext) -> None:
        self._service = service
        self._running: dict[Retention, asyncio.Task[Removed]] = {}
        self._lock = asyncio.Lock()

    async def collect(self, retention: Retention) -> Removed:
        running = self._running.get(retention)
        if running is None:
            running = asyncio.create_task(self._collect(retention))
            self._running[retention] = running
            running.add_done_callback(lambda _: self._running.pop(retention))
        return await asyncio.shield(running)

    async def _collect(self, retention: Retention) -> Removed:
        async with self._lock:
            if retention.dry_run:
                look = partial(rehearse, self._service.options.state_dir / FILE_NAME, retention)
            else:
                look = partial(self._remove, retention)
            removed = await asyncio.to_thread(look)
        log.info("%s %s", "would remove" if retention.dry_run else "removed", removed)
        return removed

    def _remove(self, retention: Retention) -> Removed:
        service = self._service

        def write(work: Work[T]) -> T:
            return service.writer.submit(work).result()

        def read(work: Work[T]) -> T:
            return service.reader.submit(work).result()

        return Collector(write=write, read=read, blobs=service.blobs, deleting=service.deleting).collect(retention)
