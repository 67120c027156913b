"""How often one caller may do what leaves a row behind: many at once, and then one every few seconds."""

import time
from collections.abc import Callable

from jetfleet.errors import Infrastructure


class Pace:
    """A bucket of `burst` for each caller, refilled by one every `every_s`. By this process's own monotonic clock."""

    def __init__(self, *, burst: int, every_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._every_s, self._now = burst, every_s, now
        self._full_at: dict[str, float] = {}  # when the caller's bucket will be full again

    def take(self, caller: str, *, what: str) -> None:
        """Raises Infrastructure, which a caller in good faith tries again."""
        now = self._now()
        full_at = max(now, self._full_at.get(caller, now)) + self._every_s
        if full_at - now > self._burst * self._every_s:
            raise Infrastructure(f"too many {what} in a short time", hint=f"try again in {self._every_s:.0f} s")
        self._full_at[caller] = full_at
