"""How the two halves reach each other: plain text on a Unix socket of one's own, TLS 1.3 everywhere else.

A socket's folder and the socket are their owner's alone, and both sides look: the server before it listens, a client
before it connects. Over TCP a client knows the controller by its authority's certificate, whose fingerprint somebody
compared, and not by where it is: forwarded ports and address translation change nothing. The controller knows an agent
by its certificate, and a person by a token that only ever travels inside TLS.
"""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from jetfleet.address import check_address
from jetfleet.errors import Infrastructure
from jetfleet.rpc import CHANNEL_OPTIONS

# What every certificate of a controller is for, beside the names by which other people's tools find it.
SERVER_NAME = "controller.jetfleet.internal"
DEVICE_URI = "jetfleet:device/"

Options = Sequence[tuple[str, int | str]]
_NAMED: Options = (("grpc.ssl_target_name_override", SERVER_NAME),)


@dataclass(frozen=True)
class Credentials:
    """What a client needs beyond an address: the authority it trusts, and what it is known by, a key or a token."""

    ca_pem: bytes
    token: str = field(default="", repr=False)
    key_pem: bytes = field(default=b"", repr=False)
    certificate_pem: bytes = b""


@dataclass(frozen=True)
class ServerIdentity:
    """A controller's certificate with its authority's, its key, and the authority that agents' certificates are of."""

    key_pem: bytes = field(repr=False)
    chain_pem: bytes
    ca_pem: bytes


def open_channel(address: str, credentials: Credentials | None) -> grpc.Channel:
    """A lazy channel, after a look at the socket. TCP needs credentials. Raises BadInput, Infrastructure."""
    check_address(address)
    if credentials is None:
        check_socket(address)
        return grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
    found = _channel_credentials(credentials)
    return grpc.secure_channel(address, found, options=[*CHANNEL_OPTIONS, *_NAMED])


def open_aio_channel(address: str, credentials: Credentials | None, *, options: Options) -> grpc.aio.Channel:
    """The same for an event loop, with options of the caller's."""
    check_address(address)
    if credentials is None:
        check_socket(address)
        return grpc.aio.insecure_channel(address, options=list(options))
    found = _channel_credentials(credentials)
    return grpc.aio.secure_channel(address, found, options=[*options, *_NAMED])


def agents_credentials(identity: ServerIdentity) -> grpc.ServerCredentials:
    """For a port that only holders of a certificate reach."""
    return _server_credentials(identity, require_client=True)


def people_credentials(identity: ServerIdentity) -> grpc.ServerCredentials:
    """For a port whose callers show a token."""
    return _server_credentials(identity, require_client=False)


def check_socket(address: str) -> None:
    """Raises Infrastructure where somebody else could have made the socket, or could listen in its place, now or later.

    A socket that is not there yet, or is not one, is left to the call, which says so.
    """
    path = Path(address.removeprefix("unix:").removeprefix("//"))
    try:
        _take_folder(path.parent)
        _check_owner("the folder of the socket", path.parent, path.parent.stat())
        found = path.lstat()
    except OSError:
        return
    if stat.S_ISLNK(found.st_mode):
        raise Infrastructure(f"{path} is a link to somewhere else", expected="the controller's own socket")
    if stat.S_ISSOCK(found.st_mode):
        _check_owner("the socket", path, found)


def _take_folder(folder: Path) -> None:
    """In a folder of everybody's, whoever comes first has the name: before a controller is there, its client is."""
    if not folder.exists() and folder.parent.stat().st_mode & stat.S_IWOTH:
        folder.mkdir(mode=0o700)


def _check_owner(what: str, path: Path, found: os.stat_result) -> None:
    if found.st_uid not in (os.geteuid(), 0):
        raise Infrastructure(
            f"{what} {path} belongs to another user",
            expected="a controller of your own, or root's",
            hint="give the controller's address with --address, or use another state folder",
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise Infrastructure(
            f"{what} {path} is open to other users (mode {stat.S_IMODE(found.st_mode):o})",
            expected="mode 600 of the socket, 700 of its folder",
            hint="start the controller again: it closes both",
        )


def _channel_credentials(credentials: Credentials) -> grpc.ChannelCredentials:
    if credentials.key_pem:
        return grpc.ssl_channel_credentials(credentials.ca_pem, credentials.key_pem, credentials.certificate_pem)
    tls = grpc.ssl_channel_credentials(credentials.ca_pem)
    if not credentials.token:
        return tls
    return grpc.composite_channel_credentials(tls, grpc.access_token_call_credentials(credentials.token))


def _server_credentials(identity: ServerIdentity, *, require_client: bool) -> grpc.ServerCredentials:
    """Fixed for the life of the server: credentials that ask at each handshake crash the process (gRPC 1.76, many
    handshakes at once).
    """
    return grpc.ssl_server_credentials(
        [(identity.key_pem, identity.chain_pem)],
        root_certificates=identity.ca_pem if require_client else None,
        require_client_auth=require_client,
    )
