"""What a server owes to slow, silent and many callers: so many connections and no more, each with a time to ask in."""

import io
import socket
import threading
import time
from typing import Any

MOST_CONNECTIONS = 128
ASKED_WITHIN_S = 60.0  # a request, from its first byte awaited to its last one read
_LINGER_S = 1.0


class TimedReader(io.RawIOBase):
    """Reads a socket until a deadline, however few bytes come at a time. Raises TimeoutError."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._deadline = 0.0

    def start(self) -> None:
        """A request is awaited from now on."""
        self._deadline = time.monotonic() + ASKED_WITHIN_S

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the request took too long")
        self._connection.settimeout(left_s)
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(ASKED_WITHIN_S)


def linger(connection: socket.socket) -> None:
    """Lets an answer arrive whose request was not read: closing beside unread bytes would take it back."""
    until = time.monotonic() + _LINGER_S
    try:
        connection.shutdown(socket.SHUT_WR)
        while (left_s := until - time.monotonic()) > 0:
            connection.settimeout(left_s)
            if not connection.recv(1 << 16):
                return
    except OSError:
        return


class Slots:
    """Who is served now: counted, bounded, and waited for."""

    def __init__(self, most: int = MOST_CONNECTIONS) -> None:
        self._free, self._most = most, most
        self._changed = threading.Condition()

    def take(self) -> bool:
        with self._changed:
            if not self._free:
                return False
            self._free -= 1
            return True

    def give_back(self) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify_all()

    def wait_all_free(self, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._free == self._most, timeout_s)
