"""Runs the model child: bounded in time and memory, in a process group of its own, killed with its parent."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from controller.intake.exchange import ANSWER_NAME, ModelAnswer, ModelRequest, read_answer, write_request
from jetfleet.errors import BadInput, TimeLimit

_LAUNCH = Path(__file__).with_name("launch.py")
_TAIL_BYTES = 2000


def run(request: ModelRequest, *, timeout_s: float, progress: Callable[[str], None]) -> ModelAnswer:
    """Raises the child's ModelError, BadInput if it died of the model, TimeLimit."""
    folder = Path(request.out)
    request_path, log_path = folder / "request.json", folder / "log.txt"
    write_request(request_path, request)
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as pipe, log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(_LAUNCH), str(request_path), str(writer), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(writer,),
            env=_environment(os.environ),
            start_new_session=True,
        )
        os.close(writer)
        try:
            in_time = _follow(pipe.fileno(), process, time.monotonic() + timeout_s, progress)
        finally:
            _kill_group(process)
    if not in_time:
        raise TimeLimit(f"the model was not ready after {timeout_s:g} s", hint="is there a loop in its code?")
    if process.returncode != 0:
        raise _death(process.returncode, log_path, request.memory_bytes)
    return read_answer(folder / ANSWER_NAME)


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """The user's environment, for the user's code, less anything of ours that might be a secret."""
    return {name: value for name, value in own.items() if not name.startswith("JETFLEET_")}


def _follow(pipe: int, process: "subprocess.Popen[bytes]", deadline: float, progress: Callable[[str], None]) -> bool:
    """Passes progress on until the child ends; False if the deadline comes first."""
    rest = b""
    while (left_s := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([pipe], [], [], left_s)
        if not ready:
            return False
        block = os.read(pipe, 1 << 16)
        if not block:
            break
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            progress(line.decode("utf-8", "replace"))
    try:
        process.wait(max(deadline - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        return False
    return True


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Ends the child and whatever it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _death(code: int, log: Path, memory_bytes: int) -> BadInput:
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - _TAIL_BYTES, 0))
        lines = file.read().decode("utf-8", "replace").splitlines()
    last = "".join(letter for letter in (lines[-1] if lines else "") if letter.isprintable())[:300]
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    return BadInput(
        f"the process that looked at the model {how}" + (f": {last}" if last else ""),
        expected=f"a model that loads and runs within {memory_bytes / (1 << 30):.1f} GiB of memory",
    )
