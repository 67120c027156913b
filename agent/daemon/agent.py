"""The agent: register, claim, run, spool, commit; again. Drains on the first SIGTERM, stops at once on the second."""

import asyncio
import contextlib
import logging
import shutil
import time
import uuid
from functools import partial
from pathlib import Path

from agent.daemon.bench_lock import BenchLock
from agent.daemon.board_settings import BoardSettings, restore_board
from agent.daemon.client import Link
from agent.daemon.delivery import Delivery, infrastructure_failure
from agent.daemon.disk import StateDisk, free_or_none, is_of_the_disk
from agent.daemon.drain import drain_on_signals
from agent.daemon.heartbeat import ActiveAttempt, Heartbeat, StopReason, attempt_of, outcome_after_stop
from agent.daemon.identity import lock_state_dir
from agent.daemon.inputs import fetch_inputs
from agent.daemon.options import AgentOptions
from agent.daemon.own_engines import OwnEngines
from agent.daemon.recall import Recalled
from agent.daemon.renewal import CertificateRenewal
from agent.daemon.retry import FINAL, FIRST_PAUSE_S, Retry, pause
from agent.daemon.runner import run_attempt
from agent.daemon.spool import Spool
from jetfleet.blobs import BlobDir
from jetfleet.errors import JetfleetError, StaleSession
from jetfleet.log_fields import note_fields
from jetfleet.v1 import fleet_pb2, task_pb2
from jetfleet.version import VERSION

log = logging.getLogger(__name__)

_CLAIM_WAIT_S = 20.0
_PAUSED_POLL_S = 1.0


def run(options: AgentOptions) -> None:
    """Runs until SIGTERM, SIGINT or, where asked for, idleness. Raises StateLocked, NeedsUpgrade."""
    with lock_state_dir(options.state_dir):
        asyncio.run(_run(options))


async def _run(options: AgentOptions) -> None:
    await asyncio.to_thread(restore_board, options.helper)  # of an agent that was killed; before facts are read
    async with Link(options.address, options.credentials) as link, options.service_manager.alive():
        await Agent(options, link).run()


class Agent:
    def __init__(self, options: AgentOptions, link: Link) -> None:
        self._options, self._link = options, link
        self._session_id = uuid.uuid4().hex
        self._blobs = BlobDir(options.state_dir / "blobs")
        spool = Spool(options.state_dir / "spool")
        self._delivery = Delivery(link, self._session_id, self._blobs, spool)
        self._attempts = options.state_dir / "attempts"
        self._bench_lock = BenchLock(options.bench_domain, options.lock_places)
        self._recalled = Recalled(link, self._blobs)
        self._heartbeat = Heartbeat(
            link,
            self._session_id,
            every_s=5.0,
            register=self._register,
            undelivered=self._undelivered,
            recalled=self._recalled,
            pulse=options.pulse,
            disk_free=partial(free_or_none, options.state_dir),
        )
        self._disk = StateDisk(
            options.state_dir, blobs=self._blobs, spool=spool, may_drop=lambda: self._heartbeat.attempt is None
        )
        self._renewal = CertificateRenewal(link, options.state_dir)
        self._own_engines = OwnEngines(options.state_dir, only=options.own_engines_only)
        self._draining = asyncio.Event()
        self._retry = Retry(self._register, self._draining)
        self._facts = options.read_facts()
        self._board = BoardSettings(self._facts, helper=options.helper)
        self._worked_at = time.monotonic()

    async def run(self) -> None:
        note_fields(device=self._disk.device_id)
        drain_on_signals(
            self._draining,
            drain_s=self._options.drain_s,
            return_work=self._return_work,
            service_manager=self._options.service_manager,
        )
        shutil.rmtree(self._attempts, ignore_errors=True)  # of an agent that was killed: nothing in there was finished
        await self._retry.until_done(self._register)
        heartbeat = asyncio.create_task(self._heartbeat.run())
        recalled, loop = asyncio.create_task(self._recalled.run()), asyncio.create_task(self._loop())
        tasks = {heartbeat, recalled, loop, asyncio.create_task(self._renewal.run())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for side in (heartbeat, recalled):
                if side.done():
                    side.result()  # a bug: let it be seen
            await loop
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._leave()

    async def _loop(self) -> None:
        while not self._draining.is_set() and not self._idle_for_too_long():
            if await self._is_paused():
                continue
            await self._retry.until_done(self._delivery.flush)
            answer = await self._claim()
            if is_work := answer.HasField("lease"):
                self._worked_at = time.monotonic()
                await self._run_lease(answer.lease)
            if is_work or answer.work_ahead:  # ahead: such as a BENCH whose engine another board builds
                self._worked_at = time.monotonic()
        await self._retry.until_done(self._delivery.flush, tries=3)

    async def _register(self) -> None:
        options = self._options
        if options.own_engines_only:
            self._facts.own_engines_only = True
        await asyncio.to_thread(self._board.add_facts, self._facts)
        request = fleet_pb2.RegisterRequest(
            device_id=self._disk.device_id,
            session_id=self._session_id,
            boot_id=options.boot_id,
            hardware_serial=options.serial,
            bench_domain=options.bench_domain,
            agent_version=VERSION,
            facts=self._facts,
            held_attempts=self._held_attempts(),
            name=options.name,
            name_asked=options.name_asked,
        )
        try:
            answer = await self._link.register(request)
        finally:  # nobody there: the service is up all the same, and tries for as long as it takes
            options.service_manager.ready(f"no answer yet from {options.address}")
        options.service_manager.tell(f"registered at {options.address} as {answer.device_name}")
        self._heartbeat.every_s = answer.renew_every.ToNanoseconds() / 1e9
        self._renewal.note(answer)
        log.info("registered at %s as %s, session %s", options.address, answer.device_name, self._session_id[:8])

    def _held_attempts(self) -> list[str]:
        """Tokens of what waits for delivery, and of the work in hand."""
        active = self._heartbeat.attempt
        return self._undelivered() + ([active.token] if active else [])

    def _undelivered(self) -> list[str]:
        try:
            return self._delivery.pending()
        except OSError:  # the disk has gone; what lies on it is not lost yet
            return []

    async def _is_paused(self) -> bool:
        """Looks whether work can be done here; if not, says so and lets a moment pass."""
        fault = await asyncio.to_thread(self._disk.fault) or self._bench_lock.fault()
        if fault != self._heartbeat.paused_reason:
            log.warning("paused: %s", fault) if fault else log.info("no longer paused")
            self._options.service_manager.tell(f"paused: {fault}" if fault else "waits for work")
            self._heartbeat.paused_reason = fault
            self._heartbeat.renew_soon()
        if fault:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._draining.wait(), _PAUSED_POLL_S)
        return bool(fault)

    async def _claim(self) -> fleet_pb2.ClaimResponse:
        """Long-polls once; a lost answer is asked for again under the same request id."""
        request_id, limit_s, pause_s = uuid.uuid4().hex, self._options.idle_exit_s, FIRST_PAUSE_S
        wait_s = _CLAIM_WAIT_S if limit_s is None else min(_CLAIM_WAIT_S, max(0.5, limit_s / 4))
        while not self._draining.is_set() and not self._idle_for_too_long():
            call = asyncio.create_task(self._link.claim(self._session_id, request_id, wait_s, limit_s))
            drained = asyncio.create_task(self._draining.wait())
            await asyncio.wait({call, drained}, return_when=asyncio.FIRST_COMPLETED)
            drained.cancel()
            if not call.done():
                call.cancel()  # a lease granted just now is returned by Leave
                break
            try:
                return call.result()
            except JetfleetError as error:
                pause_s = await self._after_refusal(error, pause_s)
        return fleet_pb2.ClaimResponse()

    async def _after_refusal(self, error: JetfleetError, pause_s: float) -> float:
        """Raises what no repetition mends; the next pause."""
        if isinstance(error, FINAL):
            raise error
        if isinstance(error, StaleSession):
            await self._retry.until_done(self._register)
            return pause_s
        log.warning("claim failed: %s", error.message)
        return await pause(pause_s)

    async def _run_lease(self, lease: fleet_pb2.Lease) -> None:
        """One attempt, from its lease to its committed result."""
        attempt = attempt_of(lease)
        self._heartbeat.attempt = attempt
        self._options.service_manager.tell(f"works on attempt {attempt.token[:8]}")
        folder = self._attempts / attempt.token
        try:
            await self._heartbeat.renew()  # the claim's answer may be old: nothing starts on a lease that is gone
            found = await self._without_blame(await self._fetch_and_run(attempt, folder))
            outcome = outcome_after_stop(attempt, found)
            self._own_engines.note(found)
            if outcome is None:
                reason = attempt.stop_reason.value if attempt.stop_reason else "stopped"
                log.warning("attempt %s: result dropped, %s", attempt.token[:8], reason)
                return
            if await self._keep(attempt, outcome, folder):
                await self._retry.until_done(self._delivery.flush)
            if outcome.HasField("returned") and attempt.stop_reason is None:
                await self._refresh_facts()
        finally:
            self._heartbeat.attempt = None
            self._options.service_manager.tell("waits for work")
            shutil.rmtree(folder, ignore_errors=True)

    async def _keep(self, attempt: ActiveAttempt, outcome: task_pb2.Outcome, folder: Path) -> bool:
        """Spools an outcome. While the disk does not take it the agent waits, and the lease with it: True once it did.

        What is given back needs no disk and is committed at once.
        """
        while not await self._spool(attempt, outcome, folder):
            if attempt.stop_reason is StopReason.LOST:
                return False
            if attempt.stop_reason is not None or outcome.HasField("returned"):
                back = task_pb2.Outcome(returned=task_pb2.Returned(reason=await asyncio.to_thread(self._disk.fault)))
                await self._retry.until_done(partial(self._delivery.commit, attempt.token, back))
                return False
            await self._is_paused()
        return True

    async def _spool(self, attempt: ActiveAttempt, outcome: task_pb2.Outcome, folder: Path) -> bool:
        """False where the disk does not take it."""
        try:
            await self._delivery.keep(attempt.token, outcome, folder)
        except (JetfleetError, OSError) as error:
            if not is_of_the_disk(error):
                raise
            self._disk.suspect(error)
            return False
        return True

    async def _fetch_and_run(self, attempt: ActiveAttempt, folder: Path) -> task_pb2.Outcome:
        if (refused := self._own_engines.fault(attempt.task)) is not None:
            return refused

        def on_progress(progress: task_pb2.Progress) -> None:
            if progress.phase != attempt.progress.phase:
                self._heartbeat.renew_soon()
            attempt.progress = progress

        try:
            on_progress(task_pb2.Progress(phase="fetch"))
            await fetch_inputs(attempt, self._link, self._blobs, blobs_from=self._options.blobs_from)
            wait = task_pb2.Progress(phase="wait", detail="another agent uses this hardware")
            turn = self._bench_lock.hold(stop=attempt.stop, on_wait=partial(on_progress, wait))
            async with self._recalled.undisturbed, turn as has_turn:
                if has_turn and not attempt.stop.is_set():
                    attempt.running = True
                    run = partial(run_attempt, attempt.task, folder, self._blobs.path, on_progress=on_progress)
                    run = partial(run, stop=attempt.stop, env=self._options.child_env)
                    return await self._board.under(attempt.task, run)
        except (JetfleetError, OSError) as error:
            if is_of_the_disk(error):
                self._disk.suspect(error)
            return infrastructure_failure(str(error), attempt.progress.phase)
        return infrastructure_failure("stopped", attempt.progress.phase)

    async def _without_blame(self, outcome: task_pb2.Outcome) -> task_pb2.Outcome:
        """A failure on a disk that is full or failing is no fault of the task, which is given back."""
        fault = await asyncio.to_thread(self._disk.fault) if outcome.HasField("failure") else ""
        return task_pb2.Outcome(returned=task_pb2.Returned(reason=fault)) if fault else outcome

    async def _refresh_facts(self) -> None:
        """The child found another runtime than the plan assumed: registers what there is now, to be planned anew."""
        self._facts = await asyncio.to_thread(self._options.read_facts)
        await self._retry.until_done(self._register)

    async def _leave(self) -> None:
        try:
            await self._link.leave(self._session_id, "drained")
        except JetfleetError as error:
            log.warning("could not sign off: %s", error.message)

    def _idle_for_too_long(self) -> bool:
        limit = self._options.idle_exit_s
        return limit is not None and time.monotonic() - self._worked_at > limit

    def _return_work(self) -> None:
        if self._heartbeat.attempt is not None:
            self._heartbeat.attempt.stop_for(StopReason.DRAIN)
