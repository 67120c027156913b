"""An enrolled board that was rooted, against who is who: certificates for others, the ports of people, revocation."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from agent.daemon.credentials import read_credentials
from controller.service.server import methods
from jetfleet.certificates import device_of, load_key, make_key
from jetfleet.rpc import CALL_METADATA, from_status, raising
from jetfleet.transport import DEVICE_URI, Credentials, open_channel
from jetfleet.v1 import control_pb2, control_pb2_grpc, enrolment_pb2, enrolment_pb2_grpc, fleet_pb2
from tests.attack.fleet import Fleet, RootedBoard
from tests.attack.outcome import Attack, AttackSucceeded, closed, holds, refused

ACTOR = "rooted board"


def own(board: RootedBoard) -> Credentials:
    found = read_credentials(board.folder)
    assert found is not None
    return found


def hello(address: str, credentials: Credentials) -> str:
    with open_channel(address, credentials) as channel:
        stub = control_pb2_grpc.ControlStub(channel)
        return stub.Hello(control_pb2.HelloRequest(), timeout=5, metadata=CALL_METADATA).user


def renew(board: RootedBoard, csr: bytes) -> x509.Certificate:
    call = raising(enrolment_pb2_grpc.EnrolmentStub(board.channel).RenewCertificate, address="here")
    answer = call(enrolment_pb2.RenewCertificateRequest(csr_pem=csr), timeout=20)
    return x509.load_pem_x509_certificate(answer.certificate_pem)


def request_for(board: RootedBoard, device_id: str) -> bytes:
    """For another device, and for an authority."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device_id)])
    uri = x509.UniformResourceIdentifier(DEVICE_URI + device_id)
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(name)
        .add_extension(x509.SubjectAlternativeName([uri]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=3), critical=True)
        .sign(load_key(own(board).key_pem), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def renews_a_certificate_for_another_device_and_as_an_authority(fleet: Fleet) -> str:
    made = renew(fleet.rooted, request_for(fleet.rooted, fleet.honest.device_id))
    is_authority = made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    return holds(device_of(made) == fleet.rooted.device_id and not is_authority, "its own name, and no authority")


def signs_a_certificate_with_its_own(fleet: Fleet) -> str:
    mine, key, now = own(fleet.rooted), make_key(), datetime.now(timezone.utc)
    issuer = x509.load_pem_x509_certificate(mine.certificate_pem)
    uri = x509.UniformResourceIdentifier(DEVICE_URI + fleet.honest.device_id)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.subject)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .public_key(load_key(key).public_key())
        .add_extension(x509.SubjectAlternativeName([uri]), critical=True)
        .sign(load_key(mine.key_pem), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    forged = Credentials(mine.ca_pem, key_pem=key, certificate_pem=made + mine.certificate_pem)
    return closed(lambda: hello(fleet.controller.agents_address, forged))


def shows_its_certificate_on_the_port_of_people(fleet: Fleet) -> str:
    return refused(lambda: hello(fleet.controller.people_address, own(fleet.rooted)))


def shows_its_certificate_to_the_metrics(fleet: Fleet) -> str:
    folder = fleet.rooted.folder / "credentials"
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    host, _, port = fleet.controller.metrics_address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as plain, context.wrap_socket(plain) as secured:
        secured.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        status = secured.recv(64).split(b"\r\n")[0].decode()
    return holds(" 401 " in status, status)


def makes_the_calls_of_people(fleet: Fleet) -> str:
    """Jobs, results, devices, engines, tokens, invitations, the audit log: also with a token that it found."""
    calls = [item for item in methods() if "Control/" in item or "Access/" in item if not item.endswith("Hello")]
    token = ("authorization", f"Bearer {fleet.people['ann'].token}")
    for method in calls:
        try:
            for _ in fleet.rooted.channel.stream_stream(method)(
                iter([b""]), timeout=5, metadata=(*CALL_METADATA, token)
            ):
                raise AttackSucceeded(f"{method} was answered")
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.PERMISSION_DENIED:
                raise AttackSucceeded(f"{method}: {error.code()}") from None
    return holds(len(calls) >= 15, f"PERMISSION_DENIED, {len(calls)} kinds of call")


def goes_on_after_its_certificate_was_revoked(fleet: Fleet) -> str:
    """A call that waits, a call that begins, a new connection, a new certificate; the time is told, and not held."""
    board = fleet.board("revoked")
    ended: list[tuple[float, str]] = []

    def wait() -> None:
        request = fleet_pb2.ClaimRequest(session_id=board.session, request_id="wait")
        request.wait.FromSeconds(30)
        try:
            board.fleet.Claim(request, timeout=60, metadata=CALL_METADATA)
        except grpc.RpcError as error:
            ended.append((time.monotonic(), type(from_status(error, address="here")).__name__))

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.5)  # it is open by then; else it is refused as one that begins
    began = time.monotonic()
    fleet.owner.access().revoke_device("revoked")
    waiting.join(40)
    refused(lambda: board.say("Renew"))
    refused(lambda: renew(board, request_for(board, board.device_id)))
    refused(lambda: hello(fleet.controller.agents_address, own(board)))
    board.channel.close()
    known = [kind for _, kind in ended] == ["Unauthenticated"]
    return holds(known, f"Unauthenticated; the open call ended after {1000 * (ended[0][0] - began):.0f} ms")


def goes_on_with_an_older_key_after_it_enrolled_anew(fleet: Fleet) -> str:
    first = fleet.board("reflashed")
    old = own(first)
    first.say("Leave")
    first.channel.close()
    for path in (first.folder / "credentials").iterdir():
        path.unlink()
    second = fleet.board("reflashed")
    second.channel.close()
    return refused(lambda: hello(fleet.controller.agents_address, old))


ATTACKS: list[Attack] = [
    renews_a_certificate_for_another_device_and_as_an_authority,
    signs_a_certificate_with_its_own,
    shows_its_certificate_on_the_port_of_people,
    shows_its_certificate_to_the_metrics,
    makes_the_calls_of_people,
    goes_on_after_its_certificate_was_revoked,
    goes_on_with_an_older_key_after_it_enrolled_anew,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_board_is_nobody_else(attack: Attack, attacked: Callable[[str, Attack], None]) -> None:
    attacked(ACTOR, attack)
