"""A server of a bundle among callers that are slow, many, wrong or gone: each is answered or left, none waited for."""

import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent.bundle.bodies import JSON, NPZ, most_bytes, read_inputs, written
from agent.bundle.connections import MOST_CONNECTIONS, Slots
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import TensorSpec

IMAGE = np.zeros((1, 3, 32, 32), np.float32)
RIGHT = json.dumps({"inputs": {"image": IMAGE.tolist()}}).encode()
INPUTS = {
    "x": TensorSpec(name="x", dtype="float32", shape=[2]),
    "n": TensorSpec(name="n", dtype="int32", shape=[2]),
    "b": TensorSpec(name="b", dtype="bool", shape=[2]),
}


@pytest.fixture(scope="module")
def server(shipped: Path) -> Iterator["tuple[str, int, subprocess.Popen[str]]"]:
    words = [sys.executable, "-m", "agent.cli", "bundle", "serve", str(shipped / "bundle"), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        ready = next(line for line in process.stderr if line.startswith("ready: "))
        host, _, port = ready.split(" at http://")[1].strip().partition(":")
        yield host, int(port), process
        process.terminate()
        process.stderr.read()


def sent(server: "tuple[str, int, subprocess.Popen[str]]", content: bytes) -> bytes:
    """All that is answered until the connection is closed."""
    with socket.create_connection(server[:2], timeout=30) as connection:
        connection.sendall(content)
        found = b""
        while piece := connection.recv(1 << 16):
            found += piece
        return found


def status(answer: bytes) -> int:
    return int(answer.split()[1])


def post(length: str, body: bytes = b"", *more: str) -> bytes:
    lines = ["POST /infer HTTP/1.1", "Host: x", f"Content-Length: {length}", "Connection: close", *more]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def is_well(server: "tuple[str, int, subprocess.Popen[str]]") -> bool:
    return status(sent(server, post(str(len(RIGHT)), RIGHT))) == 200


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (post("\xb2"), 400),  # a digit, and not a number
        (post("9" * 5000), 400),
        (post("-1"), 400),
        (post("1e3"), 400),
        (post(str(1 << 40), b"x" * 100_000), 400),
        (post("5", b"hello", "Content-Length: 6"), 400),
        (post("5", b"5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), 400),
        (post(str(len(RIGHT)), b"[" * len(RIGHT)), 400),
        (post("4", b"\xff\xfe\x00\x01"), 400),
        (post(str(1 << 40), b"", "Expect: 100-continue"), 413),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),  # somebody speaks TLS
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /ready HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"BREW / HTTP/1.1\r\nConnection: close\r\n\r\n", 501),
        (b"GET /ready?verbose=1 HTTP/1.1\r\nConnection: close\r\n\r\n", 200),
    ],
)
def test_what_is_wrong_is_answered_and_the_next_one_is_served(
    server: "tuple[str, int, subprocess.Popen[str]]", content: bytes, expected: int
) -> None:
    found = sent(server, content)
    assert (status(found) if found.startswith(b"HTTP/1.") else b"Error code: %d" % expected in found) in (
        expected,
        True,
    )
    assert is_well(server)


def test_the_body_of_a_get_is_not_the_next_request(server: "tuple[str, int, subprocess.Popen[str]]") -> None:
    inner = b"GET /manifest HTTP/1.1\r\nHost: x\r\n\r\n"
    found = sent(server, b"GET /ready HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(inner), inner))
    assert found.count(b"HTTP/1.1 ") == 1


def test_those_who_say_nothing_keep_nobody_waiting(server: "tuple[str, int, subprocess.Popen[str]]") -> None:
    silent = [socket.create_connection(server[:2], timeout=30) for _ in range(MOST_CONNECTIONS // 2)]
    for index, connection in enumerate(silent):
        connection.sendall((b"", b"POST /inf", post(str(len(RIGHT)), RIGHT[:100]))[index % 3])
    assert is_well(server)
    for connection in silent:
        connection.close()
    assert is_well(server)


def test_more_connections_than_there_is_room_for_are_told_so(server: "tuple[str, int, subprocess.Popen[str]]") -> None:
    held = [socket.create_connection(server[:2], timeout=30) for _ in range(MOST_CONNECTIONS + 20)]
    told = held[-1].recv(100)
    for connection in held:
        connection.close()
    assert told.startswith(b"HTTP/1.1 503 ")
    until = time.monotonic() + 30
    while status(sent(server, b"GET /ready HTTP/1.1\r\nConnection: close\r\n\r\n")) != 200:
        assert time.monotonic() < until


def test_callers_that_go_away_leave_no_trace(server: "tuple[str, int, subprocess.Popen[str]]") -> None:
    for _ in range(20):
        with socket.create_connection(server[:2], timeout=30) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # a reset, at close
            connection.sendall(post(str(len(RIGHT)), RIGHT))
    assert is_well(server)


def test_many_at_once_are_all_answered(server: "tuple[str, int, subprocess.Popen[str]]") -> None:
    found: list[int] = []

    def ask() -> None:
        for _ in range(5):
            found.append(status(sent(server, post(str(len(RIGHT)), RIGHT))))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200] * 100


def test_a_request_in_flight_is_answered_when_the_server_is_told_to_stop(shipped: Path) -> None:
    """It is half sent when the signal comes: what has begun is awaited, and nothing new is taken."""
    words = [sys.executable, "-m", "agent.cli", "bundle", "serve", str(shipped / "bundle"), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        ready = next(line for line in process.stderr if line.startswith("ready: "))
        host, _, port = ready.split(" at http://")[1].strip().partition(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            content = post(str(len(RIGHT)), RIGHT)
            connection.sendall(content[:-50])
            for _ in range(5):  # it is inside when those that came after it are answered
                assert status(sent((host, int(port), process), content)) == 200
            process.send_signal(signal.SIGTERM)
            while b"not ready yet" not in sent((host, int(port), process), content):
                pass
            connection.sendall(content[-50:])
            assert status(connection.recv(1 << 16)) == 200
        process.stderr.read()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x", [None, 1]),
        ("x", ["1", "2"]),
        ("x", [1e300, 0]),
        ("x", {"a": 1}),
        ("x", [[1], [2, 3]]),
        ("n", [1.5, 0]),
        ("n", [3_000_000_000, 0]),
        ("n", [10**30, 0]),
        ("b", [2, 0]),
    ],
)
def test_no_value_is_made_another_one(name: str, value: object) -> None:
    with pytest.raises(BadInput) as found:
        read_inputs(json.dumps({"inputs": {name: value}}).encode(), JSON, INPUTS)
    assert found.value.where == name


@pytest.mark.parametrize(("name", "value"), [("x", [1, 2]), ("n", [1, -2]), ("n", [1.0, 2.0]), ("b", [True, False])])
def test_numbers_that_the_type_holds_are_taken(name: str, value: list[float]) -> None:
    found = read_inputs(json.dumps({"inputs": {name: value}}).encode(), JSON, INPUTS)[name]
    assert (found.dtype.name, found.tolist()) == (INPUTS[name].dtype, value)


def test_an_archive_unpacks_to_no_more_than_the_model_takes() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(50 << 20))
    assert len(buffer.getvalue()) < most_bytes(INPUTS)
    with pytest.raises(BadInput, match="unpacks to 52428800 bytes"):
        read_inputs(buffer.getvalue(), NPZ, INPUTS)


def test_what_is_not_finite_is_null() -> None:
    said = json.loads(written({"y": np.array([[1.0, np.nan], [np.inf, 2.0]])}, JSON))
    assert said == {"outputs": {"y": [[1.0, None], [None, 2.0]]}}


def test_slots_are_bounded_and_awaited() -> None:
    slots = Slots(1)
    assert (slots.take(), slots.take(), slots.wait_all_free(0.01)) == (True, False, False)
    slots.give_back()
    assert slots.wait_all_free(0.01)
