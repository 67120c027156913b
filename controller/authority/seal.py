"""Signatures over how far the audit log has come, with the key that signs certificates."""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from controller.authority.authority import FOLDER

_PURPOSE = b"jetfleet audit log\n"  # no certificate begins with it


def sign_head(key: ec.EllipticCurvePrivateKey, head: str) -> str:
    return key.sign(_PURPOSE + head.encode(), ec.ECDSA(hashes.SHA256())).hex()


def authority_certificate(state_dir: Path) -> bytes:
    """Empty where this controller never had one."""
    path = state_dir / FOLDER / "ca.pem"
    return path.read_bytes() if path.is_file() else b""


def is_signed(ca_pem: bytes, head: str, signature: str) -> bool:
    """By the authority of that certificate."""
    key = x509.load_pem_x509_certificate(ca_pem).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(bytes.fromhex(signature), _PURPOSE + head.encode(), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
