"""Finds the controller: at the address that was given, else at the state folder's socket, else starts one there.

Any number of commands may start at once: the state folder has one owner, and who loses the race uses the winner's.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from controller.api.client import Client
from controller.api.spawn import DetachedProcess
from controller.client.credentials import default_address
from jetfleet.address import (
    ADDRESS_VARIABLE,
    STATE_VARIABLE,
    check_state_dir,
    default_state_dir,
    socket_address,
    socket_path,
)
from jetfleet.errors import Infrastructure, JetfleetError, StateLocked, Unreachable

_START_S = 60.0  # a first start also makes the database; a small board's disk is slow
_POLL_S = 0.05
# A lock that is held although nobody answers: its owner is starting, or stopping and soon gone. Ask again this often.
_LOCKED_S = 1.0


def connect(
    state_dir: Path | str | None = None,
    *,
    address: str | None = None,
    on_message: Callable[[str], None] = lambda _: None,
    start_s: float = _START_S,
) -> Client:
    """A client whose controller has answered; no state folder: the default one. `on_message` hears when one is
    started, and then of each step of a submit.

    Raises Unreachable if an explicit address (or JETFLEET_ADDRESS) does not answer: then nothing is started. Raises
    what the started controller died of: DatabaseTooNew, StateLocked, DiskFull.
    """
    folder = Path(state_dir or default_state_dir()).resolve()
    check_state_dir(folder)
    chosen = explicit_address(address, state_chosen=state_dir is not None)
    found = _open_client(chosen, state_dir=folder) if chosen else find_running(folder)
    if found is None:
        on_message(f"no controller is running: starting one for {folder}")
        found = _start(folder, start_s=start_s)
    found.on_message = on_message
    return found


def explicit_address(address: str | None, *, state_chosen: bool) -> str:
    """What was given, else what the environment says, else where somebody logged in; empty for none of them.

    Who chose a state folder, by argument or environment, means the controller of that folder, and no login.
    """
    given = address or os.environ.get(ADDRESS_VARIABLE, "")
    if given or state_chosen or os.environ.get(STATE_VARIABLE):
        return given
    return default_address()


def find_running(state_dir: Path) -> Client | None:
    """A client of the controller that owns a state folder, if one answers at its socket.

    Raises Infrastructure where the socket is not this user's alone.
    """
    if not socket_path(state_dir).exists():
        return None
    try:
        return _open_client(socket_address(state_dir), state_dir=state_dir)
    except Unreachable:
        return None


def make_state_dir(state_dir: Path) -> None:
    """For its owner only: results, models and, in time, keys are in there."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Infrastructure(f"cannot make the state folder: {error.strerror}", where=str(state_dir)) from None


def _open_client(address: str, *, state_dir: Path) -> Client:
    client = Client(address, state_dir=state_dir)
    try:
        client.hello()
    except JetfleetError:
        client.close()
        raise
    return client


def _start(state_dir: Path, *, start_s: float) -> Client:
    """Starts an embedded controller until one answers, ours or another command's."""
    make_state_dir(state_dir)
    deadline = time.monotonic() + start_s
    locked: StateLocked | None = None
    while True:
        process = _spawn(state_dir)
        try:
            return _wait_for_answer(process, state_dir, deadline=deadline)
        except Unreachable as error:
            raise locked or error from None  # the last process had no time left to meet the lock that the others met
        except StateLocked as error:
            locked = error
            if found := _owner(state_dir, error, deadline=deadline):
                return found


def _owner(state_dir: Path, locked: StateLocked, *, deadline: float) -> Client | None:
    """The controller that holds the lock, once it answers; None where it went away. Raises StateLocked when late."""
    found = _poll_for_answer(state_dir, until=min(deadline, time.monotonic() + _LOCKED_S))
    if found is None and time.monotonic() >= deadline:
        raise locked
    return found


def _spawn(state_dir: Path) -> DetachedProcess:
    # --json: the error it may die of is read back from the log.
    arguments = ["serve", "--embedded", "--json", "--state", str(state_dir)]
    return DetachedProcess("controller.cli.main", arguments, log=state_dir / "logs" / "controller.log", cwd=state_dir)


def _wait_for_answer(process: DetachedProcess, state_dir: Path, *, deadline: float) -> Client:
    """The first answer at the socket. Raises what the process died of."""
    while time.monotonic() < deadline:
        if found := find_running(state_dir):
            return found
        if process.exit_code() is not None:
            raise process.error("the embedded controller")
        time.sleep(_POLL_S)
    raise Unreachable(f"the embedded controller for {state_dir} does not answer", hint=f"see {process.log}")


def _poll_for_answer(state_dir: Path, *, until: float) -> Client | None:
    while time.monotonic() < until:
        if found := find_running(state_dir):
            return found
        time.sleep(_POLL_S)
    return None
