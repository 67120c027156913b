"""What every call passes: the protocol version on the way in, exceptions turned into statuses on the way out."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

from jetfleet.errors import Infrastructure, JetfleetError
from jetfleet.os_errors import explained
from jetfleet.rpc import check_protocol, to_status

log = logging.getLogger(__name__)

_OWN = "/jetfleet.v1."


class Interceptor(grpc.aio.ServerInterceptor):
    """Health and reflection pass unchanged: they belong to everybody's tools."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler = await continuation(handler_call_details)
        if handler is None or not str(handler_call_details.method).startswith(_OWN):
            return handler
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(
                _answering(handler.unary_unary), handler.request_deserializer, handler.response_serializer
            )
        if handler.stream_unary:
            return grpc.stream_unary_rpc_method_handler(
                _answering(handler.stream_unary), handler.request_deserializer, handler.response_serializer
            )
        return grpc.unary_stream_rpc_method_handler(
            _streaming(handler.unary_stream), handler.request_deserializer, handler.response_serializer
        )


def _answering(method: Any) -> Any:
    async def guarded(request: Any, context: Any) -> Any:
        try:
            check_protocol(context.invocation_metadata())
            return await method(request, context)
        except Exception as error:
            await _abort(context, error)

    return guarded


def _streaming(method: Any) -> Any:
    async def guarded(request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            check_protocol(context.invocation_metadata())
            async for response in method(request, context):
                yield response
        except Exception as error:
            await _abort(context, error)

    return guarded


async def _abort(context: Any, error: Exception) -> None:
    """Ends the call with what the caller needs to know; a bug is told apart, and logged with its trace."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, OSError) and (told := explained(error)):
        log.error("the operating system refused: %s", error)
        error = told
    if not isinstance(error, JetfleetError):
        log.error("a bug in the controller", exc_info=error)
        error = Infrastructure(f"the controller met a bug: {type(error).__name__}", hint="its log has the details")
    code, message, metadata = to_status(error)
    await context.abort(code, message, tuple(metadata))
