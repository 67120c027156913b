"""Channel and server options, and exceptions <-> gRPC status in both directions.

Keepalive: a half-open link is noticed after 15 s; the server allows pings every 5 s, because a default server kills
a client that pings every 10 s after 40 s.

Bounds of what somebody costs before it is known who he is: a connection that does not finish its handshake, or on which
nobody calls, is closed; each port takes so many connections, and each connection so many calls at once. What comes on
top of that waits on the client's side.
"""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeAlias

import grpc

from jetfleet.errors import JetfleetError, NeedsUpgrade, Unreachable, kinds
from jetfleet.v1 import error_pb2
from jetfleet.version import PROTOCOL, VERSION

Metadata: TypeAlias = Sequence[tuple[str, str | bytes]]

MESSAGE_BYTES = 4 << 20
MOST_CONNECTIONS = 8192  # of each port; every agent holds two
MOST_STREAMS = 256  # of each connection
HANDSHAKE_S, IDLE_S = 15, 300
_ERROR_KEY = "jetfleet-error-bin"
# gRPC drops a call whose trailing metadata is over 8 KiB, and with it the error that it was to explain.
_MESSAGE_BYTES = 2_000
_FIELD_BYTES = 700
_PROTOCOL_KEY = "jetfleet-protocol"
_VERSION_KEY = "jetfleet-version"

_SIZES = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
]
CHANNEL_OPTIONS: list[tuple[str, int]] = [
    *_SIZES,
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.enable_http_proxy", 0),
]
SERVER_OPTIONS: list[tuple[str, int]] = [
    *_SIZES,
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.so_reuseport", 0),
    ("grpc.server_handshake_timeout_ms", HANDSHAKE_S * 1000),
    ("grpc.max_connection_idle_ms", IDLE_S * 1000),
    ("grpc.max_concurrent_streams", MOST_STREAMS),
    ("grpc.max_allowed_incoming_connections", MOST_CONNECTIONS),
]

# Sent with every call, so that either side can name who must upgrade to what.
CALL_METADATA: tuple[tuple[str, str | bytes], ...] = ((_PROTOCOL_KEY, str(PROTOCOL)), (_VERSION_KEY, VERSION))


def check_protocol(metadata: Metadata, *, mine: int = PROTOCOL) -> None:
    """Raises NeedsUpgrade, naming the side to upgrade, if the caller speaks another protocol version."""
    sent = dict(metadata)
    theirs = str(sent.get(_PROTOCOL_KEY, "none"))
    if theirs == str(mine):
        return
    their_version = str(sent.get(_VERSION_KEY, "unknown"))
    caller = f"the caller (version {their_version}, protocol {theirs})"
    me = f"the controller (version {VERSION}, protocol {mine})"
    they_are_newer = theirs.isdecimal() and int(theirs) > mine
    old, version = ("the controller", their_version) if they_are_newer else ("the caller", VERSION)
    raise NeedsUpgrade(f"{caller} and {me} speak different protocol versions", hint=f"{old} needs upgrade to {version}")


def version_of(metadata: Metadata) -> str:
    """Of the caller's software, by its own word."""
    return str(dict(metadata).get(_VERSION_KEY, ""))


def to_status(error: JetfleetError) -> tuple[grpc.StatusCode, str, Metadata]:
    """Code, message and trailing metadata that carry an exception whole, or clipped where it is too long for that."""
    detail = error_pb2.ErrorDetail(
        kind=type(error).__name__,
        message=_clip(error.message, _MESSAGE_BYTES),
        where=_clip(error.where, _FIELD_BYTES),
        expected=_clip(error.expected, _FIELD_BYTES),
        hint=_clip(error.hint, _FIELD_BYTES),
    )
    return grpc.StatusCode[error.status], _clip(error.message, 200), [(_ERROR_KEY, detail.SerializeToString())]


def _clip(text: str, limit: int) -> str:
    data = text.encode(errors="replace")
    return text if len(data) <= limit else data[: limit - 3].decode(errors="ignore") + "..."


def from_status(error: grpc.RpcError, *, address: str) -> JetfleetError:
    """The exception that the other side raised, or what the status means for a user."""
    call: Any = error  # an RpcError that was raised is a grpc.Call; the stubs do not say so
    for key, value in call.trailing_metadata() or ():
        if key == _ERROR_KEY:
            detail = error_pb2.ErrorDetail.FromString(value)
            kind = kinds().get(detail.kind, JetfleetError)
            return kind(detail.message, where=detail.where, expected=detail.expected, hint=detail.hint)
    code: grpc.StatusCode = call.code()
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return Unreachable(
            f"the controller at {address} does not answer ({call.details()})",
            hint="is `controller serve` running there? see `controller serve --help`",
        )
    return JetfleetError(f"{code.name}: {call.details()}", where=address)


def raising(call: Callable[..., Any], *, address: str) -> Callable[..., Any]:
    """A unary call of a synchronous stub that raises the project's exceptions and carries the protocol version."""

    def wrapped(request: Any, *, timeout: float | None = None) -> Any:
        try:
            return call(request, timeout=timeout, metadata=CALL_METADATA)
        except grpc.RpcError as error:
            fail(error, address=address)

    return wrapped


def fail(error: grpc.RpcError, *, address: str) -> NoReturn:
    raise from_status(error, address=address) from None
