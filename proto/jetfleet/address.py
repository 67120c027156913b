"""Where a controller is found: its state folder, its Unix socket, the parts of an address.

Pure but for the environment; both halves and every test agree on these paths by asking here.
"""

import ipaddress
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from jetfleet.errors import BadInput

STATE_VARIABLE = "JETFLEET_STATE"
ADDRESS_VARIABLE = "JETFLEET_ADDRESS"

# sun_path holds 108 bytes with its final NUL (Linux, unix(7)); macOS has 104.
_SOCKET_PATH_BYTES = 100
_LONGEST_SOCKET_PATH_BYTES = 107
_HOST_AND_PORT = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%\w+)?)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65535


def default_state_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """JETFLEET_STATE, else XDG_STATE_HOME/jetfleet, else ~/.local/state/jetfleet."""
    if chosen := environment.get(STATE_VARIABLE):
        return Path(chosen)
    base = environment.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "jetfleet"


def check_state_dir(state_dir: Path) -> None:
    """Raises BadInput for a path that no address, log or line of a file could name."""
    if not str(state_dir.absolute()).isprintable():
        raise BadInput(
            f"{str(state_dir)!r} is not a valid state folder",
            where="--state",
            expected="a path without line breaks and other characters that are not printable",
        )


def socket_path(state_dir: Path) -> Path:
    """The controller's Unix socket; where the state folder's path is too long for one, in a folder in the temp folder.

    That folder's name holds the user's id, so that two users of one machine never meet, and the state folder's digest.
    """
    folder = state_dir.resolve()
    inside = folder / "controller.sock"
    if len(os.fsencode(inside)) <= _SOCKET_PATH_BYTES:
        return inside
    import hashlib

    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"jetfleet-{os.getuid()}-{digest}" / inside.name


def socket_address(state_dir: Path) -> str:
    """The socket as gRPC spells it."""
    return f"unix:{socket_path(state_dir)}"


def check_address(address: str, *, where: str = "--address", least_port: int = 1) -> None:
    """Raises BadInput for what is neither HOST:PORT nor unix:PATH."""
    if not _is_address(address, least_port):
        raise BadInput(
            f"{address!r} is not a valid address", where=where, expected="127.0.0.1:PORT, [::1]:PORT or unix:PATH"
        )


def _is_address(address: str, least_port: int) -> bool:
    if is_socket(address):
        path = address.removeprefix("unix:").removeprefix("//")
        return path.isprintable() and 0 < len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH_BYTES
    found = _HOST_AND_PORT.fullmatch(address)
    if found is None or not least_port <= int(found["port"]) <= _LAST_PORT:
        return False
    try:
        return found["host"] is not None or ipaddress.IPv6Address(found["six"].partition("%")[0]) is not None
    except ValueError:
        return False


def split_address(address: str) -> tuple[str, int]:
    """Host and port of HOST:PORT, an IPv6 host in its brackets. Raises BadInput."""
    check_address(address, least_port=0)
    host, _, port = address.rpartition(":")
    if is_socket(address):
        raise BadInput(f"{address} is a socket", expected="HOST:PORT")
    return host, int(port)


def is_socket(address: str) -> bool:
    """Whether a gRPC address is a Unix socket."""
    return address.startswith("unix:")


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches a gRPC address."""
    if is_socket(address):
        return True
    host = address.rpartition(":")[0].strip("[]") or address
    if host == "localhost":  # any other name may resolve to another machine
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
