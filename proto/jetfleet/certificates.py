"""Keys and certificates as both halves read and make them: P-256, fingerprints, who a certificate is of.

gRPC's TLS library has no Ed25519 certificates. A fingerprint is `sha256:` and the digest of the certificate's DER.
"""

import hashlib
import hmac
import os
import re
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from jetfleet.errors import BadInput
from jetfleet.transport import DEVICE_URI

_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{64}")


def fingerprint(der: bytes) -> str:
    return f"sha256:{hashlib.sha256(der).hexdigest()}"


def fingerprint_of_pem(pem: bytes) -> str:
    return fingerprint(x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER))


def parse_fingerprint(text: str) -> str:
    """Raises BadInput."""
    spelled = text.strip().lower().replace(":", "").removeprefix("sha256")
    found = f"sha256:{spelled}"
    if not _FINGERPRINT.fullmatch(found):
        raise BadInput(f"{text!r} is not a valid fingerprint", expected="sha256: and 64 hexadecimal digits")
    return found


def same_fingerprint(one: str, other: str) -> bool:
    return hmac.compare_digest(one, other)


def make_key() -> bytes:
    """A new private key, as PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadInput("the key is not one on an elliptic curve")
    return key


def make_request(key_pem: bytes) -> bytes:
    """A request for a certificate, as PEM: proof of the key. Who it is for is not the board's word."""
    nobody = x509.Name([])
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(nobody)
        .sign(load_key(key_pem), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def key_digest(key: object) -> str:
    """Of a public key: the same board asks again with the same one."""
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadInput("the key is not on the curve P-256")
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def device_of(certificate: x509.Certificate) -> str:
    """The device that a certificate names; empty if it names none, or more than one."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1 or not uris[0].startswith(DEVICE_URI):
        return ""
    return uris[0].removeprefix(DEVICE_URI)


def validity(certificate: x509.Certificate) -> tuple[datetime, datetime]:
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def write_private(path: Path, content: bytes) -> None:
    """Whole or not at all, and never readable by anybody else, not even for a moment."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
