"""Calls that were refused for who made them, in the audit log: so many at most, because strangers make them."""

import logging
import time
from collections.abc import Callable
from functools import partial

from controller.model.access import Caller, CallerRole
from controller.model.audit import Deed
from controller.service.access import row_name
from controller.service.context import ServiceContext
from controller.store.commands.audit import note_deed
from jetfleet.errors import Denied, JetfleetError, Unauthenticated

log = logging.getLogger(__name__)

_EVERY_S = 60.0  # of the same from the same address
_MOST = 1000  # addresses that are kept apart


class Refusals:
    """Of what comes within a minute from one address the first is noted; the next entry says how many were not."""

    def __init__(self, service: ServiceContext, *, now: Callable[[], float] = time.monotonic) -> None:
        self._service, self._now = service, now
        self._noted: dict[tuple[str, str], float] = {}
        self._untold: dict[tuple[str, str], int] = {}

    async def note(self, error: JetfleetError, *, method: str, peer: str, caller: Caller | None) -> None:
        """Whether it can be written down does not change the answer."""
        if not isinstance(error, (Unauthenticated, Denied)):
            return
        key = address_of(peer), type(error).__name__
        if self._is_too_many(key):
            self._untold[key] = self._untold.get(key, 0) + 1
            return
        untold = self._untold.pop(key, 0)
        detail = {"from": key[0], "why": error.message} | ({"not_noted_before": str(untold)} if untold else {})
        deed = Deed("login.refuse" if key[1] == Unauthenticated.__name__ else "call.refuse", row_name(method), detail)
        try:
            by = caller or Caller(CallerRole.STRANGER)
            await self._service.write(partial(note_deed, deed=deed, by=by))
        except JetfleetError as unwritten:
            log.error("a refused call cannot be noted: %s", unwritten.message)

    def _is_too_many(self, key: tuple[str, str]) -> bool:
        now = self._now()
        if now - self._noted.get(key, -_EVERY_S) < _EVERY_S:
            return True
        if len(self._noted) >= _MOST:
            self._noted = {known: at for known, at in self._noted.items() if now - at < _EVERY_S}
            self._untold = {known: count for known, count in self._untold.items() if known in self._noted}
        if len(self._noted) >= _MOST:
            return True
        self._noted[key] = now
        return False


def address_of(peer: str) -> str:
    """Of `ipv4:192.0.2.7:4711`, which is how gRPC spells a peer, without the port: each connection has another."""
    return peer.rpartition(":")[0] if peer.startswith(("ipv4:", "ipv6:")) else peer.partition(",")[0][:100]
