"""Files that are gone here, and which agents are asked for: who was asked, who is about to send them, who is not."""

import time
from collections.abc import Callable, Collection, Iterable

_MOST_ASKED = 100  # in one answer
_MOST_KNOWN = 10_000
_MOST_PATIENCES = 20  # ten minutes with the usual lease


class Recall:
    """By this process's own monotonic clock; agents are asked anew after a restart.

    `patience_s` is how long nobody may answer before a file counts as lost for good, and is made again instead. Who
    says that he is about to send it is waited for some times as long, and no longer: it may be a board that lies. What
    comes after that is taken all the same.
    """

    def __init__(self, *, patience_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._patience_s, self._now = patience_s, now
        self._since: dict[str, float] = {}
        self._given_up: set[str] = set()
        self._asked: dict[str, set[str]] = {}  # by session
        self._held: dict[str, dict[str, float]] = {}  # by file: when who said that he sends it
        self._lacking: dict[str, set[str]] = {}  # by file: sessions that do not hold it

    def seek(self, digests: Iterable[str]) -> None:
        """Ask for these from now on."""
        for sha256 in digests:
            if len(self._since) < _MOST_KNOWN:
                self._since[sha256] = self._now()
                self._given_up.discard(sha256)
                self._lacking.pop(sha256, None)
                for asked in self._asked.values():
                    asked.discard(sha256)

    def end(self, digests: Iterable[str]) -> None:
        """These are here (again)."""
        for sha256 in digests if self._since else ():
            self._since.pop(sha256, None)
            self._given_up.discard(sha256)
            self._held.pop(sha256, None)
            self._lacking.pop(sha256, None)

    def seeks(self, sha256: str = "") -> bool:
        """Whether this file is asked for; without one, whether any is."""
        return sha256 in self._since if sha256 else bool(self._since)

    def ask(self, session_id: str) -> list[str]:
        """What this session has not been asked for yet."""
        if not self._since:
            return []
        asked = self._asked.setdefault(session_id, set())
        wanted = [sha256 for sha256 in self._since if sha256 not in asked][:_MOST_ASKED]
        asked.update(wanted)
        return wanted

    def hear(self, session_id: str, *, holds: Iterable[str], lacks: Iterable[str]) -> None:
        for sha256 in holds:
            if sha256 in self._since:
                self._held.setdefault(sha256, {})[session_id] = self._now()
        for sha256 in lacks:
            if sha256 in self._since:
                self._held.get(sha256, {}).pop(session_id, None)
                self._lacking.setdefault(sha256, set()).add(session_id)

    def forget(self, session_id: str) -> None:
        self._asked.pop(session_id, None)

    def hopeless(self, alive: Collection[str]) -> list[str]:
        """What nobody is about to send: all that are there said so, or nobody answered in time. Told once."""
        found = [sha256 for sha256 in self._since if sha256 not in self._given_up and self._is_hopeless(sha256, alive)]
        self._given_up.update(found)
        return found

    def _is_hopeless(self, sha256: str, alive: Collection[str]) -> bool:
        now = self._now()
        since = self._since[sha256]
        if now - since >= _MOST_PATIENCES * self._patience_s:
            return True
        if any(now - heard < self._patience_s for heard in self._held.get(sha256, {}).values()):
            return False
        answered = bool(alive) and self._lacking.get(sha256, set()).issuperset(alive)
        return answered or now - since >= self._patience_s
