"""Who calls, and what they are known by: roles, tokens, invitations, members."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class CallerRole(Enum):
    """What a caller is. The owner is whoever reaches the controller's Unix socket; a stranger has shown nothing."""

    OWNER = "owner"
    ADMIN = "admin"
    SUBMITTER = "submitter"
    READER = "reader"
    AGENT = "agent"
    STRANGER = "stranger"


# Those that a token may be made for.
SCOPES = (CallerRole.READER, CallerRole.SUBMITTER, CallerRole.ADMIN)


@dataclass(frozen=True)
class Caller:
    """Who makes a call, by the word of the transport. `user` stands on what he does; `device_id` is an agent's."""

    role: CallerRole
    user: str = ""
    device_id: str = ""
    serial: str = ""  # of the board's hardware, as it enrolled
    expires_at: datetime | None = None  # of what it is known by; None: never

    @property
    def key(self) -> str:
        """What a revocation names."""
        return access_key(self.role, self.device_id or self.user)


def access_key(role: CallerRole, name: str) -> str:
    """One for all scopes of a token, and one for a device."""
    kind = (
        "device"
        if role is CallerRole.AGENT
        else role.value
        if role in (CallerRole.OWNER, CallerRole.STRANGER)
        else "token"
    )
    return f"{kind}:{name}"


@dataclass(frozen=True)
class TokenView:
    """A token as people see it: all but its secret."""

    name: str
    scope: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True)
class Member:
    """A board that enrolled, with its newest certificate. Certificates issued until `revoked_at` are not valid."""

    device_id: str
    name: str
    labels: Mapping[str, str]
    hardware_serial: str
    key_sha256: str
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True)
class EnrolmentClaim:
    """What a board says of itself when it enrols: nothing of it is proven but the key."""

    device_id: str
    name: str
    hardware_serial: str
    key_sha256: str


@dataclass(frozen=True)
class Welcome:
    """What an invitation makes of a claim: the device, and what is bound to it."""

    device_id: str
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    revoked_at: datetime | None = None
