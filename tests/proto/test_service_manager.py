"""What is said to systemd, on a real datagram socket."""

import asyncio
import os
import select
import socket

import pytest

from jetfleet.service_manager import ServiceManager


@pytest.fixture
def systemd(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(20)
        yield listener


def heard(listener, count):
    return [listener.recv(4096).decode() for _ in range(count)]


def test_ready_is_said_once_and_a_status_when_it_changes(systemd):
    manager = ServiceManager({"NOTIFY_SOCKET": systemd.getsockname()})
    manager.ready("one")
    manager.ready("one")
    manager.tell("two\nlines")
    manager.stopping()
    assert heard(systemd, 4) == ["READY=1", "STATUS=one", "STATUS=two lines", "STOPPING=1"]


def test_an_abstract_socket_is_found_too():
    name = f"jetfleet-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        listener.settimeout(20)
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert heard(listener, 1) == ["READY=1"]


async def test_signs_of_life_come_while_the_loop_runs_and_stop_with_it(systemd):
    manager = ServiceManager({"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "30000"})
    async with manager.alive():
        for _ in range(3):
            assert await asyncio.to_thread(heard, systemd, 1) == ["WATCHDOG=1"]
    drain(systemd)
    await asyncio.sleep(0.1)
    assert drain(systemd) == []


def drain(listener):
    """What had been said until now."""
    said = []
    while select.select([listener], [], [], 0)[0]:
        said.append(listener.recv(4096))
    return said


@pytest.mark.parametrize(
    ("environment", "period_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_period_is_ours_only_where_it_is_meant_for_us(environment, period_s):
    assert ServiceManager(environment).period_s == period_s


def test_children_do_not_inherit_the_voice():
    environment = {"NOTIFY_SOCKET": "/none", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "PATH": "/bin"}
    ServiceManager(environment)
    assert environment == {"PATH": "/bin"}


async def test_without_systemd_nothing_happens_and_a_dead_socket_is_no_obstacle(tmp_path):
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "1000"}):
        manager = ServiceManager(environment)
        async with manager.alive():
            manager.ready("up")
            await asyncio.sleep(0.01)
        manager.stopping()
