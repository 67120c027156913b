"""Where a controller listens: its socket in plain text, and by TLS a port for people and a port for agents."""

import ipaddress
import os
import resource
import socket
import stat
from pathlib import Path

import grpc

from jetfleet.address import is_loopback, socket_path, split_address
from jetfleet.errors import Infrastructure, PortTaken

ADDRESS_FILE = "controller.address"
AGENTS_FILE = "controller.agents"
METRICS_FILE = "controller.metrics"
_MOST_FILES = 65_536
_SOMEWHERE = ("192.0.2.1", 9)  # of no network; nothing is sent there, the kernel only says by which way it would go


def allow_connections() -> None:
    """As many open files as this user may have: every agent holds two connections, and the usual limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def bind_socket(server: grpc.aio.Server, state_dir: Path) -> None:
    """Raises Infrastructure."""
    path = socket_path(state_dir)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _check_folder(path.parent)
        path.unlink(missing_ok=True)  # ours by the lock: left behind by a controller that was killed
    except OSError as error:
        raise Infrastructure(f"cannot listen on {path}: {error.strerror}") from None
    before = os.umask(0o177)
    try:
        server.add_insecure_port(f"unix:{path}")
    except RuntimeError as error:
        raise Infrastructure(f"cannot listen on {path}: {error}") from None
    finally:
        os.umask(before)


def close_socket(state_dir: Path) -> None:
    """Whoever can connect to the socket owns the fleet. Raises Infrastructure where others still could."""
    path = socket_path(state_dir)
    path.chmod(0o600)
    found = path.lstat()
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o600:
        raise Infrastructure(f"{path} cannot be closed to other users", hint="use a state folder on a local disk")


def _check_folder(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise Infrastructure(
            f"{folder} is not this user's alone, and whoever reaches the socket in it owns the fleet",
            expected="a folder of yours with mode 700",
            hint="use another state folder, with --state",
        )


def bind_port(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials, *, option: str) -> str:
    """HOST:PORT as it came to be. Raises PortTaken."""
    try:
        port = server.add_secure_port(address, credentials)
    except RuntimeError:
        raise PortTaken(
            f"cannot listen on {address}: somebody else does",
            where=option,
            hint="stop the other one, or choose another port (port 0 takes a free one)",
        ) from None
    return f"{split_address(address)[0]}:{port}"


def own_names() -> list[str]:
    """By which this machine may be reached, as far as it knows: for the certificate, and people's own tools."""
    names = ["localhost", "127.0.0.1", "::1", socket.gethostname(), outward_address()]
    return [name for name in names if name and name.isascii()]


def outward_address() -> str:
    """The address by which this machine goes out; empty where it does not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_SOMEWHERE)
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def address_for_boards(bound: str, hosts: tuple[str, ...]) -> tuple[str, str]:
    """What a board is told to connect to, and what may keep it from it."""
    host, port = split_address(bound)
    if hosts:
        return f"{hosts[0]}:{port}", ""
    if _is_everywhere(host):
        host = outward_address() or socket.gethostname()
        return f"{host}:{port}", ""
    note = "it listens on loopback only: boards reach it where its ports are forwarded" if is_loopback(bound) else ""
    return bound, note


def _is_everywhere(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False
