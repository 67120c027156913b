"""Steps that an outage may interrupt: repeated, with jitter, until they are done or the agent drains."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from jetfleet.errors import Conflict, Denied, JetfleetError, NeedsUpgrade, StaleSession, Unauthenticated

_log = logging.getLogger(__name__)

Step: TypeAlias = Callable[[], Awaitable[None]]

# What no repetition mends: the board is told to upgrade, to be another, or not to be known.
FINAL = (NeedsUpgrade, Conflict, Unauthenticated, Denied)
FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_jitter = random.SystemRandom()  # boards flashed from one image must not come back in step


async def pause(pause_s: float) -> float:
    """Sleeps with jitter; returns the next, longer pause."""
    await asyncio.sleep(pause_s * _jitter.uniform(0.5, 1.0))
    return min(pause_s * 2, _LONGEST_PAUSE_S)


class Retry:
    """`register` is called where the controller has forgotten the session."""

    def __init__(self, register: Step, draining: asyncio.Event) -> None:
        self._register, self._draining = register, draining

    async def until_done(self, step: Step, *, tries: int | None = None) -> None:
        """Raises what no repetition mends."""
        pause_s, left = FIRST_PAUSE_S, tries
        while left is None or left > 0:
            if await self._try(step):
                return
            left = self._tries_left(left)
            pause_s = await pause(pause_s)

    async def _try(self, step: Step) -> bool:
        """Whether the step is done now."""
        try:
            await step()
        except FINAL:
            raise
        except StaleSession:
            await self._register()
            return False
        except (JetfleetError, OSError) as error:
            _log.warning("trying again: %s", error)
            return False
        return True

    def _tries_left(self, tries: int | None) -> int | None:
        """After one more; where there is no bound, two from the moment that the agent drains."""
        if tries is not None:
            return tries - 1
        return 2 if self._draining.is_set() else None
