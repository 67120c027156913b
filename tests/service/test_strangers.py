"""Connections of nobody known: counted by address, the oldest closed first; who called is left alone."""

import socket
from collections.abc import Collection, Iterator

import pytest

from controller.service.strangers import MOST_UNKNOWN, OpenConnection, Strangers, open_connections, shut


class Ports:
    """What is open, and what was closed."""

    def __init__(self) -> None:
        self.open: list[OpenConnection] = []
        self.closed: list[str] = []
        self.now_s = 0.0
        self.strangers = Strangers(
            list_open=self.listed,
            close=self.close,
            count_files=lambda: 10_000,
            now=lambda: self.now_s,
        )

    def close(self, item: OpenConnection) -> None:
        self.closed.append(item.peer)

    def listed(self, ports: Collection[int]) -> list[OpenConnection]:
        return [item for item in self.open if item.peer not in self.closed]

    def connect(self, host: str, count: int, *, first: int = 0) -> None:
        self.open += [OpenConnection(0, f"ipv4:{host}:{port}", host) for port in range(first, first + count)]

    def look(self) -> list[str]:
        """What is closed now."""
        before = len(self.closed)
        self.strangers.look({1})
        return self.closed[before:]


def test_of_one_address_the_oldest_make_room() -> None:
    ports = Ports()
    ports.connect("10.0.0.1", MOST_UNKNOWN)
    ports.connect("10.0.0.2", 3)
    assert ports.look() == []
    ports.now_s = 1.0
    ports.connect("10.0.0.1", 2, first=1000)
    assert ports.look() == ["ipv4:10.0.0.1:0", "ipv4:10.0.0.1:1"]
    assert ports.look() == []


def test_who_is_known_does_not_count_however_many_they_are() -> None:
    ports = Ports()
    ports.connect("10.0.0.1", 3 * MOST_UNKNOWN)
    for item in ports.open:
        ports.strangers.know(item.peer)
    ports.connect("10.0.0.1", 1, first=1000)
    assert ports.look() == []


def test_a_port_that_is_used_again_is_not_known_by_the_one_before() -> None:
    ports = Ports()
    ports.connect("10.0.0.1", MOST_UNKNOWN + 1)
    for item in ports.open:
        ports.strangers.know(item.peer)
    again, ports.open = ports.open, []
    assert ports.look() == []
    ports.open = again
    assert len(ports.look()) == 1


@pytest.fixture(params=[("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1")], ids=str)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of a connection over loopback; the first is the one that listened."""
    listen, connect = request.param
    family = socket.AF_INET6 if ":" in listen else socket.AF_INET
    both = family == socket.AF_INET6
    with (
        socket.create_server((listen, 0), family=family, dualstack_ipv6=both) as server,
        socket.create_connection((connect, server.getsockname()[1])) as client,
        server.accept()[0] as accepted,
    ):
        yield accepted, client


def test_a_connection_of_this_process_is_found_and_ended(pair: tuple[socket.socket, socket.socket]) -> None:
    accepted, client = pair
    port, other = accepted.getsockname()[1], client.getsockname()[1]
    found = open_connections({port})
    assert [(item.handle, item.peer.rpartition(":")[2]) for item in found] == [(accepted.fileno(), str(other))]
    assert found[0].peer.startswith("ipv6:%5B::1%5D:" if client.getpeername()[0] == "::1" else "ipv4:127.0.0.1:")
    shut(OpenConnection(found[0].handle, "ipv4:10.0.0.1:1", "10.0.0.1"))  # the descriptor is another one's by now
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(1)
    shut(found[0])
    client.setblocking(True)
    assert client.recv(1) == b""
