"""Where a controller is found: its state folder, its Unix socket, and which addresses never leave this machine.

Pure but for the environment; both halves and every test agree on these paths by asking here.
"""

import hashlib
import ipaddress
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

STATE_VARIABLE = "JETFLEET_STATE"
ADDRESS_VARIABLE = "JETFLEET_ADDRESS"

# sun_path holds 108 bytes with its final NUL (Linux, unix(7)); macOS has 104.
_SOCKET_PATH_BYTES = 100


def default_state_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """JETFLEET_STATE, else XDG_STATE_HOME/jetfleet, else ~/.local/state/jetfleet."""
    if chosen := environment.get(STATE_VARIABLE):
        return Path(chosen)
    base = environment.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "jetfleet"


def socket_path(state_dir: Path) -> Path:
    """The controller's Unix socket; where the state folder's path is too long for one, a name in the temp folder.

    The name holds the user's id, so that two users of one machine never meet, and the folder's digest.
    """
    folder = state_dir.resolve()
    inside = folder / "controller.sock"
    if len(os.fsencode(inside)) <= _SOCKET_PATH_BYTES:
        return inside
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"jetfleet-{os.getuid()}-{digest}.sock"


def socket_address(state_dir: Path) -> str:
    """The socket as gRPC spells it."""
    return f"unix:{socket_path(state_dir)}"


def is_loopback(address: str) -> bool:
    """Whether traffic to a gRPC address stays on this machine, where plain text is allowed."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]") or address
    if host == "localhost":  # any other name may resolve to another machine
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
