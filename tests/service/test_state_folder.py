"""The folder of a controller's state: private, whole, and there; a controller that has lost it stops."""

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from controller.api.client import Client
from jetfleet.address import socket_path
from jetfleet.errors import JetfleetError
from testing.boards.facts import simulated_board
from testing.jobs import simulated_job, submit
from testing.processes import AgentProcess, ControllerProcess, Process, wait_online


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def start_board(client: Client, start_agent: Callable[..., AgentProcess]) -> None:
    start_agent("board", facts=simulated_board())
    wait_online(client, "board")


def test_a_folder_that_was_open_to_others_is_closed(tmp_path: Path, keep: Callable[[Process], Process]) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o777)
    keep(ControllerProcess(state)).ready()
    assert mode(state) == 0o700
    assert mode(socket_path(state)) == 0o600


def test_a_folder_of_everybodys_is_refused(tmp_path: Path, keep: Callable[[Process], Process]) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o1777)
    process = ControllerProcess(state)
    keep(process)
    process.start()
    assert process.wait() != 0
    assert "a folder of everybody's" in process.text()


@pytest.mark.parametrize("how", ["truncated", "deleted"])
def test_an_empty_database_beside_files_is_no_fresh_start(
    controller: ControllerProcess,
    client: Client,
    start_agent: Callable[..., AgentProcess],
    tmp_path: Path,
    keep: Callable[[Process], Process],
    how: str,
) -> None:
    start_board(client, start_agent)
    submit(client, simulated_job(tmp_path / "job"))
    controller.kill()
    for path in controller.state_dir.glob("fleet.db*"):
        path.unlink()
    if how == "truncated":
        (controller.state_dir / "fleet.db").touch()
    again = ControllerProcess(controller.state_dir)
    keep(again)
    again.start()
    assert again.wait() != 0
    assert "--accept-empty-database" in again.text()


@pytest.mark.parametrize("what", ["folder", "database"])
def test_a_controller_whose_state_is_gone_acknowledges_nothing_and_stops(
    controller: ControllerProcess,
    client: Client,
    start_agent: Callable[..., AgentProcess],
    tmp_path: Path,
    what: str,
) -> None:
    start_board(client, start_agent)
    submit(client, simulated_job(tmp_path / "before"))
    spec, files = simulated_job(tmp_path / "after", name="after")
    if what == "folder":
        shutil.rmtree(controller.state_dir)
    else:
        for path in controller.state_dir.glob("fleet.db*"):
            path.unlink()
    with pytest.raises((JetfleetError, grpc.RpcError)):
        client.submit_spec(spec, files)
    assert controller.wait() != 0
