"""What a check says, and what it may look at."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from agent.child_env import child_env
from agent.device.board import BoardIdentity, read_board
from agent.device.container import read_container
from agent.device.files import is_there, text_of
from agent.device.nodes import NodeOwner, read_owner
from agent.device.release import major, read_l4t
from agent.doctor.trial_process import TrialResult, run_trial

State = Literal["ok", "warn", "fail", "skip"]
Kind = Literal["jetson", "gpu", "cpu"]
_CUDA_S = 120.0  # the first CUDA call on a small board that has just booted


@dataclass(frozen=True)
class CheckResult:
    """`found` is what was seen; `why` what that means, if it is not well; `fix` what to do, as a command where it can.

    A failure without a fix is a defect of its check. `name` is given by the list of all checks.
    """

    state: State
    found: str
    why: str = ""
    fix: str = ""
    name: str = ""


def ok(found: str) -> CheckResult:
    return CheckResult("ok", found)


def warn(found: str, *, why: str, fix: str = "") -> CheckResult:
    return CheckResult("warn", found, why, fix)


def fail(found: str, *, why: str, fix: str) -> CheckResult:
    return CheckResult("fail", found, why, fix)


def skip(why: str) -> CheckResult:
    return CheckResult("skip", "", why)


@dataclass(frozen=True)
class Interpreter:
    """The Python that runs this agent; `venv` is the folder of its virtual environment."""

    version: tuple[int, int]
    venv: Path | None
    system_packages: bool

    @property
    def text(self) -> str:
        return f"{self.version[0]}.{self.version[1]}"


@dataclass(frozen=True)
class CheckContext:
    """What is examined. A tree that is not this machine's (`live` False) can be read, but nothing can be run in it.

    Who may open what is asked through `may_access` (os.access, which knows access lists and root) and `owner_of`.
    """

    root: Path
    env: Mapping[str, str]
    state_dir: Path
    address: str | None
    board: BoardIdentity
    l4t: str | None
    container: str | None
    interpreter: Interpreter = field(default_factory=lambda: this_interpreter())
    may_access: Callable[[Path, int], bool] = os.access
    owner_of: Callable[[Path], NodeOwner] = read_owner
    run_cuda: "Callable[[CheckContext], TrialResult | None]" = field(default_factory=lambda: _run_cuda)

    @property
    def live(self) -> bool:
        return self.root == Path("/")

    @property
    def kind(self) -> Kind:
        """A Jetson shows by device tree, release, or kernel: the last also in a container that hides everything else.

        A discrete GPU shows by its driver's control node.
        """
        kernel = text_of(self.root / "proc/sys/kernel/osrelease") or ""
        if self.board.chip is not None or self.l4t is not None or "tegra" in kernel:
            return "jetson"
        return "gpu" if is_there(self.root / "dev/nvidiactl") else "cpu"

    @cached_property
    def cuda(self) -> TrialResult | None:
        """How a CUDA context in a child process went, tried once for all checks; None where none can be tried."""
        return self.run_cuda(self)

    @property
    def confined(self) -> bool:
        return self.container not in (None, "none")

    @property
    def release(self) -> int | None:
        """35, 36, 38, 39: L4T's first number."""
        return major(self.l4t)


def read_context(
    root: Path, *, env: Mapping[str, str] = os.environ, state_dir: Path, address: str | None = None
) -> CheckContext:
    board, container = read_board(root, env), read_container(root, env)
    return CheckContext(root, env, state_dir, address, board, read_l4t(root), container)


def this_interpreter() -> Interpreter:
    venv = Path(sys.prefix) if sys.prefix != sys.base_prefix else None
    settings = (venv / "pyvenv.cfg").read_text().lower() if venv and (venv / "pyvenv.cfg").exists() else ""
    shared = any(line.replace(" ", "") == "include-system-site-packages=true" for line in settings.splitlines())
    return Interpreter((sys.version_info[0], sys.version_info[1]), venv, venv is None or shared)


def _run_cuda(context: CheckContext) -> TrialResult | None:
    if not context.live or context.kind == "cpu":
        return None
    return run_trial("cuda", limit_s=_CUDA_S, env=child_env(context.env))
