"""One scrape after the other: what is asked of the database for it, at most once a second."""

import asyncio
import time
from functools import partial

from controller.service.context import ServiceContext
from controller.store.queries.census import census
from jetfleet.version import VERSION

_FRESH_S = 1.0


class Scrape:
    """Whoever asks more often than once a second is told what the one before him was."""

    def __init__(self, service: ServiceContext) -> None:
        self._service = service
        self._lock = asyncio.Lock()
        self._made_at, self._text = float("-inf"), b""

    async def text(self) -> bytes:
        async with self._lock:
            if time.monotonic() - self._made_at >= _FRESH_S:
                self._text = await self._make()
                self._made_at = time.monotonic()
            return self._text

    async def _make(self) -> bytes:
        from controller.service.exposition import Snapshot, exposition  # an embedded controller is never asked

        service = self._service
        alive, paused = service.liveness.alive(), dict(service.liveness.paused)
        found = await service.read(partial(census, alive=alive, paused=paused, version=VERSION))
        return exposition(
            Snapshot(service.options, found, service.tally, service.writer.waiting(), service.skew.count())
        )
