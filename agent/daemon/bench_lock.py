"""One user of the hardware at a time on this host, whatever controller, container, user or temp folder an agent has.

The controller already sees to it among its own agents; this holds between those of different controllers. A file lies
in each of two fixed folders that everybody may write to; whoever shares one of them waits. Who comes first is served
first: a ticket is a byte that its owner locks, and a turn begins when every lower one is free. The kernel frees the
bytes of a process that dies, in the queue or at its head. Nothing is polled.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import struct
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from jetfleet.errors import Infrastructure

PLACES = (Path("/run/lock"), Path("/dev") / "shm")  # neither is a temp folder, nor what systemd's PrivateTmp replaces

_DOOR = 1 << 40  # the byte that is locked while a ticket is drawn; tickets are those below
_FLOCK = "hhqqi4x"  # struct flock: type, whence, start, length, pid


class BenchLock:
    """The lock of one bench domain."""

    def __init__(self, bench_domain: str, places: Sequence[Path] = PLACES) -> None:
        self._name = f"jetfleet-bench-{hashlib.sha256(bench_domain.encode()).hexdigest()[:16]}.lock"
        self._places = places

    def fault(self) -> str:
        """Why the lock cannot be taken on this host, or an empty string."""
        try:
            handles = self._open_all()
        except Infrastructure as error:
            return error.message
        for handle in handles:
            os.close(handle)
        return ""

    @contextlib.asynccontextmanager
    async def hold(self, *, stop: asyncio.Event, on_wait: Callable[[], None]) -> AsyncIterator[bool]:
        """Waits for this agent's turn, as long as it takes; False if `stop` came first.

        `on_wait` is called once where somebody else is in front. Raises Infrastructure where there is no place for it.
        """
        turn = _Turn(self._open_all())
        stopped = asyncio.ensure_future(stop.wait())
        try:
            if not turn.try_now():
                on_wait()
                waiting: set[asyncio.Future[Any]] = {turn.wait_in_thread(), stopped}
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            yield turn.has_come
        finally:
            stopped.cancel()
            turn.leave()

    def _open_all(self) -> list[int]:
        """The lock file in every place that can be written. Raises Infrastructure if there is none."""
        handles, refused = [], []
        for place in self._places:
            try:
                handles.append(_open_shared(place / self._name))
            except OSError as error:
                refused.append(f"{place}: {error.strerror}")
        if not handles:
            raise Infrastructure(
                f"no place for the lock of this hardware ({'; '.join(refused)})",
                hint=f"let the agent write to {self._places[0]}; into a container it is mounted from the host",
            )
        return handles


class _Turn:
    """A place in the queue of each file. The files are closed by `leave`, or by the thread that still waits then."""

    def __init__(self, handles: Sequence[int]) -> None:
        self._handles = handles
        self._tickets: list[int] = []
        self._guard = threading.Lock()
        self._gone = False
        self._waiting = False
        self.has_come = False

    def try_now(self) -> bool:
        """Whether nobody is in front."""
        self.has_come = all(self._advance(handle, fcntl.F_OFD_SETLK) for handle in self._handles)
        return self.has_come

    def wait_in_thread(self) -> "asyncio.Future[None]":
        """Done when the turn has come. A thread of its own: one of a pool would have to end before the agent may."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def announce() -> None:
            if not done.done():
                done.set_result(None)

        def wait() -> None:
            for handle in self._handles[max(0, len(self._tickets) - 1) :]:
                self._advance(handle, fcntl.F_OFD_SETLKW)
            if self._arrive():
                with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                    loop.call_soon_threadsafe(announce)

        self._waiting = True
        threading.Thread(target=wait, name="bench-lock", daemon=True).start()
        return done

    def leave(self) -> None:
        with self._guard:
            self._gone = True
            if not self._waiting:
                self._close()

    def _arrive(self) -> bool:
        """The wait is over; False if nobody wants the turn any more."""
        with self._guard:
            self._waiting = False
            if self._gone:
                self._close()
            self.has_come = not self._gone
            return self.has_come

    def _close(self) -> None:
        for handle in self._handles:
            os.close(handle)

    def _advance(self, handle: int, how: int) -> bool:
        """Draws a ticket for a file, once, and takes the turn if every lower ticket is free, or when it is."""
        index = self._handles.index(handle)
        if index == len(self._tickets):
            self._tickets.append(_draw_ticket(handle))
        ticket = self._tickets[index]
        return ticket == 0 or _lock(handle, how, fcntl.F_RDLCK, start=0, length=ticket)


def _draw_ticket(handle: int) -> int:
    """The number above all that are taken, locked."""
    _lock(handle, fcntl.F_OFD_SETLKW, fcntl.F_WRLCK, start=_DOOR, length=1)
    try:
        ticket = 0
        while (taken := _find_lock(handle, start=ticket)) is not None:
            ticket = taken + 1
        _lock(handle, fcntl.F_OFD_SETLK, fcntl.F_WRLCK, start=ticket, length=1)
        return ticket
    finally:
        _lock(handle, fcntl.F_OFD_SETLK, fcntl.F_UNLCK, start=_DOOR, length=1)


def _find_lock(handle: int, *, start: int) -> int | None:
    """The last byte of some lock that others hold at or above `start`."""
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, start, _DOOR - start, 0)
    kind, _, begin, length, _ = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_OFD_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else int(begin + length - 1)


def _lock(handle: int, how: int, kind: int, *, start: int, length: int) -> bool:
    """False where `how` does not wait and somebody is in the way."""
    try:
        fcntl.fcntl(handle, how, struct.pack(_FLOCK, kind, os.SEEK_SET, start, length, 0))
    except BlockingIOError:
        return False
    return True


def _open_shared(path: Path) -> int:
    """A file that every user of this host can open and lock; made whole, so that nobody meets it half-made."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(FileNotFoundError):
        return os.open(path, flags)
    made = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    handle = os.open(made, flags | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.fchmod(handle, 0o666)
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
    finally:
        os.close(handle)
        os.unlink(made)
    return os.open(path, flags)
