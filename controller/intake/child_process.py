"""Runs the model child: bounded in time and memory, in a process group of its own, killed with its parent."""

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from controller.intake.exchange import (
    ANSWER_NAME,
    DISK_FAILS,
    DISK_FULL,
    ModelAnswer,
    ModelRequest,
    read_answer,
    write_request,
)
from controller.intake.jobfile.model_error import ModelError
from jetfleet.errors import BadInput, DiskFull, Infrastructure, TimeLimit
from jetfleet.interpreter import PYTHON
from jetfleet.os_errors import explained

_LAUNCH = Path(__file__).with_name("launch.py")
_TAIL_BYTES = 2000
_PROBE_BYTES = 64 << 10


def run(request: ModelRequest, *, timeout_s: float, progress: Callable[[str], None]) -> ModelAnswer:
    """Raises the child's ModelError, BadInput if it died of the model, TimeLimit, and Infrastructure for a full or
    failing disk.
    """
    folder = Path(request.out)
    request_path, log_path = folder / "request.json", folder / "log.txt"
    write_request(request_path, request)
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as pipe, log_path.open("wb") as log:
        process = subprocess.Popen(
            [PYTHON, str(_LAUNCH), str(request_path), str(writer), str(os.getpid())],
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
    if fault := _disk_fault(process.returncode, folder):
        raise fault
    if process.returncode != 0:
        raise _death(process.returncode, log_path, request.memory_bytes)
    try:
        return read_answer(folder / ANSWER_NAME)
    except ModelError:
        if fault := _probe_disks(folder):
            raise fault from None
        raise


def _disk_fault(code: int, folder: Path) -> Infrastructure | None:
    """What the child says of the disk; and where it died, what the disk says: C++ has no word for it."""
    places = f"{folder.parent} or the folder for temporary files"
    if code in (DISK_FULL, -signal.SIGXFSZ):
        return DiskFull(f"no space left in {places}, while the model was looked at", hint="free some space there")
    if code == DISK_FAILS:
        return Infrastructure(f"the disk of {places} fails", hint="check the disk and its permissions")
    return _probe_disks(folder) if code != 0 else None


def _probe_disks(folder: Path) -> Infrastructure | None:
    try:
        for place in (folder, None):
            with tempfile.TemporaryFile(dir=place, buffering=0) as file:
                file.write(bytes(_PROBE_BYTES))
    except OSError as error:
        told = explained(error)
        return told if isinstance(told, Infrastructure) else None
    return None


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
