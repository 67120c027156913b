"""Who was heard from, and when, by this process's own monotonic clock. Forgotten at a restart, and that is right:
every lease then gets a fresh term, because nobody could renew while the controller was away (docs/adr/0003).
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from controller.model.task import Progress


@dataclass(frozen=True)
class BoardPulse:
    """What a board said of itself with its last Renew: shown to people, and nothing is decided by it."""

    disk_free_bytes: int | None = None
    clock_ahead_s: float | None = None
    clock_bound_s: float = 0.0


class Liveness:
    """Sessions and leases by the last time they were renewed, and the progress they reported."""

    def __init__(self, *, lease_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self.lease_s = lease_s
        self._now = now
        self._sessions: dict[str, float] = {}
        self._leases: dict[str, float] = {}
        self._started: set[str] = set()
        self.progress: dict[str, Progress] = {}
        self.paused: dict[str, str] = {}  # session -> why its agent takes no work
        self.pulses: dict[str, BoardPulse] = {}  # by session

    def hear(self, session_id: str) -> None:
        self._sessions[session_id] = self._now()

    def forget(self, session_id: str) -> None:
        self._sessions.pop(session_id, None)
        self.paused.pop(session_id, None)
        self.pulses.pop(session_id, None)

    def alive(self, *, within_s: float | None = None) -> set[str]:
        """Sessions heard from within a lease's life, or within a shorter time."""
        since = self._now() - (self.lease_s if within_s is None else within_s)
        return {session for session, heard in self._sessions.items() if heard >= since}

    def silent(self) -> list[str]:
        """Sessions that were known here and are not alive any more."""
        alive = self.alive()
        return [session for session in self._sessions if session not in alive]

    def renew(self, tokens: Iterable[str]) -> None:
        now = self._now()
        for token in tokens:
            self._leases[token] = now

    def start(self, token: str) -> bool:
        """The attempt's child runs; True if that is news, which after a restart it is once more."""
        news = token not in self._started
        self._started.add(token)
        return news

    def end(self, token: str) -> None:
        self._leases.pop(token, None)
        self._started.discard(token)
        self.progress.pop(token, None)

    def overdue(self) -> list[str]:
        """Leases that nobody renewed in time."""
        since = self._now() - self.lease_s
        return [token for token, renewed in self._leases.items() if renewed < since]
