"""Where a stream's blocks go on their way to disk: written and hashed in a thread."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from jetfleet.blobs import CHUNK_BYTES

_Answer = TypeVar("_Answer")


class Sink:
    """Hands what `add` was given to `write`, block by block and in order, in a thread; a chunk's worth per visit.

    A hop to a thread costs as much as moving a whole block, so that blocks do not make it one by one.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._held: list[bytes] = []
        self._size = 0
        self._under_way: asyncio.Future[None] | None = None

    async def add(self, block: bytes) -> None:
        """Raises what the write raises."""
        self._held.append(block)
        self._size += len(block)
        if self._size >= CHUNK_BYTES:
            await self._hand_over()

    async def flush(self) -> None:
        """All that was added has been written, also where the one who added it was cancelled; or raises why not."""
        if self._under_way is not None:
            await asyncio.shield(self._under_way)
        if self._held:
            await self._hand_over()

    async def finish(self, close: Callable[[], _Answer]) -> _Answer:
        """Flushes, then calls `close` in a thread, also where the flush raises."""
        try:
            await self.flush()
        finally:
            answer = await asyncio.to_thread(close)
        return answer

    async def _hand_over(self) -> None:
        held, self._held, self._size = self._held, [], 0
        # Shielded: a thread cannot be cancelled, and nobody may close the file under it.
        self._under_way = asyncio.ensure_future(asyncio.to_thread(self._write_all, held))
        await asyncio.shield(self._under_way)

    def _write_all(self, blocks: list[bytes]) -> None:
        for block in blocks:
            self._write(block)
