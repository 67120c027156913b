"""`serve --metrics`: /metrics for readers and /healthz for anybody, over TLS 1.3 with the controller's certificate."""

import asyncio
import contextlib
import logging
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence

from controller.service.directory import Directory
from controller.service.identity import bearer
from controller.service.refusals import Refusals
from jetfleet.address import split_address
from jetfleet.errors import JetfleetError, PortTaken, Unauthenticated
from jetfleet.transport import ServerIdentity

log = logging.getLogger(__name__)

_PATIENCE_S = 10.0
_MOST_HEAD_BYTES = 16 << 10
_MOST_OPEN = 32
_PLAIN = "text/plain; charset=utf-8"
_METRICS = "text/plain; version=0.0.4; charset=utf-8"


class MetricsPort:
    """`scrape` makes the text; `is_serving` is what /healthz says."""

    def __init__(
        self,
        directory: Directory,
        refusals: Refusals,
        *,
        scrape: Callable[[], Awaitable[bytes]],
        is_serving: Callable[[], bool],
    ) -> None:
        self._directory, self._refusals = directory, refusals
        self._scrape, self._is_serving = scrape, is_serving
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self, address: str, identity: ServerIdentity) -> str:
        """HOST:PORT as it came to be. Raises PortTaken."""
        host, port = split_address(address)
        try:
            self._server = await asyncio.start_server(
                self._answer,
                host.strip("[]"),
                port,
                ssl=_tls(identity),
                ssl_handshake_timeout=_PATIENCE_S,
                limit=_MOST_HEAD_BYTES,
            )
        except OSError as error:
            raise PortTaken(
                f"cannot listen on {address}: {error.strerror}",
                where="--metrics",
                hint="choose another port (port 0 takes a free one)",
            ) from None
        return f"{host}:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        self._open += 1
        try:
            if self._open <= _MOST_OPEN:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PATIENCE_S)
                peer = "ipv4:{}:{}".format(*writer.get_extra_info("peername")[:2])
                writer.write(await self._response(head.decode("latin-1"), peer=peer))
                await asyncio.wait_for(writer.drain(), _PATIENCE_S)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.TimeoutError) as error:
            log.debug("a scrape broke off: %s", error)
        finally:
            self._open -= 1
            writer.close()
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), _PATIENCE_S)

    async def _response(self, head: str, *, peer: str) -> bytes:
        first, *lines = head.split("\r\n")
        method, path, *_ = (*first.split(" "), "", "")
        if method != "GET":
            return _response("405 Method Not Allowed", b"only GET\n", more="Allow: GET\r\n")
        if path == "/healthz":
            serving = self._is_serving()
            return _response("200 OK", b"ok\n") if serving else _response("503 Service Unavailable", b"stopping\n")
        if path.partition("?")[0] == "/metrics":
            return await self._metrics(_headers(lines), peer=peer)
        return _response("404 Not Found", b"/metrics and /healthz are here\n")

    async def _metrics(self, headers: Mapping[str, str], *, peer: str) -> bytes:
        try:
            self._directory.person(bearer(headers))
            return _response("200 OK", await self._scrape(), content_type=_METRICS)
        except Unauthenticated as error:
            await self._refusals.note(error, method="metrics", peer=peer, caller=None)
            return _response("401 Unauthorized", f"{error.message}\n".encode(), more="WWW-Authenticate: Bearer\r\n")
        except JetfleetError as error:
            return _response("503 Service Unavailable", f"{error.message}\n".encode())


def _headers(lines: Sequence[str]) -> dict[str, str]:
    return {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _response(status: str, body: bytes, *, content_type: str = _PLAIN, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{more}"
    return f"{head}Connection: close\r\n\r\n".encode() + body


def _tls(identity: ServerIdentity) -> ssl.SSLContext:
    """ssl reads keys from files only: this one never touches a disk."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.minimum_version = ssl.TLSVersion.TLSv1_3
    handle = os.memfd_create("identity", os.MFD_CLOEXEC)
    try:
        os.write(handle, identity.key_pem + identity.chain_pem)
        found.load_cert_chain(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)
    return found
