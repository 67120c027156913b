"""Renews the session and its lease, and stops the work in hand when it is cancelled, lost, or cannot be renewed.

The agent fences itself: work that could not be renewed for most of a lease's life stops before the controller gives
it to somebody else. Times are those of the boot clock, which also counts while a machine sleeps, and are taken before a
call is sent: never too late.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path

from agent.daemon.client import Link
from agent.daemon.recall import Recalled
from jetfleet.errors import Denied, JetfleetError, StaleSession, Unauthenticated
from jetfleet.log_fields import note_fields
from jetfleet.v1 import fleet_pb2, task_pb2

log = logging.getLogger(__name__)

WATCH_S = 0.5
PAUSE_S = 3.0  # a watch this late did not run: SIGSTOP, a machine that slept, a frozen container
_PATIENCE = 2  # periods: on a slow link an answer waits behind files in the queues of others
FENCE_S = 8.0  # the runner's grace of 5 s, a watch, and some

boot_clock = partial(time.clock_gettime, time.CLOCK_BOOTTIME)

_Directive = fleet_pb2.RenewResponse.Directive


class StopReason(Enum):
    """Why work in hand must stop."""

    CANCEL = "cancelled"  # commit what happened
    LOST = "lease lost"  # commit nothing
    DRAIN = "the agent is stopping"  # give it back
    PAUSED = "the agent was paused"  # give it back: no measurement may span a pause


@dataclass
class ActiveAttempt:
    """The attempt in hand."""

    token: str
    task: task_pb2.TaskSpec
    lease_s: float
    renewed_at: float
    stop_reason: StopReason | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    running: bool = False
    progress: task_pb2.Progress = field(default_factory=task_pb2.Progress)

    def stop_for(self, reason: StopReason) -> None:
        """The first reason stands, but a lost lease beats them all."""
        if self.stop_reason is None or reason is StopReason.LOST:
            self.stop_reason = reason
        self.stop.set()

    def report(self) -> fleet_pb2.AttemptReport:
        return fleet_pb2.AttemptReport(attempt_token=self.token, running=self.running, progress=self.progress)


def attempt_of(lease: fleet_pb2.Lease) -> ActiveAttempt:
    """That a lease was given for; what is logged from now on is about it."""
    note_fields(attempt=lease.attempt_token, task=lease.task.task_id, job=lease.task.job_id or "")
    return ActiveAttempt(lease.attempt_token, lease.task, lease.duration.ToNanoseconds() / 1e9, boot_clock())


def outcome_after_stop(attempt: ActiveAttempt, outcome: task_pb2.Outcome) -> task_pb2.Outcome | None:
    """What an outcome means once the work was stopped; None: it must not be committed."""
    reason = attempt.stop_reason
    if reason is StopReason.LOST:
        return None
    if reason is StopReason.PAUSED or (reason is StopReason.DRAIN and outcome.HasField("failure")):
        return task_pb2.Outcome(returned=task_pb2.Returned(reason=reason.value))
    return outcome


class Heartbeat:
    """Renews every `every_s`, and soon when asked to. `register` is called when the session is no longer known.

    `undelivered` names attempts whose results are on their way: their leases must not end before they arrive.
    `pulse`, a file, is touched at each answer of the controller: a container's health check looks at its time.
    """

    def __init__(
        self,
        link: Link,
        session_id: str,
        *,
        every_s: float,
        register: Callable[[], Awaitable[None]],
        undelivered: Callable[[], Sequence[str]] = tuple,
        recalled: Recalled | None = None,
        pulse: Path | None = None,
        disk_free: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._link, self._session_id, self._register, self._pulse = link, session_id, register, pulse
        self._undelivered, self._recalled, self._disk_free = undelivered, recalled, disk_free
        self.every_s = every_s
        self.attempt: ActiveAttempt | None = None
        self.paused_reason = ""
        self._soon = asyncio.Event()
        self._clock: tuple[float, float] | None = None  # ahead of the controller's by, and how far off that may be

    async def run(self) -> None:
        """Renews, and watches the time, until cancelled."""
        await asyncio.gather(self._renew_periodically(), self._watch())

    async def _renew_periodically(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._soon.wait(), self.every_s)
                await asyncio.sleep(min(0.2, self.every_s / 4))  # gather what else changes now
            except asyncio.TimeoutError:
                pass
            self._soon.clear()
            await self.renew()

    async def _watch(self) -> None:
        """Needs no network and no answer: it must notice in time that there is neither."""
        now = boot_clock()
        while True:
            await asyncio.sleep(WATCH_S)
            before, now = now, boot_clock()  # without a gap: a pause between two watches counts too
            if self.attempt is None:
                continue
            if self.attempt.running and now - before > PAUSE_S:
                log.error("attempt %s: this agent was paused", self.attempt.token[:8])
                self.attempt.stop_for(StopReason.PAUSED)
            self._fence(self.attempt)

    def renew_soon(self) -> None:
        """Something changed that people watch: do not wait for the period to end."""
        self._soon.set()

    async def renew(self) -> None:
        """One Renew; afterwards the work in hand goes on, or has been stopped.

        Raises Unauthenticated and Denied: this board is not the fleet's any more.
        """
        attempt, sent_at, recalled = self.attempt, boot_clock(), self._recalled
        request = fleet_pb2.RenewRequest(
            session_id=self._session_id, attempts=self._reports(attempt), paused_reason=self.paused_reason
        )
        if recalled is not None:
            request.holds[:], request.lacks[:] = recalled.holds(), recalled.lacks()
        self._describe(request)
        asked_at = time.monotonic()
        try:
            answer = await self._link.renew(request, timeout_s=max(_PATIENCE * self.every_s, 1.0))
        except StaleSession:
            log.warning("session %s is not known any more: registering again", self._session_id[:8])
            await self._try_register()
        except (Unauthenticated, Denied):
            raise
        except JetfleetError as error:
            log.warning("renew failed: %s", error.message)
        else:
            self._mark_answered()
            self._compare_clocks(answer, round_trip_s=time.monotonic() - asked_at)
            if attempt is not None:
                self._apply(attempt, answer, sent_at)
            if recalled is not None:
                recalled.told(request.lacks)
                recalled.ask(answer.wanted)

    def _describe(self, request: fleet_pb2.RenewRequest) -> None:
        """What people see of the board; nothing is decided by it."""
        if self._clock is not None:
            request.clock_ahead_s, request.clock_bound_s = self._clock
        if (free := self._disk_free()) is not None:
            request.disk_free_bytes = free

    def _compare_clocks(self, answer: fleet_pb2.RenewResponse, *, round_trip_s: float) -> None:
        """The answer was written somewhere between the question and its arrival."""
        if answer.HasField("now"):
            half_s = round_trip_s / 2
            self._clock = time.time() - half_s - answer.now.ToNanoseconds() / 1e9, half_s

    def _mark_answered(self) -> None:
        if self._pulse is None:
            return
        try:
            self._pulse.touch()
        except OSError as error:
            log.warning("pulse %s: %s", self._pulse, error.strerror)

    def _reports(self, attempt: ActiveAttempt | None) -> list[fleet_pb2.AttemptReport]:
        reports = [attempt.report()] if attempt else []
        for token in self._undelivered():
            if attempt is None or token != attempt.token:
                delivering = task_pb2.Progress(phase="commit")
                reports.append(fleet_pb2.AttemptReport(attempt_token=token, progress=delivering))
        return reports

    def _apply(self, attempt: ActiveAttempt, answer: fleet_pb2.RenewResponse, sent_at: float) -> None:
        directive = next((item.directive for item in answer.answers if item.attempt_token == attempt.token), None)
        if directive == _Directive.DIRECTIVE_CONTINUE:
            attempt.renewed_at = sent_at
            attempt.lease_s = answer.lease.ToNanoseconds() / 1e9
        elif directive == _Directive.DIRECTIVE_CANCEL:
            attempt.renewed_at = sent_at
            attempt.stop_for(StopReason.CANCEL)
        else:
            log.warning("attempt %s: the lease is gone", attempt.token[:8])
            attempt.stop_for(StopReason.LOST)

    def _fence(self, attempt: ActiveAttempt) -> None:
        """Early enough for a child that does not listen to SIGTERM to be killed before the lease ends."""
        limit_s = attempt.lease_s - min(FENCE_S, attempt.lease_s / 2)
        if attempt.stop_reason is not StopReason.LOST and boot_clock() - attempt.renewed_at > limit_s:
            log.error("attempt %s: not renewed for too long, stopping it", attempt.token[:8])
            attempt.stop_for(StopReason.LOST)

    async def _try_register(self) -> None:
        try:
            await self._register()
        except JetfleetError as error:
            log.warning("register failed: %s", error.message)
