"""Which files a board has shown that it has: those that it uploaded itself, and those that its live leases name; and
what it may send.

A digest alone is no proof: a board that knew one of another job's could have its file counted as its own result, and so
be handed it. Kept in memory: after a restart a board sends what it has once more.
"""

from collections import defaultdict
from collections.abc import Collection
from functools import partial

from controller.model.access import Caller, CallerRole
from controller.service.access import Owned
from controller.service.context import ServiceContext
from controller.service.upload_quota import UploadQuota
from controller.store.queries.blobs import size_of
from controller.store.queries.owners import has_lease, leased_files, refuse_left
from jetfleet.errors import BadInput, Denied

_MOST = 20_000  # of one board; beyond, it shows them again


class Possession:
    """People are not asked: whoever may upload may name any file that is here."""

    def __init__(self, service: ServiceContext) -> None:
        self._service = service
        self._shown: defaultdict[str, set[str]] = defaultdict(set)
        self._quota = UploadQuota(service.options.board_quota_bytes)

    def note(self, caller: Caller, sha256: str) -> None:
        if caller.role is CallerRole.AGENT:
            shown = self._shown[caller.device_id]
            if len(shown) >= _MOST:
                shown.clear()
            shown.add(sha256)

    async def refuse_unasked(self, caller: Caller, sha256: str, *, size_bytes: int) -> None:
        """Raises Denied where a board sends what comes of no lease of its own, and what nobody asked the boards for;
        StaleSession where it has left.
        """
        if caller.role is not CallerRole.AGENT:
            return
        if self._service.recall.seeks(sha256):
            known = await self._service.read(partial(size_of, sha256=sha256))
            if known != size_bytes:
                raise BadInput(f"{sha256[:12]} was asked for and has {known} bytes, not {size_bytes}")
            return
        await self._service.read(partial(refuse_left, device_id=caller.device_id))
        if not await self._service.read(partial(has_lease, device_id=caller.device_id)):
            raise Denied(f"{caller.user} (agent) may send files only where {Owned.LEASE.value}")

    def announce(self, caller: Caller, size_bytes: int) -> None:
        """Raises BadInput where a board has sent so much already that came to nothing."""
        if caller.role is CallerRole.AGENT:
            self._quota.take(caller.device_id, size_bytes)

    def note_unsent(self, caller: Caller, size_bytes: int) -> None:
        """Announced, and did not come."""
        if caller.role is CallerRole.AGENT and size_bytes > 0:
            self._quota.give_back(caller.device_id, size_bytes)

    def note_result(self, caller: Caller) -> None:
        """One of the board's was accepted."""
        self._quota.clear(caller.device_id)

    async def unproven(self, caller: Caller, digests: Collection[str]) -> set[str]:
        """Those of the files that the caller has not shown to have."""
        if caller.role is not CallerRole.AGENT:
            return set()
        unshown = set(digests) - self._shown[caller.device_id]
        if not unshown:
            return set()
        return unshown - await self._service.read(partial(leased_files, device_id=caller.device_id))
