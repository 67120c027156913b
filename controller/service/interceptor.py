"""What every call passes: who calls, whether that one may, the protocol version; and exceptions turned into statuses.

Nothing of a call has an effect before all of it was passed. A method without a row in the table of access is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc

from controller.model.access import Caller, CallerRole
from controller.service.access import AccessRow, Reach, row_name, row_of
from controller.service.context import ServiceContext
from controller.service.directory import Directory
from controller.service.identity import caller_of, known_caller, set_caller
from controller.service.ownership import Ownership
from controller.service.refusals import Refusals
from controller.service.skew import Skew
from controller.service.strangers import Strangers
from controller.service.tally import RunningTally
from jetfleet.errors import Denied, Infrastructure, JetfleetError, NeedsUpgrade, Unauthenticated
from jetfleet.log_fields import note_fields
from jetfleet.os_errors import explained
from jetfleet.rpc import check_protocol, to_status, version_of

log = logging.getLogger(__name__)

_OWN = "/jetfleet.v1."
_LONGEST_ID = 256


class Interceptor(grpc.aio.ServerInterceptor):
    """Health and reflection speak no protocol of ours: only the caller is looked at."""

    def __init__(
        self,
        directory: Directory,
        ownership: Ownership,
        refusals: Refusals,
        service: ServiceContext,
        strangers: Strangers,
    ) -> None:
        self._directory, self._ownership, self._refusals, self._service = directory, ownership, refusals, service
        self._strangers = strangers

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = str(handler_call_details.method)
        service = self._service
        gate = _Gate(
            method,
            row_of(method),
            self._directory,
            self._ownership,
            self._refusals,
            service.tally,
            service.skew,
            self._strangers,
        )
        wrap = {
            (False, False): (grpc.unary_unary_rpc_method_handler, handler.unary_unary, gate.answering),
            (True, False): (grpc.stream_unary_rpc_method_handler, handler.stream_unary, gate.answering),
            (False, True): (grpc.unary_stream_rpc_method_handler, handler.unary_stream, gate.streaming),
            (True, True): (grpc.stream_stream_rpc_method_handler, handler.stream_stream, gate.streaming),
        }
        make, inner, through = wrap[handler.request_streaming, handler.response_streaming]
        return make(through(inner), handler.request_deserializer, handler.response_serializer)


@dataclass
class _CallOutcome:
    """How a call ended, for the tally."""

    status: str = "CANCELLED"


@dataclass(frozen=True)
class _Gate:
    """One method, with its row of the table."""

    method: str
    row: AccessRow | None
    directory: Directory
    ownership: Ownership
    refusals: Refusals
    tally: RunningTally
    skew: Skew
    strangers: Strangers

    async def pass_(self, request: Any, context: Any) -> Caller:
        """Raises Unauthenticated, Denied, NeedsUpgrade, NotFound."""
        caller = caller_of(context, self.directory)
        set_caller(caller)
        if caller.role is not CallerRole.STRANGER:
            self.strangers.know(str(context.peer()))
        note_fields(who=caller.user, role=caller.role.value, call=row_name(self.method), device=caller.device_id)
        reach = None if self.row is None else self.row.reach_of(caller.role)
        if reach is None and caller.role is CallerRole.STRANGER:
            raise Unauthenticated(
                "this controller answers nobody whom it does not know",
                hint="`controller login ADDRESS`, or JETFLEET_TOKEN in the environment",
            )
        if self.method.startswith(_OWN):
            check_protocol(context.invocation_metadata())
        if self.row is None or reach is None:
            raise Denied(f"{caller.user} ({caller.role.value}) may not call {row_name(self.method)}")
        if reach is Reach.OWN:
            await self.ownership.check(self.row.owned, caller, request)
        return caller

    def answering(self, method: Any) -> Any:
        async def guarded(request: Any, context: Any) -> Any:
            with self.timed() as outcome:
                try:
                    caller = await self.pass_(request, context)
                    with self.directory.open_call(caller):
                        answer = await _unless_ended(method(request, context), self.directory)
                    outcome.status = "OK"
                    return answer
                except Exception as error:
                    await self.abort(request, context, error, outcome)

        return guarded

    def streaming(self, method: Any) -> Any:
        if not inspect.isasyncgenfunction(method):  # it writes to the context itself, as the health service does
            return self.answering(method)

        async def guarded(request: Any, context: Any) -> AsyncIterator[Any]:
            with self.timed() as outcome:
                try:
                    caller = await self.pass_(request, context)
                    with self.directory.open_call(caller):
                        answers = aiter(method(request, context))
                        while (answer := await _unless_ended(anext(answers, None), self.directory)) is not None:
                            yield answer
                    outcome.status = "OK"
                except Exception as error:
                    await self.abort(request, context, error, outcome)

        return guarded

    def _note_skew(self, request: Any, context: Any, error: NeedsUpgrade) -> None:
        """A board that is turned away is one that people look for."""
        caller = known_caller()
        device_id = (caller.device_id if caller else "") or str(getattr(request, "device_id", ""))
        if device_id and row_name(self.method) == "Fleet/Register":
            name, version = str(getattr(request, "name", "")), version_of(context.invocation_metadata())
            self.skew.note(device_id[:_LONGEST_ID], name=name, version=version, why=f"{error.message}: {error.hint}")

    @contextlib.contextmanager
    def timed(self) -> Iterator[_CallOutcome]:
        """A call that says nothing else was given up by its caller."""
        outcome, began = _CallOutcome(), time.monotonic()
        try:
            yield outcome
        finally:
            self.tally.call_ended(row_name(self.method), outcome.status, time.monotonic() - began)

    async def abort(self, request: Any, context: Any, error: Exception, outcome: _CallOutcome) -> None:
        """Ends the call."""
        if isinstance(error, grpc.aio.AbortError):
            raise error
        told = _told(error)
        if isinstance(told, NeedsUpgrade):
            self._note_skew(request, context, told)
        await self.refusals.note(told, method=self.method, peer=str(context.peer()), caller=known_caller())
        code, message, metadata = to_status(told)
        outcome.status = code.name
        await context.abort(code, message, tuple(metadata))


async def _unless_ended(answer: Awaitable[Any], directory: Directory) -> Any:
    """Raises Unauthenticated where the caller was revoked meanwhile, or what it is known by has expired."""
    try:
        return await answer
    except asyncio.CancelledError:
        if directory.was_ended():
            raise Unauthenticated("this access was revoked, or expired, while the call was open") from None
        raise


def _told(error: Exception) -> JetfleetError:
    """What the caller needs to know; a bug is told apart, and logged with its trace."""
    if isinstance(error, OSError) and (told := explained(error)):
        log.error("the operating system refused: %s", error)
        error = told
    if isinstance(error, JetfleetError):
        return error
    log.error("a bug in the controller", exc_info=error)
    return Infrastructure(f"the controller met a bug: {type(error).__name__}", hint="its log has the details")
