"""Whether what a call is about is the caller's own. Asked before the call has any effect; the database knows."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from controller.model.access import Caller
from controller.service.access import Owned
from controller.service.context import ServiceContext
from controller.store.queries.owners import device_of_session, has_lease, leased_files, refuse_left, submitter
from jetfleet.errors import Denied

_MOST_SESSIONS = 20_000


class Ownership:
    """Raises Denied. A session that nobody knows is left to the store, which says that it is not open."""

    def __init__(self, service: ServiceContext) -> None:
        self._service = service
        self._sessions: dict[str, str] = {}  # session -> a device that it is of
        self._checks: Mapping[Owned, Callable[[Caller, Any], Awaitable[bool]]] = {
            Owned.JOB: self._job,
            Owned.DEVICE: self._device,
            Owned.SESSION: self._session,
            Owned.LEASED_FILE: self._leased_file,
            Owned.LEASE: self._lease,
        }

    async def check(self, owned: Owned, caller: Caller, request: Any) -> None:
        """Raises Denied, NotFound for a job that is not there, StaleSession for a board that has left."""
        if not await self._checks[owned](caller, request):
            raise Denied(f"{caller.user} ({caller.role.value}) may do this only where {owned.value}")

    async def _job(self, caller: Caller, request: Any) -> bool:
        return await self._service.read(partial(submitter, job_id=request.job_id)) == caller.user

    async def _device(self, caller: Caller, request: Any) -> bool:
        return bool(request.device_id == caller.device_id) and await self._session(caller, request)

    async def _session(self, caller: Caller, request: Any) -> bool:
        session_id = request.session_id
        if self._sessions.get(session_id) == caller.device_id:
            return True
        devices = await self._service.read(partial(device_of_session, session_id=session_id))
        if not devices:
            return True
        if caller.device_id not in devices:
            return False
        if len(self._sessions) >= _MOST_SESSIONS:
            self._sessions.clear()
        self._sessions[session_id] = caller.device_id
        return True

    async def _leased_file(self, caller: Caller, request: Any) -> bool:
        return request.sha256 in await self._service.read(partial(leased_files, device_id=caller.device_id))

    async def _lease(self, caller: Caller, request: Any) -> bool:
        if self._service.recall.seeks():  # boards were asked for files that are gone here
            return True
        await self._service.read(partial(refuse_left, device_id=caller.device_id))
        return await self._service.read(partial(has_lease, device_id=caller.device_id))
