"""Boards that speak another protocol: turned away, and shown to people instead of just missing."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_RECENT_S = 86400.0
_MOST = 1000
_LONGEST = 100


@dataclass(frozen=True)
class TurnedAway:
    """A caller of the agents' services that was told to upgrade, or to be upgraded to."""

    caller: str  # its device
    name: str  # as it calls itself; empty: it did not say
    version: str
    why: str
    at: float  # UNIX time


class Skew:
    """The newest of each caller, for a day, or until it is served: a refused agent goes on calling, or is mended."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._found: dict[str, TurnedAway] = {}

    def note(self, caller: str, *, name: str, version: str, why: str) -> None:
        if caller in self._found or len(self._recent()) < _MOST:
            self._found[caller] = TurnedAway(caller, name[:_LONGEST], version[:_LONGEST], why, self._now())

    def forget(self, caller: str) -> None:
        """It speaks our protocol now."""
        self._found.pop(caller, None)

    def recent(self) -> Mapping[str, TurnedAway]:
        return dict(self._recent())

    def count(self) -> int:
        return len(self._recent())

    def _recent(self) -> dict[str, TurnedAway]:
        since = self._now() - _RECENT_S
        self._found = {caller: item for caller, item in self._found.items() if item.at >= since}
        return self._found
