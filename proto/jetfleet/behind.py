"""Blocking work one step behind an asynchronous loop: a transfer's disk and hashing beside its network."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any


class Behind:
    """Runs calls in a thread, one at a time and in order; at most one is under way when `do` returns."""

    def __init__(self) -> None:
        self._last: asyncio.Future[Any] | None = None

    async def do(self, call: Callable[..., Any], *arguments: object) -> Any:
        """Starts a call once the one before has ended; returns what that one returned, or raises what it raised."""
        answer = await self._settle()
        self._last = asyncio.get_running_loop().run_in_executor(None, call, *arguments)
        return answer

    async def _settle(self) -> Any:
        last, self._last = self._last, None
        return None if last is None else await last

    async def __aenter__(self) -> "Behind":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The last call has ended; what it raised is raised, unless the body had a reason of its own."""
        if kind is None:
            await self._settle()
        elif self._last is not None:
            await asyncio.wait({self._last})
            self._last.exception()
