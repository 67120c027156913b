"""The helper's socket: who asks is taken from the kernel (SO_PEERCRED), never from what is sent.

One connection after the other, each with one request and little time: what hangs or floods holds nobody up for long.
Between connections it waits for the end of the process that has set something, which is then put back.
"""

import logging
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Container

from agent.helper.holder import Holder
from agent.helper.protocol import LENGTH_BYTES, BadFrame, content_bytes, frame, parse_request
from agent.helper.verbs import Verbs

log = logging.getLogger(__name__)

CONNECTION_S = 2.0
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid
_FIRST_DESCRIPTOR = 3  # sd_listen_fds(3)


def socket_from_systemd() -> socket.socket | None:
    """The socket that systemd listens on for this process; None where it was not started so."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    return socket.socket(fileno=_FIRST_DESCRIPTOR)


def serve_until_told(listener: socket.socket, verbs: Verbs, holder: Holder, *, allowed: Container[int]) -> None:
    """The same as `serve`, and an end by SIGTERM that leaves nothing set."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        serve(listener, verbs, holder, allowed=allowed)
    finally:
        verbs.restore_what_was_left()


def serve(
    listener: socket.socket,
    verbs: Verbs,
    holder: Holder,
    *,
    allowed: Container[int],
    connection_s: float = CONNECTION_S,
) -> None:
    """Answers until the process ends; `allowed` are the users that may ask, by number."""
    verbs.restore_what_was_left()
    while True:
        if not _has_caller(listener, holder):
            log.warning("the process that had set this board has ended")
            verbs.restore_what_was_left()
            continue
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(connection_s)
            try:
                handle(connection, verbs, allowed=allowed)
            except OSError as error:
                log.warning("a connection ended early: %s", error)


def _has_caller(listener: socket.socket, holder: Holder) -> bool:
    """Waits until somebody asks; False where the process that holds something ended first."""
    waiting: list[socket.socket | int] = [listener]
    if holder.descriptor is not None:
        waiting.append(holder.descriptor)
    ready, _, _ = select.select(waiting, [], [])
    return holder.descriptor not in ready if holder.descriptor is not None else True


def handle(connection: socket.socket, verbs: Verbs, *, allowed: Container[int]) -> None:
    """One request. Raises OSError where the other side hangs or has gone."""
    pid, uid, _ = _peer(connection)
    try:
        # Read before anything is refused: whoever still writes when the other side closes never hears why.
        content = receive(connection)
        if uid not in allowed:
            raise BadFrame("this user may not ask")
        request = parse_request(content)
    except BadFrame as error:
        log.warning("process %d of user %d: %s", pid, uid, error)
        connection.sendall(frame({"ok": False, "error": str(error)}))
        return
    said = verbs.answer(request, pid=pid)
    log.info("process %d of user %d: %.32r, %s", pid, uid, request.verb, "done" if said["ok"] else said["error"])
    connection.sendall(frame(said))


def receive(connection: socket.socket) -> bytes:
    """The content of one frame. Raises BadFrame, OSError."""
    return _exactly(connection, content_bytes(_exactly(connection, LENGTH_BYTES)))


def _exactly(connection: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = connection.recv(count - len(got))
        if not part:
            raise BadFrame(f"ended after {len(got)} of {count} bytes")
        got += part
    return got


def _peer(connection: socket.socket) -> tuple[int, int, int]:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(raw)
    return pid, uid, gid
