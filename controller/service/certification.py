"""The authority at work: first certificates for invitations, next ones for their holders, and the end of all of them.

What is stored is known to the directory before anybody is answered.
"""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from controller.model.access import Caller, CallerRole, EnrolmentClaim, Welcome, access_key
from controller.model.audit import Deed
from controller.service.audit import audited
from controller.service.context import ServiceContext
from controller.service.directory import Directory, secret_digest
from controller.store.commands.members import accept, keep_member, keep_renewal, revoke_device, usable_invitation
from controller.store.commands.tokens import token_digests
from controller.store.queries.members import members
from jetfleet.errors import BadInput, NotFound

if TYPE_CHECKING:
    from controller.authority.authority import Authority, IssuedCertificate


class Certification:
    """`authority` makes or loads it: a controller that stays on its socket has none, and needs none.

    `enrolment_address` says where boards enrol, and what may keep them from it; `agents_port` where they then work.
    """

    def __init__(self, service: ServiceContext, directory: Directory, authority: "Callable[[], Authority]") -> None:
        self._service, self._directory, self._authority = service, directory, authority
        self.listening: tuple[str, str] | None = None
        self.agents_port = 0

    async def refresh(self) -> None:
        """Tells the directory what the database holds."""
        tokens = await self._service.read(token_digests)
        self._directory.fill(tokens, await self._service.read(members))

    @property
    def fingerprint(self) -> str:
        return self._authority().fingerprint

    def enrolment_address(self) -> tuple[str, str]:
        """Raises BadInput where nobody listens."""
        if self.listening is None or not self.agents_port:
            raise BadInput(
                "this controller does not listen for boards",
                hint="`controller serve --listen 0.0.0.0:50051 --agents 0.0.0.0:50052` or `controller install` starts "
                "one that does; --state or --address says which one is meant",
            )
        return self.listening

    async def enroll(self, secret: str, claim: EnrolmentClaim, csr_pem: bytes) -> "tuple[Welcome, IssuedCertificate]":
        """Raises Denied for an invitation that is not valid, BadInput for a request that is none, Conflict."""
        await self._service.read(partial(usable_invitation, secret_sha256=secret_digest(secret)))  # strangers call this
        # Before the invitation is used up: can it be signed at all, and by which key?
        claim = replace(claim, key_sha256=self._issue(claim.device_id, csr_pem).key_digest)
        alive = self._service.liveness.alive()
        take = partial(accept, secret_sha256=secret_digest(secret), claim=claim, alive=alive)
        welcome = await self._service.write(audited(take, partial(_enrolled, claim)))
        issued = self._issue(welcome.device_id, csr_pem, after=welcome.revoked_at)
        keep = partial(
            keep_member, welcome=welcome, claim=claim, issued_at=issued.issued_at, expires_at=issued.expires_at
        )
        issue = _issued("certificate.issue", welcome.device_id, issued)
        await self._service.write(audited(keep, lambda _: issue))
        await self.refresh()
        return welcome, issued

    async def renew(self, caller: Caller, csr_pem: bytes) -> "IssuedCertificate":
        """Raises Denied where the certificate that asks was taken back meanwhile."""
        held = self._directory.member(caller.device_id)
        issued = self._issue(caller.device_id, csr_pem)
        keep = partial(
            keep_renewal,
            device_id=caller.device_id,
            held_key=held.key_sha256 if held else "",
            key_sha256=issued.key_digest,
            issued_at=issued.issued_at,
            expires_at=issued.expires_at,
        )
        renewal = _issued("certificate.renew", caller.device_id, issued)
        await self._service.write(audited(keep, lambda _: renewal))
        await self.refresh()
        return issued

    def _issue(self, device_id: str, csr_pem: bytes, *, after: "datetime | None" = None) -> "IssuedCertificate":
        return self._authority().issue(device_id, csr_pem, lifetime_s=self._service.options.certificate_s, after=after)

    async def revoke_removed(self, device_id: str) -> None:
        """Who was taken out of the fleet does not come back by itself, by none of its ids; who never enrolled has
        nothing to lose.
        """
        end = Deed("device.revoke", f"device {device_id}", {"because": "it was removed"})
        with contextlib.suppress(NotFound):
            revoked = await self._service.write(audited(partial(revoke_device, name=device_id), lambda _: end))
            await self.end(revoked.ids)

    async def end(self, device_ids: Iterable[str]) -> int:
        """Their certificates are not valid any more; ends their calls, and says how many were open."""
        await self.refresh()
        return sum(self._directory.end_calls(access_key(CallerRole.AGENT, item)) for item in device_ids)


def _enrolled(claim: EnrolmentClaim, welcome: Welcome) -> Deed:
    detail = {"name": welcome.name or claim.name, "serial": claim.hardware_serial}
    return Deed("enrolment.use", f"device {welcome.device_id}", detail)


def _issued(action: str, device_id: str, issued: "IssuedCertificate") -> Deed:
    detail = {"expires_at": issued.expires_at.isoformat(), "key_sha256": issued.key_digest}
    return Deed(action, f"device {device_id}", detail)
