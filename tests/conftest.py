"""Fixtures: processes that a test starts are killed when it ends, whatever happened."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from controller.api.client import Client
from testing.helper_process import HelperProcess
from testing.processes import AgentProcess, ControllerProcess, Process
from testing.restore_trials import TrialBoard, trial_board

# A shell that runs the tests in the background has them ignore SIGINT, and every child would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Readline, which pytest imports, writes the size of a terminal that nobody has into the environment of every child.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)
    os.unsetenv(name)

# No limit on an example's time, which on a busy machine is the disk's and the neighbours', and the same examples in
# every run: a run says of the same code the same.
settings.load_profile("ci")


@pytest.fixture
def keep() -> Iterator[Callable[[Process], Process]]:
    """Registers a process for the end of the test."""
    kept: list[Process] = []

    def register(process: Process) -> Process:
        kept.append(process)
        return process

    yield register
    for process in reversed(kept):
        process.kill()


@pytest.fixture
def controller(tmp_path: Path, keep: Callable[[Process], Process]) -> ControllerProcess:
    """A running controller on a socket and a free port, with short renewals."""
    process = ControllerProcess(tmp_path / "state")
    keep(process)
    return process.ready()


@pytest.fixture
def client(controller: ControllerProcess) -> Iterator[Client]:
    with Client(controller.address) as found:
        yield found


@pytest.fixture
def start_agent(
    tmp_path: Path, controller: ControllerProcess, keep: Callable[[Process], Process]
) -> Callable[..., AgentProcess]:
    """Starts an agent of this controller; keyword arguments as AgentProcess takes them."""

    def start(name: str = "board", **options: object) -> AgentProcess:
        process = AgentProcess(tmp_path / "agents" / name, controller.address, name=name, **options)  # type: ignore[arg-type]
        keep(process)
        process.start()
        return process

    return start


@pytest.fixture
def board(tmp_path: Path) -> TrialBoard:
    """A constructed board whose power modes and clocks a helper can set."""
    return trial_board(tmp_path / "board")


@pytest.fixture
def helper(board: TrialBoard) -> Iterator[HelperProcess]:
    """That board's helper, a real process."""
    process = HelperProcess(board.root, board.state)
    yield process
    process.end()
