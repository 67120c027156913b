"""Who vouches for a bundle: an Ed25519 signature over its manifest, which holds the digest of everything else."""

from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from jetfleet.bundle import MANIFEST, SIGNATURE
from jetfleet.errors import BadInput, Corrupt

_PURPOSE = b"jetfleet bundle\n"


def make_key(path: Path) -> str:
    """A new private key at `path`, readable by its owner alone, its public half beside it as .pub; returns that.

    Raises BadInput where there is a file already.
    """
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise BadInput("there is a file already", where=str(path), expected="a new one") from None
    path.write_bytes(private)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    Path(f"{path}.pub").write_bytes(public)
    return public.decode()


def sign(folder: Path, key_file: Path) -> None:
    """Writes the signature of the manifest as it stands. Raises BadInput for what is not a private key."""
    key = _private_key(key_file)
    signature = key.sign(_PURPOSE + (folder / MANIFEST).read_bytes()).hex()
    (folder / SIGNATURE).write_text(f"{signature}\n")


def verify_signature(folder: Path, key_file: Path) -> None:
    """Raises Corrupt where the manifest is unsigned, or signed by another key or over another text."""
    key = _public_key(key_file)
    try:
        signature = bytes.fromhex((folder / SIGNATURE).read_text().strip())
    except (OSError, ValueError):
        raise Corrupt("the bundle is not signed", where=str(folder / SIGNATURE), expected=f"by {key_file}") from None
    try:
        key.verify(signature, _PURPOSE + (folder / MANIFEST).read_bytes())
    except InvalidSignature:
        raise Corrupt(
            "the signature is not of this manifest and this key", where=str(folder), expected=f"by {key_file}"
        ) from None


def _private_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise _no_key(path, "private", error) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "private", None)
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _no_key(path, "public", error) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "public", None)
    return key


def _no_key(path: Path, kind: str, error: Exception | None) -> BadInput:
    why = error.strerror if isinstance(error, OSError) and error.strerror else f"not an Ed25519 {kind} key"
    return BadInput(why, where=str(path), expected=f"the {kind} key of a pair: controller package --new-key FILE")
