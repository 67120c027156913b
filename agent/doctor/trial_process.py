"""Runs a trial in a child process and tells how far it got and how it ended."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jetfleet.interpreter import PYTHON

_LAST_LINES = 3


@dataclass(frozen=True)
class TrialResult:
    """`steps` maps each step that was done to its detail; `error` is empty for a trial that went through.

    `crashed` says that no explanation came from the child itself: it died, or was killed at the time limit. `log` is
    the end of what libraries printed.
    """

    steps: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    crashed: bool = False
    log: str = field(default="", compare=False)


def run_trial(*what: str, limit_s: float, env: Mapping[str, str]) -> TrialResult:
    """Runs `agent.doctor.trial` with these arguments in this environment, and kills its whole group at the limit."""
    with tempfile.TemporaryDirectory(prefix="jetfleet-doctor-") as folder:
        steps, log = Path(folder) / "steps", Path(folder) / "log"
        steps.touch()
        with log.open("wb") as output:
            child = subprocess.Popen(
                [PYTHON, "-m", "agent.doctor.trial", str(steps), *what],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(env),
                start_new_session=True,
            )
            try:
                code: int | None = child.wait(limit_s)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        return read(steps.read_text(encoding="utf-8"), code, log.read_text(errors="replace"), limit_s=limit_s)


def read(steps: str, code: int | None, log: str, *, limit_s: float) -> TrialResult:
    """`code` is the child's exit code, negative for a signal, None at the time limit."""
    lines = [json.loads(line) for line in steps.splitlines() if line.endswith("}")]
    done = {line["step"]: line["detail"] for line in lines if "step" in line}
    error = next((line["error"] for line in lines if "error" in line), "")
    last = " | ".join([line.strip()[:200] for line in log.splitlines() if line.strip()][-_LAST_LINES:])
    if error or code == 0:
        return TrialResult(done, error, log=last)
    if code is None:
        return TrialResult(done, f"no end after {limit_s:.0f} s", crashed=True, log=last)
    how = f"died of {_signal(-code)}" if code < 0 else f"ended with code {code}"
    return TrialResult(done, how + (f": {last}" if last else ""), crashed=True, log=last)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
