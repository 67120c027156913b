"""Seals of the audit log: how far it has come, signed with the key of the authority, where there is one."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

from controller.service.context import ServiceContext
from controller.store.commands.audit import keep_seal
from controller.store.queries.audit import audit_head, sealed_head

log = logging.getLogger(__name__)

_EVERY_S = 600.0


class AuditSeals:
    """`sign` makes a signature of a head; None: this controller has no authority, because it listens for nobody."""

    def __init__(self, service: ServiceContext, sign: Callable[[str], str] | None) -> None:
        self._service, self._sign = service, sign
        self._sealed_at = float("-inf")

    async def seal_when_due(self) -> None:
        if time.monotonic() - self._sealed_at >= _EVERY_S:
            await self.seal()

    async def seal(self) -> None:
        """The log of the controller says it too: whoever keeps that elsewhere can hold the audit log against it."""
        self._sealed_at = time.monotonic()
        head = await self._service.read(audit_head)
        if self._sign is None or head == await self._service.read(sealed_head):
            return
        signature = await asyncio.to_thread(self._sign, str(head))
        await self._service.write(partial(keep_seal, head=head, signature=signature))
        log.info("the audit log is sealed at %s", head)
