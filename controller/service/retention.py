"""Removals without being asked: what nobody needs any more, and results where somebody said how long they are kept.

Off for results, because nobody is to lose a number that he did not give up; on for the rest, which grows for ever else.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from controller.model.removal import KINDS, Retention
from controller.service.audit import CONTROLLER
from controller.service.context import ServiceContext
from controller.service.options import ServeOptions
from controller.service.removals import Removals
from jetfleet.errors import JetfleetError

log = logging.getLogger(__name__)

LITTER = ("orphans", "sessions", "facts", "timing_caches", "blobs", "incoming")
_MOST_DRIFT_S = 3600.0
_FOR_EVER_S = 1000 * 365 * 86400.0


def retentions(options: ServeOptions) -> list[Retention]:
    """What a controller that was started so removes by itself."""
    found = []
    if options.retain_litter_s is not None:
        found.append(Retention(options.retain_litter_s, kinds=LITTER))
    if options.retain_s is not None or options.retain_bytes is not None:
        kinds = () if options.retain_s is None else KINDS
        found.append(Retention(options.retain_s or _FOR_EVER_S, max_bytes=options.retain_bytes, kinds=kinds))
    return found


class JumpWatch:
    """Whether the wall clock went on as time did. After a jump nobody knows for a while how old anything is."""

    def __init__(self, *, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._steady = wall, steady
        self._before = wall(), steady()

    def has_jumped(self) -> bool:
        """Since it was asked last."""
        (wall, steady), self._before = self._before, (self._wall(), self._steady())
        return abs((self._before[0] - wall) - (self._before[1] - steady)) > _MOST_DRIFT_S


async def retain(service: ServiceContext, removals: Removals) -> None:
    """Runs until the service stops, one removal after the other, each in slices beside all else."""
    wanted, clocks = retentions(service.options), JumpWatch()
    while not service.stopping.is_set():
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(service.stopping.wait(), service.options.retain_every_s)
            return
        if clocks.has_jumped():
            log.warning("the clock has jumped: nothing is removed by its age this time")
            continue
        for retention in wanted:
            try:
                await removals.collect(retention, by=CONTROLLER)
            except JetfleetError as error:
                log.error("what is too old could not be removed, and is tried again later: %s", error.message)
