"""The agent: register, claim, run, spool, commit; again. Drains on the first SIGTERM, stops at once on the second."""

import asyncio
import logging
import random
import shutil
import signal
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from agent.daemon.client import Link
from agent.daemon.delivery import Delivery, infrastructure_failure
from agent.daemon.heartbeat import ActiveAttempt, Heartbeat, StopReason, boot_clock
from agent.daemon.identity import bench_lock, device_id, lock_state_dir
from agent.daemon.inputs import fetch_inputs
from agent.daemon.runner import run_attempt
from agent.daemon.spool import Spool
from jetfleet.blobs import BlobDir
from jetfleet.errors import (
    Conflict,
    JetfleetError,
    NeedsUpgrade,
    StaleSession,
)
from jetfleet.v1 import fleet_pb2, task_pb2
from jetfleet.version import VERSION

log = logging.getLogger(__name__)

_CLAIM_WAIT_S = 20.0
_BACKOFF_S = (0.2, 5.0)
_LOCK_POLL_S = 0.2
_jitter = random.SystemRandom()  # boards flashed from one image must not come back in step


@dataclass(frozen=True)
class AgentOptions:
    """How an agent is started. `read_facts` is called again when a task showed that the facts had changed."""

    address: str
    state_dir: Path
    name: str
    read_facts: Callable[[], task_pb2.Facts]
    boot_id: str
    serial: str
    bench_domain: str
    env: dict[str, str]
    idle_exit_s: float | None = None
    drain_s: float = 30.0
    blobs_from: Path | None = None


def run(options: AgentOptions) -> None:
    """Runs until SIGTERM, SIGINT or, where asked for, idleness. Raises StateLocked, NeedsUpgrade."""
    with lock_state_dir(options.state_dir):
        asyncio.run(_run(options))


async def _run(options: AgentOptions) -> None:
    async with Link(options.address) as link:
        await Agent(options, link).run()


class Agent:
    def __init__(self, options: AgentOptions, link: Link) -> None:
        self._options, self._link = options, link
        self._session_id = uuid.uuid4().hex
        self._blobs = BlobDir(options.state_dir / "blobs")
        self._delivery = Delivery(link, self._session_id, self._blobs, Spool(options.state_dir / "spool"))
        self._attempts = options.state_dir / "attempts"
        self._heartbeat = Heartbeat(link, self._session_id, every_s=5.0, register=self._register)
        self._draining = asyncio.Event()
        self._facts = options.read_facts()
        self._worked_at = time.monotonic()

    async def run(self) -> None:
        self._catch_signals()
        shutil.rmtree(self._attempts, ignore_errors=True)  # of an agent that was killed: nothing in there was finished
        await self._until_done(self._register)
        heartbeat = asyncio.create_task(self._heartbeat.run())
        loop = asyncio.create_task(self._loop())
        try:
            await asyncio.wait({heartbeat, loop}, return_when=asyncio.FIRST_COMPLETED)
            if heartbeat.done():
                heartbeat.result()  # a bug: let it be seen
            await loop
        finally:
            for task in (heartbeat, loop):
                task.cancel()
            await asyncio.gather(heartbeat, loop, return_exceptions=True)
            await self._leave()

    async def _loop(self) -> None:
        while not self._draining.is_set() and not self._idle_for_too_long():
            await self._until_done(self._delivery.flush)
            lease = await self._claim()
            if lease is not None:
                self._worked_at = time.monotonic()
                await self._run_lease(lease)
                self._worked_at = time.monotonic()
        await self._until_done(self._delivery.flush, tries=3)

    async def _register(self) -> None:
        options = self._options
        request = fleet_pb2.RegisterRequest(
            device_id=device_id(options.state_dir),
            session_id=self._session_id,
            boot_id=options.boot_id,
            hardware_serial=options.serial,
            bench_domain=options.bench_domain,
            agent_version=VERSION,
            facts=self._facts,
            held_attempts=self._held_attempts(),
            name=options.name,
        )
        answer = await self._link.register(request)
        self._heartbeat.every_s = answer.renew_every.ToNanoseconds() / 1e9
        log.info("registered at %s as %s, session %s", options.address, answer.device_name, self._session_id[:8])

    def _held_attempts(self) -> list[str]:
        """Tokens of what waits for delivery, and of the work in hand."""
        active = self._heartbeat.attempt
        return self._delivery.pending() + ([active.token] if active else [])

    async def _claim(self) -> fleet_pb2.Lease | None:
        """Long-polls once; a lost answer is asked for again under the same request id."""
        request_id = uuid.uuid4().hex
        wait_s = _CLAIM_WAIT_S
        if self._options.idle_exit_s is not None:
            wait_s = min(wait_s, max(0.5, self._options.idle_exit_s / 4))
        pause_s = _BACKOFF_S[0]
        while not self._draining.is_set() and not self._idle_for_too_long():
            call = asyncio.create_task(self._link.claim(self._session_id, request_id, wait_s=wait_s))
            drained = asyncio.create_task(self._draining.wait())
            await asyncio.wait({call, drained}, return_when=asyncio.FIRST_COMPLETED)
            drained.cancel()
            if not call.done():
                call.cancel()  # a lease granted just now is returned by Leave
                return None
            try:
                return call.result()
            except StaleSession:
                await self._until_done(self._register)
            except JetfleetError as error:
                log.warning("claim failed: %s", error.message)
                pause_s = await self._pause(pause_s)
        return None

    async def _run_lease(self, lease: fleet_pb2.Lease) -> None:
        """One attempt, from its lease to its committed result."""
        attempt = ActiveAttempt(lease.attempt_token, lease.task, lease.duration.ToNanoseconds() / 1e9, boot_clock())
        self._heartbeat.attempt = attempt
        folder = self._attempts / attempt.token
        try:
            await self._heartbeat.renew()  # the claim's answer may be old: nothing starts on a lease that is gone
            outcome = _outcome_after_stop(attempt, await self._fetch_and_run(attempt, folder))
            if outcome is None:
                reason = attempt.stop_reason.value if attempt.stop_reason else "stopped"
                log.warning("attempt %s: result dropped, %s", attempt.token[:8], reason)
                return
            await self._delivery.keep(attempt.token, outcome, folder)
            await self._until_done(self._delivery.flush)
            if outcome.HasField("returned") and attempt.stop_reason is None:
                await self._refresh_facts()
        finally:
            self._heartbeat.attempt = None
            shutil.rmtree(folder, ignore_errors=True)

    async def _fetch_and_run(self, attempt: ActiveAttempt, folder: Path) -> task_pb2.Outcome:
        def on_progress(progress: task_pb2.Progress) -> None:
            if progress.phase != attempt.progress.phase:
                self._heartbeat.renew_soon()
            attempt.progress = progress

        try:
            on_progress(task_pb2.Progress(phase="fetch"))
            await fetch_inputs(attempt, self._link, self._blobs, blobs_from=self._options.blobs_from)
            while not attempt.stop.is_set():
                with bench_lock(self._options.bench_domain) as alone:
                    if alone:
                        attempt.running = True
                        return await run_attempt(
                            attempt.task,
                            folder,
                            self._blobs.path,
                            on_progress=on_progress,
                            stop=attempt.stop,
                            env=self._options.env,
                        )
                on_progress(task_pb2.Progress(phase="wait", detail="another agent uses this hardware"))
                await asyncio.sleep(_LOCK_POLL_S)
        except (JetfleetError, OSError) as error:
            return infrastructure_failure(str(error), attempt.progress.phase)
        return infrastructure_failure("stopped", attempt.progress.phase)

    async def _refresh_facts(self) -> None:
        """The child found another runtime than the plan assumed: registers what there is now, to be planned anew."""
        self._facts = await asyncio.to_thread(self._options.read_facts)
        await self._until_done(self._register)

    async def _leave(self) -> None:
        try:
            await self._link.leave(self._session_id, "drained")
        except JetfleetError as error:
            log.warning("could not sign off: %s", error.message)

    async def _until_done(self, step: Callable[[], Awaitable[None]], *, tries: int | None = None) -> None:
        """Repeats a step through outages, with jitter, until it is done or the agent drains. Some errors are final."""
        pause_s, left = _BACKOFF_S[0], tries
        while left is None or left > 0:
            try:
                return await step()
            except (NeedsUpgrade, Conflict):
                raise
            except StaleSession:
                await self._register()
            except JetfleetError as error:
                log.warning("trying again: %s", error.message)
            left = left - 1 if left is not None else None
            if self._draining.is_set() and left is None:
                left = 2
            pause_s = await self._pause(pause_s)

    async def _pause(self, pause_s: float) -> float:
        """Sleeps with jitter; returns the next, longer pause."""
        await asyncio.sleep(pause_s * _jitter.uniform(0.5, 1.0))
        return min(pause_s * 2, _BACKOFF_S[1])

    def _idle_for_too_long(self) -> bool:
        limit = self._options.idle_exit_s
        return limit is not None and time.monotonic() - self._worked_at > limit

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)

    def _stop(self) -> None:
        """Once: finish what is in hand, for a while. Twice: give it back now."""
        if self._draining.is_set():
            self._return_work()
            return
        log.info("draining")
        self._draining.set()
        asyncio.get_running_loop().call_later(self._options.drain_s, self._return_work)

    def _return_work(self) -> None:
        if self._heartbeat.attempt is not None:
            self._heartbeat.attempt.stop_for(StopReason.DRAIN)


def _outcome_after_stop(attempt: ActiveAttempt, outcome: task_pb2.Outcome) -> task_pb2.Outcome | None:
    """What an outcome means once the work was stopped; None: it must not be committed."""
    reason = attempt.stop_reason
    if reason is StopReason.LOST:
        return None
    if reason is StopReason.PAUSED or (reason is StopReason.DRAIN and outcome.HasField("failure")):
        return task_pb2.Outcome(returned=task_pb2.Returned(reason=reason.value))
    return outcome
