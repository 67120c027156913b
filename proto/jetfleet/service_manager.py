"""What systemd is told by a service of ours: ready, alive, stopping, and what it does (sd_notify(3), by hand).

Outside of systemd nothing is said and nothing is asked. The socket's name leaves the environment when it is read, so
that children cannot speak for their parent.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, MutableMapping

SOCKET_VARIABLE, PERIOD_VARIABLE, PROCESS_VARIABLE = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
_SIGNS_PER_PERIOD = 3


class ServiceManager:
    """`period_s` is how long systemd waits for a sign of life before it kills; None: it does not."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        self._address = environment.pop(SOCKET_VARIABLE, "")
        self.period_s = _period_s(environment.pop(PERIOD_VARIABLE, ""), environment.pop(PROCESS_VARIABLE, ""))
        self._is_ready, self._status = False, ""

    def ready(self, status: str = "") -> None:
        """Said once: from now on systemd counts the signs of life, and starts what waits for this service."""
        if not self._is_ready:
            self._is_ready = True
            self._send("READY=1")
        self.tell(status)

    def tell(self, status: str) -> None:
        """One line for `systemctl status`."""
        if status and status != self._status:
            self._status = status
            self._send(f"STATUS={' '.join(status.split())}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    @contextlib.asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Gives signs of life from this event loop; one that hangs gives none."""
        signs = asyncio.create_task(self._signs_of_life())
        try:
            yield
        finally:
            signs.cancel()
            await asyncio.wait({signs})

    async def _signs_of_life(self) -> None:
        while self.period_s is not None:
            self._send("WATCHDOG=1")
            await asyncio.sleep(self.period_s / _SIGNS_PER_PERIOD)

    def _send(self, message: str) -> None:
        send(self._address, message)


def send(address: str, message: str) -> None:
    """To the socket of this name, where there is one; what cannot be said is not."""
    if not address:
        return
    name = f"\0{address[1:]}" if address.startswith("@") else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)  # a service must never hang because nobody listens
        sender.sendto(message.encode(), name)


def _period_s(microseconds: str, process: str) -> float | None:
    meant_for_us = process in ("", str(os.getpid()))
    return int(microseconds) / 1e6 if meant_for_us and microseconds.isdecimal() and int(microseconds) else None
