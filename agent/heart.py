"""Keeps the session and its lease alive, and stops the work in hand when it is cancelled, lost, or cannot be renewed.

The agent fences itself: work that could not be renewed for most of a lease's life stops before the controller gives
it to somebody else. Times are this machine's monotonic clock, counted from before a call was sent: never too late.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum

from agent.client import Link
from jetfleet.errors import JetfleetError, StaleSession
from jetfleet.v1 import fleet_pb2, task_pb2

log = logging.getLogger(__name__)

_Directive = fleet_pb2.RenewResponse.Directive


class Halt(Enum):
    """Why work in hand must stop."""

    CANCEL = "cancelled"  # commit what happened
    LOST = "lease lost"  # commit nothing
    DRAIN = "the agent is stopping"  # give it back


@dataclass
class Held:
    """The attempt in hand."""

    token: str
    task: task_pb2.TaskSpec
    lease_s: float
    renewed_at: float
    halt: Halt | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    running: bool = False
    progress: task_pb2.Progress = field(default_factory=task_pb2.Progress)

    def halt_for(self, why: Halt) -> None:
        """The first reason stands, but a lost lease beats them all."""
        if self.halt is None or why is Halt.LOST:
            self.halt = why
        self.stop.set()

    def report(self) -> fleet_pb2.AttemptReport:
        return fleet_pb2.AttemptReport(attempt_token=self.token, running=self.running, progress=self.progress)


class Heart:
    """Beats every `every_s`, and at once when asked to. `register` is called when the session is no longer known."""

    def __init__(self, link: Link, session_id: str, *, every_s: float, register: Callable[[], Awaitable[None]]) -> None:
        self._link, self._session_id, self._register = link, session_id, register
        self.every_s = every_s
        self.held: Held | None = None
        self._soon = asyncio.Event()

    async def run(self) -> None:
        """Beats until cancelled."""
        while True:
            try:
                await asyncio.wait_for(self._soon.wait(), self.every_s)
                await asyncio.sleep(min(0.2, self.every_s / 4))  # gather what else changes now
            except asyncio.TimeoutError:
                pass
            self._soon.clear()
            await self.beat()

    def tell_soon(self) -> None:
        """Something changed that people watch: do not wait for the next beat."""
        self._soon.set()

    async def beat(self) -> None:
        """One Renew; afterwards the work in hand goes on, or has been told to stop."""
        held, sent_at = self.held, time.monotonic()
        try:
            answer = await self._link.renew(
                self._session_id, [held.report()] if held else [], timeout_s=max(self.every_s, 1.0)
            )
        except StaleSession:
            log.warning("session %s is not known any more: registering again", self._session_id[:8])
            await self._try_register()
        except JetfleetError as error:
            log.warning("renew failed: %s", error.message)
        else:
            if held is not None:
                self._obey(held, answer, sent_at)
        if held is not None:
            self._fence(held)

    def _obey(self, held: Held, answer: fleet_pb2.RenewResponse, sent_at: float) -> None:
        directive = next((item.directive for item in answer.answers if item.attempt_token == held.token), None)
        if directive == _Directive.DIRECTIVE_CONTINUE:
            held.renewed_at = sent_at
            held.lease_s = answer.lease.ToNanoseconds() / 1e9
        elif directive == _Directive.DIRECTIVE_CANCEL:
            held.renewed_at = sent_at
            held.halt_for(Halt.CANCEL)
        else:
            log.warning("attempt %s: the lease is gone", held.token[:8])
            held.halt_for(Halt.LOST)

    def _fence(self, held: Held) -> None:
        """A beat takes at most one period, and a child that is killed is gone within the next."""
        if time.monotonic() - held.renewed_at > held.lease_s - 2 * max(self.every_s, 1.0):
            log.error("attempt %s: not renewed for too long, stopping it", held.token[:8])
            held.halt_for(Halt.LOST)

    async def _try_register(self) -> None:
        try:
            await self._register()
        except JetfleetError as error:
            log.warning("register failed: %s", error.message)
