"""The controller's own certificate authority: made at first need, kept in the state folder, for this fleet alone.

What it signs for the controller is made anew at every start, and valid at any time: a board that lost its clock must
still reach the controller, and a short life would protect nothing, because the key that signs lies beside the key that
is signed. What it signs for boards lives for days, and is checked by the controller's clock (docs/adr/0018).
"""

import ipaddress
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from jetfleet.certificates import fingerprint, key_digest, load_key, make_key, write_private
from jetfleet.errors import BadInput, Infrastructure
from jetfleet.transport import DEVICE_URI, SERVER_NAME, ServerIdentity

log = logging.getLogger(__name__)

FOLDER = "authority"
BACKDATED = timedelta(hours=1)
_BEGIN = datetime(1970, 1, 1, tzinfo=timezone.utc)
_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc)
_LONGEST_REQUEST = 8192


@dataclass(frozen=True)
class IssuedCertificate:
    """A board's certificate."""

    pem: bytes
    issued_at: datetime
    expires_at: datetime
    key_digest: str


def wall_clock() -> datetime:
    return datetime.now(timezone.utc)


class Authority:
    """`names` are those of the controller's certificate, for people's own tools; ours look at SERVER_NAME only."""

    def __init__(self, state_dir: Path, *, names: Sequence[str] = (), now: Callable[[], datetime] = wall_clock) -> None:
        self._folder, self._now = state_dir / FOLDER, now
        self._names = tuple(dict.fromkeys([SERVER_NAME, *names]))
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._folder.chmod(0o700)
            self._key, self._certificate = self._load_or_make()
        except OSError as error:
            raise Infrastructure(f"cannot keep keys: {error.strerror}", where=str(self._folder)) from None

    @property
    def ca_pem(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self._certificate.public_bytes(serialization.Encoding.DER))

    @cached_property
    def server_identity(self) -> ServerIdentity:
        """The controller's own, with a key that is never written: every start makes another."""
        key_pem = make_key()
        names = x509.SubjectAlternativeName([_general_name(name) for name in self._names])
        certificate = (
            _builder(subject="jetfleet controller", issuer=self._certificate.subject, begin=_BEGIN, end=_END)
            .public_key(load_key(key_pem).public_key())
            .add_extension(names, critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        chain = certificate.public_bytes(serialization.Encoding.PEM) + self.ca_pem
        return ServerIdentity(key_pem, chain, self.ca_pem)

    @property
    def signing_key(self) -> ec.EllipticCurvePrivateKey:
        return self._key

    def issue(
        self, device_id: str, csr_pem: bytes, *, lifetime_s: float, after: datetime | None = None
    ) -> IssuedCertificate:
        """A certificate for a board, for the key of its request; not of a time before `after`. Raises BadInput."""
        if len(csr_pem) > _LONGEST_REQUEST:
            raise BadInput(f"a request of {len(csr_pem)} bytes", expected=f"at most {_LONGEST_REQUEST}")
        try:
            request = x509.load_pem_x509_csr(csr_pem)
            key, is_signed = request.public_key(), request.is_signature_valid
        except (ValueError, TypeError, UnsupportedAlgorithm):  # also what is wrong inside is found only now
            raise BadInput("the request for a certificate cannot be read") from None
        if not is_signed:
            raise BadInput("the request for a certificate is not signed with its own key")
        digest = key_digest(key)
        issued = self._now().replace(microsecond=0)
        if after is not None and issued <= after:
            issued = after.replace(microsecond=0) + timedelta(seconds=1)
        expires = issued + timedelta(seconds=lifetime_s)
        uri = x509.UniformResourceIdentifier(DEVICE_URI + device_id)
        certificate = (
            _builder(subject=device_id, issuer=self._certificate.subject, begin=issued - BACKDATED, end=expires)
            .public_key(key)
            .add_extension(x509.SubjectAlternativeName([uri]), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        return IssuedCertificate(pem, issued, expires, digest)

    def _load_or_make(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key_path, certificate_path = self._folder / "ca.key", self._folder / "ca.pem"
        if key_path.exists() and certificate_path.exists():
            return load_key(key_path.read_bytes()), x509.load_pem_x509_certificate(certificate_path.read_bytes())
        key_pem = make_key()
        key = load_key(key_pem)
        certificate = (
            _builder(subject="jetfleet", issuer=None, begin=_BEGIN, end=_END, is_ca=True)
            .public_key(key.public_key())
            .sign(key, hashes.SHA256())
        )
        write_private(key_path, key_pem)
        write_private(certificate_path, certificate.public_bytes(serialization.Encoding.PEM))
        log.info("made a certificate authority in %s", self._folder)
        return key, certificate


def _builder(
    *, subject: str, issuer: x509.Name | None, begin: datetime, end: datetime, is_ca: bool = False
) -> x509.CertificateBuilder:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject[:64])])
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer or name)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_ca, key_cert_sign=is_ca, crl_sign=is_ca, decipher_only=False, **usage
            ),
            critical=True,
        )
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
