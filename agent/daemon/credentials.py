"""What a board is known by: its key, which never leaves it, its certificate, and the authority of its controller.

In the state folder, for its owner only. The certificate alone is ever replaced.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from jetfleet.address import is_socket
from jetfleet.certificates import make_key, write_private
from jetfleet.errors import Infrastructure
from jetfleet.transport import Credentials

_FOLDER = "credentials"


@dataclass(frozen=True)
class EnrolledAt:
    """The controller that a board enrolled at: where its agents connect, and where it enrolled."""

    address: str
    enrolled_at: str
    ca_fingerprint: str


def credentials_for(address: str, state_dir: Path) -> Credentials | None:
    """None for a socket. Raises Infrastructure where this board did not enrol."""
    if is_socket(address):
        return None
    found = read_credentials(state_dir)
    if found is None:
        raise Infrastructure(
            f"this board did not enrol, and {address} answers only boards that did",
            where="--address",
            hint="on the controller: `controller enroll new` prints the line to run here",
        )
    return found


def read_credentials(state_dir: Path) -> Credentials | None:
    """None where it did not enrol."""
    folder = state_dir / _FOLDER
    try:
        return Credentials(
            (folder / "ca.pem").read_bytes(),
            key_pem=(folder / "key.pem").read_bytes(),
            certificate_pem=(folder / "certificate.pem").read_bytes(),
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Infrastructure(f"cannot read: {error.strerror}", where=str(folder)) from None


def enrolled_at(state_dir: Path) -> EnrolledAt | None:
    try:
        return EnrolledAt(**json.loads((state_dir / _FOLDER / "controller.json").read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError) as error:
        raise Infrastructure(f"cannot be read: {error}", where=str(state_dir / _FOLDER)) from None


def own_key(state_dir: Path) -> bytes:
    """Made once: a board that enrols again is known by it."""
    folder = state_dir / _FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    path = folder / "key.pem"
    if not path.exists():
        write_private(path, make_key())
    return path.read_bytes()


def keep_enrolment(state_dir: Path, at: EnrolledAt, *, ca_pem: bytes, certificate_pem: bytes) -> None:
    """The certificate last: without it the board did not enrol."""
    folder = state_dir / _FOLDER
    (folder / "certificate.pem").unlink(missing_ok=True)
    write_private(folder / "ca.pem", ca_pem)
    write_private(folder / "controller.json", json.dumps(vars(at)).encode())
    keep_certificate(state_dir, certificate_pem)


def keep_certificate(state_dir: Path, certificate_pem: bytes) -> None:
    write_private(state_dir / _FOLDER / "certificate.pem", certificate_pem)
