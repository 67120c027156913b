"""`controller login` and `logout`: a controller elsewhere, trusted by its fingerprint and spoken to with a token.

The token is typed, piped or read from a file: a command line is seen by every user of the machine.
"""

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.settings import print_message

Address = Annotated[str, typer.Argument(metavar="HOST:PORT", help="Where it listens: its --listen.")]


def login(
    address: Address,
    fingerprint: Annotated[
        str, typer.Option(metavar="sha256:HEX", help="Of its authority; without it you are asked to compare.")
    ] = "",
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read the token from there.", show_default=False)
    ] = None,
) -> None:
    """Log in at a controller elsewhere: from then on it is the one that is talked to."""
    from controller.api.control_client import ControlClient
    from controller.client.credentials import logins_path, read_logins, write_logins
    from jetfleet.certificates import parse_fingerprint
    from jetfleet.handshake import look_at, pinned_authority
    from jetfleet.transport import Credentials

    if fingerprint:
        ca_pem = pinned_authority(address, parse_fingerprint(fingerprint))
    else:
        found = look_at(address)
        _ask(address, found.fingerprint)
        ca_pem = found.ca_pem
    credentials = Credentials(ca_pem, token=_token(token_file))
    with ControlClient(address, credentials=credentials) as client:
        info = client.hello()
    path = logins_path()
    write_logins(path, {**read_logins(path), address: credentials}, default=address)
    print_message(f"logged in at {address} as {info.user} ({info.role}); kept in {path}")


def logout(address: Address) -> None:
    """Forget a controller and its token here; to end the token itself, have it revoked."""
    from controller.client.credentials import default_address, logins_path, read_logins, write_logins
    from jetfleet.errors import NotFound

    path, default = logins_path(), default_address()
    logins = read_logins(path)
    if logins.pop(address, None) is None:
        raise NotFound(f"nobody is logged in at {address} here", expected=", ".join(logins) or "no login is kept")
    write_logins(path, logins, default="" if default == address else default)
    print_message(f"logged out of {address}")


def _ask(address: str, shown: str) -> None:
    """Raises BadInput where nobody can be asked, Abort where somebody says no."""
    from jetfleet.errors import BadInput

    if not sys.stdin.isatty():
        raise BadInput(
            f"nobody compared the fingerprint of {address}",
            expected="--fingerprint sha256:...",
            hint="on the controller's machine `controller enroll new` shows it",
        )
    typer.confirm(f"the controller at {address} shows the fingerprint\n  {shown}\nis it yours?", abort=True, err=True)


def _token(file: Path | None) -> str:
    from jetfleet.errors import BadInput

    if file is not None:
        try:
            found = file.read_text()
        except OSError as error:
            raise BadInput(f"cannot read: {error.strerror}", where=str(file)) from None
    elif sys.stdin.isatty():
        found = getpass.getpass("token: ")
    else:
        found = sys.stdin.readline()
    if not found.strip():
        raise BadInput("the token is missing", hint="an admin makes one: controller token create NAME")
    return found.strip()
