"""Which files a board has shown that it has: those that it uploaded itself, and those that its live leases name.

A digest alone is no proof: a board that knew one of another job's could have its file counted as its own result, and so
be handed it. Kept in memory: after a restart a board sends what it has once more.
"""

from collections import defaultdict
from collections.abc import Collection
from functools import partial

from controller.model.access import Caller, CallerRole
from controller.service.access import Owned
from controller.service.context import ServiceContext
from controller.store.queries.owners import has_lease, leased_files
from jetfleet.errors import Denied

_MOST = 20_000  # of one board; beyond, it shows them again


class Possession:
    """People are not asked: whoever may upload may name any file that is here."""

    def __init__(self, service: ServiceContext) -> None:
        self._service = service
        self._shown: defaultdict[str, set[str]] = defaultdict(set)

    def note(self, caller: Caller, sha256: str) -> None:
        if caller.role is CallerRole.AGENT:
            shown = self._shown[caller.device_id]
            if len(shown) >= _MOST:
                shown.clear()
            shown.add(sha256)

    async def refuse_unasked(self, caller: Caller, sha256: str) -> None:
        """Raises Denied where a board sends what comes of no lease of its own, and what nobody asked the boards for."""
        if caller.role is not CallerRole.AGENT or self._service.recall.seeks(sha256):
            return
        if not await self._service.read(partial(has_lease, device_id=caller.device_id)):
            raise Denied(f"{caller.user} (agent) may send files only where {Owned.LEASE.value}")

    async def unproven(self, caller: Caller, digests: Collection[str]) -> set[str]:
        """Those of the files that the caller has not shown to have."""
        if caller.role is not CallerRole.AGENT:
            return set()
        unshown = set(digests) - self._shown[caller.device_id]
        if not unshown:
            return set()
        return unshown - await self._service.read(partial(leased_files, device_id=caller.device_id))
