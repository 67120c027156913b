"""Is a board as before after somebody was killed? Trials on constructed boards with real processes and kill -9.

Each trial takes a fresh board, has a helper set a power mode and lock the clocks, kills at one point, starts the helper
again as systemd does, and compares every file with what it was.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.helper.client import ask
from jetfleet.errors import Infrastructure
from testing.boards.settable import contents, count_changes, write_settable_board
from testing.helper_process import HelperProcess

MODE = 3  # fewer CPUs, and every clock lower
_WAIT_S = 30.0
_ASKER = """
import sys, time
from pathlib import Path
from agent.helper.client import ask
path = Path(sys.argv[1])
ask("set-mode", path=path, mode=int(sys.argv[2])), ask("lock-clocks", path=path)
print("set", flush=True)
time.sleep(600)
"""


@dataclass(frozen=True)
class TrialBoard:
    """A board of one trial, with what it was and the helper's folder beside it."""

    root: Path
    state: Path
    before: dict[str, str]

    @property
    def differs(self) -> dict[str, tuple[str | None, str]]:
        """What is not as before, as (then, now)."""
        now = contents(self.root)
        return {name: (self.before.get(name), text) for name, text in now.items() if self.before.get(name) != text}


def trial_board(folder: Path) -> TrialBoard:
    folder.mkdir(parents=True)
    root = write_settable_board(folder / "root")
    return TrialBoard(root, folder / "state", contents(root))


def run_scenario(helper: HelperProcess) -> None:
    """Mode, lock, restore: until the helper is gone."""
    with contextlib.suppress(Infrastructure):
        ask("set-mode", path=helper.socket, mode=MODE)
        ask("lock-clocks", path=helper.socket)
        ask("restore", path=helper.socket)


def count_steps(folder: Path) -> int:
    """How many steps the scenario has: the numbers for `killed_at`."""
    return len(_steps(folder))


def first_of_restoring(folder: Path) -> tuple[int, int]:
    """The step of the scenario at which all is set and restoring begins, and how many steps a restoring has then."""
    names = _steps(folder)
    first = len(names) - names[::-1].index("before mode 0")
    return first, len(names) - first + 1


def _steps(folder: Path) -> list[str]:
    board = trial_board(folder)
    helper = HelperProcess(board.root, board.state)
    run_scenario(helper)
    helper.end()
    return (board.state / "steps").read_text().splitlines()


def killed_at(folder: Path, step: int, *, again_at: int = 0, restart: bool = True) -> TrialBoard:
    """The helper dies at a step of the scenario; the next one, too, at a step of its restoring, where one is named."""
    board = trial_board(folder)
    helper = HelperProcess(board.root, board.state, kill_at=step)
    run_scenario(helper)
    helper.wait_killed()
    if again_at:
        HelperProcess(board.root, board.state, kill_at=again_at).wait_killed()
    if restart:
        _restart(board)
    return board


def killed_in_nvpmodel(folder: Path, change: int) -> TrialBoard:
    """nvpmodel and the helper die together in the middle of a mode."""
    board = trial_board(folder)
    (board.root / "kill-at").write_text(f"{change}\n")
    helper = HelperProcess(board.root, board.state)
    run_scenario(helper)
    helper.wait_killed()
    (board.root / "kill-at").unlink()
    _restart(board)
    return board


def killed_after(folder: Path, delay_s: float) -> TrialBoard:
    """The helper dies at any instruction."""
    board = trial_board(folder)
    helper = HelperProcess(board.root, board.state)
    asker = subprocess.Popen(
        [sys.executable, "-c", _ASKER, str(helper.socket), str(MODE)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(delay_s)
    helper.end()
    asker.kill()
    asker.wait()
    _restart(board)
    return board


def asker_killed(folder: Path) -> TrialBoard:
    """The agent dies while its settings are in force: the helper sees it and restores."""
    board = trial_board(folder)
    helper = HelperProcess(board.root, board.state)
    command = [sys.executable, "-c", _ASKER, str(helper.socket), str(MODE)]
    asker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert asker.stdout is not None
    assert asker.stdout.readline() == "set\n"
    assert board.differs
    os.kill(asker.pid, signal.SIGKILL)
    asker.wait()
    asker.stdout.close()
    _until(lambda: not board.differs)
    helper.end()
    return board


def told_to_end(folder: Path) -> TrialBoard:
    """The helper is stopped in an orderly way while settings are in force."""
    board = trial_board(folder)
    helper = HelperProcess(board.root, board.state)
    ask("set-mode", path=helper.socket, mode=MODE)
    assert board.differs
    helper.process.terminate()
    helper.wait_killed()
    return board


def delays(count: int, *, longest_s: float) -> Sequence[float]:
    """Spread evenly; at which instruction each of them falls is chance."""
    return [longest_s * (index + 0.5) / count for index in range(count)]


def changes_of_mode() -> int:
    return count_changes(MODE)


def _restart(board: TrialBoard) -> None:
    """Whoever is answered finds a helper that has restored."""
    helper = HelperProcess(board.root, board.state)
    try:
        ask("ping", path=helper.socket)
    finally:
        helper.end()


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _WAIT_S
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.02)
