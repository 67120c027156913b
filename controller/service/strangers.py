"""Connections on which nobody has shown yet who he is: so many from one address, and no more.

gRPC bounds the connections of a port, and who fills that bound keeps others out. So they are counted by the address
from which they come; what is too much is closed, the oldest first: who is known says so with the first call.
"""

import asyncio
import contextlib
import ipaddress
import logging
import os
import socket
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

log = logging.getLogger(__name__)

MOST_UNKNOWN = 64  # of one address; IPv6 gives a host a network of its own, 64 bits long
_MOST_KNOWN = 20_000
_PERIOD_S, _ANYWAY_S = 1.0, 30.0
_TOLD_EVERY_S = 60.0

Connections: TypeAlias = Sequence["OpenConnection"]


@dataclass(frozen=True)
class OpenConnection:
    """One of this process's: its file descriptor, and the other end as gRPC spells it."""

    handle: int
    peer: str
    host: str  # whom it counts for


class Strangers:
    """`list_open` finds the connections of the ports that are served, `close` ends one. To list those of a thousand
    boards takes some milliseconds: it is done where more files are open than are accounted for, and now and then.
    """

    def __init__(
        self,
        *,
        list_open: "Callable[[Collection[int]], Connections] | None" = None,
        close: "Callable[[OpenConnection], None] | None" = None,
        count_files: Callable[[], int] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._list_open, self._close = list_open or open_connections, close or shut
        self._count_files, self._now = count_files or _open_files, now
        self._known: dict[str, None] = {}  # peers, the one that called last at the end
        self._first_seen: dict[str, float] = {}
        self._told_at = self._looked_at = -_TOLD_EVERY_S

    def know(self, peer: str) -> None:
        """A call came over this connection from somebody who may call."""
        self._known.pop(peer, None)
        self._known[peer] = None
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]

    @contextlib.asynccontextmanager
    async def bounded(self, ports: Collection[int]) -> AsyncIterator[None]:
        """Meanwhile looks once a second; `ports` are those of TCP that are served."""
        looks = asyncio.create_task(self._look_periodically(ports)) if ports else None
        try:
            yield
        finally:
            if looks is not None:
                looks.cancel()
                await asyncio.wait({looks})

    async def _look_periodically(self, ports: Collection[int]) -> None:
        while True:
            await asyncio.sleep(_PERIOD_S)
            self.look(ports)

    def look(self, ports: Collection[int]) -> int:
        """Closes what is too much; how many that was."""
        now, unknown = self._now(), defaultdict(list)
        is_due = now - self._looked_at >= _ANYWAY_S
        if not is_due and self._count_files() <= MOST_UNKNOWN + len(self._known):
            return 0
        self._looked_at, found = now, self._list_open(ports)
        there = {item.peer for item in found}
        self._known = {peer: None for peer in self._known if peer in there}
        for item in found:
            if item.peer not in self._known:
                unknown[item.host].append(item)
        peers = {item.peer for items in unknown.values() for item in items}
        self._first_seen = {peer: self._first_seen.get(peer, now) for peer in peers}
        count = 0
        for host, items in unknown.items():
            items.sort(key=lambda item: self._first_seen[item.peer])
            for item in items[:-MOST_UNKNOWN]:
                self._close(item)
                count += 1
            if len(items) > MOST_UNKNOWN:
                self._tell(host, len(items))
        return count

    def _tell(self, host: str, count: int) -> None:
        if self._now() - self._told_at >= _TOLD_EVERY_S:
            self._told_at = self._now()
            log.warning("%d connections from %s of nobody known: all but %d are closed", count, host, MOST_UNKNOWN)


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def open_connections(ports: Collection[int]) -> Connections:
    """This process's TCP connections to these ports of its own."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError), _borrowed(int(name)) as end:
            own, other = end.getsockname(), end.getpeername()
            if end.family in (socket.AF_INET, socket.AF_INET6) and own[1] in ports:
                found.append(_connection(int(name), other[0], other[1]))
    return found


def shut(connection: OpenConnection) -> None:
    """Ends it for both sides; gRPC, whose it is, notices and closes it."""
    with contextlib.suppress(OSError), _borrowed(connection.handle) as end:
        other = end.getpeername()
        if _connection(connection.handle, other[0], other[1]) == connection:
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _borrowed(handle: int) -> Iterator[socket.socket]:
    """A socket by its descriptor, which stays whose it is: neither copied nor closed, because closing a copy of a file
    that SQLite has open would end its locks. Raises OSError where it is no socket.
    """
    if not os.readlink(f"/proc/self/fd/{handle}").startswith("socket:"):
        raise OSError("another kind of file")
    end = socket.socket(fileno=handle)
    try:
        yield end
    finally:
        end.detach()


def _connection(handle: int, address: str, port: int) -> OpenConnection:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    if isinstance(found, ipaddress.IPv4Address):
        return OpenConnection(handle, f"ipv4:{found}:{port}", str(found))
    network = ipaddress.ip_network((found, 64), strict=False)
    return OpenConnection(handle, f"ipv6:%5B{found}%5D:{port}", str(network))
