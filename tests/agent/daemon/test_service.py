"""An agent as systemd's service: what it says on the notify socket, with a controller and without one."""

import signal
import socket
from collections.abc import Callable

import pytest

from agent import cli
from controller.api.client import Client
from jetfleet.errors import Infrastructure
from testing.boards.facts import simulated_board
from testing.processes import AgentProcess, ControllerProcess, Process, wait_for, wait_online


def listener(path):
    found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    found.bind(str(path))
    found.settimeout(60)
    return found


def hear(systemd, until):
    """All that is said, up to the message that begins so."""
    said = []
    while not (said and said[-1].startswith(until)):
        said.append(systemd.recv(4096).decode())
    return said


def test_it_is_ready_when_registered_gives_signs_of_life_and_says_that_it_stops(
    controller: ControllerProcess, client: Client, tmp_path, keep: Callable[[Process], Process]
):
    agent = AgentProcess(tmp_path / "agent", controller.address, name="board", facts=simulated_board())
    keep(agent)
    with listener(tmp_path / "notify") as systemd:
        agent.env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
        agent.start()
        said = hear(systemd, "STATUS=registered")
        assert "READY=1" in said
        wait_online(client, "board")
        hear(systemd, "WATCHDOG=1")
        agent.signal(signal.SIGTERM)
        assert "READY=1" not in hear(systemd, "STOPPING=1")
        assert agent.wait() == 0


def test_without_its_controller_it_is_ready_all_the_same_and_gives_signs_of_life(
    tmp_path, keep: Callable[[Process], Process]
):
    nowhere = f"unix:{tmp_path}/none.sock"
    agent = AgentProcess(tmp_path / "agent", nowhere, name="board", facts=simulated_board())
    keep(agent)
    with listener(tmp_path / "notify") as systemd:
        agent.env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
        agent.start()
        said = hear(systemd, "STATUS=no answer yet")
        assert "READY=1" in said
        for _ in range(3):
            hear(systemd, "WATCHDOG=1")
        assert wait_for(lambda: "trying again" in agent.text(), what="another try")


def test_root_does_not_work_for_another_machine(monkeypatch):
    """Unless told: what is built and run there comes from others."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(Infrastructure, match="does not run as root") as found:
        cli._refuse_root("workstation:50052", told=False)
    assert "agent install --native" in found.value.hint
    cli._refuse_root("workstation:50052", told=True)
    cli._refuse_root("unix:/run/user/0/controller.sock", told=False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    cli._refuse_root("workstation:50052", told=False)
