"""What is spoken where: plain text on a socket of one's own, TLS 1.3 on ports, and nothing to whom nobody knows."""

import asyncio
import os
import shutil
import socket
import ssl
import stat
import subprocess
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import grpc
import pytest

from controller.api.client import Client
from controller.authority.authority import Authority
from controller.client.link import code_of
from jetfleet.errors import Infrastructure, Unauthenticated, Unreachable, WrongClock
from jetfleet.handshake import explain_refusal, look_at
from jetfleet.rpc import CALL_METADATA, CHANNEL_OPTIONS
from jetfleet.transport import check_socket, open_aio_channel, open_channel
from jetfleet.v1 import control_pb2, control_pb2_grpc
from testing.access import authority_of, person_credentials
from testing.processes import ControllerProcess, Process

SYSTEM_PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin")


@pytest.fixture
def served(tmp_path: Path, keep: Callable[[Process], Process]) -> ControllerProcess:
    process = ControllerProcess(tmp_path / "state", tls=True)
    keep(process)
    return process.ready()


def handshake(address: str, version: ssl.TLSVersion) -> str | None:
    host, _, port = address.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((host, int(port)), timeout=10) as plain, context.wrap_socket(plain) as secured:
        return secured.version()


def test_a_port_speaks_tls_1_3_and_nothing_older(served: ControllerProcess) -> None:
    assert handshake(served.people_address, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    for address in (served.people_address, served.agents_address):
        with pytest.raises((ssl.SSLError, OSError)):
            handshake(address, ssl.TLSVersion.TLSv1_2)


def test_plain_text_to_a_port_is_not_answered(served: ControllerProcess) -> None:
    """As agents and commands of 0.2 and before would speak."""
    for address in (served.people_address, served.agents_address):
        with grpc.insecure_channel(address) as channel:
            stub = control_pb2_grpc.ControlStub(channel)
            with pytest.raises(grpc.RpcError) as caught:
                stub.Hello(control_pb2.HelloRequest(), timeout=5, metadata=CALL_METADATA)
            assert code_of(caught.value) is grpc.StatusCode.UNAVAILABLE


def test_who_meets_a_controller_without_tls_is_told_what_is_needed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as old:
        old.settimeout(10)
        address = f"127.0.0.1:{old.getsockname()[1]}"

        def answer() -> None:
            near, _ = old.accept()
            near.sendall(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00")  # a frame of HTTP/2 in plain text
            near.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises((Unauthenticated, Unreachable)) as caught:
            look_at(address)
        thread.join(10)
    assert "does not speak TLS 1.3" in caught.value.message
    assert "needs upgrade" in caught.value.hint


def test_a_clock_outside_of_a_certificates_time_is_called_a_clock(served: ControllerProcess) -> None:
    lost = Unreachable("handshake failed")
    ca = authority_of(served)
    far = datetime(1969, 12, 31, tzinfo=timezone.utc)
    told = explain_refusal(served.people_address, ca, lost, now=far)
    assert isinstance(told, WrongClock)
    assert "clock" in told.message
    assert f"{far:%Y-%m-%d}" in told.message
    for year in (1970, 2000, 2033, 2100):  # a board whose clock was lost still reaches its controller
        then = datetime(year, 1, 2, tzinfo=timezone.utc)
        assert explain_refusal(served.people_address, ca, lost, now=then) is lost


def test_every_start_makes_the_controller_another_certificate_of_the_same_authority(tmp_path: Path) -> None:
    first, second = Authority(tmp_path), Authority(tmp_path)
    assert first.fingerprint == second.fingerprint
    assert first.server_identity.key_pem != second.server_identity.key_pem
    assert first.server_identity.ca_pem == second.server_identity.ca_pem
    assert mode(tmp_path / "authority" / "ca.key") == 0o600
    assert mode(tmp_path / "authority") == 0o700
    kept = [path.read_bytes() for path in (tmp_path / "authority").iterdir()]
    assert not any(first.server_identity.key_pem in content for content in kept)


def test_many_boards_at_once_are_let_in(served: ControllerProcess) -> None:
    """As after a power cut. Credentials that ask at every handshake crashed the controller."""
    with Client(served.address) as owner:
        person = person_credentials(owner, served, name="ann", scope="reader")
    own = ("grpc.use_local_subchannel_pool", 1)

    async def hello() -> None:
        async with open_aio_channel(served.people_address, person, options=[*CHANNEL_OPTIONS, own]) as channel:
            stub = control_pb2_grpc.ControlStub(channel)
            await stub.Hello(control_pb2.HelloRequest(), timeout=60, metadata=CALL_METADATA)

    async def rush() -> None:
        for _ in range(6):
            await asyncio.gather(*(hello() for _ in range(50)))

    asyncio.run(rush())
    served.check()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_socket_that_others_could_reach_is_not_spoken_to(served: ControllerProcess) -> None:
    path = served.state_dir / "controller.sock"
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    for item, open_mode in ((path, 0o666), (path.parent, 0o755)):
        closed = mode(item)
        item.chmod(open_mode)
        with pytest.raises(Infrastructure, match="open to other users"):
            open_channel(served.address, None)
        item.chmod(closed)
    with Client(served.address) as client:
        assert client.hello().role == "owner"


def test_a_link_to_a_socket_is_not_followed(served: ControllerProcess, tmp_path: Path) -> None:
    (tmp_path / "link.sock").symlink_to(served.state_dir / "controller.sock")
    with pytest.raises(Infrastructure, match="link to somewhere else"):
        check_socket(f"unix:{tmp_path}/link.sock")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_socket_of_another_user_is_not_spoken_to(tmp_path: Path) -> None:
    """Neither by people nor by agents: who made it would have them run what he likes."""
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(folder / "controller.sock"))
        (folder / "controller.sock").chmod(0o600)
        os.chown(folder / "controller.sock", 12345, 12345)
        with pytest.raises(Infrastructure, match="belongs to another user"):
            open_channel(f"unix:{folder}/controller.sock", None)
        os.chown(folder / "controller.sock", 0, 0)
        os.chown(folder, 12345, 12345)
        with pytest.raises(Infrastructure, match="belongs to another user"):
            open_channel(f"unix:{folder}/controller.sock", None)


def test_the_name_of_a_socket_to_come_is_nobody_elses_to_take(tmp_path: Path) -> None:
    """An agent may wait for its controller: meanwhile nobody may put a socket where it will look."""
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    open_channel(f"unix:{shared}/jetfleet-x/controller.sock", None).close()
    assert mode(shared / "jetfleet-x") == 0o700
    theirs = shared / "theirs"
    theirs.mkdir()
    theirs.chmod(0o777)
    with pytest.raises(Infrastructure, match="open to other users"):
        open_channel(f"unix:{theirs}/controller.sock", None)  # no socket there yet


@pytest.mark.skipif(os.geteuid() != 0 or SYSTEM_PYTHON is None, reason="needs root, and a Python of everybody's")
def test_another_user_of_the_machine_reaches_nothing(served: ControllerProcess) -> None:
    script = f"""
import socket
with socket.socket(socket.AF_UNIX) as s:
    try:
        s.connect({str(served.state_dir / "controller.sock")!r})
    except PermissionError:
        print("refused")
"""
    done = subprocess.run([SYSTEM_PYTHON, "-c", script], user=12345, capture_output=True, text=True, cwd="/")
    assert done.stdout == "refused\n", done.stderr


def test_a_state_folder_with_a_long_name_has_its_socket_in_a_folder_of_its_own(
    tmp_path: Path, keep: Callable[[Process], Process]
) -> None:
    process = ControllerProcess(tmp_path / ("long" * 30))
    keep(process)
    process.ready()
    path = Path(process.address.removeprefix("unix:"))
    assert path.parent != process.state_dir
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    with Client(process.address) as client:
        client.hello()
    process.stop()
    path.parent.rmdir()


def test_silence_is_told_as_silence() -> None:
    with pytest.raises(Unreachable, match="nobody answers"):
        look_at("127.0.0.1:1")
