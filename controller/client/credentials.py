"""What this user is known by at controllers elsewhere: a file that `controller login` writes, or the environment of CI.

A token is read from a file of mode 600 or from JETFLEET_TOKEN, goes into the channel, and is never on a command line.
"""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jetfleet.address import check_address, is_socket
from jetfleet.errors import BadInput, Unauthenticated
from jetfleet.transport import Credentials

BEARER_VARIABLE = "JETFLEET_TOKEN"
CA_VARIABLE = "JETFLEET_CA"
_FORMAT = 1


def logins_path(environment: Mapping[str, str] = os.environ) -> Path:
    base = environment.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "jetfleet" / "logins.json"


def credentials_for(address: str, environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """None for a socket. Raises Unauthenticated where nothing is known for the address."""
    check_address(address)
    if is_socket(address):
        return None
    token, ca = environment.get(BEARER_VARIABLE, ""), environment.get(CA_VARIABLE, "")
    known = read_logins(logins_path(environment)).get(address)
    if ca:
        return Credentials(_authority(address, ca), token=token or (known.token if known else ""))
    if known is not None:
        return Credentials(known.ca_pem, token=token or known.token)
    raise Unauthenticated(
        f"nobody is logged in at {address} here",
        hint=f"controller login {address}; in CI: {BEARER_VARIABLE}, and {CA_VARIABLE} with its fingerprint",
    )


def default_address(environment: Mapping[str, str] = os.environ) -> str:
    """The controller that somebody logged in at last; empty for none."""
    path = logins_path(environment)
    return str(_read(path).get("default", "")) if path.exists() else ""


def read_logins(path: Path) -> dict[str, Credentials]:
    """By address. Raises BadInput for a file that others can read."""
    found = _read(path) if path.exists() else {}
    return {
        address: Credentials(item["ca"].encode(), token=item["token"])
        for address, item in found.get("controllers", {}).items()
    }


def write_logins(path: Path, logins: Mapping[str, Credentials], *, default: str) -> None:
    """For this user only, whole or not at all."""
    controllers = {address: {"ca": item.ca_pem.decode(), "token": item.token} for address, item in logins.items()}
    content = json.dumps({"format": _FORMAT, "default": default, "controllers": controllers}, indent=1)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(content + "\n")
    part.replace(path)


def _authority(address: str, ca: str) -> bytes:
    """A file with the authority's certificate, or the fingerprint of the one that the controller shows."""
    if "BEGIN CERTIFICATE" in ca:
        return ca.encode()
    if not ca.startswith("sha256:"):
        try:
            return Path(ca).read_bytes()
        except OSError as error:
            raise BadInput(f"cannot read: {error.strerror}", where=f"{CA_VARIABLE}={ca}") from None
    from jetfleet.certificates import parse_fingerprint
    from jetfleet.handshake import pinned_authority

    return pinned_authority(address, parse_fingerprint(ca))


def _read(path: Path) -> dict[str, Any]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise BadInput(
            f"tokens are in this file, and its mode {mode:o} lets others read them",
            where=str(path),
            hint=f"chmod 600 {path}; and have the tokens revoked if others use this machine",
        )
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except ValueError:
        raise BadInput("this file is damaged", where=str(path), hint="remove it, and log in again") from None
    return found
