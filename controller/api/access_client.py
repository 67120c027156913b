"""The Access service in the words of the model: tokens, invitations, revocations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import grpc

from controller.api.pages import listed
from controller.model.access import TokenView
from controller.model.audit import AuditEntry
from controller.wire.access import AUDIT_ENTRY, TOKEN
from controller.wire.codec import message_of
from controller.wire.time import moment_of, to_duration
from jetfleet.v1 import access_pb2, access_pb2_grpc


@dataclass(frozen=True)
class NewToken:
    """The secret is shown once, and kept nowhere."""

    secret: str = field(repr=False)
    token: TokenView


@dataclass(frozen=True)
class NewInvitation:
    """What a board needs to enrol. `note` says what may keep it from it."""

    secret: str = field(repr=False)
    address: str
    ca_fingerprint: str
    expires_at: datetime
    note: str


class AccessClient:
    """Made by ControlClient.access. Every call raises Denied for whom is not an admin."""

    def __init__(self, channel: grpc.Channel, call: Callable[[Callable[..., Any], Any], Any]) -> None:
        self._stub, self._call = access_pb2_grpc.AccessStub(channel), call

    def create_token(self, name: str, *, scope: str, lifetime_s: float | None = None) -> NewToken:
        """Raises Conflict for a name that was used."""
        request = message_of(access_pb2.CreateTokenRequest, name=name, scope=scope)
        if lifetime_s is not None:
            request.lifetime.CopyFrom(to_duration(lifetime_s))
        reply = self._call(self._stub.CreateToken, request)
        return NewToken(reply.secret, TOKEN.decode(reply.token))

    def tokens(self) -> list[TokenView]:
        """All that were ever made, oldest first."""
        reply = self._call(self._stub.ListTokens, access_pb2.ListTokensRequest())
        return [TOKEN.decode(item) for item in reply.tokens]

    def revoke_token(self, name: str) -> TokenView:
        """Raises NotFound."""
        reply = self._call(self._stub.RevokeToken, message_of(access_pb2.RevokeTokenRequest, name=name))
        return TOKEN.decode(reply.token)

    def invite(
        self, *, name: str = "", labels: Mapping[str, str] | None = None, lifetime_s: float | None = None
    ) -> NewInvitation:
        """Raises BadInput where the controller does not listen for boards."""
        request = message_of(access_pb2.InviteRequest, name=name, labels=labels or {})
        if lifetime_s is not None:
            request.lifetime.CopyFrom(to_duration(lifetime_s))
        reply = self._call(self._stub.Invite, request)
        return NewInvitation(reply.secret, reply.address, reply.ca_fingerprint, moment_of(reply.expires_at), reply.note)

    def revoke_device(self, name: str) -> str:
        """By its name or id; the name. Raises NotFound for one that never enrolled."""
        reply = self._call(self._stub.RevokeDevice, message_of(access_pb2.RevokeDeviceRequest, device=name))
        return str(reply.device)

    def audit(self, limit: int | None = None) -> list[AuditEntry]:
        """Who did what, newest first."""
        ask = partial(self._call, self._stub.ListAudit)
        found = listed(ask, access_pb2.ListAuditRequest(), "entries", limit=limit)
        return [AUDIT_ENTRY.decode(item) for item in found]
