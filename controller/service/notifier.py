"""Wakes whoever waits for a change: long polls for work, and watchers of jobs."""

import asyncio
from collections import Counter


class Bell:
    """`ring` wakes every waiter, or those of one `room`. Who noted `rung` before it looked misses nothing."""

    def __init__(self) -> None:
        self._everywhere = 0
        self._in_room: Counter[str] = Counter()
        self._waiters: dict[asyncio.Future[None], str] = {}

    def rung(self, room: str = "") -> int:
        """How often it rang, as heard in a room."""
        return self._everywhere + self._in_room[room]

    def ring(self, room: str | None = None) -> None:
        if room is None:
            self._everywhere += 1
            woken, self._waiters = list(self._waiters), {}
        else:
            self._in_room[room] += 1
            woken = [waiter for waiter, where in self._waiters.items() if where == room]
        for waiter in woken:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, seen: int, *, timeout_s: float, room: str = "") -> None:
        """Returns when it rang since `rung` was `seen`, or after the time."""
        if self.rung(room) != seen or timeout_s <= 0:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = room
        try:
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError:
            return
        finally:
            self._waiters.pop(waiter, None)
