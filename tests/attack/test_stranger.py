"""Somebody on the same network, who has nothing: handshakes, calls without a token, floods and slowness."""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone

import grpc
import pytest
import trustme

from controller.authority.authority import Authority
from controller.service.server import methods
from controller.service.strangers import MOST_UNKNOWN
from jetfleet.certificates import make_key, make_request
from jetfleet.rpc import CALL_METADATA, MOST_STREAMS, from_status
from jetfleet.transport import Credentials, open_channel
from jetfleet.v1 import control_pb2, control_pb2_grpc, enrolment_pb2, enrolment_pb2_grpc
from testing.access import authority_of
from testing.processes import wait_for
from tests.attack.fleet import Fleet
from tests.attack.outcome import Attack, AttackSucceeded, closed, holds, refused

ACTOR = "stranger on the network"


def hello(address: str, credentials: Credentials | None, *, metadata: tuple[tuple[str, str], ...] = ()) -> str:
    with contextlib.ExitStack() as stack:
        channel = grpc.insecure_channel(address) if credentials is None else open_channel(address, credentials)
        stack.enter_context(channel)
        call = control_pb2_grpc.ControlStub(channel).Hello
        return call(control_pb2.HelloRequest(), timeout=5, metadata=(*CALL_METADATA, *metadata)).user


def ports(fleet: Fleet) -> tuple[str, str]:
    return fleet.controller.people_address, fleet.controller.agents_address


def identity(fleet: Fleet, authority: Authority, *, lifetime_s: float = 3600.0) -> Credentials:
    """A certificate in the honest board's name."""
    key = make_key()
    issued = authority.issue(fleet.honest.device_id, make_request(key), lifetime_s=lifetime_s)
    return Credentials(authority_of(fleet.controller), key_pem=key, certificate_pem=issued.pem)


def speaks_plain_text(fleet: Fleet) -> str:
    for address in ports(fleet):
        how = closed(lambda address=address: hello(address, None))
    return how


def speaks_tls_1_2(fleet: Fleet) -> str:
    def shake(address: str) -> str | None:
        host, _, port = address.rpartition(":")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection((host, int(port)), timeout=5) as plain, context.wrap_socket(plain) as secured:
            return secured.version()

    addresses = (*ports(fleet), fleet.controller.metrics_address)
    for address in addresses:
        how = closed(lambda address=address: shake(address))
    return how


def shows_the_agents_port_no_certificate(fleet: Fleet) -> str:
    return closed(lambda: hello(ports(fleet)[1], Credentials(authority_of(fleet.controller))))


def shows_the_agents_port_a_token(fleet: Fleet) -> str:
    return closed(lambda: hello(ports(fleet)[1], fleet.people["eve"]))


def shows_a_certificate_of_another_authority(fleet: Fleet) -> str:
    folder = fleet.folder / "another authority"
    folder.mkdir(exist_ok=True)
    return closed(lambda: hello(ports(fleet)[1], identity(fleet, Authority(folder))))


def shows_a_certificate_that_it_signed_itself(fleet: Fleet) -> str:
    own = trustme.CA().issue_cert("jetfleet")
    found = Credentials(
        authority_of(fleet.controller),
        key_pem=own.private_key_pem.bytes(),
        certificate_pem=own.cert_chain_pems[0].bytes(),
    )
    return closed(lambda: hello(ports(fleet)[1], found))


def shows_a_certificate_that_is_over(fleet: Fleet) -> str:
    past = datetime.now(timezone.utc) - timedelta(days=30)
    authority = Authority(fleet.controller.state_dir, now=lambda: past)
    return closed(lambda: hello(ports(fleet)[1], identity(fleet, authority)))


def shows_a_certificate_whose_key_it_does_not_have(fleet: Fleet) -> str:
    stolen = identity(fleet, Authority(fleet.controller.state_dir))
    other = Credentials(stolen.ca_pem, key_pem=make_key(), certificate_pem=stolen.certificate_pem)
    return closed(lambda: hello(ports(fleet)[1], other))


def makes_every_call_without_a_token(fleet: Fleet) -> str:
    return _every_call(fleet, metadata=())


def makes_every_call_with_a_token_that_it_made_up(fleet: Fleet) -> str:
    return _every_call(fleet, metadata=(("authorization", "Bearer " + "x" * 43),))


def makes_every_call_with_odd_tokens(fleet: Fleet) -> str:
    nobody = Credentials(authority_of(fleet.controller))
    for shown in ("Bearer", "bearer  ", "Basic YTpi", "Bearer ' OR 1=1 --", "'; DROP TABLE token;"):
        metadata = (("authorization", shown),)
        how = refused(lambda metadata=metadata: hello(ports(fleet)[0], nobody, metadata=metadata))
    return how


def _every_call(fleet: Fleet, *, metadata: tuple[tuple[str, str], ...]) -> str:
    count = 0
    with open_channel(ports(fleet)[0], Credentials(authority_of(fleet.controller))) as channel:
        for method in methods():
            found = _outcome(channel, method, (*CALL_METADATA, *metadata))
            allowed = {grpc.StatusCode.UNAUTHENTICATED}
            if method.endswith("/Enroll"):  # it may ask, and has nothing to show
                allowed |= {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED}
            if found not in allowed:
                raise AttackSucceeded(f"{method}: {found}")
            count += 1
    return holds(count >= 25, f"UNAUTHENTICATED, {count} kinds of call")


def _outcome(channel: grpc.Channel, method: str, metadata: tuple[tuple[str, str], ...]) -> grpc.StatusCode:
    """Whatever a method takes and gives: both may be streams, as far as HTTP/2 goes."""
    try:
        for _ in channel.stream_stream(method)(iter([b""]), timeout=5, metadata=metadata):
            return grpc.StatusCode.OK
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def sends_very_long_metadata(fleet: Fleet) -> str:
    shown = (("x-flood", "x" * (1 << 20)),)
    return refused(lambda: hello(ports(fleet)[0], Credentials(authority_of(fleet.controller)), metadata=shown))


def sends_a_very_long_message(fleet: Fleet) -> str:
    with open_channel(ports(fleet)[0], Credentials(authority_of(fleet.controller))) as channel:
        request = enrolment_pb2.EnrollRequest(secret="x" * (16 << 20), device_id="a")
        enroll = enrolment_pb2_grpc.EnrolmentStub(channel).Enroll
        return refused(lambda: enroll(request, timeout=10, metadata=CALL_METADATA))


def asks_for_the_metrics(fleet: Fleet) -> str:
    host, _, port = fleet.controller.metrics_address.rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, int(port)), timeout=5) as plain, context.wrap_socket(plain) as secured:
        secured.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        status = secured.recv(64).split(b"\r\n")[0].decode()
    return holds(" 401 " in status, status)


@contextlib.contextmanager
def connections(address: str, count: int, begin: bytes) -> Iterator[list[socket.socket]]:
    """That many, each with the first bytes of something that never goes on."""
    host, _, port = address.rpartition(":")
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            found.append(stack.enter_context(socket.create_connection((host, int(port)), timeout=5)))
            found[-1].sendall(begin)
        yield found


def opens_many_connections_and_says_nothing(fleet: Fleet) -> str:
    people, agents = ports(fleet)
    with connections(people, 300, b""), connections(agents, 300, b""), fleet.person("eve") as reader:
        return holds(reader.hello().role == "reader", "600 of them; others are answered meanwhile")


def begins_many_handshakes_and_never_ends_them(fleet: Fleet) -> str:
    begun = bytes.fromhex("160301ffff0100fffb0303")
    people, metrics = ports(fleet)[0], fleet.controller.metrics_address
    with connections(people, 300, begun), connections(metrics, 60, begun), fleet.person("eve") as reader:
        return holds(reader.hello().role == "reader", "360 of them; others are answered meanwhile")


def fills_the_ports_with_connections(fleet: Fleet) -> str:
    """Begun ones, and ones whose handshake ended: nobody of the same address is to be kept out, nor for long."""
    people, agents = ports(fleet)
    host, _, port = people.rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with contextlib.ExitStack() as stack:
        begun = stack.enter_context(connections(agents, 200, b""))
        ended = []
        for _ in range(200):
            plain = socket.create_connection((host, int(port)), timeout=5)
            ended.append(stack.enter_context(context.wrap_socket(stack.enter_context(plain))))
        with fleet.person("eve") as reader:
            known = reader.hello().role == "reader"
            wait_for(lambda: still_open([*begun, *ended]) <= MOST_UNKNOWN, what="the bound of one address")
            known = known and reader.hello().role == "reader"
    return holds(known, f"400 of them; {MOST_UNKNOWN} of one address are left, and who is known is not closed")


def still_open(connections: Sequence[socket.socket]) -> int:
    """Of these, those that the other side has not ended; what it says meanwhile is read."""
    count = 0
    for item in connections:
        item.setblocking(False)
        try:
            count += bool(item.recv(4096))
        except (BlockingIOError, ssl.SSLWantReadError):
            count += 1
        except OSError:
            continue
    return count


def goes_on_calling_without_a_token(fleet: Fleet) -> str:
    """Thousands of calls at once on one connection: most wait on its own side."""
    with open_channel(ports(fleet)[0], Credentials(authority_of(fleet.controller))) as channel:
        call = control_pb2_grpc.ControlStub(channel).Hello
        calls = [
            call.future(control_pb2.HelloRequest(), timeout=20, metadata=CALL_METADATA) for _ in range(4 * MOST_STREAMS)
        ]
        with fleet.person("eve") as reader:
            known = reader.hello().role == "reader"
        codes = {item.exception().code() for item in calls}
    refusals = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE}  # too many for one connection
    return holds(known and codes <= refusals, f"{len(calls)} refused, others are answered")


def holds_many_streams_open(fleet: Fleet) -> str:
    """Uploads whose first message never comes: no room for a call of somebody who is known must be lost to them."""

    def never() -> Iterator[bytes]:
        time.sleep(2)
        yield b""

    with open_channel(ports(fleet)[0], Credentials(authority_of(fleet.controller))) as channel:
        upload = channel.stream_unary("/jetfleet.v1.Blobs/Upload")
        calls = [upload.future(never(), timeout=10, metadata=CALL_METADATA) for _ in range(50)]
        with fleet.person("eve") as reader:
            known = reader.hello().role == "reader"
        codes = {call.exception().code() for call in calls}
    return holds(known and codes == {grpc.StatusCode.UNAUTHENTICATED}, "each refused before its first message")


def learns_from_an_error_what_is_inside(fleet: Fleet) -> str:
    try:
        hello(ports(fleet)[0], Credentials(authority_of(fleet.controller)))
    except grpc.RpcError as error:
        told = str(from_status(error, address="here"))
        return holds(str(fleet.folder) not in told and "Traceback" not in told, "told that it is not known")
    raise AttackSucceeded("answered")


ATTACKS: list[Attack] = [
    speaks_plain_text,
    speaks_tls_1_2,
    shows_the_agents_port_no_certificate,
    shows_the_agents_port_a_token,
    shows_a_certificate_of_another_authority,
    shows_a_certificate_that_it_signed_itself,
    shows_a_certificate_that_is_over,
    shows_a_certificate_whose_key_it_does_not_have,
    makes_every_call_without_a_token,
    makes_every_call_with_a_token_that_it_made_up,
    makes_every_call_with_odd_tokens,
    sends_very_long_metadata,
    sends_a_very_long_message,
    asks_for_the_metrics,
    opens_many_connections_and_says_nothing,
    begins_many_handshakes_and_never_ends_them,
    holds_many_streams_open,
    fills_the_ports_with_connections,
    goes_on_calling_without_a_token,
    learns_from_an_error_what_is_inside,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_stranger_gets_nothing(attack: Attack, attacked: Callable[[str, Attack], None]) -> None:
    attacked(ACTOR, attack)
