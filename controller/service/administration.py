"""The Access service: what admins do with tokens, invitations and revocations. A secret leaves here once."""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial

import grpc

from controller.model.access import CallerRole, TokenView, access_key
from controller.model.audit import Deed
from controller.model.codec import dump
from controller.service.audit import audited
from controller.service.certification import Certification
from controller.service.context import ServiceContext
from controller.service.directory import Directory, new_secret, secret_digest, wall_clock
from controller.service.identity import current_caller
from controller.service.pages import cursor_number, page_of, page_size
from controller.store.commands.depart import leave
from controller.store.commands.members import invite, revoke_device
from controller.store.commands.tokens import create_token, revoke_token, tokens
from controller.store.queries.audit import audit_entries
from controller.wire.access import AUDIT_ENTRY, TOKEN
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
        create = partial(
            create_token,
            name=request.name,
            scope=request.scope,
            secret_sha256=secret_digest(secret),
            by=by,
            expires_at=expires_at,
        )
        made = await self._service.write(
            audited(create, lambda token: Deed("token.create", f"token {token.name}", _token_detail(token)))
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
        revoke = partial(revoke_token, name=request.name)
        made = await self._service.write(
            audited(revoke, lambda token: Deed("token.revoke", f"token {token.name}", {"scope": token.scope}))
        )
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
        keep = partial(
            invite,
            secret_sha256=secret_digest(secret),
            name=request.name,
            labels=dict(request.labels),
            by=by,
            expires_at=expires_at,
        )
        detail = {"labels": dump(dict(request.labels)), "expires_at": expires_at.isoformat()}
        subject = f"device {request.name}" if request.name else "any board"
        await self._service.write(audited(keep, lambda _: Deed("enrolment.invite", subject, detail)))
        log.info("%s invited a board%s", by, f" as {request.name}" if request.name else "")
        answer = access_pb2.InviteResponse(
            secret=secret, address=address, ca_fingerprint=self._certification.fingerprint, note=note
        )
        answer.expires_at.FromDatetime(expires_at)
        return answer

    async def RevokeDevice(
        self, request: access_pb2.RevokeDeviceRequest, context: Context
    ) -> access_pb2.RevokeDeviceResponse:
        revoke = partial(revoke_device, name=request.device)
        found = await self._service.write(
            audited(
                revoke, lambda device: Deed("device.revoke", f"device {device.name}", {"device_id": device.device_id})
            )
        )
        ended = await self._certification.end(found.ids)
        await self._close_sessions(found.ids)
        log.info("%s revoked device %s; %d open calls ended", current_caller().user, found.name, ended)
        return access_pb2.RevokeDeviceResponse(device=found.name)

    async def ListAudit(self, request: access_pb2.ListAuditRequest, context: Context) -> access_pb2.ListAuditResponse:
        size = page_size(request.limit)
        look = partial(audit_entries, limit=size + 1, before=cursor_number(request.page))
        found = await self._service.read(look)
        page, following = page_of(found, size, encode=AUDIT_ENTRY.encode, cursor=lambda entry: str(entry.number))
        return access_pb2.ListAuditResponse(entries=page, next_page=following)

    async def _close_sessions(self, device_ids: Collection[str]) -> None:
        """What the board had in hand goes to others at once."""
        service = self._service
        for session_id in [key for key, board in service.boards.items() if board.device_id in device_ids]:
            await service.write(partial(leave, session_id=session_id, reason="revoked"))
            service.liveness.forget(session_id)
            service.boards.pop(session_id, None)
        service.news.notify_all()


def _token_detail(token: TokenView) -> dict[str, str]:
    return {"scope": token.scope, "expires_at": token.expires_at.isoformat() if token.expires_at else "never"}


def _after(seconds: float) -> datetime:
    if seconds <= 0:
        raise BadInput(f"a token for {seconds:g} s", expected="more than none")
    try:
        return wall_clock() + timedelta(seconds=seconds)
    except OverflowError:
        raise BadInput(f"a token for {seconds:g} s", expected="less than a lifetime") from None
