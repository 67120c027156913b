"""The Access service: what admins do with tokens, invitations and revocations. A secret leaves here once."""

import logging
from datetime import datetime, timedelta
from functools import partial

import grpc

from controller.model.access import CallerRole, access_key
from controller.service.certification import Certification
from controller.service.context import ServiceContext
from controller.service.directory import Directory, new_secret, secret_digest, wall_clock
from controller.service.identity import current_caller
from controller.store.commands.depart import leave
from controller.store.commands.members import invite, revoke_device
from controller.store.commands.tokens import create_token, revoke_token, tokens
from controller.wire.access import TOKEN
from controller.wire.time import seconds_of
from jetfleet.errors import BadInput
from jetfleet.v1 import access_pb2, access_pb2_grpc

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[object, object]

_LONGEST_INVITATION_S = 7 * 24 * 3600.0
_INVITATION_S = 15 * 60.0


class AccessService(access_pb2_grpc.AccessServicer):
    def __init__(self, service: ServiceContext, directory: Directory, certification: Certification) -> None:
        self._service, self._directory, self._certification = service, directory, certification

    async def CreateToken(
        self, request: access_pb2.CreateTokenRequest, context: Context
    ) -> access_pb2.CreateTokenResponse:
        secret, by = new_secret(), current_caller().user
        expires_at = _after(seconds_of(request.lifetime)) if request.HasField("lifetime") else None
        made = await self._service.write(
            partial(
                create_token,
                name=request.name,
                scope=request.scope,
                secret_sha256=secret_digest(secret),
                by=by,
                expires_at=expires_at,
            )
        )
        await self._certification.refresh()
        log.info("%s made a %s token for %s", by, made.scope, made.name)
        return access_pb2.CreateTokenResponse(secret=secret, token=TOKEN.encode(made))

    async def ListTokens(
        self, request: access_pb2.ListTokensRequest, context: Context
    ) -> access_pb2.ListTokensResponse:
        found = await self._service.read(tokens)
        return access_pb2.ListTokensResponse(tokens=[TOKEN.encode(item) for item in found])

    async def RevokeToken(
        self, request: access_pb2.RevokeTokenRequest, context: Context
    ) -> access_pb2.RevokeTokenResponse:
        made = await self._service.write(partial(revoke_token, name=request.name))
        await self._certification.refresh()
        ended = self._directory.end_calls(access_key(CallerRole.READER, made.name))
        log.info("%s revoked the token of %s; %d open calls ended", current_caller().user, made.name, ended)
        return access_pb2.RevokeTokenResponse(token=TOKEN.encode(made))

    async def Invite(self, request: access_pb2.InviteRequest, context: Context) -> access_pb2.InviteResponse:
        """Raises BadInput where no board could come: this controller does not listen for any."""
        address, note = self._certification.enrolment_address()
        secret, by = new_secret(), current_caller().user
        lifetime_s = seconds_of(request.lifetime) if request.HasField("lifetime") else _INVITATION_S
        if not 0 < lifetime_s <= _LONGEST_INVITATION_S:
            raise BadInput(f"an invitation for {lifetime_s:g} s", expected="more than none, and 7 days at most")
        expires_at = wall_clock() + timedelta(seconds=lifetime_s)
        await self._service.write(
            partial(
                invite,
                secret_sha256=secret_digest(secret),
                name=request.name,
                labels=dict(request.labels),
                by=by,
                expires_at=expires_at,
            )
        )
        log.info("%s invited a board%s", by, f" as {request.name}" if request.name else "")
        answer = access_pb2.InviteResponse(
            secret=secret, address=address, ca_fingerprint=self._certification.fingerprint, note=note
        )
        answer.expires_at.FromDatetime(expires_at)
        return answer

    async def RevokeDevice(
        self, request: access_pb2.RevokeDeviceRequest, context: Context
    ) -> access_pb2.RevokeDeviceResponse:
        device_id, name = await self._service.write(partial(revoke_device, name=request.device))
        ended = await self._certification.end(device_id)
        await self._close_sessions(device_id)
        log.info("%s revoked device %s; %d open calls ended", current_caller().user, name, ended)
        return access_pb2.RevokeDeviceResponse(device=name)

    async def _close_sessions(self, device_id: str) -> None:
        """What the board had in hand goes to others at once."""
        service = self._service
        for session_id in [key for key, board in service.boards.items() if board.device_id == device_id]:
            await service.write(partial(leave, session_id=session_id, reason="revoked"))
            service.liveness.forget(session_id)
            service.boards.pop(session_id, None)
        service.news.notify_all()


def _after(seconds: float) -> datetime:
    if seconds <= 0:
        raise BadInput(f"a token for {seconds:g} s", expected="more than none")
    try:
        return wall_clock() + timedelta(seconds=seconds)
    except OverflowError:
        raise BadInput(f"a token for {seconds:g} s", expected="less than a lifetime") from None
