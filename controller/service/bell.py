"""Wakes whoever waits for a change: long polls for work, and watchers of jobs."""

import asyncio


class Bell:
    """`ring` wakes every waiter. A waiter that noted `rung` before it looked misses nothing."""

    def __init__(self) -> None:
        self.rung = 0
        self._waiters: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        self.rung += 1
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, seen: int, *, timeout_s: float) -> None:
        """Returns when it rang since `rung` was `seen`, or after the time."""
        if self.rung != seen or timeout_s <= 0:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError:
            return
        finally:
            self._waiters.discard(waiter)
