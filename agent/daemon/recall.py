"""Files that the controller lost: sent again where this agent holds them, and never while something is measured."""

import asyncio
import logging
from collections.abc import Iterable

from agent.daemon.client import Link
from jetfleet.blobs import BlobDir
from jetfleet.errors import Corrupt, JetfleetError

log = logging.getLogger(__name__)

_TRIES = 5
_PAUSE_S = 1.0


class Recalled:
    """What was asked for and is not sent yet. `undisturbed` is held by whoever wants no transfer beside his work."""

    def __init__(self, link: Link, blobs: BlobDir) -> None:
        self._link, self._blobs = link, blobs
        self._wanted: dict[str, None] = {}  # in the order in which they were asked for
        self._lacks: set[str] = set()
        self._news = asyncio.Event()
        self.undisturbed = asyncio.Lock()

    def ask(self, digests: Iterable[str]) -> None:
        """The controller wants these."""
        self._wanted.update(dict.fromkeys(digests))
        if self._wanted:
            self._news.set()

    def holds(self) -> list[str]:
        """What is about to be sent."""
        return [sha256 for sha256 in self._wanted if self._is_here(sha256)]

    def lacks(self) -> list[str]:
        """What was asked for and cannot be sent, until somebody has been told."""
        return sorted(self._lacks)

    def told(self, lacks: Iterable[str]) -> None:
        self._lacks.difference_update(lacks)

    async def run(self) -> None:
        """Sends what is asked for until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            for sha256 in list(self._wanted):
                async with self.undisturbed:
                    was_sent = await self._send(sha256)
                if not was_sent:
                    self._lacks.add(sha256)
                self._wanted.pop(sha256, None)

    async def _send(self, sha256: str) -> bool:
        for _ in range(_TRIES):
            try:
                if not await asyncio.to_thread(is_sound, self._blobs, sha256):
                    return False
                await self._link.upload(sha256, self._blobs.path(sha256))
            except (JetfleetError, OSError) as error:
                log.warning("file %s could not be sent back: %s", sha256[:12], error)
                await asyncio.sleep(_PAUSE_S)
            else:
                log.info("file %s was sent back to the controller", sha256[:12])
                return True
        return False

    def _is_here(self, sha256: str) -> bool:
        try:
            return self._blobs.has(sha256)
        except JetfleetError:
            return False


def is_sound(blobs: BlobDir, sha256: str) -> bool:
    """Is the file here, whole? A damaged one is set aside, and fetched again."""
    if not blobs.has(sha256):
        return False
    try:
        blobs.verify(sha256)
    except Corrupt as error:
        log.error("%s", error.message)
        return False
    return True
