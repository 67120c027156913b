"""The board as it is set from outside: small files that are written, and NVIDIA's nvpmodel. No shell, no caller's path.

`step` is called before and after each change, so that a test can kill the process at every one of them.
"""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from agent.device.files import number_of, text_of
from agent.device.nvpmodel import PowerModes, mode_in_force, read_power_modes
from agent.helper.note import Value

NVPMODEL = Path("/usr/sbin/nvpmodel")
_NVPMODEL_S = 30.0
_PR_SET_PDEATHSIG = 1
# One that shrinks its range is refused while its other bound is outside: what was refused is tried again.
_PASSES = 4


class Board:
    """Files below `root`, and the program that sets power modes."""

    def __init__(
        self, root: Path = Path("/"), *, nvpmodel: Path = NVPMODEL, step: Callable[[str], None] = lambda name: None
    ) -> None:
        self.root = root
        self._nvpmodel, self._step = nvpmodel, step

    @property
    def boot_id(self) -> str:
        return text_of(self.root / "proc/sys/kernel/random/boot_id") or ""

    def modes(self) -> PowerModes:
        """The modes of its configuration; which one is in force is asked of nvpmodel, where it answers."""
        found = read_power_modes(self.root)
        name = mode_in_force(self._run("-q")[1]) if found.modes and self._nvpmodel.exists() else None
        return replace(found, current=name) if name in found.names else found

    def run_mode(self, number: int) -> tuple[int, str]:
        """Exit code, and what it printed. It asks before it reboots, and nobody answers."""
        self._step(f"before mode {number}")
        ended = self._run("-m", str(number))
        self._step(f"after mode {number}")
        return ended

    def can_set_modes(self) -> bool:
        return self._nvpmodel.exists()

    def text(self, name: str) -> str:
        return text_of(self.root / name) or ""

    def number(self, name: str) -> int | None:
        return number_of(self.root / name)

    def is_writable(self, name: str) -> bool:
        return os.access(self.root / name, os.W_OK)

    def write(self, name: str, text: str) -> bool:
        """Whether the kernel took it. Nothing is ever created."""
        self._step(f"before {name}")
        try:
            handle = os.open(self.root / name, os.O_WRONLY | os.O_TRUNC)
        except OSError:
            return False
        try:
            self._step(f"opened {name}")
            os.write(handle, f"{text}\n".encode())
        except OSError:
            return False
        finally:
            os.close(handle)
        self._step(f"after {name}")
        return True

    def write_all(self, values: Iterable[Value]) -> list[str]:
        """Writes what differs, until nothing does or nothing more can be done; the files that still differ."""
        wanted = list(values)
        left: list[Value] = []
        for _ in range(_PASSES):
            left = [(name, text) for name, text in wanted if self.text(name) != text]
            for name, text in left:
                self.write(name, text)
        return [name for name, text in left if self.text(name) != text]

    def _run(self, *arguments: str) -> tuple[int, str]:
        try:
            done = subprocess.run(
                [str(self._nvpmodel), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_NVPMODEL_S,
                check=False,
                cwd="/",
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
                preexec_fn=_die_with_helper,
            )
        except subprocess.TimeoutExpired:
            return 1, f"nvpmodel did not end within {_NVPMODEL_S:.0f} s"
        except OSError as error:
            return 1, f"nvpmodel cannot be run: {error.strerror}"
        return done.returncode, done.stdout.decode("utf-8", "replace").strip()


def _die_with_helper() -> None:
    """One that outlived a killed helper would go on setting what the next one restores."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
