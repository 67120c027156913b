"""The helper as a real process on a constructed board, which can be killed at each of its steps.

`python -m testing.helper_process ROOT STATE LISTENER [STEP]`: LISTENER is the descriptor of its socket; at the step of
that number it kills itself. What it has done is in STATE/steps.
"""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from agent.helper.board import Board
from agent.helper.gpus import NvmlClocks
from agent.helper.holder import Holder
from agent.helper.note import NoteFile
from agent.helper.server import serve_until_told
from agent.helper.settings import HeldSettings
from agent.helper.verbs import Verbs
from testing.boards.settable import NVPMODEL


class Steps:
    """Counts them, and ends the process at one of them."""

    def __init__(self, log: Path, kill_at: int) -> None:
        self._log, self._kill_at = log, kill_at
        self._count = 0

    def __call__(self, name: str) -> None:
        self._count += 1
        with self._log.open("a") as file:
            file.write(f"{name}\n")
        if self._count == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


class HelperProcess:
    """One that was started on a socket that outlives it, as systemd's does."""

    def __init__(self, root: Path, state: Path, *, kill_at: int = 0) -> None:
        state.mkdir(exist_ok=True)
        self.socket = state / "helper.sock"
        self.socket.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket))
        self._listener.listen(8)
        arguments = [str(root), str(state), str(self._listener.fileno()), str(kill_at)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "testing.helper_process", *arguments],
            pass_fds=(self._listener.fileno(),),
            stderr=subprocess.DEVNULL,
        )

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._listener.close()

    def wait_killed(self) -> None:
        """It has killed itself."""
        try:
            self.process.wait(timeout=60)
        finally:
            self.end()


def main(root: Path, state: Path, listener: int, kill_at: int) -> None:
    steps = Steps(state / "steps", kill_at)
    holder = Holder()
    board = Board(root, nvpmodel=root / NVPMODEL, step=steps)
    settings = HeldSettings(board, NoteFile(state / "notes", step=steps), NvmlClocks(root))
    serve_until_told(socket.socket(fileno=listener), Verbs(settings, holder), holder, allowed={os.getuid()})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
