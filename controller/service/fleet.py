"""What agents say: register, claim, renew, commit, leave. Translates and times; the store decides."""

import asyncio
import logging
import math
from dataclasses import replace
from functools import partial
from typing import Any

import grpc

from controller.core.keys import digest
from controller.model.access import Caller, CallerRole
from controller.model.codec import dump
from controller.model.engine import Built
from controller.model.facts import OWN_ENGINES_ONLY
from controller.model.lease import Directive, Measured, Outcome, Registration
from controller.model.task import Failure, Progress
from controller.service.bounds import MOST_HELD, MOST_OUTCOME_BYTES, check_length, check_registration, short_outcome
from controller.service.context import ServiceContext
from controller.service.directory import Directory, wall_clock
from controller.service.files import missing_files
from controller.service.identity import current_caller
from controller.service.liveness import BoardPulse
from controller.service.pace import Pace
from controller.service.possession import Possession
from controller.store.commands.claim import claim
from controller.store.commands.commit import commit
from controller.store.commands.depart import leave
from controller.store.commands.register import register
from controller.store.commands.renew import start_attempts
from controller.store.queries.devices import OpenBoard
from controller.store.queries.leases import renewal
from controller.store.queries.tasks import has_work_ahead
from controller.wire.enums import DIRECTIVE
from controller.wire.lease import REGISTERED, REGISTRATION, lease_to_pb, outcome_from_pb, unusable
from controller.wire.time import to_duration
from controller.wire.view import PROGRESS
from jetfleet.errors import BadInput, Infrastructure, StaleAttempt
from jetfleet.log_fields import note_fields
from jetfleet.plausible import impossible_number
from jetfleet.v1 import fleet_pb2, fleet_pb2_grpc

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[object, object]

_MAX_WAIT_S = 30.0
_MOST_REASON = 500
# Of one board: an agent that a service manager starts again and again stays below it.
_MOST_REGISTRATIONS, _REGISTRATION_S = 200, 5.0
# A session heard from this recently is surely alive: two of these with one device id are two boards.
_TWIN_S = 10.0


class FleetService(fleet_pb2_grpc.FleetServicer):
    def __init__(self, service: ServiceContext, directory: Directory, possession: Possession) -> None:
        self._service, self._directory, self._possession = service, directory, possession
        self._registrations = Pace(burst=_MOST_REGISTRATIONS, every_s=_REGISTRATION_S)

    async def Register(self, request: fleet_pb2.RegisterRequest, context: Context) -> fleet_pb2.RegisterResponse:
        service, caller, who = self._service, current_caller(), self._enrolled(REGISTRATION.decode(request))
        note_fields(device=who.device_id)
        if caller.role is CallerRole.AGENT:  # each may leave a session and facts behind
            self._registrations.take(caller.device_id, what="registrations of one board")
        if not service.options.foreign_engines:
            who = replace(who, facts={**who.facts, OWN_ENGINES_ONLY: True})
        check_registration(who)
        who = replace(who, bench_domain=digest(who.bench_domain))  # who reads of a domain cannot claim to be in it
        twins = service.liveness.alive(within_s=min(_TWIN_S, service.liveness.lease_s / 2))
        registered = await service.write(partial(register, who=who, alive=twins))
        service.liveness.hear(who.session_id)
        service.boards[who.session_id] = OpenBoard(who.device_id, who.bench_domain, dump(dict(who.facts)))
        service.liveness.renew(registered.open)
        service.skew.forget(who.device_id)
        service.news.notify_all()
        log.info("session %s registered as %s", who.session_id[:8], registered.device_name)
        return REGISTERED.encode(
            registered,
            lease=to_duration(service.options.lease_s),
            renew_every=to_duration(service.options.renew_s),
            **self._certificate(caller),
        )

    async def Claim(self, request: fleet_pb2.ClaimRequest, context: Context) -> fleet_pb2.ClaimResponse:
        if not request.request_id:
            raise BadInput("a claim without request_id")
        check_length(request.request_id, "request_id")
        service = self._service
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(request.wait.ToNanoseconds() / 1e9, _MAX_WAIT_S)
        board = service.boards.get(request.session_id)
        domain = board.bench_domain if board else ""
        note_fields(device=board.device_id if board else "")
        while not service.stopping.is_set():
            seen = service.work.count(domain)
            lease = await service.write(
                partial(
                    claim,
                    session_id=request.session_id,
                    request_id=request.request_id,
                    alive=service.liveness.alive(),
                )
            )
            service.liveness.hear(request.session_id)
            if lease is not None:
                note_fields(task=lease.task_id, attempt=lease.token)
                service.liveness.renew([lease.token])
                service.news.notify_all()
                log.info("task %d (%s) leased, attempt %s", lease.task_id, lease.name, lease.token[:8])
                return fleet_pb2.ClaimResponse(lease=lease_to_pb(lease, lease_s=service.options.lease_s))
            if loop.time() >= deadline:
                break
            await service.work.wait(seen, timeout_s=deadline - loop.time(), topic=domain)
        if not request.may_leave or board is None:
            return fleet_pb2.ClaimResponse()
        is_ahead = await service.read(partial(has_work_ahead, device_id=board.device_id))
        return fleet_pb2.ClaimResponse(work_ahead=is_ahead)

    async def Renew(self, request: fleet_pb2.RenewRequest, context: Context) -> fleet_pb2.RenewResponse:
        service = self._service
        if len(request.attempts) > MOST_HELD:
            raise BadInput(f"{len(request.attempts)} attempts in one Renew", expected=f"at most {MOST_HELD}")
        progress = {report.attempt_token: _short(PROGRESS.decode(report.progress)) for report in request.attempts}
        tokens = list(progress)
        found = await service.read(partial(renewal, session_id=request.session_id, tokens=tokens))
        service.liveness.hear(request.session_id)
        service.liveness.paused[request.session_id] = request.paused_reason[:_MOST_REASON]
        service.liveness.pulses[request.session_id] = _pulse(request)
        kept = [token for token, directive in found.items() if directive is not Directive.LOST]
        service.liveness.renew(kept)
        service.liveness.progress.update({token: progress[token] for token in kept})
        await self._note_started(request, kept)
        service.recall.hear(request.session_id, holds=request.holds, lacks=request.lacks)
        answer = fleet_pb2.RenewResponse(
            answers=[
                fleet_pb2.RenewResponse.Answer(attempt_token=token, directive=DIRECTIVE.encode(directive))
                for token, directive in found.items()
            ],
            drain=service.stopping.is_set(),
            lease=to_duration(service.options.lease_s),
            wanted=service.recall.ask(request.session_id),
        )
        answer.now.GetCurrentTime()
        return answer

    async def Commit(self, request: fleet_pb2.CommitRequest, context: Context) -> fleet_pb2.CommitResponse:
        service = self._service
        board = service.boards.get(request.session_id)
        note_fields(attempt=request.attempt_token, device=board.device_id if board else "")
        outcome = await self._checked(request)
        committed = await service.write(
            partial(commit, session_id=request.session_id, token=request.attempt_token, outcome=outcome)
        )
        service.tally.attempts["STALE" if committed.stale else _word(outcome)] += 1
        if committed.stale:
            log.warning("attempt %s: a stale result does not count: %s", request.attempt_token[:8], committed.stale)
            raise StaleAttempt(f"the result does not count: {committed.stale}")
        service.liveness.end(request.attempt_token)
        self._possession.note_result(current_caller())
        service.news.notify_all()
        log.info("attempt %s committed, task is %s", request.attempt_token[:8], committed.task_state)
        return fleet_pb2.CommitResponse(task_state=committed.task_state)

    async def Leave(self, request: fleet_pb2.LeaveRequest, context: Context) -> fleet_pb2.LeaveResponse:
        service = self._service
        reason = request.reason[:_MOST_REASON] or "left"
        await service.write(partial(leave, session_id=request.session_id, reason=reason))
        service.liveness.forget(request.session_id)
        service.recall.forget(request.session_id)
        service.boards.pop(request.session_id, None)
        service.news.notify_all()
        return fleet_pb2.LeaveResponse()

    def _enrolled(self, who: Registration) -> Registration:
        """What an invitation bound goes before what a board says, and the transport before both."""
        member = self._directory.member(current_caller().device_id)
        if member is None:
            return who
        return replace(
            who,
            enrolled=True,
            name=member.name or who.name,
            name_asked=bool(member.name) or who.name_asked,
            hardware_serial=member.hardware_serial,
            facts={**who.facts, **{f"label.{name}": value for name, value in member.labels.items()}},
        )

    def _certificate(self, caller: Caller) -> dict[str, Any]:
        """How long the caller's newest certificate lives, for agents that renew theirs."""
        member = self._directory.member(caller.device_id)
        if member is None:
            return {}
        left_s = (member.expires_at - wall_clock()).total_seconds()
        whole_s = (member.expires_at - member.issued_at).total_seconds()
        return {"certificate_left": to_duration(max(0.0, left_s)), "certificate_lifetime": to_duration(whole_s)}

    async def _note_started(self, request: fleet_pb2.RenewRequest, kept: list[str]) -> None:
        running = [report.attempt_token for report in request.attempts if report.running]
        started = [token for token in kept if token in running and self._service.liveness.start(token)]
        if started:
            await self._service.write(partial(start_attempts, tokens=started))
        if kept:
            self._service.news.notify_all()

    async def _checked(self, request: fleet_pb2.CommitRequest) -> Outcome:
        """The outcome, if every file that it names is here; I5 is decided before the transaction."""
        try:
            outcome = short_outcome(outcome_from_pb(request.outcome))
        except BadInput as error:
            return unusable(request.outcome, error.message)
        size = len(outcome.raw)
        if size > MOST_OUTCOME_BYTES and not isinstance(outcome.end, Failure):
            return unusable(request.outcome, f"{size} bytes, of at most {MOST_OUTCOME_BYTES}")
        if fault := impossible_number(request.outcome):
            return unusable(request.outcome, f"a number that cannot be: {fault}")
        wanted = [item.sha256 for item in outcome.artifacts]
        if isinstance(outcome.end, Built):
            wanted.append(outcome.end.engine.sha256)
        elif isinstance(outcome.end, Measured):
            wanted += [file.sha256 for item in outcome.end.measurements for file in item.sample_files]
        missing = await missing_files(self._service, wanted)
        if unproven := await self._possession.unproven(current_caller(), {*wanted, *_caches(outcome)} - set(missing)):
            raise Infrastructure(f"{len(unproven)} files of the outcome are to be sent once more", hint="send them")
        if missing:
            raise BadInput(f"the outcome names files that were not uploaded: {', '.join(missing)[:200]}")
        return await self._without_lost_timings(outcome)

    async def _without_lost_timings(self, outcome: Outcome) -> Outcome:
        """An engine counts without its timing cache: that only makes the next build faster."""
        end = outcome.end
        if not isinstance(end, Built) or end.timing_cache is None:
            return outcome
        if await missing_files(self._service, [end.timing_cache.sha256]):
            log.warning("a timing cache was not uploaded and is left out: %s", end.timing_cache.sha256[:12])
            return replace(outcome, end=replace(end, timing_cache=None))
        return outcome


def _short(progress: Progress) -> Progress:
    """Every message about the job carries it."""
    return replace(progress, phase=progress.phase[:_MOST_REASON], detail=progress.detail[:_MOST_REASON])


def _caches(outcome: Outcome) -> set[str]:
    """The timing cache of a build: it will be handed to others."""
    made = outcome.end.timing_cache if isinstance(outcome.end, Built) else None
    return {made.sha256} if made else set()


def _pulse(request: fleet_pb2.RenewRequest) -> BoardPulse:
    """What is no number at all is not shown."""
    ahead = request.clock_ahead_s if request.HasField("clock_ahead_s") else None
    if ahead is not None and not (math.isfinite(ahead) and math.isfinite(request.clock_bound_s)):
        ahead = None
    free = request.disk_free_bytes if request.HasField("disk_free_bytes") else None
    return BoardPulse(free, ahead, request.clock_bound_s if ahead is not None else 0.0)


def _word(outcome: Outcome) -> str:
    """What the tally calls it."""
    end = outcome.end
    return end.kind.value if isinstance(end, Failure) else type(end).__name__.upper()
