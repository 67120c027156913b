"""Who makes a call: read off the transport, never off a message. Interceptors put it where services find it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from controller.model.access import Caller, CallerRole
from controller.service.directory import Directory
from jetfleet.errors import Unauthenticated

_BEARER = "bearer "
_CALLER: ContextVar[Caller] = ContextVar("caller")


@dataclass(frozen=True)
class ShownCertificate:
    """What a board's certificate says."""

    device_id: str
    key_sha256: str
    issued_at: datetime
    expires_at: datetime


def caller_of(context: Any, directory: Directory) -> Caller:
    """A stranger is somebody who shows nothing. Raises Unauthenticated for what is shown and is not valid."""
    found = context.auth_context()
    if found.get("transport_security_type") != [b"ssl"]:
        return (
            Caller(CallerRole.OWNER, owner_name())
            if str(context.peer()).startswith("unix:")
            else Caller(CallerRole.STRANGER)
        )
    pem = found.get("x509_pem_cert")
    if pem:
        shown = _read_certificate(pem[0])
        return directory.board(
            shown.device_id, key_sha256=shown.key_sha256, issued_at=shown.issued_at, expires_at=shown.expires_at
        )
    secret = bearer(dict(context.invocation_metadata()))
    return directory.person(secret) if secret else Caller(CallerRole.STRANGER)


def set_caller(caller: Caller) -> None:
    _CALLER.set(caller)


def current_caller() -> Caller:
    """Of the call that this task answers."""
    return _CALLER.get()


def known_caller() -> Caller | None:
    """Of a call that may be refused before it was found out whose it is."""
    return _CALLER.get(None)


def bearer(metadata: Mapping[str, Any]) -> str:
    """The token of a call's metadata, or of a request's headers; empty where there is none."""
    shown = str(metadata.get("authorization", ""))
    return shown[len(_BEARER) :].strip() if shown.lower().startswith(_BEARER) else ""


@lru_cache(maxsize=1)
def owner_name() -> str:
    """The user whose socket it is."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's user without an entry
        return f"uid {os.geteuid()}"


@lru_cache(maxsize=4096)
def _read_certificate(pem: bytes) -> ShownCertificate:
    """The handshake has checked who signed it, and that the board holds its key."""
    from cryptography import x509  # an embedded controller never needs it

    from controller.authority.authority import BACKDATED
    from jetfleet.certificates import device_of, key_digest, validity

    certificate = x509.load_pem_x509_certificate(pem)
    device_id = device_of(certificate)
    if not device_id:
        raise Unauthenticated("the certificate does not name a device")
    begin, end = validity(certificate)
    return ShownCertificate(device_id, key_digest(certificate.public_key()), begin + BACKDATED, end)
