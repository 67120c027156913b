"""Removals on request: one at a time, in a thread, beside all else that the controller does."""

import asyncio
import logging
import time
from dataclasses import replace
from functools import partial
from typing import TypeVar

from controller.model.access import Caller
from controller.model.removal import KINDS, Removed, Retention
from controller.service.audit import CONTROLLER
from controller.service.context import ServiceContext
from controller.service.deeds import removal
from controller.store.commands.audit import note_deed
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

    async def collect(self, retention: Retention, *, by: Caller) -> Removed:
        running = self._running.get(retention)
        if running is None:
            running = asyncio.create_task(self._collect(retention, by))
            self._running[retention] = running
            running.add_done_callback(lambda _: self._running.pop(retention))
        return await asyncio.shield(running)

    async def _collect(self, retention: Retention, by: Caller) -> Removed:
        async with self._lock:
            if retention.dry_run:
                folder = self._service.options.state_dir
                removed = await asyncio.to_thread(rehearse, folder / FILE_NAME, retention)
            else:
                removed = await self._remove_noted(retention, by)
        log.info("%s %s", "would remove" if retention.dry_run else "removed", removed)
        return removed

    async def _remove_noted(self, retention: Retention, by: Caller) -> Removed:
        """What nobody asked for at that moment, the hourly removal, is noted where it removed something."""
        service = self._service
        if by is not CONTROLLER:
            await service.write(partial(note_deed, deed=removal(retention, None), by=by))
        try:
            removed = await asyncio.to_thread(self._remove, retention)
        except BaseException:
            service.tally.removal_runs["FAILED"] += 1
            raise
        service.tally.removal_runs["DONE"] += 1
        service.tally.removal_ended_at = time.time()
        service.tally.freed_bytes += removed.freed_bytes
        service.tally.removals.update({kind: getattr(removed, kind) for kind in KINDS})
        if by is not CONTROLLER or replace(removed, stored_bytes=0) != Removed():
            await service.write(partial(note_deed, deed=removal(retention, removed), by=by))
        return removed

    def _remove(self, retention: Retention) -> Removed:
        service = self._service

        def write(work: Work[T]) -> T:
            return service.writer.submit(work).result()

        def read(work: Work[T]) -> T:
            return service.reader.submit(work).result()

        return Collector(write=write, read=read, blobs=service.blobs, deleting=service.deleting).collect(retention)
