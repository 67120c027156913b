"""Finding a controller: who is asked, who is started, and what happens when neither works."""

import fcntl
import os
import time
from pathlib import Path

import pytest

from controller.api import discovery
from controller.api.client import Client
from controller.api.discovery import connect, find_running
from controller.api.local import local_name, stopped_local_count
from controller.model.view import DeviceView
from jetfleet.address import default_state_dir, socket_path
from jetfleet.errors import Infrastructure, StateLocked, Unreachable
from testing.processes import ControllerProcess
from testing.views import device


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JETFLEET_ADDRESS", "JETFLEET_STATE", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_a_running_controller_is_used(controller: ControllerProcess, client: Client) -> None:
    told: list[str] = []
    with connect(controller.state_dir, on_message=told.append) as found:
        assert found.hello() == client.hello()
        assert not found.hello().embedded
    assert told == []


def test_its_address_is_as_good_as_its_folder(controller: ControllerProcess, tmp_path: Path) -> None:
    with connect(tmp_path / "elsewhere", address=controller.address) as found:
        assert found.hello().state_dir == str(controller.state_dir)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_is_a_path_or_a_text(controller: ControllerProcess, tmp_path: Path) -> None:
    for folder in (tmp_path / "state", str(tmp_path / "state")):
        with connect(folder) as found:
            assert found.devices() == []


def test_an_address_in_the_environment_is_explicit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JETFLEET_ADDRESS", f"unix:{tmp_path}/nobody.sock")
    with pytest.raises(Unreachable):
        connect(tmp_path)
    assert list(tmp_path.iterdir()) == []


class Clock:
    """Stands still: however long a process takes to start, it is in time."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def test_a_folder_locked_by_someone_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, told = Clock(), list[str]()

    def nobody(state_dir: Path, *, until: float) -> None:
        told.append((state_dir / "logs" / "controller.log").read_text())
        clock.now += 6

    monkeypatch.setattr(discovery, "time", clock)
    monkeypatch.setattr(discovery, "_poll_for_answer", nobody)
    handle = os.open(tmp_path / "controller.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(StateLocked):
            connect(tmp_path, start_s=10.0)
    finally:
        os.close(handle)
    assert len(told) == 2  # a second was started, as the first owner might have been about to leave
    assert "StateLocked" in told[0]


def test_a_state_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Infrastructure, match="cannot make the state folder"):
        connect(tmp_path / "file" / "state")


def test_a_stale_socket_is_nobody(tmp_path: Path) -> None:
    socket_path(tmp_path).write_text("left behind")
    assert find_running(tmp_path) is None


def test_the_state_folder_by_the_environment(tmp_path: Path) -> None:
    assert default_state_dir({"JETFLEET_STATE": "/a", "XDG_STATE_HOME": "/b"}) == Path("/a")
    assert default_state_dir({"XDG_STATE_HOME": "/b"}) == Path("/b/jetfleet")
    assert default_state_dir({}) == Path.home() / ".local/state/jetfleet"


def test_a_socket_path_always_fits(tmp_path: Path) -> None:
    assert socket_path(Path("/s")) == Path("/s/controller.sock")
    deep = tmp_path / ("long" * 30)
    assert len(os.fsencode(socket_path(deep))) <= 100
    assert socket_path(deep) == socket_path(deep / ".." / deep.name)
    assert socket_path(deep) != socket_path(tmp_path / ("lang" * 30))


def test_which_local_agents_an_embedded_controller_wakes() -> None:
    def local(number: int, *, online: bool = False) -> DeviceView:
        return device(name=local_name(number), online=online, facts={"label.local": "1"})

    assert stopped_local_count([]) == 1
    assert stopped_local_count([local(1)]) == 1
    assert stopped_local_count([local(1), local(3)]) == 3
    assert stopped_local_count([local(1), local(2, online=True)]) == 0
    assert stopped_local_count([local(1), device(online=False)]) == 0
