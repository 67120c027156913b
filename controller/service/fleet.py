"""What agents say: register, claim, renew, commit, leave. Translates and times; the store decides."""

import asyncio
import logging
from dataclasses import replace
from functools import partial

import grpc
from sqlalchemy import Connection

from controller.model.engine import Built
from controller.model.lease import BuildWork, Directive, Measured, Outcome
from controller.service.context import House
from controller.store.commands import claim as leases
from controller.store.commands import commit as commits
from controller.store.commands import register as devices
from controller.wire.lease import (
    DIRECTIVE,
    lease_to_pb,
    outcome_from_pb,
    registration_from_pb,
    unusable,
)
from controller.wire.time import to_duration
from controller.wire.view import progress_from_pb
from jetfleet.errors import BadInput, StaleAttempt
from jetfleet.v1 import fleet_pb2, fleet_pb2_grpc

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[object, object]

_MAX_WAIT_S = 30.0
# A session heard from this recently is surely alive: two of these with one device id are two boards.
_TWIN_S = 10.0


class FleetService(fleet_pb2_grpc.FleetServicer):
    def __init__(self, house: House) -> None:
        self._house = house

    async def Register(self, request: fleet_pb2.RegisterRequest, context: Context) -> fleet_pb2.RegisterResponse:
        house, who = self._house, registration_from_pb(request)
        twins = house.pulse.alive(within_s=min(_TWIN_S, house.pulse.lease_s / 2))
        registered = await house.write(partial(devices.register, who=who, alive=twins))
        house.pulse.hear(who.session_id)
        house.rooms[who.session_id] = who.bench_domain
        house.pulse.renew(set(who.held) - set(registered.lost))
        house.changed()
        log.info("session %s registered as %s", who.session_id[:8], registered.device_name)
        return fleet_pb2.RegisterResponse(
            device_name=registered.device_name,
            lease=to_duration(house.options.lease_s),
            renew_every=to_duration(house.options.renew_s),
            lost_attempts=registered.lost,
        )

    async def Claim(self, request: fleet_pb2.ClaimRequest, context: Context) -> fleet_pb2.ClaimResponse:
        if not request.request_id:
            raise BadInput("a claim without request_id")
        house = self._house
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(request.wait.ToNanoseconds() / 1e9, _MAX_WAIT_S)
        house.pulse.hear(request.session_id)
        room = house.rooms.get(request.session_id, "")
        while not house.stopping.is_set():
            seen = house.work.rung(room)
            lease = await house.write(
                partial(
                    leases.claim,
                    session_id=request.session_id,
                    request_id=request.request_id,
                    alive=house.pulse.alive(),
                    has_blob=house.blobs.has,
                )
            )
            if lease is not None:
                house.pulse.renew([lease.token])
                house.news.ring()
                if isinstance(lease.work, BuildWork):  # it may have been planned just now, and others with it
                    house.work.ring()
                log.info("task %d (%s) leased, attempt %s", lease.task_id, lease.name, lease.token[:8])
                return fleet_pb2.ClaimResponse(lease=lease_to_pb(lease, lease_s=house.options.lease_s))
            if loop.time() >= deadline:
                break
            await house.work.wait(seen, timeout_s=deadline - loop.time(), room=room)
        return fleet_pb2.ClaimResponse()

    async def Renew(self, request: fleet_pb2.RenewRequest, context: Context) -> fleet_pb2.RenewResponse:
        house = self._house
        tokens = [report.attempt_token for report in request.attempts]
        found = await house.read(partial(_renewal, session_id=request.session_id, tokens=tokens))
        house.pulse.hear(request.session_id)
        kept = [token for token, directive in found.items() if directive is not Directive.LOST]
        house.pulse.renew(kept)
        await self._note_progress(request, kept)
        return fleet_pb2.RenewResponse(
            answers=[
                fleet_pb2.RenewResponse.Answer(attempt_token=token, directive=DIRECTIVE[directive])
                for token, directive in found.items()
            ],
            drain=house.stopping.is_set(),
            lease=to_duration(house.options.lease_s),
        )

    async def Commit(self, request: fleet_pb2.CommitRequest, context: Context) -> fleet_pb2.CommitResponse:
        house = self._house
        outcome = self._checked(request)
        committed = await house.write(
            partial(commits.commit, session_id=request.session_id, token=request.attempt_token, outcome=outcome)
        )
        house.pulse.end(request.attempt_token)
        house.ended(request.session_id, others_too=committed.frees_others)
        if committed.stale:
            log.warning("attempt %s: stale result kept as orphan: %s", request.attempt_token[:8], committed.stale)
            raise StaleAttempt(f"the result does not count: {committed.stale}")
        log.info("attempt %s committed, task is %s", request.attempt_token[:8], committed.task_state)
        return fleet_pb2.CommitResponse(task_state=committed.task_state)

    async def Leave(self, request: fleet_pb2.LeaveRequest, context: Context) -> fleet_pb2.LeaveResponse:
        house = self._house
        await house.write(partial(devices.leave, session_id=request.session_id, reason=request.reason or "left"))
        house.pulse.forget(request.session_id)
        house.rooms.pop(request.session_id, None)
        house.changed()
        return fleet_pb2.LeaveResponse()

    async def _note_progress(self, request: fleet_pb2.RenewRequest, kept: list[str]) -> None:
        started = []
        for report in request.attempts:
            if report.attempt_token in kept:
                if report.running and self._house.pulse.start(report.attempt_token):
                    started.append(report.attempt_token)
                self._house.pulse.progress[report.attempt_token] = progress_from_pb(report.progress)
        if started:
            await self._house.write(partial(leases.start_attempts, tokens=started))
        if kept:
            self._house.news.ring()

    def _checked(self, request: fleet_pb2.CommitRequest) -> Outcome:
        """The outcome, if every file that it names is here; I5 is decided before the transaction."""
        raw = request.outcome.SerializeToString()
        try:
            outcome = outcome_from_pb(request.outcome)
        except BadInput as error:
            return unusable(f"the agent sent an outcome that makes no sense: {error.message}", raw)
        wanted = [item.sha256 for item in outcome.artifacts]
        if isinstance(outcome.end, Built):
            wanted.append(outcome.end.engine.sha256)
        elif isinstance(outcome.end, Measured):
            wanted += [item.samples.sha256 for item in outcome.end.measurements if item.samples]
        missing = [sha256 for sha256 in wanted if not self._house.blobs.has(sha256)]
        if missing:
            raise BadInput(f"the outcome names files that were not uploaded: {', '.join(missing)[:200]}")
        return self._without_lost_timings(outcome)

    def _without_lost_timings(self, outcome: Outcome) -> Outcome:
        """An engine counts without its timing cache: that only makes the next build faster."""
        end = outcome.end
        if isinstance(end, Built) and end.timing_cache and not self._house.blobs.has(end.timing_cache.sha256):
            log.warning("a timing cache was not uploaded and is left out: %s", end.timing_cache.sha256[:12])
            return replace(outcome, end=replace(end, timing_cache=None))
        return outcome


def _renewal(connection: Connection, session_id: str, tokens: list[str]) -> dict[str, Directive]:
    devices.current_device(connection, session_id)
    return leases.directives(connection, session_id, tokens)
