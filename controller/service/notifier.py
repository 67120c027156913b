"""Wakes whoever waits for a change: long polls for work, and watchers of jobs."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable

EVERYBODY = ""


class Notifier:
    """Waiters wait under a topic. Who noted `count` before it looked misses nothing.

    `notify` reaches the waiters of its topics and costs nothing for the others; `notify_all` reaches everybody.
    """

    def __init__(self) -> None:
        self._changes: Counter[str] = Counter()
        self._waiters: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)

    def count(self, topic: str = EVERYBODY) -> int:
        """How many changes a waiter of this topic was told of."""
        return self._changes[EVERYBODY] + (self._changes[topic] if topic != EVERYBODY else 0)

    def notify(self, topics: Iterable[str]) -> None:
        for topic in topics:
            self._changes[topic] += 1
            self._wake(topic)

    def notify_all(self) -> None:
        self._changes[EVERYBODY] += 1
        for topic in list(self._waiters):
            self._wake(topic)

    async def wait(self, seen: int, *, timeout_s: float, topic: str = EVERYBODY) -> None:
        """Returns when there was a change since `count` was `seen`, or after the time."""
        if self.count(topic) != seen or timeout_s <= 0:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters[topic].add(waiter)
        try:
            await asyncio.wait({waiter}, timeout=timeout_s)
        finally:
            waiter.cancel()
            self._forget(topic, waiter)

    def _wake(self, topic: str) -> None:
        for waiter in self._waiters.pop(topic, ()):
            if not waiter.done():
                waiter.set_result(None)

    def _forget(self, topic: str, waiter: "asyncio.Future[None]") -> None:
        waiting = self._waiters.get(topic)
        if waiting is not None:
            waiting.discard(waiter)
            if not waiting:
                del self._waiters[topic]
