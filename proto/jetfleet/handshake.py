"""A controller's certificate looked at before anything is trusted, and what is wrong where a handshake fails.

Nothing is sent here but a greeting of TLS: no token, no name, no request.
"""

import socket
import ssl
from dataclasses import dataclass
from datetime import datetime, timezone
from operator import attrgetter

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from jetfleet.address import split_address
from jetfleet.certificates import fingerprint, same_fingerprint, validity
from jetfleet.errors import JetfleetError, Unauthenticated, Unreachable, WrongClock
from jetfleet.version import VERSION

_GREETING_S = 10.0
_DER = 2  # _ssl.ENCODING_DER, for the Pythons before 3.13, which say it in no public place


@dataclass(frozen=True)
class Presented:
    """The certificates that a server showed: its own first, its authority's last."""

    server: x509.Certificate
    authority: x509.Certificate

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.authority.public_bytes(serialization.Encoding.DER))

    @property
    def ca_pem(self) -> bytes:
        return self.authority.public_bytes(serialization.Encoding.PEM)


def look_at(address: str) -> Presented:
    """Raises Unreachable where nobody answers, Unauthenticated where the answer is not one of TLS 1.3."""
    host, port = split_address(address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the fingerprint decides, before anything is sent
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    try:
        with socket.create_connection((host.strip("[]"), port), timeout=_GREETING_S) as plain:
            try:
                with context.wrap_socket(plain) as secured:
                    chain = _chain(secured)
            except ssl.SSLError as error:
                raise Unauthenticated(
                    f"what listens at {address} does not speak TLS 1.3 ({error.reason or error})",
                    hint=f"a controller of 0.1 speaks plain text: it needs upgrade to {VERSION}; is it its port?",
                ) from None
    except OSError as error:
        raise Unreachable(
            f"nobody answers at {address} ({error.strerror or error})",
            hint="is `controller serve` running there, with --listen and --agents that are not loopback only?",
        ) from None
    certificates = [x509.load_der_x509_certificate(der) for der in chain]
    if not certificates:
        raise Unauthenticated(f"what listens at {address} shows no certificate")
    return Presented(certificates[0], certificates[-1])


def pinned_authority(address: str, expected: str) -> bytes:
    """The authority's certificate as PEM, if it has this fingerprint. Raises Unauthenticated, Unreachable."""
    found = look_at(address)
    if not same_fingerprint(found.fingerprint, expected):
        raise Unauthenticated(
            f"the controller at {address} is another one than was named: its fingerprint is {found.fingerprint}",
            expected=expected,
            hint="ask for its fingerprint again on its own machine: `controller enroll new`; nothing was sent to it",
        )
    return found.ca_pem


def explain_refusal(address: str, ca_pem: bytes, error: JetfleetError, *, now: datetime | None = None) -> JetfleetError:
    """What is behind a connection that did not come to be; `error` itself where the certificates say nothing."""
    try:
        found = look_at(address)
    except JetfleetError as seen:
        return seen
    clock = now or datetime.now(timezone.utc)
    trusted = x509.load_pem_x509_certificate(ca_pem)
    if trusted != found.authority:
        return Unauthenticated(
            f"the controller at {address} has another certificate authority than the one that is trusted here",
            hint="if it was made anew, enrol or log in again; if not, somebody else answers there",
        )
    for certificate in (found.server, found.authority):
        begin, end = validity(certificate)
        if not begin <= clock <= end:
            return WrongClock(
                f"the clock is wrong: here it is {clock:%Y-%m-%d %H:%M} UTC, and the controller's certificate is valid "
                f"from {begin:%Y-%m-%d} to {end:%Y-%m-%d}",
                hint="set the clock: sudo timedatectl set-ntp true",
            )
    return error


def _chain(secured: ssl.SSLSocket) -> list[bytes]:
    """As the server sent it, unverified; public since Python 3.13."""
    public = getattr(secured, "get_unverified_chain", None)
    if public is not None:
        return [bytes(der) for der in public()]
    inner = attrgetter("_sslobj")(secured)
    return [item.public_bytes(_DER) for item in inner.get_unverified_chain() or ()]
